#!/bin/bash
# The embedded detector and backbone on drawn photographs that neither has seen: where the faces are is
# known from the table that kiln-faces writes, and so is whose they are.
#   drawn.sh KILN FACES DETECTOR.onnx BACKBONE.onnx
set -uo pipefail
kiln=$1 faces=$2 detector=$3 backbone=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache
failed=0

# at_least NAME FOUND WANTED OF
at_least() {
    printf '%s: %s of %s\n' "$1" "$2" "$4"
    if [ "$2" -lt "$3" ]; then
        printf 'FAILED: %s: expected %s at least\n' "$1" "$3"
        failed=1
    fi
}
# match TRUTH FOUND: rows "TRUE-NAME NAME" of faces of which more than half is common; FOUND has picture, box, name.
match() {
    awk -F, 'NR == FNR { if (FNR > 1 && $2 != "") { n++; p[n] = $1; t[n] = $2; l[n] = $4; u[n] = $5; r[n] = $6; b[n] = $7 } next }
        function least(x, y) { return x < y ? x : y }
        function most(x, y) { return x > y ? x : y }
        { for (k = 1; k <= n; k++) {
              w = least(r[k], $4) - most(l[k], $2); h = least(b[k], $5) - most(u[k], $3)
              both = (r[k] - l[k]) * (b[k] - u[k]) + ($4 - $2) * ($5 - $3)
              if (p[k] == $1 && w > 0 && h > 0 && w * h > 0.5 * (both - w * h)) print t[k], $6 } }' "$1" "$2"
}

"$faces" -o groups --groups 12 --together 5 --people 200 --size 512 --seed 77 --truth groups.csv >/dev/null || exit 1
"$faces" -o empty --empty 10 --people 200 --size 512 --seed 77 >/dev/null || exit 1
"$kiln" faces groups --detector "$detector" --format csv | awk -F, 'NR > 1 { print $1 "," $4 "," $5 "," $6 "," $7 "," }' >found.csv
total=$(($(wc -l <groups.csv) - 1)) given=$(wc -l <found.csv)
at_least 'faces found' "$(match groups.csv found.csv | wc -l)" $((total * 92 / 100)) "$total"
at_least 'of the finds, faces' "$(match groups.csv found.csv | wc -l)" $((given * 85 / 100)) "$given"

# The seeds of these tables differ from those of training.
"$faces" -o people --people 5 --pictures 8 --scenes --size 320 --seed 77 >/dev/null || exit 1
"$faces" -o party --people 5 --together 5 --groups 8 --size 640 --seed 77 --truth party.csv >/dev/null || exit 1
"$kiln" compile "$backbone" -o backbone.plan --mean 127.5 --std 128 -q || exit 1
"$kiln" train backbone.plan people -o faces.plan --detector "$detector" --bundle --no-checkpoint -q || exit 1
"$kiln" classify faces.plan party --far 1 --format csv >all.csv || exit 1
awk -F, 'NR > 1 { print $1 "," $2 "," $3 "," $4 "," $5 "," $7 }' all.csv >named.csv
total=$(($(wc -l <party.csv) - 1))
match party.csv named.csv >names
at_least 'people named' "$(awk '$1 == $2' names | wc -l)" $((total * 80 / 100)) "$total"
exit $failed
