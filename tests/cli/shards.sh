#!/bin/bash
# Many pictures in parts: shards of lists and folders, reruns, killed and competing processes, full disks; and
# pictures as a stream.
#   shards.sh KILN FACES MARKED JSON_CHECK BACKBONE
set -uo pipefail
kiln=$1 faces=$2 marked=$3 json_check=$4 backbone=$5
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache

"$faces" -o people --people 3 --pictures 8 --size 64 >/dev/null || exit 1
"$kiln" compile "$backbone" -o net.plan --mean 127.5 --std 128 -q || exit 1
find people -name '*.png' | sort >list
body() { # of arrays, one after the other
    for file in "$@"; do tail -c +129 "$file"; done
}
whole() { # NAME FOLDER: its parts are what one process makes of all
    body "$2"/part-*.npy | cmp -s - <(body all.npy)
    outcome $? "$1: not the rows of one process"
    cat "$2"/part-*.jsonl | sed 's/, "content": .*//' | cmp -s - images
    outcome $? "$1: not the pictures of one process"
}
status() { # EXPECTED COMMAND...
    "${@:2}" >out 2>err
    [ $? -eq "$1" ]
    outcome $? "status $1 expected: ${*:2}"
}
check all "$kiln" embed net.plan --list list -o all.npy
sed 's/.*/{"image": "&"/' list >images

# ---- Parts are all that one process makes, however they are shared ----
for k in 0 1 2 3 4; do check "shard $k" "$kiln" embed net.plan --list list --shard $k/5 -o parts; done
whole 'five shards' parts
holds test "$(ls parts | tr '\n' ' ')" = "$(for k in 0 1 2 3 4; do
    printf 'part-0000%s.json part-0000%s.jsonl part-0000%s.npy ' $k $k $k
