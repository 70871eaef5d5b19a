#!/bin/bash
# People as photographed, MobileFaceNet and YuNet: as faces.sh.
#   shared.sh JAVA CLASSES LIBRARY KILN SHARED
# SHARED holds models/ and faces/.
set -euo pipefail
java=$1 classes=$2 library=$3 kiln=$4 shared=$5
. "$(dirname "$0")/jvm.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export XDG_CACHE_HOME=$work/cache

mkdir new
cp -r "$shared/faces/five-celebrities/train" known
chmod -R u+w known
mv known/mindy_kaling new/
cp "$shared"/faces/five-celebrities/test/mindy_kaling/* new/mindy_kaling/
"$kiln" compile "$shared/models/mobilefacenet-a/model.onnx" -o backbone.plan --mean 127.5 --std 128 -q
"$kiln" train backbone.plan known -o faces.plan --detector "$shared/models/yunet-n-320/model.onnx" --bundle \
    --no-checkpoint -q
in_jvm faces .
