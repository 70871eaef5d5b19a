#!/bin/sh
# From a fresh Debian 12 to a classifier of one's own: installs what is needed, builds, draws some
# people, compiles a small face network, trains it to tell them apart, asks it about new pictures.
# Results are left in build/quickstart.
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
bin=$PWD/build/release
PATH="$bin/compiler/cli:$bin/models:$bin/models/faces:$bin/examples:$PATH"
backbone=$PWD/models/faces/backbone.onnx
rm -rf build/quickstart
mkdir -p build/quickstart
cd build/quickstart

say "People to learn: drawn ones, eight of them; and new pictures of the same"
show kiln-faces -o people --people 8 --pictures 20
show kiln-faces -o visitors --people 8 --pictures 3 --first-picture 100

say "Compile the pretrained face network (models/faces)"
show kiln compile "$backbone" -o backbone.plan --mean 127.5 --std 128
show kiln inspect backbone.plan

say "Train a classifier on it: 5 pictures of each person, the other 15 check it"
show kiln train backbone.plan people -o faces.plan --train-per-class 5 --epochs 40 --baseline \
    --report report.html

say "Who is this?"
show kiln classify faces.plan visitors/ada/100.png visitors/hugo/101.png
show kiln evaluate faces.plan visitors

say "The same from a program of 100 lines that links the runtime only (examples/embed.c), on noise"
show embed faces.plan

say "How fast is it here?"
show kiln bench faces.plan

say "Done. build/quickstart holds the plans and report.html; 'kiln help' says more."
