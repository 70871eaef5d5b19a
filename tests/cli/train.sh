#!/bin/bash
# Training as its user has it: a network from scratch, then its hidden layer as a frozen network, on
# drawn people; wrong use; a run that is killed again and again.
#   train.sh KILN FACES GENERATOR
set -uo pipefail
kiln=$1 faces=$2 generator=$3
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache

holds() { # NAME COMMAND...: about files
    "${@:2}"
    outcome $? "$1: ${*:2}"
}
# at_least FILE FIELD NUMBER: the first such field of a JSON file.
at_least() {
    sed -n "s/.*\"validation\": {.*\"$2\": \([0-9.]*\).*/\1/p" "$1" | awk -v least="$3" '{ exit !($1 >= least) }'
}

"$faces" -o people --people 6 --pictures 16 --size 48 --seed 5 >/dev/null || exit 1
"$faces" -o strangers --people 6 --pictures 4 --size 48 --seed 5 --first-picture 40 >/dev/null
scratch=(--from-scratch --input-size 24x24 --head 48:relu,softmax --epochs 60)

# A network from scratch, with everything that it writes.
check 'train from scratch' "$kiln" train "${scratch[@]}" people -o base.plan --report report.html --history history.csv --baseline
told 'console' 'Epoch 60/60 - .* - loss: .* - accuracy: .* - val_loss: .* - val_accuracy: '
told 'summary' 'trainable: '
holds 'report' grep -q '<polyline' report.html
holds 'report is whole' grep -q '</html>' report.html
holds 'history' [ "$(wc -l <history.csv)" -eq 62 ]
holds 'no checkpoint left' [ ! -e base.plan.checkpoint ]
"$kiln" train "${scratch[@]}" people -o again.plan --json >first.json 2>/dev/null
holds 'accuracy' at_least first.json accuracy 0.5
holds 'the same seed, the same plan' cmp base.plan again.plan
"$kiln" train "${scratch[@]}" people -o again.plan -q --threads 2
holds 'any threads, the same plan' cmp base.plan again.plan

# Its hidden layer as a frozen network.
check 'train on a network' "$kiln" train base.plan people -o faces.plan --cut head.1
told 'features are computed' '96 computed'
check 'train again' "$kiln" train base.plan people -o faces.plan --cut head.1 --augment flip,light --variants 2
told 'features are cached' '96 from the cache'
check 'fine-tune' "$kiln" train base.plan people -o tuned.plan --fine-tune 1 --optimizer adamw --schedule cosine --warmup 2 -q
check 'cosine head' "$kiln" train base.plan people -o cosine.plan --cut head.1 --head cosine --loss arcface --margin 0.2 -q
check 'classify' "$kiln" classify faces.plan people/ada/00.png people/bruno/01.png
told 'labels' 'people/ada/00.png: [a-z]* (0\.'
check 'reject' "$kiln" classify faces.plan people/ada/00.png --reject 1 --top 3 --json
told 'unknown' '"label": "unknown"'
cp report.html no-picture.png
refuses 1 'no-picture.png: not a picture' "$kiln" classify faces.plan no-picture.png people/ada/00.png --json
told 'the others are answered' '"image": "people/ada/00.png", "label"'
told 'and the one that is not' '"image": "no-picture.png", "error"'
mkdir -p only && cp -r strangers/ada only
check 'evaluate one class' "$kiln" evaluate faces.plan only
told 'of that class' '([0-9]* of 4)'
check 'evaluate' "$kiln" evaluate faces.plan strangers --matrix
told 'evaluation' 'accuracy [01]\.[0-9]* ([0-9]* of 24)'
check 'embed' "$kiln" embed faces.plan people/ada/0*.png --normalize -o rows.npy
check 'compare' "$kiln" compare faces.plan people/ada/00.png people/bruno/00.png
told 'similarity' 'similarity -\{0,1\}0\.[0-9]*: \(same\|different\)'
check 'inspect' "$kiln" inspect faces.plan
told 'the trained head' 'head.softmax'

