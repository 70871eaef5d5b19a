#!/bin/bash
# Training can be left out: the runtime and the command build without it, and the rest works. So can
# the codecs that need libraries of their own, of the command, and the other parts, of a runtime without it.
#   without_training.sh SOURCE BACKBONE BUILD
# BUILD is kept, so that the next time only what has changed is compiled.
set -euo pipefail
source=$1 backbone=$2 build=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "FAILED in line $LINENO"' ERR

launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Debug -DKILN_BUILD_TRAINING=OFF \
    -DKILN_BUILD_{IMAGE,FACES,PEOPLE,TUNING,COMPILER}=ON -DKILN_BUILD_TESTS=OFF \
    -DKILN_ISA=base -DKILN_WITH_HEIF=OFF -DKILN_WITH_WEBP=OFF -DKILN_WITH_TIFF=OFF -DKILN_WITH_GIF=OFF "${launcher[@]}" >/dev/null
cmake --build "$build" --target kiln-cli kiln_shared -j "$(nproc)" >"$work/log" ||
    { tail -20 "$work/log"; false; }
kiln=$build/compiler/cli/kiln
"$kiln" compile "$backbone" -o "$work/net.plan" -q
"$kiln" inspect "$work/net.plan" >/dev/null
"$kiln" export "$work/net.plan" -o "$work/net.onnx" >/dev/null
for name in train classify view; do
    if "$kiln" "$name" 2>"$work/error"; then false; fi
    grep -q "no command '$name'" "$work/error"
done
refused() { # BYTES KIND LIBRARY
    printf '%b' "$1" >"$work/picture"
    if "$kiln" run "$work/net.plan" "$work/picture" 2>"$work/error"; then false; fi
    grep -q "picture: a $2 picture: kiln was built without $3" "$work/error"
}
refused '\0\0\0\x18ftypheic\0\0\0\0mif1heic' HEIC libheif
refused '\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf' AVIF libheif
refused 'RIFF\x10\0\0\0WEBPVP8L' WebP libwebp
refused 'II*\0\x08\0\0\0' TIFF libtiff
refused 'GIF89a\1\0\1\0' GIF giflib
if nm "$build/runtime/libkiln.so" 2>/dev/null | grep kiln_trainer_ >/dev/null; then false; fi

# Headers and targets are those of what there is; find_package tells what there is not.
mkdir "$work/app"
printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(app C)' 'find_package(kiln REQUIRED COMPONENTS ${PARTS})' \
    'add_executable(app app.c)' 'target_link_libraries(app kiln::kiln)' >"$work/app/CMakeLists.txt"
printf '%s\n' '#include <kiln/machine.h>' 'int main(void) { return kiln_machine_processor() == 0; }' >"$work/app/app.c"
installs() { # PRESENT ABSENT: parts
    rm -rf "$work/installed"
    for part in runtime development; do
        cmake --install "$build" --prefix "$work/installed" --component $part >/dev/null
    done
    cmake -S "$work/app" -B "$work/app/build" -DCMAKE_PREFIX_PATH="$work/installed" "-DPARTS=$1" >/dev/null
    cmake --build "$work/app/build" >/dev/null && "$work/app/build/app"
    rm -r "$work/app/build"
    if cmake -S "$work/app" -B "$work/app/build" -DCMAKE_PREFIX_PATH="$work/installed" "-DPARTS=$2" 2>"$work/error" \
        >/dev/null; then false; fi
    grep -q "built without $2" "$work/error"
    rm -r "$work/app/build"
}
installs 'compiler;image;faces;people;tuning' training
test -e "$work/installed/include/kiln/compile.h"
test ! -e "$work/installed/include/kiln/train.h"

nm -D "$build/runtime/libkiln.so" | grep kiln_image_to_input >/dev/null
for part in IMAGE FACES PEOPLE TUNING; do
    if cmake -S "$source" -B "$build" -DKILN_BUILD_$part=OFF >/dev/null 2>"$work/error"; then false; fi
    grep -q "needs KILN_BUILD_$part" "$work/error"
    cmake -S "$source" -B "$build" -DKILN_BUILD_$part=ON >/dev/null
done

# Without `part` the others are whole, and its headers are absent.
without() { # PARTS-THAT-STAY PART HEADER...
    cmake -S "$source" -B "$build" -DKILN_BUILD_COMPILER=OFF "-DKILN_BUILD_${2^^}=OFF" >/dev/null
    cmake --build "$build" --target kiln kiln_shared -j "$(nproc)" >"$work/log" || { tail -20 "$work/log"; false; }
    if nm -u "$build/runtime/libkiln.so" | grep -vE '@| (w|U (xnn|pthreadpool)_)'; then false; fi
    installs "$1" "$2"
    for name in "${@:3}"; do
        test ! -e "$work/installed/include/kiln/$name.h"
    done
}
without 'image;faces;tuning' people people namer compile train
without 'image;faces' tuning tune
without '' image image answer faces

# In somebody's own build the runtime comes without the command, its tests and our warnings.
own=$build/own # kept as well, so not in a folder that has another name the next time
mkdir -p "$own"
cp "$work/app/app.c" "$own"
printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(app C)' "add_subdirectory($source kiln)" \
    'add_executable(app app.c)' 'target_link_libraries(app kiln::kiln)' >"$own/CMakeLists.txt"
cmake -S "$own" -B "$own/build" -DCMAKE_BUILD_TYPE=Debug -DKILN_BUILD_TRAINING=OFF -DKILN_BUILD_IMAGE=OFF \
    -DKILN_ISA=base "${launcher[@]}" >/dev/null
cmake --build "$own/build" -j "$(nproc)" >"$work/log" || { tail -20 "$work/log"; false; }
"$own/build/app"
test ! -e "$own/build/kiln/compiler"
if nm -D "$build/runtime/libkiln.so" | grep kiln_image_ >/dev/null; then false; fi
echo '1 passed, 0 failed'
