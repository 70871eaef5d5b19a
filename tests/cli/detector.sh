#!/bin/bash
# Commands that are given a face detector, on pictures in which it is known to find: training on aligned
# faces, what is told of the pictures, plans that remember or hold their detector, classifying every
# face of a picture.
#   detector.sh KILN MARKED JSON_CHECK
set -uo pipefail
kiln=$1 marked=$2 json_check=$3
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache

# Three people, each anywhere in her pictures; and what people have among theirs.
"$marked" detector detector.onnx
mkdir -p people/{ada,bea,cem} test/{ada,bea,cem}
kind=0
for name in ada bea cem; do
    for k in 0 1 2 3 4 5 6 7; do
        "$marked" picture people/$name/$k.ppm 512 $((k % 4)),$((k / 2 % 4)),$kind
        "$marked" picture test/$name/$k.ppm 512 $((3 - k % 4)),$((k % 3)),$kind
    done
    kind=$((kind + 1))
done
"$marked" picture people/ada/nobody.ppm 512
"$marked" picture people/bea/two.ppm 512 1,1,1 3,3,0
"$marked" picture people/cem/small.ppm 128 1,1,2
head -c 5000 people/cem/small.ppm >people/cem/cut.ppm
"$marked" picture party.ppm 512 0,1,2 3,3,0 1,1,1
scratch=(--from-scratch --input-size 32x32 --head softmax --epochs 60 --no-checkpoint)

# Training.
check 'train on faces' "$kiln" train "${scratch[@]}" people -o faces.plan --detector detector.onnx --report report.html --baseline
told 'the detector' 'found by detector.onnx, aligned; 28 pictures searched'
told 'no face' 'skipped: people/ada/nobody.ppm: no face found'
told 'at the end, too' '^  people/ada/nobody.ppm: no face found, skipped'
told 'several' '^  people/bea/two.ppm: 2 faces, that of 128x128+128+128 taken'
told 'small' '^  people/cem/small.ppm: small, 10 pixels between the eyes'
told 'a picture that is none' 'skipped: people/cem/cut.ppm'
grep -q 'people/bea/two.ppm' report.html && grep -q '<h2>Faces</h2>' report.html
outcome $? 'the report page'
check 'train again' "$kiln" train "${scratch[@]}" people -o again.plan --detector detector.onnx
told 'faces are cached' '1 pictures searched .* 27 from the cache'
cmp -s faces.plan again.plan
outcome $? 'the same plan'
"$kiln" compile detector.onnx -o detector.plan -q
check 'a plan as detector' "$kiln" train "${scratch[@]}" people -o again.plan --detector detector.plan --json
told 'JSON' '"faces": {"pictures": 28, "without_face": 1, "several_faces": 1, "small": 1, '
"$json_check" <out
outcome $? 'JSON of training'
rm people/cem/cut.ppm
refuses 1 'people/ada/nobody.ppm: no face found' "$kiln" train "${scratch[@]}" people -o x.plan --detector detector.onnx --strict
check 'only' "$kiln" train "${scratch[@]}" people -o x.plan --detector detector.onnx --faces only
told 'several are none then' '^  people/bea/two.ppm: 2 faces, where one alone is asked for, skipped'
check 'all' "$kiln" train "${scratch[@]}" people -o x.plan --detector detector.onnx --faces all --validation 0 --augment all --variants 2
told 'a sample a face' '81 training and 0 validation samples (training ones in 3 variants)'

all=()
for k in 0 1 2 3; do for l in 0 1 2 3; do all+=("$k,$l,1"); done; done
"$marked" picture people/bea/crowd.ppm 512 "${all[@]}"
check 'a crowd' "$kiln" train "${scratch[@]}" people -o x.plan --detector detector.onnx --faces all --validation 0
told 'all of it' '43 training and 0 validation samples'
silent 'all of it' 'crowd.ppm: 16 faces'
rm people/bea/crowd.ppm

# A plan that remembers its detector; one that holds it.
refuses 1 'trained on aligned faces that detector.onnx (SCRFD) found: give it with --detector FILE' "$kiln" classify faces.plan party.ppm
for command in 'evaluate faces.plan test' 'embed faces.plan party.ppm -o x.npy' 'compare faces.plan party.ppm party.ppm' 'train faces.plan people -o x.plan' 'view faces.plan party.ppm --layer head.1 -o x.png'; do
    # shellcheck disable=SC2086
    refuses 1 '--detector FILE' "$kiln" $command
done
check 'inspect' "$kiln" inspect faces.plan
told 'what it remembers' 'faces    aligned, as detector.onnx found them (SCRFD, 128x128; score 0.5, overlap 0.4)$'
check 'evaluate' "$kiln" evaluate faces.plan test --detector detector.onnx
told 'all right' 'accuracy 1.0000 (24 of 24)'
check 'bundle' "$kiln" train "${scratch[@]}" people -o one.plan --detector detector.onnx --bundle -q
check 'inspect a bundle' "$kiln" inspect one.plan
told 'it is inside' 'overlap 0.4); it is inside'
check 'inspect as JSON' "$kiln" inspect one.plan --json
told 'the detector' '"detector": {"name": "detector.onnx", "family": "SCRFD", "bundled": true'
"$json_check" <out
outcome $? 'JSON of a bundle'
check 'one file' "$kiln" evaluate one.plan test
told 'serves' 'accuracy 1.0000 (24 of 24)'

