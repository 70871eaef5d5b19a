#!/bin/bash
# Drawn people, through the Java classes of the example for Android under -Xcheck:jni: recognised, made known, saved.
#   faces.sh JAVA CLASSES LIBRARY KILN FACES MODELS
set -euo pipefail
java=$1 classes=$2 library=$3 kiln=$4 faces=$5 models=$6
. "$(dirname "$0")/jvm.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export XDG_CACHE_HOME=$work/cache

"$faces" -o known --people 3 --pictures 6 --scenes --size 320 --seed 77 >/dev/null
"$faces" -o new --people 1 --first-person 5 --pictures 10 --scenes --size 320 --seed 77 >/dev/null
"$kiln" compile "$models/backbone.onnx" -o backbone.plan --mean 127.5 --std 128 -q
"$kiln" train backbone.plan known -o faces.plan --detector "$models/detector.onnx" --bundle --no-checkpoint -q
in_jvm faces .
