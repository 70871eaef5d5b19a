#!/bin/bash
# Help, completion and manual pages, which are made of the tables of commands and options.
#   help.sh KILN
set -uo pipefail
kiln=$1
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# Each command: its options in the help, as --help and as kiln help, and in the manual.
commands=$("$kiln" help | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p' | grep -v '^kiln$')
holds test "$(wc -w <<<"$commands")" -ge 7
for command in $commands; do
    "$kiln" help $command >help || echo "FAILED: help $command"
    "$kiln" $command --help >again
    holds cmp help again
    holds test "$(head -1 help | cut -d' ' -f1-3)" = "usage: kiln $command"
    holds grep -q '^  -h, --help  *tell all this$' help
    holds test "$(awk 'length > 100' help | wc -l)" -eq 0
    "$kiln" help --man $command >page.1
    grep -o '^  \(-., \)\?--[a-z-]*' help | sed 's/^.*--//' >options
    while read -r name; do
        holds grep -qe "^\.B.*--$name\b" <(sed 's/\\-/-/g' page.1)
    done <options
    if command -v groff >/dev/null; then
        holds test -z "$(groff -man -Tutf8 -ww -z page.1 2>&1)"
    fi
done
refuses 2 "no command 'bake'" "$kiln" help bake
refuses 2 "no command 'bake'" "$kiln" help --man bake
refuses 2 'expected bash, zsh or fish' "$kiln" help --completion csh

# Values: what is expected is told by the row.
refuses 2 '--weights f8: expected f32 or f16 (see: kiln help compile)' "$kiln" compile x.onnx --weights f8
refuses 2 '--limit 8X: expected a size as 8M or 512K' "$kiln" compile x.onnx --limit 8X
refuses 2 '--crop-fraction 0: expected a fraction above 0' "$kiln" compile x.onnx --crop-fraction 0
refuses 2 '--threads 0: expected a number from 1 to 256' "$kiln" run x.plan y.png --threads 0
refuses 2 '--preprocess best: expected imagenet, caffe, tf or none' "$kiln" run x.plan y.png --preprocess best
refuses 2 '--atol -1: expected a tolerance' "$kiln" verify x.onnx --atol -1
refuses 2 'option --limit needs a value' "$kiln" compile x.onnx --limit
refuses 2 'unknown option --baked' "$kiln" inspect x.plan --baked
refuses 2 'unknown option --no-mmap' "$kiln" compile x.onnx --no-mmap

# bash completes commands, options, words and paths.
"$kiln" help --completion bash >kiln.bash
complete_words() { # WORDS... -> what the last could become
    bash -c 'source ./kiln.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kiln; echo ${COMPREPLY[*]}' \
        bash "$@"
}
touch picture.png
holds test "$(complete_words kiln comp)" = "$(echo "$commands" | grep ^comp | xargs)"
holds test "$(complete_words kiln help insp)" = inspect
holds test "$(complete_words kiln compile --lab)" = --labels
holds test "$(complete_words kiln compile --weights '')" = 'f32 f16'
holds test "$(complete_words kiln compile --weights f1)" = f16
holds test "$(complete_words kiln run pic)" = picture.png
holds test "$(complete_words kiln compile --labels pic)" = picture.png
holds test -z "$(complete_words kiln run --threads pic)"
for shell in zsh fish; do
    "$kiln" help --completion $shell >kiln.$shell
    holds grep -q no-mmap kiln.$shell
    if command -v $shell >/dev/null; then
        holds $shell -n kiln.$shell
    fi
done
if command -v fish >/dev/null; then
    holds test "$(HOME=$work fish -c 'source kiln.fish; complete -C "kiln compile --weights "' | cut -f1 | xargs)" = 'f16 f32'
fi

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
