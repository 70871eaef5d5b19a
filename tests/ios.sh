#!/bin/bash
# What of examples/ios can be checked without Apple's tools: the Swift package is compiled by Debian 13's Swift against
# the module map, and drawn people are recognised, made known and saved by it; its manifests and scripts are read.
# To be run by root.
#   tests/ios.sh
# Needs a release build, for the kiln command.
set -euo pipefail
cd "$(dirname "$0")/.."

release=$PWD/build/release
work=$PWD/build/debian13/root/build/ios/work
./examples/packages.sh netpbm libxml2-utils

xmllint --noout --nonet examples/ios/Sources/Kiln/PrivacyInfo.xcprivacy
bash -n examples/ios/xcframework.sh

tests/debian13/enter.sh mkdir -p /build/ios
rm -rf "$work"
mkdir "$work"
cd "$work"
export XDG_CACHE_HOME=$work/cache
"$release/models/faces/kiln-faces" -o known --people 3 --pictures 6 --scenes --size 320 --seed 77 >/dev/null
"$release/models/faces/kiln-faces" -o new --people 1 --first-person 5 --pictures 10 --scenes --size 320 --seed 77 \
    >/dev/null
# Swift's Foundation reads no pictures here.
for picture in known/*/*.png new/*/*.png; do
    pngtopnm "$picture" >"${picture%.png}.pnm"
    rm "$picture"
done
models=$OLDPWD/models/faces
"$release/compiler/cli/kiln" compile "$models/backbone.onnx" -o backbone.plan --mean 127.5 --std 128 -q
"$release/compiler/cli/kiln" train backbone.plan known -o faces.plan --detector "$models/detector.onnx" --bundle \
    --no-checkpoint -q
cd "$OLDPWD"
tests/debian13/enter.sh /kiln/tests/ios/package.sh
echo 'ios: all is well'
