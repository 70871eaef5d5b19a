#!/bin/bash
# Validation accuracy of the default head on frozen backbones, 5 training pictures a person, against the
# nearest neighbour by raw pixels. Means over seeds 1 to 5, lowest and highest.
#   faces.sh KILN BACKBONE.onnx SHARED [option of kiln train ...]
# SHARED holds models/ and faces/.
set -euo pipefail
kiln=$1 embedded=$2 shared=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

summary() { awk '{ s += $1; if (NR == 1 || $1 < lo) lo = $1; if ($1 > hi) hi = $1 }
                 END { printf "%.3f (%.3f to %.3f)", s / NR, lo, hi }'; }
field() { sed "s/.*\"$1\": \([0-9.e-]*\).*/\1/"; }

row() { # NAME PLAN PRESET SET
    : >"$work/accuracy" && : >"$work/baseline"
    for seed in 1 2 3 4 5; do
        "$kiln" train "$2" "$shared/faces/$4" -o "$work/out.plan" $3 --train-per-class 5 --seed $seed \
            --baseline --no-checkpoint --json "${@:5}" >"$work/json" 2>/dev/null
        sed 's/"classes".*//' "$work/json" | field accuracy >>"$work/accuracy"
        field baseline_accuracy <"$work/json" >>"$work/baseline"
    done
    printf '| %s | %s | %s | %s |\n' "$4" "$1" "$(summary <"$work/accuracy")" "$(summary <"$work/baseline")"
}

models=$shared/models
"$kiln" compile "$embedded" --mean 127.5 --std 128 -q -o "$work/embedded.plan"
for name in mobilefacenet-a mobilefacenet-b; do
    "$kiln" compile "$models/$name/model.onnx" --mean 127.5 --std 128 -q -o "$work/$name.plan"
done
for name in resnet20-cifar10 squeezenet-fp16; do
    "$kiln" compile "$models/$name/model.onnx" -q -o "$work/$name.plan"
done
echo '| Faces | Backbone | validation accuracy | nearest neighbour by raw pixels |'
echo '|---|---|---|---|'
for set in orl five-celebrities/train; do
    for name in embedded mobilefacenet-a mobilefacenet-b; do
        row $name "$work/$name.plan" '' $set "$@"
    done
    for name in resnet20-cifar10 squeezenet-fp16; do
        row $name "$work/$name.plan" '--preprocess imagenet' $set "$@"
    done
done
