#!/bin/bash
# What of examples/android can be checked without Android's SDK and NDK: libkiln_jni as Gradle configures it, for this
# processor and for arm64, with pages of 16 KB; the Java tests on it, and again shrunk by the module's rules; the
# Gradle files; the app's manifest, resources and syntax. For Debian: installs what it needs.
#   tests/android.sh SOURCES      the folder that examples/android/README.md tells: pthreadpool, FXdiv, xxHash
# Needs a release build, for the kiln command.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -eq 1 ] || { sed -n '2,7s/^# //p' "$0"; exit 2; }
sources=$(realpath "$1")
release=$PWD/build/release
folder=$PWD/build/android
example=$PWD/examples/android

./examples/packages.sh openjdk-17-jdk-headless gradle proguard aapt android-framework-res g++-aarch64-linux-gnu

echo '== libkiln_jni'
for processor in x86_64 aarch64; do
    cmake -S "$example/kiln/src/main/cpp" -B "$folder/$processor" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DKILN_SOURCES="$sources" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=$processor \
        -DCMAKE_C_COMPILER=$processor-linux-gnu-gcc -DCMAKE_CXX_COMPILER=$processor-linux-gnu-g++ >/dev/null
    cmake --build "$folder/$processor" --target kiln_jni
    tests/android/library.sh "$folder/$processor/libkiln_jni.so"
done

echo '== Java'
cmake --build "$release" --target android_classes kiln-cli kiln-models
arguments=(java "$release/tests/android/classes" "$folder/x86_64/libkiln_jni.so" "$release/compiler/cli/kiln"
    "$release/models/kiln-models")
tests/android/api.sh "${arguments[@]}"
tests/android/shrunk.sh "${arguments[@]}"

echo '== Gradle files'
tests/android/gradle.sh

echo '== app'
javac -XDshould-stop.ifNoError=PARSE -d "$folder/none" "$example"/app/src/main/java/org/kiln/camera/*.java
# Gradle tells Android's tools the package and the versions.
sed 's/<manifest /<manifest package="org.kiln.camera" /' "$example/app/src/main/AndroidManifest.xml" \
    >"$folder/AndroidManifest.xml"
aapt package -f -M "$folder/AndroidManifest.xml" -S "$example/app/src/main/res" -J "$folder" -F "$folder/app.apk" \
    -I /usr/share/android-framework-res/framework-res.apk --min-sdk-version 24 --target-sdk-version 29
grep -ohE 'R\.(id|string|layout)\.[a-z_]+' -r "$example/app/src/main/java" | sort -u | while IFS=. read -r _ _ name; do
    grep -q "int $name=" "$folder/R.java" || { echo "FAILED: no resource $name"; exit 1; }
done
echo 'android: all is well'