# Arrays: pictures with channels last, through a network that takes them otherwise; plain numbers.
npy() { # TYPE SHAPE: header on stdout
    printf '\223NUMPY\1\0\166\0%-117s\n' "{'descr': '$1', 'fortran_order': False, 'shape': ($2), }"
}
letters() { # COUNT LETTER
    head -c "$1" /dev/zero | tr '\0' "$2"
}
{
    npy '|u1' '20, 6, 5, 3,'
    for k in $(seq 10); do letters 90 A; letters 90 z; done
} >tones-x.npy
{
    npy '|u1' '20,'
    for k in $(seq 10); do printf '\0\1'; done
} >tones-y.npy
check 'arrays through a network' "$kiln" train base.plan tones-x.npy -o tones.plan --cut head.1 --head softmax
check 'evaluate arrays' "$kiln" evaluate tones.plan tones-x.npy
told 'bright and dark' 'accuracy 1.0000 (20 of 20)'
check 'arrays from scratch' "$kiln" train --from-scratch --head 4:tanh,softmax tones-x.npy -o tones.plan --report tones.html --epochs 1 --augment noise
told 'variants of arrays' 'in 5 variants'
holds 'thumbnails of arrays' grep -q '<figure><img' tones.html
"$kiln" embed base.plan people/ada/*.png --cut head.1 -o rows-x.npy
{
    npy '|u1' '16,'
    for k in $(seq 8); do printf '\0\1'; done
} >rows-y.npy
check 'numbers from scratch' "$kiln" train --from-scratch --head 8:tanh,softmax rows-x.npy -o rows.plan -q
check 'evaluate numbers' "$kiln" evaluate rows.plan rows-x.npy
told 'all of them' ' of 16)'
check 'numbers through a network' "$kiln" train rows.plan rows-x.npy -o rows2.plan --cut head.tanh -q
refuses 1 'the network takes Nx3x24x24, the samples are 48;' "$kiln" train base.plan rows-x.npy -o x.plan
refuses 1 'augment is for pictures' "$kiln" train --from-scratch rows-x.npy -o x.plan --augment flip

# Pictures of what a network sees.
"$generator" squeezenet -o net.onnx --width 0.25 --size 64 --classes 6 >/dev/null
"$kiln" compile net.onnx -o net.plan --preprocess imagenet -q
check 'layers' "$kiln" view net.plan --list
layer=$(sed -n 2p out | awk '{ print $1 }')
check 'feature maps' "$kiln" view net.plan people/ada/00.png --layer "$layer" -o maps.png --channels 9
told 'tiles' '9 tiles of '
check 'filters' "$kiln" view net.plan --filters -o filters.png
holds 'they are pictures' [ "$(head -c 4 maps.png | tail -c 3)$(head -c 4 filters.png | tail -c 3)" = PNGPNG ]
check 'train on a pretrained network' "$kiln" train net.plan people -o own.plan --epochs 5
told 'cut before its classifier' "frozen up to"
check 'export' "$kiln" export own.plan -o own.onnx
check 'exported network' "$kiln" verify own.onnx --plan own.plan
refuses 1 "no layer 'nothing'" "$kiln" view net.plan people/ada/00.png --layer nothing -o x.png

# Wrong use.
mkdir -p one/ada bad/ada bad/bruno empty
cp people/ada/0*.png one/ada
cp people/ada/0*.png bad/ada
cp people/bruno/0*.png bad/bruno
: >bad/ada/zero.jpg
head -c 500 people/ada/00.png >bad/ada/cut.png
printf 'P6 4000000000 4000000000 255\n' >bad/bruno/huge.ppm
ln -s . bad/bruno/loop
refuses 1 'one class only' "$kiln" train "${scratch[@]}" one -o x.plan
refuses 1 'no sub-folders' "$kiln" train "${scratch[@]}" empty -o x.plan
refuses 1 'No such file' "$kiln" train "${scratch[@]}" nothing -o x.plan
refuses 2 'learning-rate nan' "$kiln" train "${scratch[@]}" people -o x.plan --learning-rate nan
refuses 1 'learning rate -1' "$kiln" train "${scratch[@]}" people -o x.plan --learning-rate -1
refuses 1 'lower the learning rate' "$kiln" train --from-scratch --head 8:linear,linear --loss mse --optimizer sgd --learning-rate 9e5 people -o x.plan
refuses 1 "no layer 'nothing'" "$kiln" train base.plan people -o x.plan --cut nothing
refuses 2 'expected relu, tanh, sigmoid or linear' "$kiln" train base.plan people -o x.plan --head 10
refuses 2 'see: kiln help' "$kiln" train base.plan people
refuses 2 'nesterov needs --momentum' "$kiln" train base.plan people -o x.plan --optimizer sgd --nesterov
refuses 1 'No such file' "$kiln" train base.plan people -o x.plan --resume --checkpoint none
refuses 1 'zero.jpg' "$kiln" train "${scratch[@]}" bad -o x.plan --strict
holds 'nothing was written' [ ! -e x.plan ]
check 'bad files are skipped' "$kiln" train "${scratch[@]}" bad -o bad.plan
told 'zero bytes' 'skipped: bad/ada/zero.jpg: empty'
told 'truncated' 'skipped: .*cut.png'
told 'huge' 'skipped: .*huge.ppm'
told 'a loop of links' 'warning: bad/bruno: linked folders, passed over: 1'
mkdir -p dud/ada dud/bruno
cp people/ada/0*.png dud/ada
for k in 1 2 3; do head -c $((500 + k)) people/bruno/00.png >dud/bruno/$k.png; done
refuses 1 "class 'bruno': none of its 3 pictures can be used; 3: PNG: the file is cut short" "$kiln" train "${scratch[@]}" dud -o x.plan
told 'and which' 'skipped: .*dud/bruno/3.png'
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    mkdir locked && cp -r people/* locked/ && chmod 700 locked/ada && chmod 755 "$work" locked
    refuses 1 'locked/ada: Permission denied' setpriv --reuid=65534 --clear-groups "$kiln" evaluate base.plan locked
fi

# Killed at any moment: the plan is the old one or the new one, and a resumed run ends as one that
# was never disturbed, whatever the kills left in the cache.
#   killed KILLS CACHE OPTION...: leaves victim.plan; sets kills
killed() {
    local wanted=$1 cache=$2 k resume
    shift 2
    cp base.plan victim.plan
    rm -f victim.plan.checkpoint
    "$kiln" train "$@" -o whole.plan -q --no-cache || failed=$((failed + 1))
    kills=0
    for k in $(seq "$wanted"); do
        resume=()
        [ -e victim.plan.checkpoint ] && resume=(--resume)
        "$kiln" train "$@" -o victim.plan --cache "$cache" "${resume[@]}" -q 2>killed.err &
        sleep "0.$(printf '%03d' $((k * 7 % 90 + 5)))"
        kill -9 $! 2>/dev/null && kills=$((kills + 1))
        wait $! 2>/dev/null
        if ! cmp -s victim.plan base.plan && ! cmp -s victim.plan whole.plan; then
            failed=$((failed + 1))
            printf 'FAILED: after kill %s the plan is neither the old one nor the new one\n' "$k"
            break
        fi
        if cmp -s victim.plan whole.plan; then # done: begin again
            cp base.plan victim.plan
            rm -rf victim.plan.checkpoint "$cache"
        fi
    done
    resume=()
    [ -e victim.plan.checkpoint ] && resume=(--resume)
    check 'resumed to the end' "$kiln" train "$@" -o victim.plan --cache "$cache" "${resume[@]}" -q
    holds 'as if never killed' cmp victim.plan whole.plan
    holds 'some runs were killed' [ "$kills" -gt "$((wanted / 5))" ]
}
killed 50 none --from-scratch --input-size 24x24 --head 64:tanh,dropout:0.2,softmax --epochs 200 people
killed 50 torn base.plan people --cut head.1 --augment all --variants 10 --epochs 60

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 45 ]
