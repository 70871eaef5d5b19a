#!/bin/sh
# From a fresh Debian 12 to a network running on a picture: installs what is needed, builds, makes a
# network, compiles it, looks into it, runs it, measures it. Results are left in build/quickstart.
set -eu
cd "$(dirname "$0")/.."

say() {
    printf '\n== %s\n' "$*"
}

show() {
    printf '$ %s\n' "$*"
    "$@"
}

say "Packages"
./examples/packages.sh

say "Build"
cmake --preset release -DKILN_BUILD_TESTS=OFF >/dev/null
cmake --build --preset release
PATH="$PWD/build/release/compiler/cli:$PWD/build/release/models:$PWD/build/release/examples:$PATH"
mkdir -p build/quickstart
cd build/quickstart

say "A network: MobileNetV2 with random weights, and a picture"
show kiln-models mobilenetv2 -o mobilenetv2.onnx
show picture picture.png

say "Compile it"
show kiln compile mobilenetv2.onnx -o mobilenetv2.plan --preprocess imagenet

say "Look into it"
show kiln inspect mobilenetv2.plan

say "Run it on the picture"
echo "The weights are random: which classes win means nothing, that they are the same each time does."
show kiln run mobilenetv2.plan picture.png

say "The same from a program of 100 lines that links the runtime only (examples/embed.c), on noise"
show embed mobilenetv2.plan

say "How fast is it here?"
show kiln bench mobilenetv2.plan

say "Done. The files are in build/quickstart; 'kiln help' (build/release/compiler/cli) says more."
