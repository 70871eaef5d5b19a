#!/bin/bash
# Training can be left out: the runtime and the command build without it, and the rest works. So can
# images, of a runtime without the command.
#   without_training.sh SOURCE BACKBONE
set -euo pipefail
source=$1 backbone=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "FAILED in line $LINENO"' ERR

launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
cmake -S "$source" -B "$work/build" -DCMAKE_BUILD_TYPE=Debug -DKILN_BUILD_TRAINING=OFF \
    -DKILN_BUILD_TESTS=OFF "${launcher[@]}" >/dev/null
cmake --build "$work/build" --target kiln-cli kiln_shared -j "$(nproc)" >"$work/log" ||
    { tail -20 "$work/log"; false; }
kiln=$work/build/compiler/cli/kiln
"$kiln" compile "$backbone" -o "$work/net.plan" -q
"$kiln" inspect "$work/net.plan" >/dev/null
"$kiln" export "$work/net.plan" -o "$work/net.onnx" >/dev/null
for name in train classify view; do
    if "$kiln" "$name" 2>"$work/error"; then false; fi
    grep -q "no command '$name'" "$work/error"
done
if nm "$work/build/runtime/libkiln.so" 2>/dev/null | grep -q kiln_trainer_; then false; fi

nm -D "$work/build/runtime/libkiln.so" | grep -q kiln_image_to_input
if cmake -S "$source" -B "$work/build" -DKILN_BUILD_IMAGE=OFF >/dev/null 2>&1; then false; fi
cmake -S "$source" -B "$work/build" -DKILN_BUILD_IMAGE=OFF -DKILN_BUILD_COMPILER=OFF >/dev/null
cmake --build "$work/build" --target kiln_shared -j "$(nproc)" >"$work/log" ||
    { tail -20 "$work/log"; false; }
if nm -D "$work/build/runtime/libkiln.so" | grep -q kiln_image_; then false; fi
echo '1 passed, 0 failed'
