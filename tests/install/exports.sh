#!/bin/bash
# The shared library exports what exports.txt lists, that is what the public headers declare, and nothing else.
# When the interface has grown: tests/install/exports.sh nm LIBRARY HEADERS --update
#   exports.sh NM LIBKILN.so HEADERS-FOLDER [--update]
set -euo pipefail
nm=$1 library=$2 headers=$3
list=$(dirname "$0")/exports.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C

"$nm" -D --defined-only "$library" | awk '{ print $NF }' | sed 's/@.*//' | sort >"$work/exported"
if [ "${4-}" = --update ]; then cp "$work/exported" "$list"; fi

# A declaration's name is the last word before its first parenthesis or bracket; the compiler's are in its own library.
find "$headers" -name '*.h' ! -name compile.h -exec cat {} + | tr '\n' ' ' | sed 's/KILN_API/\n&/g' |
    sed -n 's/^KILN_API \([^([;]*\)[([;].*/\1/p' | sed 's/.*[ *]\(kiln_[a-z0-9_]*\) *$/\1/' | grep '^kiln_' |
    sort >"$work/declared"
diff "$work/declared" "$work/exported" || { echo 'FAILED: the headers (<) and the library (>) differ'; exit 1; }
diff "$list" "$work/exported" || { echo 'FAILED: exports.txt (<) and the library (>) differ; see --update'; exit 1; }
echo "$(wc -l <"$list") exported"
