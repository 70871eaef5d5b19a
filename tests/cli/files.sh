#!/bin/bash
# What a command reads and writes: regular files only, never its own input, and nothing is left behind.
#   files.sh KILN GENERATOR PICTURE
set -uo pipefail
kiln=$1 generator=$2 picture=$3
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# refuses TEXT COMMAND...: one line on standard error, status 1; waits for nobody.
refuses() {
    local text=$1 status
    shift
    timeout 20 "$@" >out 2>err </dev/null
    status=$?
    if [ "$status" -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q -- "$text" err; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED (status %s, expected 1 and "%s"): %s\n' "$status" "$text" "$*"
        cat err
    fi
}

$generator squeezenet -o net.onnx --width 0.1 --size 64 --classes 3 >/dev/null || exit 1
$kiln compile net.onnx -o net.plan -q || exit 1
$picture scene.png
mkfifo pipe
mkdir folder
ln -s /dev/null null
mkdir -p people/ann people/bob
for k in 1 2 3 4 5; do
    cp scene.png people/ann/$k.png
    cp scene.png people/bob/$k.png
done
sum=$(cat net.onnx net.plan scene.png people/*/* | cksum)

# Outputs: what is no regular file stays what it is.
training() { $kiln help train >/dev/null 2>&1; }
for place in /dev/null null pipe folder; do
    refuses 'not a regular file' "$kiln" compile net.onnx -o $place
    refuses 'not a regular file' "$kiln" export net.plan -o $place
    refuses 'not a regular file' "$kiln" tune net.plan -o $place
    refuses 'not a regular file' "$kiln" inspect net.plan --html $place
    refuses 'not a regular file' "$kiln" bench net.plan --trace $place
    if training; then
        refuses 'not a regular file' "$kiln" view net.plan --filters -o $place
        refuses 'not a regular file' "$kiln" embed net.plan scene.png --preprocess none -o $place
        refuses 'not a regular file' "$kiln" train net.plan people -o $place
        for option in report history checkpoint; do
            refuses 'not a regular file' "$kiln" train net.plan people -o x.plan --$option $place
        done
    fi
done
mkdir -p arrays/output.npy
printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3, 64, 64), }" >x.npy
head -c $((3 * 64 * 64)) /dev/zero >>x.npy
refuses 'not a regular file' "$kiln" run net.plan --input input=x.npy --output arrays
holds test -c /dev/null
holds test -p pipe
holds test -L null

# Outputs: what is read is not overwritten, by whatever name; two outputs need two files.
ln net.plan hard.plan
ln -s net.onnx soft.onnx
refuses 'is read too' "$kiln" compile net.onnx -o net.onnx
refuses 'is read too' "$kiln" compile net.onnx -o soft.onnx
echo a >labels.txt
refuses 'is read too' "$kiln" compile net.onnx --labels labels.txt -o ./labels.txt
refuses 'is read too' "$kiln" export net.plan -o hard.plan
refuses 'is read too' "$kiln" inspect net.plan --html hard.plan
refuses 'is read too' "$kiln" bench net.plan --trace net.plan
if training; then
    refuses 'is read too' "$kiln" view net.plan --filters -o hard.plan
    refuses 'is read too' "$kiln" embed net.plan scene.png --preprocess none -o scene.png
    refuses 'is read too' "$kiln" train net.plan people -o hard.plan
    refuses 'is read too' "$kiln" train net.plan people -q -o x.plan --report people/ann/1.png
    refuses 'two outputs' "$kiln" train net.plan people -o x.plan --report y --history ./y
fi
holds test "$sum" = "$(cat net.onnx net.plan scene.png people/*/* | cksum)"

# Pictures and outputs that are called alike get files of their own; inputs are not overwritten by outputs.
mkdir -p one two
cp scene.png one/face.png
cp scene.png two/face.png
holds test "$("$kiln" run net.plan one/face.png two/face.png --preprocess none --output both |
    grep -c 'both/face.png.output.*npy')" = 2
