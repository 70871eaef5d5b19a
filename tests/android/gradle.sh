#!/bin/bash
# The example's Gradle files as far as they go without Android's SDK: Gradle runs them with a plugin that writes down
# what it is told; folders, names and rules in that are checked against the tree.
#   gradle.sh      for Debian's gradle; needs a JDK
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

told() { # LINE: the plugin was told it
    grep -qxF -- "$1" "$work/told" || { echo "FAILED: not told: $1"; failed=$((failed + 1)); }
}
exists() { [ -e "$1" ] || { echo "FAILED: no $1"; failed=$((failed + 1)); }; }

repository=$work/recorder/recorder/recorder/1
mkdir -p "$repository" "$work/classes/META-INF/gradle-plugins"
classpath=$(printf '%s:' /usr/share/gradle/lib/*.jar /usr/share/java/groovy.jar /usr/share/gradle/lib/plugins/*.jar)
javac -nowarn --release 8 -cp "$classpath" -d "$work/classes" "$here/gradle/Recorder.java" 2>"$work/log" || { cat "$work/log"; exit 1; }
for id in application library; do
    echo implementation-class=Recorder >"$work/classes/META-INF/gradle-plugins/com.android.$id.properties"
done
jar cf "$repository/recorder-1.jar" -C "$work/classes" .
cat >"$repository/recorder-1.pom" <<POM
<project><modelVersion>4.0.0</modelVersion><groupId>recorder</groupId><artifactId>recorder</artifactId><version>1</version></project>
POM

example=$work/examples/android # as deep as here
mkdir -p "$work/sources/XNNPACK" "$work/examples"
cp -r "$here/../../examples/android" "$example"
(cd "$example" && gradle --offline --no-daemon -g "$work/home" -Drecorder="file://$work/recorder" -I "$here/gradle/init.gradle" \
    -Pkiln.sources="$work/sources" projects) >"$work/told" 2>"$work/log" || { cat "$work/told" "$work/log"; exit 1; }

module=$here/../../examples/android/kiln
for name in kiln app; do
    told "$name.defaultConfig.minSdk 24"
    told "$name.compileSdk 35"
done
told "kiln.defaultConfig.externalNativeBuild.cmake.arguments -DKILN_SOURCES=$work/sources"
told 'kiln.buildTypes.release.externalNativeBuild.cmake.arguments -DCMAKE_BUILD_TYPE=MinSizeRel'
told "kiln.externalNativeBuild.cmake.path $example/kiln/src/main/cpp/CMakeLists.txt"
exists "$module/src/main/cpp/CMakeLists.txt"
for abi in arm64-v8a x86_64; do told "kiln.defaultConfig.ndk.abiFilters $abi"; done
told 'kiln.buildFeatures.prefabPublishing true'
told "kiln.prefab.kiln.headers $work/include"
exists "$module/../../../include/kiln/kiln.h"
# What is published is built, under the names of CMake's targets.
for name in kiln pthreadpool XNNPACK xnnpack-microkernels-prod cpuinfo; do
    told "kiln.prefab.$name"
    told "kiln.defaultConfig.externalNativeBuild.cmake.targets $name"
done
told 'kiln.defaultConfig.externalNativeBuild.cmake.targets kiln_jni'
told 'kiln.defaultConfig.consumerProguardFiles consumer-rules.pro'
exists "$module/consumer-rules.pro"
told 'kiln.compileOnly camera-core'
told 'app.androidResources.noCompress plan'
told 'app.implementation kiln'
[ $failed -eq 0 ] || cat "$work/told"
echo "gradle: $failed failed"
[ $failed -eq 0 ]
