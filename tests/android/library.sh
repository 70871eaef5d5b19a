#!/bin/bash
# libkiln_jni exports what a virtual machine looks for, and nothing of Kiln or of what that carries; its segments fit
# pages of 16 KB; and it asks the system for nothing that Android 7 lacks (bionic.txt).
#   library.sh LIBRARY [READELF]
set -euo pipefail
library=$1 readelf=${2:-readelf}
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

exported=$("$readelf" -W --dyn-syms "$library" | awk '$7 != "UND" && $5 != "LOCAL" && $8 != "" && $7 != "Ndx" { print $8 }' | sort)
test "$exported" = $'JNI_OnLoad\nJNI_OnUnload' || { echo "FAILED: exported: $exported"; exit 1; }
segments=$("$readelf" -W -l "$library" | awk '$1 == "LOAD" { print $NF }')
test -n "$segments"
for alignment in $segments; do
    test $((alignment)) -eq 16384 || { echo "FAILED: a segment is aligned to $alignment"; exit 1; }
done
grep -v '^#' "$(dirname "$0")/bionic.txt" | tr ' ' '\n' | sort >"$work/absent"
"$readelf" -W --dyn-syms "$library" | awk '$7 == "UND" && $8 != "" { print $8 }' | sed 's/@.*//' | sort >"$work/asked"
bad=$(comm -12 "$work/absent" "$work/asked")
test -z "$bad" || { echo "FAILED: Android 7 lacks: $bad"; exit 1; }
echo '1 passed, 0 failed'