holds test "$(ls both | wc -l)" = 2
rmdir arrays/output.npy
cp x.npy arrays/output.npy
refuses 'is read too' "$kiln" run net.plan --input input=arrays/output.npy --output arrays
holds cmp x.npy arrays/output.npy

# A link's target is replaced, and keeps its permissions.
cp net.plan kept.plan
chmod 600 kept.plan
ln -s kept.plan link.plan
holds "$kiln" compile net.onnx -o link.plan -q
holds test -L link.plan
holds test "$(stat -c %a kept.plan)" = 600

# Inputs: nobody writes to the pipe, and /dev/zero has no end.
for place in pipe /dev/zero folder; do
    refuses 'not a regular file' "$kiln" compile $place -o x.plan
    refuses 'not a regular file' "$kiln" compile net.onnx --labels $place -o x.plan
    refuses 'not a regular file' "$kiln" verify net.onnx --input input=@$place
    refuses 'not a regular file' "$kiln" inspect $place
    refuses 'not a regular file' "$kiln" run net.plan $place --preprocess none
    refuses 'not a regular file' "$kiln" run net.plan --input input=$place
    if training; then
        if [ $place != folder ]; then
            ln -s $place train-images-idx3-ubyte
            refuses 'not a regular file' "$kiln" train net.plan train-images-idx3-ubyte -o x.plan
            rm train-images-idx3-ubyte
        fi
        refuses 'not a regular file' "$kiln" train net.plan people -o x.plan --preprocess none \
            --resume --checkpoint $place
    fi
done
holds test ! -e x.plan

# Plans that are read instead of mapped answer the same.
"$kiln" run net.plan scene.png --preprocess none >mapped.txt
"$kiln" run --no-mmap net.plan scene.png --preprocess none >read.txt
holds cmp mapped.txt read.txt
holds "$kiln" inspect net.plan --no-mmap >/dev/null
holds "$kiln" bench net.plan --no-mmap --runs 1 >/dev/null
# maps TRIES COMMAND...: whether net.plan is mapped at any time while the command runs; 2: it failed.
maps() {
    local tries=$1 seen=1 process
    shift
    while [ $tries -gt 0 ] && [ $seen -ne 0 ]; do
        "$@" >/dev/null 2>&1 &
        process=$!
        while kill -0 $process 2>/dev/null; do
            ! grep -q '/net\.plan$' /proc/$process/maps 2>/dev/null || seen=0
        done
        wait $process || return 2
        tries=$((tries - 1))
    done
    return $seen
}
never_maps() {
    maps 3 "$@"
    [ $? -eq 1 ]
}
for command in "bench net.plan --runs 1000" "tune net.plan -o tuned.plan --runs 100" \
    "verify net.onnx --plan net.plan"; do
    holds maps 20 "$kiln" $command
    holds never_maps "$kiln" $command --no-mmap
done

# Prepacked weights: a pipe or a device in their place is neither waited for nor replaced.
ln -s /dev/zero net.plan.packed
holds timeout 20 "$kiln" run net.plan scene.png --preprocess none --prepacked >/dev/null
holds test -L net.plan.packed
rm net.plan.packed
for k in 0 1 2 3 4 5 6 7; do : >.net.plan.packed.$k.kiln-tmp; done
holds "$kiln" run net.plan scene.png --preprocess none --prepacked >/dev/null
holds test -s net.plan.packed

# Killed while it works: nothing is left.
mkdir temporary
TMPDIR=$work/temporary timeout -s KILL 0.3 "$kiln" verify net.onnx >/dev/null 2>&1
holds test -z "$(ls -A temporary)"
for delay in 0.005 0.01 0.02 0.04; do
    timeout -s KILL $delay "$kiln" compile net.onnx -o killed.plan -q >/dev/null 2>&1
done
holds test -z "$(find . -name '.killed*kiln-tmp')"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
