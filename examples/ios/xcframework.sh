#!/bin/bash
# Makes Kiln.xcframework beside this file: static libraries for devices, simulators and macOS. On a Mac, with Xcode's
# command line tools, CMake and Ninja.
#   xcframework.sh SOURCES [CMAKE-OPTION...]      SOURCES: the folder that README.md tells
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,4s/^# //p' "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
sources=$(cd "$1" && pwd)
shift
folder=$here/build
rm -rf "$folder" "$here/Kiln.xcframework"

mkdir -p "$folder/headers"
cp -R "$here/../../include/kiln" "$here/module.modulemap" "$folder/headers/"

build() { # NAME SYSTEM SDK PROCESSOR DEPLOYMENT-TARGET: a library of all that was compiled
    cmake -S "$here" -B "$folder/$1" -G Ninja -DCMAKE_BUILD_TYPE=Release -DKILN_SOURCES="$sources" \
        -DCMAKE_SYSTEM_NAME="$2" -DCMAKE_OSX_SYSROOT="$3" -DCMAKE_OSX_ARCHITECTURES="$4" \
        -DCMAKE_SYSTEM_PROCESSOR="$4" -DCMAKE_OSX_DEPLOYMENT_TARGET="$5" "${@:6}"
    cmake --build "$folder/$1"
    find "$folder/$1" -name '*.a' -exec libtool -static -o "$folder/$1/libKiln.a" {} +
}
join() { # NAME PART...: a library for several processors
    mkdir "$folder/$1"
    lipo -create "${@:2}" -output "$folder/$1/libKiln.a"
}

build device iOS iphoneos arm64 13.0 "$@"
build simulator-arm64 iOS iphonesimulator arm64 13.0 "$@"
build simulator-x86_64 iOS iphonesimulator x86_64 13.0 "$@"
build macos-arm64 Darwin macosx arm64 11.0 "$@"
build macos-x86_64 Darwin macosx x86_64 11.0 "$@"
join simulator "$folder"/simulator-*/libKiln.a
join macos "$folder"/macos-*/libKiln.a

libraries=()
for name in device simulator macos; do
    libraries+=(-library "$folder/$name/libKiln.a" -headers "$folder/headers")
done
xcodebuild -create-xcframework "${libraries[@]}" -output "$here/Kiln.xcframework"
