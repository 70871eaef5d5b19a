#!/bin/bash
# Plans written back to ONNX: the exported file, evaluated naively, against the plan it came from; and
# compiled again.
#   export.sh KILN GENERATOR FACES SHARED-MODELS
set -uo pipefail
kiln=$1 generator=$2 faces=$3 shared=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failed=0

round_trip() { # PLAN
    if "$kiln" export "$1" -o exported.onnx >log 2>&1 &&
        "$kiln" verify exported.onnx --plan "$1" >>log 2>&1 &&
        "$kiln" verify exported.onnx >>log 2>&1; then
        passed=$((passed + 1))
        printf '%-24s %s\n' "$1" "$(grep -m1 'output' log)"
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n' "$1"
        tail -3 log
    fi
}

for network in $("$generator" --list | awk 'NR > 1 { print $1 }'); do
    size=64
    [ "$network" = inception_v3 ] && size=128
    [ "$network" = alexnet ] && size=96
    "$generator" "$network" -o net.onnx --width 0.125 --size $size --classes 10 >/dev/null || exit 1
    "$kiln" compile net.onnx -o "$network.plan" -q || exit 1
    round_trip "$network.plan"
done
"$kiln" compile net.onnx -o half.plan --weights f16 -q
round_trip half.plan
for model in mobilefacenet-a mobilefacenet-b resnet20-cifar10 squeezenet-fp16 mobilenetv2-dynamic-int8; do
    [ -e "$shared/$model/model.onnx" ] || continue
    "$kiln" compile "$shared/$model/model.onnx" -o "$model.plan" -q || exit 1
    round_trip "$model.plan"
done
"$faces" -o people --people 3 --pictures 6 --size 32 >/dev/null
"$kiln" train --from-scratch --input-size 16x16 --head 8:tanh,6:sigmoid,softmax people -o scratch.plan -q --epochs 3
round_trip scratch.plan
"$kiln" train scratch.plan people --cut head.tanh --head 5:relu,cosine -o cosine.plan -q --epochs 3
round_trip cosine.plan
if "$kiln" export missing.plan -o x.onnx 2>/dev/null || [ -e x.onnx ]; then
    failed=$((failed + 1))
fi
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 10 ]
