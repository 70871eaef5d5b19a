#!/bin/bash
# The Python package from end to end: builds the wheel, puts the libraries that it needs inside
# (auditwheel), installs it in a clean environment, checks that it needs nothing else there, and
# runs its tests. BUILD-FOLDER has the commands that the results are compared with; the environments
# are kept in it for the next time. Needs python3 with venv, and pip's index.
#
#   wheel.sh BUILD-FOLDER
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
work=$build/wheel
mkdir -p "$work"

command -v ccache >/dev/null && export CMAKE_C_COMPILER_LAUNCHER=ccache
"$root/examples/python/build.sh" "$work"

rm -rf "$work/clean"
python3 -m venv "$work/clean"
"$work/clean/bin/pip" install -q "$(echo "$work"/dist/*.whl)[test]"
# manylinux promises the C library and zlib.
outside=$(find "$work"/clean/lib/python3*/site-packages/kiln* -name '*.so*' -exec ldd {} + |
    awk '/=>/ && !/site-packages|libc\.so|libm\.so|libpthread\.so|libz\.so/ { print $1 }' | sort -u)
[ -z "$outside" ] || { echo "needed from outside the wheel: $outside"; exit 1; }

cd "$work" # the package that is installed, not the folder of its source
"$work/clean/bin/mypy" --config-file "$root/examples/python/pyproject.toml" -p kiln
KILN_BUILD=$build "$work/clean/bin/pytest" -q -p no:cacheprovider "$root/tests/python"
