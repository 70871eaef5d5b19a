#!/bin/bash
# Heads on few pictures, as their user has them: those that are computed at once, what they start from, what is
# held out, and what is said about it.
#   heads.sh KILN FACES BACKBONE.onnx GENERATOR
set -uo pipefail
kiln=$1 faces=$2 backbone=$(realpath "$3") generator=$4
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache

few() { # COUNT: so many pictures a person
    local person
    for person in people/*; do
        mkdir -p "few-$1/${person#people/}"
        for picture in $(ls "$person" | head -n "$1"); do cp "$person/$picture" "few-$1/${person#people/}/"; done
    done
}

"$faces" -o people --people 6 --pictures 12 --size 64 --seed 5 >/dev/null || exit 1
for count in 1 2 8; do few $count; done
"$kiln" compile "$backbone" -o net.plan --mean 127.5 --std 128 -q || exit 1

# The default of a network that ends in an embedding, and of one that ends in classes.
check 'a network for faces' "$kiln" train net.plan people -o faces.plan
told 'its head' 'Head     lda, computed at once; held out in 5 parts, each once'
told 'all are held out' '([0-9]* of 72)'
told 'mirrored and moved' '(training ones in 6 variants)'
told 'all are learned from' 'trained anew on all 432 samples'
silent 'enough to calibrate' 'not calibrated'
check 'tell as JSON' "$kiln" train net.plan people -o again.plan --json --threads 2
told 'nothing is trained' '"epochs": 0, "best_epoch": 0'
told 'what was done' '"calibrated": true, "folds": 5, "refitted_samples": 432'
check 'any threads, the same plan' cmp faces.plan again.plan
check 'as they are' "$kiln" train net.plan people -o x.plan --augment none
told 'without variants' 'trained anew on all 72 samples'
"$generator" squeezenet -o classes.onnx --width 0.25 --size 64 --classes 10 >/dev/null
"$kiln" compile classes.onnx -o classes.plan --preprocess imagenet -q
check 'a network of classes' "$kiln" train classes.plan people -o x.plan --epochs 3
told 'its head' 'Epochs   3, of 2 steps'
told 'what it starts from' 'Epoch 0/3 - .* - val_accuracy: '
check 'its weights are kept small' "$kiln" train classes.plan people -o prior.plan --epochs 3 -q --head softmax,l2:prior
check 'by default' cmp x.plan prior.plan

# Heads that are computed at once are plans like others.
for head in lda mean knn; do
    check "$head" "$kiln" train net.plan people -o $head.plan --head $head -q
    check "classify by $head" "$kiln" classify $head.plan people/ada/00.png
    told "a name by $head" 'people/ada/00.png: [a-z]* (0\.'
    check "evaluate $head" "$kiln" evaluate $head.plan people
    told "right by $head" 'accuracy 0\.9[0-9]* \|accuracy 1\.0000'
    check "inspect $head" "$kiln" inspect $head.plan
    check "export $head" "$kiln" export $head.plan -o $head.onnx
    check "verify $head" "$kiln" verify $head.onnx --plan $head.plan
    check "train on $head" "$kiln" train $head.plan people -o x.plan --head softmax --epochs 2 -q
done
check 'knn keeps its pictures' "$kiln" inspect knn.plan
told 'one row each' 'Nx72 '
refuses 2 'lda, knn alone' "$kiln" train net.plan people -o x.plan --head 8:relu,knn
refuses 1 'nothing to resume' "$kiln" train net.plan people -o x.plan --head knn --resume

# Few pictures: cross-validation; one: the means.
check 'two pictures' "$kiln" train net.plan few-2 -o x.plan --head softmax --epochs 7
told 'in parts' 'Epochs   7, of 1 steps; held out in 5 parts'
told 'each epoch once' 'Epoch 7/7'
told 'what tells how good it is' 'cross-validation, epoch [0-7]:'
told 'too few to calibrate' 'not calibrated: 12 pictures held out, 50 are needed'
"$faces" -o many --people 26 --pictures 2 --size 64 --seed 6 >/dev/null || exit 1
check 'two pictures of many' "$kiln" train net.plan many -o x.plan
told 'too few of each to calibrate' 'probabilities are a rough guess: 3 pictures a class'
check 'variants stay together' "$kiln" train net.plan few-2 -o x.plan --head knn --augment flip --variants 3
told 'the pictures are held out' '([0-9]* of 12)'
told 'with variants' 'trained anew on all 48 samples'
check 'one picture' "$kiln" train net.plan few-1 -o one.plan --head cosine
told 'means' 'Head     the class means: with one picture a class nothing can tell'
check 'one picture by means' "$kiln" train net.plan few-1 -o mean.plan --head mean -q
check 'what the one says' "$kiln" evaluate one.plan people
cp out one
check 'what the other says' "$kiln" evaluate mean.plan people
cp out mean
check 'is the same' cmp one mean

# Eight: one is held out; the others make as many steps as many pictures do.
check 'eight pictures' "$kiln" train net.plan few-8 -o refitted.plan --head softmax
told 'steps' 'Epochs   1000, of 2 steps'
told 'held out' '36 training and 12 validation samples'
told 'and learned from' 'trained anew on all 48 samples'
lines=$(grep -c '^Epoch ' out)
check 'not all epochs are told' [ "$lines" -le 260 ]
check 'without' "$kiln" train net.plan few-8 -o validated.plan --head softmax --no-refit
silent 'no refitting' 'trained anew'
check 'it differs' bash -c "! cmp -s refitted.plan validated.plan"
check 'a folder to validate with' "$kiln" train net.plan few-2 -o x.plan --validation-data few-8 --head softmax --epochs 2
silent 'is not learned from' 'trained anew'
check 'none' "$kiln" train net.plan few-8 -o x.plan --validation 0 --head softmax --epochs 2
told 'no validation' '48 training and 0 validation samples'
silent 'no figures' 'accuracy 0'
check 'folds that are asked for' "$kiln" train net.plan few-8 -o x.plan --folds 3 --head softmax --epochs 2
told 'three' 'held out in 3 parts'
for start in zero random; do
    check "from $start" "$kiln" train net.plan few-8 -o $start.plan --head softmax --start $start --epochs 2 -q
    check 'it differs' bash -c "! cmp -s refitted.plan $start.plan"
done
# Behind other layers: zeros on a network's features, whose loss is log(6); random without a network.
check 'two layers' "$kiln" train net.plan few-8 -o x.plan --head 8:relu,softmax --epochs 1 --start means
told 'zeros' 'Epoch 0/1 - .*loss: 1\.7918'
check 'from scratch' "$kiln" train --from-scratch few-8 -o x.plan --head 8:relu,softmax --epochs 1 --no-cache
silent 'no zeros' 'Epoch 0/1 - .*loss: 1\.7918'
refuses 2 'start' "$kiln" train net.plan few-8 -o x.plan --start ones
refuses 2 'folds 1' "$kiln" train net.plan few-8 -o x.plan --folds 1

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 60 ]
