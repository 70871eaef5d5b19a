#!/bin/bash
# An app (kiln/namer.h) and the command say the same of the same pixels: on drawn people, or on AT&T's. At a rate
# of strangers that lets several people be similar enough, so that the head chooses.
#   same_names.sh KILN FACES SAME_NAMES MODELS [SHARED]
set -uo pipefail
kiln=$1 faces=$2 same_names=$3 models=$4 shared=${5-}
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache

# same NAME PLAN RATE PICTURE...: line by line; the command tells large faces first, the app certain ones.
same() {
    local name=$1 plan=$2 rate=$3
    check "$name: command" "$kiln" classify "$plan" "${@:4}" --far "$rate" --format csv
    tail -n +2 out | sort >theirs
    check "$name: app" "$same_names" "$plan" "$rate" "${@:4}"
    sort out >ours
    cmp ours theirs >out 2>err && test -s ours
    outcome $? "$name: the app and the command differ: $(diff ours theirs | head -4)"
    echo "$name: $(wc -l <ours) faces, $(grep -vc ',unknown,' ours) named"
}

# head_chooses PLAN RATE PICTURE...: whether one is named whom somebody else is more similar to.
head_chooses() {
    local picture named nearest
    "$kiln" classify "$1" "${@:3}" --far "$2" --faces largest --format csv 2>/dev/null |
        awk -F, 'NR > 1 && $7 != "unknown" { print $1, $7 }' >named
    while read -r picture named; do
        nearest=$("$kiln" who "$1" "$picture" 2>/dev/null | awk 'NR == 2 { print $1 }')
        [ "$named" = "$nearest" ] || return 0
    done <named
    return 1
}

orl=$shared/faces/orl
if [ -n "$shared" ]; then
    check compile "$kiln" compile "$shared/models/mobilefacenet-b/model.onnx" -o net.plan --mean 127.5 --std 128 -q
    check train "$kiln" train net.plan "$orl" -o orl.plan --train-per-class 5 --no-checkpoint -q \
        --detector "$shared/models/yunet-n-320/model.onnx" --bundle
    for rate in 0.02 0.5; do
        same "ORL, $rate" orl.plan $rate "$orl"/s*/*.pgm
    done
    echo "$passed passed, $failed failed"
    exit $((failed > 0))
fi

"$faces" -o all --people 12 --pictures 8 --scenes --size 200 --seed 31 >/dev/null
"$faces" -o party --people 12 --together 3 --groups 6 --size 480 --seed 31 >/dev/null
mkdir people test
for folder in all/*/; do
    mkdir "people/$(basename "$folder")"
    mv "$folder"*[0-3].png "people/$(basename "$folder")/"
done
check compile "$kiln" compile "$models/backbone.onnx" -o backbone.plan --mean 127.5 --std 128 -q
for head in lda cosine knn; do
    check "train $head" "$kiln" train backbone.plan people -o $head.plan --detector "$models/detector.onnx" --bundle \
        --head $head --epochs 10 --no-checkpoint -q
    same "drawn, $head" $head.plan 0.5 all/*/*.png party/*.png
    same "drawn, $head, few strangers" $head.plan 0.1 all/*/*.png party/*.png
done
holds head_chooses lda.plan 0.5 all/*/*.png

# Somebody whom the head does not have, and a network that knows no people.
check enrol "$kiln" enrol lda.plan zoe party/*0.png --faces largest
same 'drawn, enrolled' lda.plan 0.5 all/*/*.png
check plain "$kiln" train backbone.plan people -o plain.plan --detector "$models/detector.onnx" --bundle --no-people \
    --head softmax --epochs 5 --no-checkpoint -q
check 'plain: command' "$kiln" classify plain.plan all/*/*.png --format csv
tail -n +2 out | cut -d, -f1-8 | sort >theirs
check 'plain: app' "$same_names" plain.plan 0 all/*/*.png
cut -d, -f1-8 out | sort >ours
holds cmp ours theirs
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
