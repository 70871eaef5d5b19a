#!/bin/bash
# On Debian 13: compiles examples/ios and runs its tests on what tests/ios.sh has laid into /build/ios/work.
set -euo pipefail
example=/kiln/examples/ios
/kiln/examples/packages.sh swiftlang g++ ccache
cd /build/ios
cmake -S /kiln -B kiln -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER_LAUNCHER=ccache \
    -DKILN_BUILD_COMPILER=OFF -DKILN_BUILD_TRAINING=OFF -DKILN_XNNPACK=OFF >/dev/null
cmake --build kiln --target kiln

# As in Kiln.xcframework.
rm -rf headers
mkdir headers
cp -r /kiln/include/kiln "$example/module.modulemap" headers/

for mode in '-Onone -enforce-exclusivity=checked' '-O'; do
    # shellcheck disable=SC2086 # several words
    swiftc $mode -swift-version 5 -warnings-as-errors -parse-as-library -wmo -module-name Kiln -I headers \
        -emit-module -emit-module-path Kiln.swiftmodule -c -o Kiln.o "$example"/Sources/Kiln/*.swift
    # shellcheck disable=SC2086
    swiftc $mode -swift-version 5 -warnings-as-errors -I headers -I . /kiln/tests/ios/main.swift Kiln.o \
        kiln/runtime/libkiln.a -lpthreadpool -o kiln-swift
    ./kiln-swift work
done

swiftc -frontend -parse "$example/Camera/CameraView.swift"
cp "$example/Package.swift" .
swift package dump-package >/dev/null
