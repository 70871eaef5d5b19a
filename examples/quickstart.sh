#!/bin/sh
# From a fresh Debian 12 to names for everyone in a photograph: installs what is needed, builds, draws
# photographs of people (nobody's faces), trains a classifier of five of them, asks it about a picture
# of six together, and makes the sixth known. Results are left in build/quickstart.
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
detector=$PWD/models/faces/detector.onnx
rm -rf build/quickstart
mkdir -p build/quickstart
cd build/quickstart

say "Photographs: ten of each of five people, anywhere in them; and one of these five with felix"
show kiln-faces -o people --people 5 --pictures 10 --scenes --size 320
show kiln-faces -o party --people 6 --together 6 --groups 1 --first-picture 5 --size 640 --truth party.csv
show kiln-faces -o felix --people 1 --first-person 5 --pictures 4 --scenes --size 320

say "Compile the two networks of models/faces: one finds faces, one tells them apart"
show kiln compile "$detector" -o detector.plan
show kiln compile "$backbone" -o backbone.plan --mean 127.5 --std 128
show kiln faces party/group-05.png --detector detector.plan --draw found.png

say "Train on the faces that are found, turned upright; the detector goes into the plan"
show kiln train backbone.plan people -o faces.plan --detector detector.plan --bundle --report report.html
show kiln people faces.plan

say "Who is in the picture? felix is a stranger yet"
show kiln classify faces.plan party/group-05.png

say "Make him known, by four pictures: no old picture is needed, nothing is trained"
show kiln enrol faces.plan felix felix
show kiln classify faces.plan party/group-05.png

say "Who they are in truth, with the left and upper edge of each face; above, who is not similar enough is unknown"
cut -d, -f2,4,5 party.csv

say "The same network from a program of 100 lines that links the runtime only (examples/embed.c), on noise"
show embed backbone.plan

say "How fast is it here?"
show kiln bench backbone.plan
show kiln bench detector.plan

say "Done. build/quickstart holds the plans, found.png and report.html; 'kiln help' says more."
