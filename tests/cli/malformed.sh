#!/bin/bash
# Wrong use and damaged files: one clear line, an exit status that is not 0, no file left behind.
#   malformed.sh KILN GENERATOR PICTURE
set -uo pipefail
kiln=$1 generator=$2 picture=$3
work=$(mktemp -d)
trap 'umount "$work/full" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failed=0

# refuses STATUS TEXT ABSENT-FILE COMMAND...
refuses() {
    local wanted=$1 text=$2 absent=$3 status
    shift 3
    "$@" >out 2>err
    status=$?
    if [ "$status" -eq "$wanted" ] && [ "$(wc -l <err)" -eq 1 ] && grep -q -- "$text" err &&
        { [ "$absent" = - ] || [ ! -e "$absent" ]; } && ! compgen -G '.*.kiln-tmp' >/dev/null; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED (status %s, expected %s and "%s"): %s\n' "$status" "$wanted" "$text" "$*"
        cat err
    fi
}

$generator squeezenet -o good.onnx --width 0.1 --size 64 --classes 5 >/dev/null || exit 1
$kiln compile good.onnx -o good.plan -q || exit 1

refuses 1 'No such file' x.plan "$kiln" compile missing.onnx -o x.plan
refuses 1 'not a regular file' x.plan "$kiln" compile . -o x.plan
: >empty.onnx
refuses 1 'empty' x.plan "$kiln" compile empty.onnx -o x.plan
echo 'this is no model' >text.onnx
refuses 1 'not an ONNX model' x.plan "$kiln" compile text.onnx -o x.plan
head -c 3000 good.onnx >cut.onnx
refuses 1 'cut short' x.plan "$kiln" compile cut.onnx -o x.plan
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 102\n' >pointer.onnx
refuses 1 "not an ONNX model, or cut short (a Git LFS pointer.*git lfs pull')" x.plan \
    "$kiln" compile pointer.onnx -o x.plan
refuses 1 "not a Kiln plan (a Git LFS pointer" - "$kiln" inspect pointer.onnx
refuses 1 "picture (a Git LFS pointer" - "$kiln" run good.plan pointer.onnx --preprocess none
refuses 1 "TensorProto (a Git LFS pointer" - "$kiln" run good.plan --input input=pointer.onnx
printf '\n<!DOCTYPE html>\n<html><body>404</body></html>\n' >page.onnx
refuses 1 'a page of a web site' x.plan "$kiln" compile page.onnx -o x.plan
refuses 1 'this model fixes its size at Nx3x64x64' x.plan \
    "$kiln" compile good.onnx -o x.plan --input input=1x3x8x8
refuses 1 "no input 'nothing'; inputs: input" x.plan \
    "$kiln" compile good.onnx -o x.plan --input nothing=1x3x64x64
refuses 1 '4 dimensions; 3 were given' x.plan "$kiln" compile good.onnx -o x.plan --input input=3x64x64
refuses 1 'channels' x.plan "$kiln" compile good.onnx -o x.plan --input input=1x4x64x64
refuses 1 'is no shape' x.plan "$kiln" compile good.onnx -o x.plan --input input=1xfoo
refuses 1 'cannot create' x.plan "$kiln" compile good.onnx -o no/such/folder/x.plan
refuses 1 'no pass' x.plan "$kiln" compile good.onnx -o x.plan --dump-after nothing
# An operator, a dimension's name and a weight's place, changed in the file's bytes.
sed 's/Concat/Foobar/g' good.onnx >operator.onnx
refuses 1 "operators that are not supported: Foobar (node '" x.plan "$kiln" compile operator.onnx -o x.plan
refuses 1 'not a Kiln plan' - "$kiln" inspect good.onnx
head -c 5000 good.plan >cut.plan
refuses 1 'damaged plan' - "$kiln" inspect cut.plan
refuses 1 'No such file' - "$kiln" inspect missing.plan
refuses 1 'No such file' - "$kiln" run good.plan missing.png --preprocess none
echo 'no picture' >text.png
refuses 1 'text.png' - "$kiln" run good.plan text.png --preprocess none
refuses 1 'not a serialised TensorProto' - "$kiln" run good.plan --input input=text.png
"$picture" scene.png && "$kiln" run good.plan scene.png --preprocess none --output arrays >/dev/null
refuses 1 "no input 'other'; inputs: input" - "$kiln" run good.plan --input other=arrays/scene.png.output.npy
refuses 1 'is given twice' - "$kiln" run good.plan --input input=arrays/scene.png.output.npy \
    --input input=arrays/scene.png.output.npy
refuses 1 'the file holds' - "$kiln" run good.plan --input input=arrays/scene.png.output.npy
refuses 2 'see: kiln help' - "$kiln" compile
refuses 2 'see: kiln help' - "$kiln" compile good.onnx --nonsense
refuses 2 'see: kiln help' - "$kiln" bench good.plan --threads zero
refuses 2 "no command" - "$kiln" bake

# An old plan survives a failure; a full disk leaves nothing.
cp good.plan kept.plan
refuses 1 'not an ONNX model' - "$kiln" compile text.onnx -o kept.plan
cmp -s good.plan kept.plan || { failed=$((failed + 1)); echo 'FAILED: an old plan was changed'; }
if mkdir full && mount -t tmpfs -o size=64k tmpfs full 2>/dev/null; then
    refuses 1 'cannot write' full/x.plan "$kiln" compile good.onnx -o full/x.plan
    [ -z "$(ls full)" ] || { failed=$((failed + 1)); echo 'FAILED: a full disk keeps a file'; }
else
    # Not allowed to mount: a limit on file sizes does as well.
    refuses 1 'cannot write' x.plan bash -c "trap '' XFSZ; ulimit -f 16; exec $kiln compile good.onnx -o x.plan"
fi
refuses 1 'cannot write' - bash -c "exec $kiln inspect good.plan >/dev/full"

# The same plan from the same model.
"$kiln" compile good.onnx -o again.plan -q && cmp -s good.plan again.plan ||
    { failed=$((failed + 1)); echo 'FAILED: plans differ from run to run'; }

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 20 ]
