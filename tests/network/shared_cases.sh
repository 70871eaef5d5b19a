#!/bin/sh
# Small networks of the kinds that were once wrong: each reproduces its expected outputs and, layer by
# layer, the naive evaluator.
#
#   shared_cases.sh KILN FOLDER
kiln=$1
good=0
bad=0

for folder in "$2"/*/; do
    name=$(basename "$folder")
    if said=$("$kiln" verify "$folder/model.onnx" --data "$folder/test_data_set_0" 2>&1); then
        case $said in
        *'outputs compared'*) good=$((good + 1)) ;;
        *) bad=$((bad + 1)) && echo "$name: no output was compared" ;;
        esac
    else
        bad=$((bad + 1))
        echo "$name: $(echo "$said" | tail -n 1)"
    fi
done
echo "$good passed, $bad failed"
[ "$bad" -eq 0 ] && [ "$good" -gt 0 ]