# Every face of a picture.
check 'classify' "$kiln" classify one.plan party.ppm people/ada/nobody.ppm
told 'in the middle' 'party.ppm 128x128+128+128: bea ('
told 'at the left' 'party.ppm 128x128+0+128: cem ('
told 'in the corner' 'party.ppm 128x128+384+384: ada ('
told 'nobody' 'people/ada/nobody.ppm: no face found'
check 'classify as JSON' "$kiln" classify one.plan party.ppm people/ada/nobody.ppm --json --top 2
told 'boxes' '"faces": \[{"score": 0.99[0-9]*, "box": \[128, 128, 256, 256\], "points": \[\[171'
told 'none' '"image": "people/ada/nobody.ppm", "faces": \[\]}'
"$json_check" <out
outcome $? 'JSON of classify'
check 'classify as CSV' "$kiln" classify one.plan party.ppm --format csv
told 'columns' '^image,left,top,right,bottom,score,label,probability$'
told 'a line a face' '^party.ppm,0.00,128.00,128.00,256.00,0.99[0-9]*,cem,'
check 'the largest' "$kiln" classify one.plan party.ppm --faces largest
silent 'alone' 'cem'
check 'another detector is told' "$kiln" classify one.plan party.ppm --detector detector.plan
silent 'the same under another name' 'warning'

"$kiln" train "${scratch[@]}" people -o whole.plan -q 2>/dev/null
check 'draw' "$kiln" classify one.plan party.ppm --draw party.png
check 'what is drawn is a picture' "$kiln" classify whole.plan party.png
refuses 1 '--draw is for one picture; there are 2' "$kiln" classify one.plan party.ppm party.ppm --draw x.png
refuses 1 'party.ppm' "$kiln" classify one.plan party.ppm --draw party.ppm

# A trained plan as the detector that it holds; it names whom kiln faces finds, as kiln classify does.
check 'faces by a trained plan' "$kiln" faces party.ppm --detector one.plan --draw named.png
told 'names' '128 x 128 at 0, 128  cem (probability [01]\.[0-9]*)  points'
check 'drawn by faces' cmp named.png party.png
check 'faces as JSON' "$kiln" faces party.ppm --detector one.plan --json
told 'names' '"label": "cem", "probability": [01]'
"$json_check" <out
outcome $? 'JSON of faces'
check 'faces as CSV' "$kiln" faces party.ppm --detector one.plan --format csv
told 'columns' ',crop,label,probability$'
told 'a name' ',,cem,[01]'
check 'faces by a detector' "$kiln" faces party.ppm --detector detector.onnx --format csv
told 'columns' ',mouth2_y,crop$'
check 'the detector of a plan' "$kiln" classify faces.plan party.ppm --detector one.plan
told 'finds' 'party.ppm 128x128+0+128: cem ('
check 'and trains' "$kiln" train "${scratch[@]}" people -o next.plan --detector one.plan --bundle -q
check 'with its name' "$kiln" inspect next.plan
told 'detector.onnx' 'as detector.onnx found them .*; it is inside'

# The other commands.
check 'embed' "$kiln" embed one.plan party.ppm test/ada/0.ppm -o rows.npy
grep -q "(2, " rows.npy
outcome $? 'a row a picture'
check 'embed all' "$kiln" embed one.plan party.ppm test/ada/0.ppm -o rows.npy --faces all
grep -q "(4, " rows.npy
outcome $? 'a row a face'
refuses 1 'nobody.ppm: no face found' "$kiln" embed one.plan people/ada/nobody.ppm -o x.npy
check 'compare' "$kiln" compare one.plan test/ada/0.ppm test/ada/1.ppm
told 'the same face elsewhere' 'similarity \(0.99\|1.00\)'
refuses 1 'nobody.ppm: no face found' "$kiln" compare one.plan test/ada/0.ppm people/ada/nobody.ppm

# A detector that gives boxes alone: a square a fifth larger.
"$marked" boxes boxes.onnx
check 'boxes' "$kiln" train "${scratch[@]}" people -o boxes.plan --detector boxes.onnx
told 'are warned of' 'boxes.onnx (SCRFD) gives boxes alone'
check 'evaluate boxes' "$kiln" evaluate boxes.plan test --detector boxes.onnx
told 'all right, too' 'accuracy 1.0000 (24 of 24)'

# Sections go along; a new head on a bundle needs no detector, and one by name takes its place.
check 'tune' "$kiln" tune one.plan -o tuned.plan -q
check 'a tuned bundle' "$kiln" classify tuned.plan party.ppm
told 'knows its detector' '+128+128: bea'
check 'train on a bundle' "$kiln" train one.plan people -o next.plan --epochs 5 --no-checkpoint -q
check 'a bundle again' "$kiln" classify next.plan party.ppm
check 'replace' "$kiln" train one.plan people -o next.plan --epochs 5 --no-checkpoint -q --detector detector.plan
check 'inspect the next' "$kiln" inspect next.plan
told 'the new one, not inside' 'as detector.plan found them (SCRFD, 128x128; score 0.5, overlap 0.4)$'

# Wrong use.
refuses 1 '--bundle: there is no detector' "$kiln" train "${scratch[@]}" people -o x.plan --bundle
refuses 1 'No such file' "$kiln" classify one.plan party.ppm --detector nothing
refuses 1 'faces.plan: a network that was trained on faces which detector.onnx (SCRFD) found, but does not hold it' "$kiln" classify one.plan party.ppm --detector faces.plan
refuses 1 '--faces only: nothing finds faces: give a detector with --detector FILE' "$kiln" classify whole.plan party.ppm --faces only
refuses 1 '--faces all: nothing finds faces' "$kiln" train "${scratch[@]}" people -o x.plan --faces all
refuses 1 'party.ppm' "$kiln" classify one.plan party.ppm --detector party.ppm
refuses 2 'expected largest, all or only' "$kiln" classify one.plan party.ppm --faces none
check 'faces for a plan of pictures' "$kiln" classify whole.plan party.ppm --detector detector.onnx
told 'is warned of' 'trained on whole pictures, not on aligned faces'

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 60 ]
