#!/bin/bash
# Code (the section .text) of libraries and programs beside README's table of sizes: within 5 % of it. Other sections,
# the largest functions, and the folders and files that the code comes from (before linkers leave any out):
# sizes.sh --table SIZE NM FILE [OBJECTS-FOLDER], for example build/release/runtime/libkiln.so build/release/runtime
#   sizes.sh SIZE README COLUMN NAME FILE [NAME FILE]...
set -euo pipefail

if [ "$1" = --table ]; then
    "$2" -A "$4" | awk '$2 > 2048 && $1 != "Total" { print $2, $1 }' | sort -rn
    "$3" -S -t d "$4" | awk '$3 ~ /[tT]/ { print $2 + 0, $4 }' | sort -rn | awk 'NR <= 40'
    [ $# -lt 5 ] || find "$5" -name '*.o' -exec "$2" -A {} + | awk '
        $2 == ":" {
            name = $1
            sub(/\.c\.o$/, "", name)
            sub(/CMakeFiles\/(kiln_)?/, "", name)
            sub(/\.dir\//, "/", name)
            folder = name
            sub(/\/[^\/]*$/, "/", folder)
        }
        $1 ~ /^\.text/ { bytes[name] += $2; bytes[folder] += $2 }
        END { for (name in bytes) print bytes[name], name }' | sort -rn
    exit
fi

size=$1 readme=$2 column=$3 failed=0
shift 3
while [ $# -gt 0 ]; do
    bytes=$("$size" -A "$2" | awk '$1 == ".text" { print $2 }')
    told=$(awk -F ' *[|] *' -v name="$1" -v title="$column" '
        NF && $2 == "Code" { for (k = 3; k <= NF; k++) if ($k == title) column = k }
        column && $2 == name { print $column + 0 }' "$readme")
    if [ -z "$told" ] || [ $((bytes * 100)) -gt $((told * 105000)) ] || [ $((bytes * 100)) -lt $((told * 95000)) ]; then
        echo "FAILED: $1: $bytes bytes of code; README tells ${told:-nothing of it} KB"
        failed=1
    else
        echo "$1: $bytes bytes of code"
    fi
    shift 2
done
exit $failed
