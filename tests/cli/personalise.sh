#!/bin/bash
# The example of training inside an app learns its two classes, and stops when its callback says so.
#   personalise.sh KILN PERSONALISE BACKBONE
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" compile "$3" -q -o "$work/net.plan" && "$2" "$work/net.plan" | tee "$work/log" || exit 1
grep -q 'validation accuracy 1.000' "$work/log" || exit 1
[ "$(grep -c ^epoch "$work/log")" -lt 30 ] || exit 1
awk '/a fine sample/ { fine = $5 > 0.5 } /a coarse sample/ { coarse = $7 > 0.5 }
     END { exit !(fine && coarse) }' <(tr -d , <"$work/log")
