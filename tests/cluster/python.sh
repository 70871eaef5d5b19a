#!/bin/bash
# An environment with the package as a wheel, and Spark: WORK/python.
#
#   python.sh ROOT WORK
set -euo pipefail
root=$1 work=$2
command -v ccache >/dev/null && export CMAKE_C_COMPILER_LAUNCHER=ccache
"$root/examples/python/build.sh" "$work/wheel"
[ -x "$work/python/bin/spark-submit" ] || {
    python3 -m venv "$work/python"
    "$work/python/bin/pip" install -q wheel setuptools
    "$work/python/bin/pip" install -q 'pyspark==3.5.*' pandas pyarrow
}
"$work/python/bin/pip" install -q --force-reinstall --no-deps "$work"/wheel/dist/kiln-*.whl
"$work/python/bin/pip" install -q cffi numpy
