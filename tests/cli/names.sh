#!/bin/bash
# Names with escape sequences, line breaks and bytes that are no UTF-8 (of layers, labels, classes, files):
# nothing of them reaches a terminal raw, and JSON and HTML stay valid.
#   names.sh KILN GENERATOR PICTURE JSON_CHECK
set -uo pipefail
kiln=$1 generator=$2 picture=$3 json_check=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failed=0

outcome() {
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED (%s): %q\n' "$2" "${*:3}"
        cat -v said | head -20
    fi
}
# plain STATUS COMMAND...: lines of plain text on both outputs; each begins as lines of ours do.
plain() {
    local wanted=$1 status good=0
    shift
    "$@" >said 2>&1
    status=$?
    [ $status -eq "$wanted" ] && iconv -f UTF-8 -t UTF-8 said >/dev/null 2>&1 || good=1
    LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' said && good=1
    grep -q '^forged' said && good=1
    outcome $good "plain, status $status" "$@"
}
json() {
    local good=0
    "$@" >said 2>errors
    "$json_check" <said && iconv -f UTF-8 -t UTF-8 said >/dev/null 2>&1 || good=1
    LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' said && good=1
    outcome $good json "$@"
}
page() { # what a command wrote
    iconv -f UTF-8 -t UTF-8 "$1" >/dev/null 2>&1 && ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$1" &&
        ! grep -q '^forged' "$1"
    outcome $? page "$1"
}

$generator squeezenet -o named.onnx --width 0.1 --size 64 --classes 3 >/dev/null || exit 1
# The same lengths, so that the file stays sound.
LC_ALL=C sed 's/input/in\x1bp\xff/g; s/output/ou\nf\xffo/g; s/fire/f\x1b[m/g' named.onnx >$'net\x1b[31m\n\xff.onnx'
printf 'ash\x1b[31m\nb\xe9ech\nelm\xe2\x80\xae\n' >labels.txt
model=$'net\x1b[31m\n\xff.onnx' plan=$'a\n\x1b[2J\xff.plan'
$picture $'scene\nforged\x1b[0m.png'
scene=$'scene\nforged\x1b[0m.png'

plain 0 "$kiln" compile "$model" -o "$plan" --labels labels.txt --preprocess none
json "$kiln" compile "$model" -o "$plan" --labels labels.txt --preprocess none --json
plain 0 "$kiln" compile "$model" -o "$plan" --labels labels.txt --preprocess none --dump-after fold_constants
plain 1 "$kiln" compile "$model" -o "$plan" --input $'no\nforged'=1x3x64x64
plain 1 "$kiln" compile $'missing\nforged\x1b' -o x
plain 2 "$kiln" compile "$model" --weights $'\x1bf8\n'
plain 2 "$kiln" $'no\x1bcommand'
plain 0 "$kiln" inspect "$plan"
json "$kiln" inspect "$plan" --json
plain 0 "$kiln" inspect "$plan" --dot
"$kiln" inspect "$plan" --html page.html
page page.html
plain 0 "$kiln" run "$plan" "$scene"
json "$kiln" run "$plan" "$scene" --json
plain 0 "$kiln" run "$plan" "$scene" --output $'folder\x1b'
plain 1 "$kiln" run "$plan" --input x=labels.txt
plain 0 "$kiln" verify "$model" --all
json "$kiln" verify "$model" --json
plain 0 "$kiln" bench "$plan" --runs 1 --profile
json "$kiln" bench "$plan" --runs 1 --profile --json
"$kiln" bench "$plan" --runs 1 --trace trace.json >/dev/null
json cat trace.json
plain 0 "$kiln" tune "$plan" --runs 1
json "$kiln" tune "$plan" --runs 1 --json

if "$kiln" help train >/dev/null 2>&1; then
    mkdir -p $'people/ann\x1b[31m' $'people/b\xffb\nforged'
    for k in 1 2 3 4 5; do
        cp "$scene" $'people/ann\x1b[31m/'"$k"$'\nforged.png'
        printf 'P5 8 8 255\n%64d' $k >$'people/b\xffb\nforged/'$k.pgm
    done
    echo no picture >$'people/ann\x1b[31m/none\nforged.png'
    plain 0 "$kiln" train "$plan" people -o $'t\x1b.plan' --epochs 2 --report report.html --no-cache
    page report.html
    json "$kiln" train "$plan" people -o $'t\x1b.plan' --epochs 2 --json --no-cache
    plain 0 "$kiln" classify $'t\x1b.plan' "$scene"
    json "$kiln" classify $'t\x1b.plan' "$scene" --json
    plain 0 "$kiln" evaluate $'t\x1b.plan' people
    json "$kiln" evaluate $'t\x1b.plan' people --json
    plain 0 "$kiln" view "$plan" --list
    plain 0 "$kiln" view "$plan" --filters -o $'tiles\x1b.png'
    plain 1 "$kiln" view "$plan" "$scene" --layer $'\x1b\nforged' -o x.png
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
