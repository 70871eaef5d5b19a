#!/bin/bash
# Training on features that kiln embed has extracted in parts: the same plan as from the pictures, labels from
# files and folders, parts that do not fit, damaged files, more rows than memory.
#   extracted.sh KILN FACES MAKE_PARTS MARKED BACKBONE
set -uo pipefail
kiln=$1 faces=$2 make_parts=$3 marked=$4 backbone=$5
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache

train() { "$kiln" train net.plan "$@"; }
"$faces" -o people --people 4 --pictures 9 --size 64 >/dev/null || exit 1
printf 'P5 9 9 255 cut' >people/ada/cut.pgm
"$kiln" compile "$backbone" -o net.plan --mean 127.5 --std 128 -q || exit 1
"$kiln" embed net.plan people --shard 0-2/3 -o parts --max-errors 1 2>/dev/null || exit 1

# ---- The plan is that of the pictures, bit for bit ----
for options in '' '--head mean' '--head knn --folds 3' '--head softmax --epochs 3' '--no-people --validation 0.3' \
    '--head cosine --loss arcface --epochs 2 --train-per-class 6' '--head 16:relu,softmax --epochs 2 --balance --no-refit'; do
    check "pictures $options" train people -o pictures.plan $options --threads 2 --augment none
    check "parts $options" train --features parts/part-*.npy -o parts.plan $options
    holds cmp pictures.plan parts.plan
done
told 'what was skipped' 'people/ada/cut.pgm: the PGM or PPM file is cut short'
check 'a folder of parts, before the network' "$kiln" train --features parts net.plan -o folder.plan --head softmax \
    --epochs 3 --report report.html --history history.csv
check 'and of pictures' train people -o pictures.plan --head softmax --epochs 3
holds cmp pictures.plan folder.plan
holds grep -q 'people/' report.html
check 'the plan works' "$kiln" classify parts.plan people/bruno/00.png

# ---- Labels ----
find people -name '*.[p]*' | sort | awk -F/ '{ print $0 "," $2 }' >labels.csv
awk -F, '{ print "{\"image\": \"" $1 "\", \"looked\": {\"by\": [1, true, null]}, \"label\": \"" $2 "\"}" }' labels.csv >labels.jsonl
{ echo image,label && sed 's/.*/&/; s/,/","/; s/^/"/; s/$/"\r/' labels.csv | tac; } >quoted.csv
train people -o pictures.plan --head lda --augment none >/dev/null 2>&1
for labels in labels.csv labels.jsonl quoted.csv people people/; do
    check "labels $labels" train --features parts --labels $labels -o parts.plan --head lda
    holds cmp pictures.plan parts.plan
done
grep -v bruno/0 labels.csv >fewer.csv
check 'some without' train --features parts --labels fewer.csv -o fewer.plan
told 'some without' '9 pictures without a label are left out, as .people/bruno/08.png'
told 'some without' '3 classes'
{ cat labels.csv && echo people/ada/00.png,bruno; } >two.csv
refuses 1 "two.csv: line 38: 'people/ada/00.png' is 'bruno', and was 'ada' before" train --features parts --labels two.csv -o x.plan
for line in people/ada/00.png 'people/ada/00.png,' 'a,b,c' '"a,b' '{"image": "a"}' '{"image": "a", "label": 1}' '{"image": "a"'; do
    { head -2 labels.csv && echo "$line"; } >bad
    refuses 1 'bad: line 3: expected IMAGE,LABEL' train --features parts --labels bad -o x.plan
done
refuses 1 'no-file: No such file' train --features parts --labels no-file -o x.plan
refuses 1 'none of the pictures has a label there' train --features parts --labels elsewhere/ -o x.plan
grep ada/ labels.csv >one.csv
refuses 1 'one class only' train --features parts --labels one.csv -o x.plan