done)parts.json "
check 'ranges and threads' "$kiln" embed net.plan --list list --shard 0-6/11 --threads 3 -o ranges
check 'the rest, from a pipe' "$kiln" embed net.plan --list <(cat list) --shard 7-10/11 -o ranges
whole ranges ranges
check 'standard input' "$kiln" embed net.plan --list - --shard 0-1/2 -o stdin <list
whole 'standard input' stdin
tail -n +2 list | { cat <(head -1 list) - ; } | check 'pipe' "$kiln" embed net.plan --list - -o pipe/
whole pipe pipe
check 'more shards than pictures' "$kiln" embed net.plan --list list --shard 0-39/40 -o many
whole many many
holds test "$(ls many/*.npy | wc -l)" -eq 40
cp list people/notes.txt
check 'folder' "$kiln" embed net.plan people --shard 0-2/3 -o folder
told 'folder' '1 file in folders passed over'
whole folder folder
sound() { # FOLDER: its files of JSON are
    for file in "$1"/*.json; do holds "$json_check" <"$file"; done
    while read -r line; do holds "$json_check" <<<"$line"; done < <(cat "$1"/*.jsonl)
}
sound parts

# ---- Finished parts are not made again; what is missing is ----
before=$(stat -c '%n %Y %i' parts/*)
check 'again' "$kiln" embed net.plan --list list --shard 0-4/5 -o parts
told 'again' 'part 00003 is finished already: 5 pictures, 5 rows, 0 failed'
holds test "$before" = "$(stat -c '%n %Y %i' parts/*)"
rm parts/part-00001.json parts/part-00003.npy
printf x >>parts/part-00004.jsonl
check 'three to be made' "$kiln" embed net.plan --list list --shard 0-4/5 -o parts
holds test "$(grep -c 'finished already' err)" -eq 2
whole 'made again' parts

# ---- Other jobs are refused, and say why ----
head -23 list >shorter
"$kiln" compile "$backbone" -o other.plan --mean 100 --std 128 -q
"$kiln" train --from-scratch --input-size 16x16 --head 16:relu,softmax --epochs 5 people -o classes.plan -q
sums=$(cat parts/* | cksum)
refuses 1 'with ."parts": 5., where this one has ."parts": 6.' "$kiln" embed net.plan --list list --shard 0/6 -o parts
refuses 1 '"list": ' "$kiln" embed net.plan --list shorter --shard 0/5 -o parts
refuses 1 '"network": ' "$kiln" embed other.plan --list list --shard 0/5 -o parts
refuses 1 '"settings": ' "$kiln" embed net.plan --list list --shard 0/5 --normalize -o parts
refuses 1 '"command": "embed"' "$kiln" classify classes.plan --list list --shard 0/5 -o parts
mkdir strays && touch strays/part-00000.npy
refuses 1 'no parts.json' "$kiln" embed net.plan --list list --shard 0/5 -o strays
holds test "$sums" = "$(cat parts/* | cksum)"
for shard in 5/5 1-0/5 0-5/5 -1/5 0 0/0 1/2/3 a/b 0/1000001; do
    refuses 2 'expected I/N or I-J/N' "$kiln" embed net.plan --list list --shard $shard -o parts
done
refuses 2 'needs a folder' "$kiln" embed net.plan --list list --shard 0/5
refuses 2 'needs a folder' "$kiln" classify classes.plan --list list --shard 0/5
refuses 1 'no-list: No such file' "$kiln" embed net.plan --list no-list --shard 0/5 -o parts
refuses 1 'directory' "$kiln" embed net.plan --list people --shard 0/5 -o parts
refuses 1 'no pictures' "$kiln" embed net.plan --list /dev/null --shard 0/5 -o parts
head -c 100 /dev/zero >zeros
refuses 1 'line 1 is no path' "$kiln" embed net.plan --list zeros --shard 0/5 -o parts
refuses 1 'not a folder' "$kiln" embed net.plan --list list --shard 0/5 -o list

# ---- A bad picture is a row with an error ----
{ head -5 list && echo nobody.png && printf 'P5 9 9 255 cut' >cut.pgm && echo cut.pgm && tail -n +6 list; } >bad
status 1 "$kiln" embed net.plan --list bad --shard 0-2/3 -o bad-parts
told bad 'part 00000: 8 pictures, 6 rows, 2 failed'
body bad-parts/part-*.npy | cmp -s - <(body all.npy)
outcome $? 'the rows of good pictures'
cat bad-parts/*.jsonl >lines
holds test "$(wc -l <lines)" -eq 26
holds grep -q '{"image": "nobody.png", "content": "0*", "error": "nobody.png: No such file or directory"}' lines
holds grep -q '{"image": "cut.pgm", "content": "[0-9a-f]*", "error": "cut.pgm: ' lines
sound bad-parts
status 1 "$kiln" embed net.plan --list bad --shard 0-2/3 -o bad-parts
status 1 "$kiln" embed net.plan --list bad --shard 0-2/3 -o bad-parts --max-errors 1
status 0 "$kiln" embed net.plan --list bad --shard 0-2/3 -o bad-parts --max-errors 2
status 0 "$kiln" embed net.plan --list bad -o rows.csv --max-errors 2
status 1 "$kiln" embed net.plan --list bad -o rows.csv

# ---- Killed at any time: what is there is whole, and a rerun makes the rest ----
for delay in 0.02 0.05 0.1 0.2; do
    (timeout -s KILL $delay "$kiln" embed net.plan --list list --shard 0-23/24 -o killed) >/dev/null 2>&1
    for part in killed/part-*.json; do
        [ ! -e "$part" ] || holds test -s "${part%.json}.npy" -a -s "${part%.json}.jsonl"
    done
done
check 'after kills' "$kiln" embed net.plan --list list --shard 0-23/24 -o killed
whole 'after kills' killed
holds test -z "$(find . -name '.*kiln-tmp')"

# ---- Two processes in one folder: the same job makes the same parts, of two jobs one is refused ----
for k in 1 2 3; do "$kiln" embed net.plan --list list --shard 0-4/5 -o both >/dev/null 2>&1 & done
wait
whole 'three at once' both
check 'and all finished' "$kiln" embed net.plan --list list --shard 0-4/5 -o both
holds test "$(grep -c 'finished already' err)" -eq 5
for n in 2 3 4 5; do
    ("$kiln" embed net.plan --list list --shard 0/$n -o mixed >/dev/null 2>&1 && echo $n >>made) &
done
wait
holds test "$(wc -l <made)" -eq 1
holds grep -q "\"parts\": $(cat made)\$" mixed/parts.json
holds test "$(ls mixed | wc -l)" -eq 4

# ---- No room: an error, and nothing half-written ----
full() { (
    trap '' XFSZ
    ulimit -f 4
    "$kiln" embed net.plan --list list "$@"
); }
mkdir full
refuses 1 'part-00000.npy: cannot write: File too large' full --shard 0/1 -o full
holds test "$(ls full)" = parts.json
check 'small parts fit' full --shard 0-23/24 -o fits
status 1 full -o large.npy
holds test ! -e large.npy
check 'with room' "$kiln" embed net.plan --list list --shard 0/1 -o full
whole 'with room' full
if [ -w /dev/full ]; then
    "$kiln" embed net.plan --stream <list >/dev/full 2>err
    holds test $? -eq 1
    holds grep -q 'cannot write the output' err
fi

# ---- Streams: a line for each line, at once, in order ----
"$kiln" embed net.plan --list list --format jsonl >expected
for threads in 1 3; do
    check 'stream' "$kiln" embed net.plan --stream --threads $threads <list
    holds cmp out expected
done
coproc "$kiln" embed net.plan --stream --threads 2 2>/dev/null
streaming=$COPROC_PID
for k in 1 2 3; do
    sed -n ${k}p list >&"${COPROC[1]}"
    holds read -r -t 20 line <&"${COPROC[0]}"
    holds test "$line" = "$(sed -n ${k}p expected)"
done
eval "exec ${COPROC[1]}>&-"
wait "$streaming"
holds test $? -eq 0
{ head -1 list && printf '\nno\0path\n%05000d\nmissing\n' 0 && sed -n 2p list | tr '\n' '\r' && echo && printf people; } >odd
status 1 "$kiln" embed net.plan --stream <odd
holds test "$(wc -l <out)" -eq 7
holds test "$(grep -c '"error": ' out)" -eq 5
holds cmp <(sed -n 6p out) <(sed -n 2p expected)
while read -r line; do holds "$json_check" <<<"$line"; done <out
status 0 "$kiln" embed net.plan --stream --max-errors 5 <odd
holds test ! -s err
status 0 "$kiln" embed net.plan --stream </dev/null
holds test ! -s out
xargs -P 2 -n 4 "$kiln" embed net.plan --format jsonl <list 2>err | sort | cmp -s - <(sort expected)
outcome $? xargs
refuses 2 'standard input' "$kiln" embed net.plan list --stream
refuses 2 'standard output' "$kiln" embed net.plan --stream -o x.npy
refuses 2 'lines of JSON' "$kiln" embed net.plan --stream --format csv

# ---- Classes, and faces ----
check 'classes' "$kiln" classify classes.plan --list list --format jsonl
cp out expected
check 'classes in parts' "$kiln" classify classes.plan --list list --shard 0-3/4 --threads 2 -o classes
cat classes/*.jsonl | sed 's/ "content": "[0-9a-f]*",//; s/, "row": [0-9]*}/}/' | cmp -s - expected
outcome $? 'classes in parts'
holds test "$(stat -c %s classes/part-00000.npy)" -eq $((128 + 6 * 3 * 4))
sound classes
check 'a stream of classes' "$kiln" classify classes.plan --stream --threads 2 <list
holds cmp out expected
refuses 2 'draw' "$kiln" classify classes.plan --stream --draw x.png
refuses 2 'lines of JSON' "$kiln" classify classes.plan --stream --json
"$marked" detector detector.onnx && "$marked" picture party.ppm 512 0,1,2 3,3,0 &&
    "$marked" picture one.ppm 512 1,1,1 && "$marked" picture nobody.ppm 512 || exit 1
printf '%s\n' party.ppm nobody.ppm one.ppm >photographs
status 1 "$kiln" embed net.plan --list photographs --detector detector.onnx --faces all -o found/
told found '3 pictures, 3 rows, 1 failed'
holds grep -q '"image": "party.ppm", "content": .*, "faces": \[{"score": .*"row": 0}, {.*"points".*"row": 1}\]}' found/part-00000.jsonl
holds grep -q '"image": "nobody.ppm", .*"error": "nobody.ppm: no face found"' found/part-00000.jsonl
holds grep -q '"image": "one.ppm", .*"faces": \[{.*"row": 2}\]}' found/part-00000.jsonl
holds grep -q '"detector": "detector.onnx"' found/parts.json
sound found
refuses 1 '"detector": "detector.onnx"' "$kiln" embed net.plan --list photographs -o found/

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
