#!/bin/bash
# `kiln compile --emit-kernels` writes what plans need; a program with these kernels alone computes the same, bit for
# bit, and refuses what needs others, by name.
#   selected.sh KILN KILN-MODELS FACES-FOLDER APP APP-OF-THE-LIST LIST SEVERAL
set -euo pipefail
kiln=$1 models=$2 faces=$3 app=$4 small=$5 list=$6 several=$7
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "FAILED in line $LINENO"' ERR

"$kiln" compile "$faces/backbone.onnx" -o "$work/faces.plan" -q --emit-kernels "$work/list"
diff "$list" "$work/list" || { echo 'FAILED: the list of the embedded network is (<), should be (>)'; exit 1; }
"$app" "$work/faces.plan" >"$work/all.f32"
"$small" "$work/faces.plan" >"$work/few.f32"
test "$(stat -c %s "$work/few.f32")" -gt 100
cmp "$work/all.f32" "$work/few.f32"

# What it refuses: a kernel, an algorithm, a function that is not built in.
refuses() { # PLAN WORDS
    "$app" "$work/$1" >/dev/null
    if "$small" "$work/$1" >/dev/null 2>"$work/error"; then return 1; fi
    grep -q "this library is built without $2.*KILN_KERNELS" "$work/error" || { cat "$work/error"; return 1; }
}
"$models" squeezenet -o "$work/net.onnx" --width 0.1 --size 64 --classes 5 >/dev/null
"$kiln" compile "$work/net.onnx" -o "$work/net.plan" -q
refuses net.plan 'the operator [a-z_]*'
"$kiln" compile "$work/net.onnx" -o "$work/net.plan" -q --emit-kernels "$work/list"
grep -q '^kernel max_pool_2d$' "$work/list"
grep -q '^kernel conv_2d$' "$work/list"
"$kiln" compile "$faces/backbone.onnx" -o "$work/direct.plan" -q --convolution direct
refuses direct.plan direct
"$several" "$work/several.onnx"
"$kiln" compile "$work/several.onnx" -o "$work/several.plan" -q --emit-kernels "$work/several"
grep -q '^depthwise several$' "$work/several"
refuses several.plan 'depthwise of several outputs'

# Lists add up, also from plans; and say whether training is used.
cp "$work/list" "$work/both"
"$kiln" inspect "$work/faces.plan" --emit-kernels "$work/both" >/dev/null
cmp "$work/list" "$work/both"
if grep -q '^training$' "$work/list"; then false; fi
"$kiln" compile "$work/net.onnx" -o "$work/net.plan" -q --emit-kernels "$work/list" --trains
grep -q '^training$' "$work/list"
grep -q '^kernel lp_norm$' "$work/list"
echo 'kernel of_tomorrow' >"$work/wrong"
if "$kiln" inspect "$work/net.plan" --emit-kernels "$work/wrong" >/dev/null 2>"$work/error"; then false; fi
grep -q "no list of kernels of this version: line 'kernel of_tomorrow'" "$work/error"
echo '1 passed, 0 failed'
