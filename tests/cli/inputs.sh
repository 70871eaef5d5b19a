#!/bin/bash
# What is given to inputs: names that hold '=', plans without inputs.
#   inputs.sh KILN GENERATOR
set -uo pipefail
kiln=$1 generator=$2
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

array() { # of zeros, [1,3,64,64]
    printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' \
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 64, 64), }"
    head -c $((4 * 3 * 64 * 64)) /dev/zero
}

$generator squeezenet -o net.onnx --width 0.1 --size 64 --classes 5 >/dev/null || exit 1
LC_ALL=C sed 's/input/a=b=c/g' net.onnx >signs.onnx # of the same length, so that the file stays sound
array >zeros.npy
cp zeros.npy 'of=zeros.npy'

# The last sign ends the name, or the first before an @.
holds "$kiln" compile net.onnx -o net.plan -q
holds "$kiln" compile signs.onnx -o signs.plan --input a=b=c=1x3x64x64 -q
"$kiln" run net.plan --input input=zeros.npy >expected
for value in zeros.npy @zeros.npy @of=zeros.npy; do
    "$kiln" run signs.plan --input "a=b=c=$value" >got
    holds cmp expected got
done
holds "$kiln" verify signs.onnx --input a=b=c=@zeros.npy >/dev/null
holds "$kiln" compile signs.onnx -o part.plan --inputs a=b=c= --outputs output -q
holds "$kiln" compile signs.onnx -o part.plan --inputs a=b=c=1x3x64x64 --outputs output -q
refuses 1 "no input 'a=b'" "$kiln" run signs.plan --input a=b=zeros.npy
refuses 1 "'c' is no shape" "$kiln" compile signs.onnx -o x.plan --inputs a=b=c
refuses 1 'expected NAME=' "$kiln" compile signs.onnx -o x.plan --input =1x3x64x64

# A plan whose inputs have all become constants.
holds "$kiln" compile net.onnx -o alone.plan --input input=@zeros.npy -q
"$kiln" run alone.plan >got
holds cmp expected got
holds "$kiln" run alone.plan --output arrays
holds test -s arrays/output.npy
refuses 2 'pictures or --input' "$kiln" run net.plan
refuses 2 'pictures or --input' "$kiln" run
refuses 1 "has no input 'input'" "$kiln" run alone.plan --input input=zeros.npy
refuses 1 'does not take' "$kiln" run alone.plan zeros.npy --preprocess none

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
