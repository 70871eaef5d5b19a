#!/bin/bash
# The Java classes of the example for Android, and libkiln_jni, under -Xcheck:jni: plans, images, errors, closing during
# runs, and cycles in constant memory (10000, or KILN_CYCLES).
#   api.sh JAVA CLASSES LIBRARY KILN GENERATOR
set -euo pipefail
java=$1 classes=$2 library=$3 kiln=$4 generator=$5
. "$(dirname "$0")/jvm.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export XDG_CACHE_HOME=$work/cache

for k in $(seq 0 999); do echo "class $k"; done | sed '2s/.*/猫 😀/' >labels.txt
"$generator" squeezenet -o net.onnx --width 0.1 --size 64 --classes 1000 >/dev/null
"$kiln" compile net.onnx -o net.plan --preprocess imagenet --resize stretch --labels labels.txt -q
{ printf 'P6 97 61 255\n' && head -c $((3 * 97 * 61)) net.onnx; } >picture.ppm
"$kiln" run net.plan picture.ppm --output arrays >/dev/null
in_jvm api . "${KILN_CYCLES:-10000}"
