#!/bin/bash
# Real models: each detector finds one face in each of some portraits; no other network is taken for one.
#   shared_detectors.sh KILN SHARED
# SHARED holds models/ and faces/.
set -uo pipefail
kiln=$1 shared=$2 failed=0
detectors=" scrfd-2.5g retinaface-mobile yunet-n-320 yunet-n-dynamic ultraface-rfb-320 ultraface-slim-320 "
portraits=("$shared"/faces/five-celebrities/test/*/*.jpg)

for folder in "$shared"/models/*/; do
    name=$(basename "$folder")
    answer=$("$kiln" faces "${portraits[@]}" --detector "$folder/model.onnx" 2>&1)
    if [[ $detectors == *" $name "* ]]; then
        found=$(grep -c ': 1 face$' <<<"$answer")
        [ "$found" -eq ${#portraits[@]} ]
    else
        grep -q -e 'known are SCRFD' -e 'settle them with --input' <<<"$answer"
    fi || {
        failed=$((failed + 1))
        printf 'FAILED: %s\n%s\n' "$name" "$answer"
    }
done
echo "shared_detectors: $failed failed"
[ $failed -eq 0 ]
