#!/bin/bash
# kiln tune: what it writes is a valid plan that computes the same, what it must not change stays.
#   tune.sh KILN GENERATOR JSON-CHECK
set -euo pipefail
kiln=$1 generator=$2 json=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
trap 'echo "FAILED in line $LINENO"' ERR

algorithms() { $kiln bench "$1" --runs 1 --warmup 0 --profile --json | grep -o '"algorithm": "[a-z0-9]*"'; }
# agrees PLAN: every layer that can be looked at, the last one among them, within 1e-3 of the network's.
agrees() {
    $kiln verify net.onnx --plan "$1" --layer-tolerance 1e-3 --all >verified
    grep -q '^[1-9][0-9]* layers compared' verified
}

$generator resnet18 -o net.onnx --width 0.25 --size 64 --classes 4 >/dev/null

# Plans that leave much to gain, without bands and with as many as can be.
for memory in speed balanced min; do
    for convolution in direct winograd2 winograd6; do
        $kiln compile net.onnx -o "$memory.$convolution.plan" --memory $memory --convolution $convolution -q
        $kiln tune "$memory.$convolution.plan" -o tuned.plan --runs 2 --allow-winograd --json >tune.json
        $json <tune.json
        grep -q '"outcome": ' tune.json
        $kiln inspect tuned.plan >/dev/null
        agrees tuned.plan
        # Kept beside what was compiled, by processor.
        if grep -q '"outcome": "changed"' tune.json; then
            processor=$(grep -o '"processor": "[^"]*"' tune.json | cut -d'"' -f4)
            $kiln inspect tuned.plan | grep -F "tuned    for $processor (this one)" >/dev/null
            $kiln inspect tuned.plan --json | grep -F "\"tuned_for\": [\"$processor\"]" >/dev/null
        fi
    done
done
$kiln tune speed.winograd6.plan -o tuned.plan --threads 2 --runs 1 >/dev/null
agrees tuned.plan

# Exact: nothing of Winograd's, whatever there was, and plans compiled so stay so.
algorithms speed.winograd6.plan | grep winograd >/dev/null
$kiln tune speed.winograd6.plan -o exact.plan --exact --runs 1 -q
if algorithms exact.plan | grep winograd; then false; fi
agrees exact.plan
cp min.winograd6.plan banded.plan
$kiln tune banded.plan --exact --runs 1 -q
if algorithms banded.plan | grep winograd; then false; fi
agrees banded.plan
$kiln compile net.onnx -o strict.plan --exact -q
$kiln tune strict.plan -o kept.plan --runs 2 >said
grep -q -- '--allow-winograd' said
if algorithms kept.plan | grep winograd; then false; fi
$kiln tune strict.plan --runs 1 --allow-winograd --json >tune.json
grep -q '"winograd4": ' tune.json

# Weights in half precision, an open batch.
$kiln compile net.onnx -o half.plan --weights f16 --input input=Nx3x64x64 -q
$kiln tune half.plan --batch 2 --runs 1 --json >tune.json
grep -q '"batch": 2' tune.json
$kiln bench half.plan --runs 1 --batch 2 >/dev/null

# Damaged plans are refused: in the records, in the weights.
for at in 3000 $(($(wc -c <strict.plan) - 4000)); do
    cp speed.direct.plan damaged.plan
    printf 'damage!!' | dd of=damaged.plan bs=1 seek="$at" conv=notrunc status=none
    cp damaged.plan before.plan
    status=0
    $kiln tune damaged.plan --runs 1 2>said || status=$?
    test $status -eq 1
    grep -q 'damaged plan' said
    cmp damaged.plan before.plan
done
status=0
$kiln tune strict.plan -o missing/x.plan --runs 1 2>said || status=$?
test $status -eq 1
grep -q 'missing/x.plan: cannot create' said
status=0
$kiln tune strict.plan --exact --allow-winograd 2>said || status=$?
test $status -eq 2

# Killed while it measures: the plan is the old one, and nothing lies beside it.
cp speed.winograd6.plan killed.plan
$kiln tune killed.plan --runs 60000 -q &
sleep 1
kill -9 $!
wait $! 2>/dev/null || true
cmp killed.plan speed.winograd6.plan
test -z "$(find . -name '*.kiln-tmp')"
echo '1 passed, 0 failed'
