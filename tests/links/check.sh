#!/bin/sh
# No circle among the objects of Kiln, no call from a module to one above it.
#   check.sh NM BUILD LIST    BUILD: the build folder; LIST: a file with the path of an object a line
set -eu
here=$(dirname "$0")
symbols=$(mktemp)
trap 'rm -f "$symbols"' EXIT
xargs -r "$1" -A -P -g <"$3" >"$symbols"
awk -v build="$2" -f "$here/links.awk" "$here/modules.txt" "$symbols"
