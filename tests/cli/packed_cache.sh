#!/bin/bash
# Packed weights in the user's cache folder: kept without being asked for, checked, bounded, never an error.
#   packed_cache.sh KILN GENERATOR PICTURE-MAKER
set -uo pipefail
kiln=$1 generator=$2 picture=$3
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
. "$here/checks.sh"
export XDG_CACHE_HOME=$work/cache HOME=$work/home
folder=$XDG_CACHE_HOME/kiln
mkdir home

"$generator" resnet18 -o net.onnx --width 0.25 --size 64 --classes 4 >/dev/null
"$kiln" compile net.onnx -q
"$kiln" compile net.onnx -o half.plan --weights f16 -q
"$picture" scene.png
run() { "$kiln" run net.plan scene.png --preprocess none "$@"; }
kept() { find "$folder" -name 'packed-*' | wc -l; }
holds_count() { holds test "$(kept)" -eq "$1"; }

# Not where that is not wanted, nor while loading is timed.
run --no-prepacked >plain.txt
"$kiln" bench net.plan --runs 1 >/dev/null
holds test ! -e "$XDG_CACHE_HOME"

# Once for a plan, whatever it is called; the same answers from it.
run >first.txt 2>err
holds cmp first.txt plain.txt
holds test ! -s err
holds_count 1
file=$(echo "$folder"/packed-*)
inode=$(stat -c %i "$file")
run >second.txt 2>err
holds cmp second.txt plain.txt
holds test ! -s err
cp net.plan copy.plan
"$kiln" run copy.plan scene.png --preprocess none >copy.txt
holds cmp copy.txt plain.txt
holds test "$(stat -c %i "$file")" = "$inode"
holds_count 1
"$kiln" run half.plan scene.png --preprocess none >/dev/null
holds_count 2
run --prepacked >/dev/null
holds test -s net.plan.packed
holds_count 2

# Other builds have files of their own.
cp "$kiln" other-kiln
./other-kiln run net.plan scene.png --preprocess none >other.txt
holds cmp other.txt plain.txt
holds_count 3

# Damaged, cut short, or another's: told, and made again.
damages() { # WHAT COMMAND...
    rm -f "$folder"/packed-*
    run >/dev/null
    "${@:2}"
    run >again.txt 2>err
    holds cmp again.txt plain.txt
    holds grep -q "$1" err
    run >again.txt 2>err
    holds cmp again.txt plain.txt
    holds test ! -s err
}
flip() { # AT
    printf '\377\376\375' | dd of="$file" bs=1 seek="$1" conv=notrunc status=none
}
damages 'not used: it is damaged' flip 66
damages 'is damaged: layer' flip $(($(stat -c %s "$file") / 2))
damages 'not used: it is damaged' truncate -s 5000 "$file"
damages 'not a file of packed weights' cp scene.png "$file"
damages 'not a file of packed weights' truncate -s 0 "$file"

# A folder, a pipe and a link to a device in its place are neither waited for nor replaced, and no error.
rm "$file"
for make in "mkdir" "mkfifo" "ln -s /dev/zero"; do
    $make "$file"
    timeout 20 "$kiln" run net.plan scene.png --preprocess none >again.txt 2>err
    holds cmp again.txt plain.txt
    holds test ! -f "$file"
    rm -rf "$file"
done

# Many at once, from an empty folder; and some killed.
rm -rf "$XDG_CACHE_HOME"
for k in 1 2 3 4 5 6 7 8; do run >many.$k 2>&1 & done
wait
for k in 1 2 3 4 5 6 7 8; do holds cmp many.$k plain.txt; done
holds_count 1
for delay in 0.002 0.004 0.008 0.016; do
    rm -f "$file"
    timeout -s KILL $delay "$kiln" run net.plan scene.png --preprocess none >/dev/null 2>&1
done
run >again.txt 2>err
holds cmp again.txt plain.txt
holds test -z "$(find "$folder" -name '*kiln-tmp')"

# No more than 1 GiB: those used longest ago go, and nothing that is not ours.
rm -f "$folder"/packed-*
for name in packed-0000000000000001 packed-0000000000000002 features-0000000000000003 packed-mine; do
    truncate -s 600M "$folder/$name"
    touch -d '2001-01-01' "$folder/$name"
done
touch -d '2002-01-01' "$folder/packed-0000000000000002"
run >/dev/null
holds test ! -e "$folder/packed-0000000000000001"
holds test -e "$folder/packed-0000000000000002"
holds test -e "$folder/features-0000000000000003"
holds test -e "$folder/packed-mine"
holds test -s "$file"
touch -d '2001-01-01' "$file" # used again, it is the newest
run >/dev/null
holds test -n "$(find "$file" -newermt 2020-01-01)"

# Without a home, and with one that cannot be written to: nothing is kept, and nothing is wrong.
nothing() { # ENVIRONMENT...
    env -u XDG_CACHE_HOME "$@" "$kiln" run net.plan scene.png --preprocess none >again.txt 2>err
    holds cmp again.txt plain.txt
    holds test ! -s err
}
nothing -u HOME
nothing HOME=
nothing HOME="$work/none"
holds test ! -e none
nothing HOME=/proc
nothing HOME="$work/net.plan"
nothing XDG_CACHE_HOME=/proc/none
nothing XDG_CACHE_HOME=relative HOME="$work/home"
holds test ! -e relative
holds test "$(find home/.cache/kiln -name 'packed-*' | wc -l)" -eq 1
holds test ! -e .cache

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
