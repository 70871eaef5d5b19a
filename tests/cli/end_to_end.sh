#!/bin/bash
# The command line as its user has it: compile, inspect in every form, run on a picture and on an array,
# verify, bench.
#   end_to_end.sh KILN GENERATOR PICTURE
set -euo pipefail
kiln=$1 generator=$2 picture=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
trap 'echo "FAILED in line $LINENO"' ERR

# says TEXT COMMAND...: all of the output is read, so that the command never writes to a closed pipe.
says() {
    local text=$1
    shift
    "$@" >said.txt
    grep -q -- "$text" said.txt
}

$generator mobilenetv2 -o net.onnx --width 0.25 --size 96 --classes 4 >/dev/null
printf 'ash\nbirch\n"oak"\n<elm>\n' >labels.txt
$picture scene.png
$kiln compile net.onnx --labels labels.txt --preprocess imagenet --json >compile.json
for field in operators_imported operators_planned fused plan_bytes weights_bytes arena_bytes \
    arena_lower_bound_bytes arena_unbanded_bytes arena_no_reuse_bytes memory_total_bytes copies; do
    grep -q "\"$field\": " compile.json
done
says 'fully_connected.*(final dense)' $kiln inspect net.plan
says '"labels": \["ash", "birch", "\\"oak\\"", "<elm>"\]' $kiln inspect net.plan --json
says '  Kiln winograd4$\|  Kiln depthwise$' $kiln inspect net.plan
says '"algorithm": "depthwise", "library": "Kiln"' $kiln inspect net.plan --json
says 's0 -> s1' $kiln inspect net.plan --dot
$kiln inspect net.plan --html page.html
grep -q '<svg' page.html && ! grep -q 'src=' page.html

$kiln run net.plan scene.png --top 4 --output out >run.txt
for label in ash birch '"oak"' '<elm>'; do grep -q -- "$label" run.txt; done
test -s out/scene.png.output.npy
says '"score": ' $kiln run net.plan scene.png --json
says 'within tolerance' $kiln verify net.onnx --batch 3 --threads 2
says '"ok": true' $kiln verify net.onnx --plan net.plan --json
# Memory: less in bands, all-in; a limit turns to the least, and where that is too much, names layers.
total() { sed 's/.*"memory_total_bytes": \([0-9]*\).*/\1/' "$1"; }
for memory in min speed; do
    $kiln compile net.onnx -o $memory.plan --memory $memory --json >$memory.json
done
test "$(total min.json)" -lt $(($(total speed.json) / 2))
$kiln compile net.onnx -o limited.plan --memory speed --limit "$(total min.json)" --json >limited.json
test "$(total limited.json)" -eq "$(total min.json)"
rm limited.plan
if $kiln compile net.onnx -o limited.plan --limit 1K 2>refused; then false; fi
grep -q "the limit is .* Most is live at layers '" refused
test ! -e limited.plan
says 'within tolerance' $kiln verify net.onnx --plan min.plan --batch 3 --threads 2
# f16 weights: half the size, still close; and too far for a tight tolerance, which has its own status.
$kiln compile net.onnx -o half.plan --weights f16 -q
test $(($(stat -c %s half.plan) * 10)) -lt $(($(stat -c %s net.plan) * 7))
says 'within tolerance' $kiln verify net.onnx --weights f16 --layer-tolerance 0.02
status=0
$kiln verify net.onnx --weights f16 --layer-tolerance 1e-6 >/dev/null 2>mismatch || status=$?
test $status -eq 3
grep -q 'is the first out of tolerance' mismatch
says '"threads": 2' $kiln bench net.plan --threads 1,2 --runs 3 --profile --json
# Packed weights kept beside the plan: the same answers from a start that maps them.
$kiln run net.plan scene.png --top 4 --prepacked >first.txt
test -s net.plan.packed
stat -c %Y.%i net.plan.packed >written
$kiln run net.plan scene.png --top 4 --prepacked >second.txt
stat -c %Y.%i net.plan.packed | cmp - written
cmp first.txt second.txt
grep -v npy run.txt | cmp - first.txt
says '"load_ms": ' $kiln bench net.plan --runs 3 --prepacked --json
says '--preprocess' $kiln help compile
echo '1 passed, 0 failed'