# ---- Parts that do not fit ----
"$kiln" compile "$backbone" -o other.plan --mean 100 --std 128 -q
refuses 1 'features of another network' "$kiln" train other.plan --features parts -o x.plan
refuses 1 'features of another network' train --features parts --preprocess imagenet -o x.plan
"$kiln" embed net.plan people --shard 0/1 -o normal --normalize --max-errors 1 2>/dev/null
refuses 1 'normalize' train --features normal -o x.plan
refuses 1 'do not belong together: the options differs' train --features parts normal -o x.plan
"$kiln" embed other.plan people --shard 0/1 -o others --max-errors 1 2>/dev/null
refuses 1 'do not belong together: the network differs' train --features parts others -o x.plan
refuses 1 'are the same part' train --features parts/part-00000.npy parts -o x.plan
check 'shuffled in windows' train --features parts --head softmax --epochs 3 --batch-size 4 --last-weights --shuffle-memory 16K -o windows.plan
check 'once more' train --features parts --head softmax --epochs 3 --batch-size 4 --last-weights --shuffle-memory 16K -o again.plan
holds cmp windows.plan again.plan
check 'shuffled together' train --features parts --head softmax --epochs 3 --batch-size 4 --last-weights -o together.plan
holds test -n "$(cmp windows.plan together.plan)"
refuses 2 'shuffle-memory is for --features' "$kiln" train net.plan people --shuffle-memory 1M -o x.plan
check 'part of the parts' train --features parts/part-0000[12].npy -o some.plan --no-people
told 'part of the parts' '2 of 3 parts are given'
"$kiln" classify parts.plan people --shard 0/1 -o answers --max-errors 1 2>/dev/null
refuses 1 'made by kiln classify' train --features answers -o x.plan
refuses 1 'expected part-NNNNN.npy' train --features labels.csv -o x.plan
refuses 1 'No such file' train --features none.npy -o x.plan
mkdir empty
refuses 1 'no parts' train --features empty -o x.plan
refuses 2 'excludes what needs pictures' train --features parts -o x.plan --augment all
refuses 2 'one backbone' train --features parts people.plan -o x.plan
refuses 2 'labels is for --features' train people -o x.plan --labels labels.csv
refuses 2 'expected BACKBONE.plan' "$kiln" train --features parts -o x.plan

# ---- Damage: told, whatever the byte ----
damaged() { # TEXT FILE COMMAND...: of a copy of the parts
    rm -rf damage && cp -r parts damage
    (cd damage && "${@:3}")
    refuses 1 "$1" train --features damage -o x.plan
}
flip() { printf '\xff\xff' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
damaged 'its checksum is wrong' npy flip part-00001.npy 1000
damaged 'not the array of' npy flip part-00001.npy 70
damaged 'not the array of' npy truncate -s -4 part-00001.npy
damaged 'is not finite\|its checksum is wrong' npy flip part-00001.npy 130
damaged 'line 2 is not as kiln embed writes it' jsonl sed -i 2d part-00001.jsonl
damaged 'rows, its lines tell of' jsonl sed -i '$d' part-00002.jsonl
damaged 'is not as kiln embed' jsonl flip part-00001.jsonl 3
damaged 'is not as kiln embed' jsonl sed -i '3s/"row": 2/"row": 5/' part-00001.jsonl
damaged 'is not as kiln embed' jsonl sed -i '3s/$/ x/' part-00001.jsonl
damaged 'is not as kiln embed' jsonl sed -i '3s/.*/[[[[[[[[[[[[[[[[[[[[/' part-00001.jsonl
damaged 'a part without it is not finished' json rm part-00001.json
damaged 'does not say what the part is' json flip part-00001.json 0
damaged 'does not say what the part is' json sed -i 's/"rows": [0-9]*/"rows": 1e300/' part-00001.json
damaged 'not the array of' json sed -i 's/"rows": [0-9]*/"rows": 11/' part-00001.json

# ---- Faces: the detector has to be the same ----
"$marked" detector detector.onnx && mkdir -p marked/ada marked/bob || exit 1
for k in 1 2 3 4 5; do
    "$marked" picture marked/ada/$k.ppm 512 0,$k,2 && "$marked" picture marked/bob/$k.ppm 512 1,2,$k || exit 1
done
"$kiln" embed net.plan marked --shard 0-1/2 --detector detector.onnx -o found 2>/dev/null
check 'faces of pictures' train marked --detector detector.onnx -o pictures.plan --bundle --augment none
check 'faces of parts' train --features found --detector detector.onnx -o parts.plan --bundle
holds cmp pictures.plan parts.plan
refuses 1 'faces that detector.onnx found: give it with --detector' train --features found -o x.plan
refuses 1 'whole pictures, not of faces' train --features parts --detector detector.onnx -o x.plan

# ---- More rows than memory: 60 MB of them where data may be 40 MB ----
check 'many rows' "$make_parts" net.plan many 4 60000 20
limited() { (
    ulimit -d 40960
    train "$@"
); }
if ! grep -qa __asan_init "$kiln"; then # whose shadow is larger
    check 'many rows in little memory' limited --features many -o many.plan --head mean --no-people --validation 0.1
    told 'many rows in little memory' '54000 training and 6000 validation samples'
    told 'many rows in little memory' 'accuracy  *0.9\|accuracy  *1.0'
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
