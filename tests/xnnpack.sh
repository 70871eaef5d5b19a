#!/bin/bash
# Builds Kiln with an XNNPACK that is installed elsewhere, of any generation, and runs the unit and
# conformance suites.
#   tests/xnnpack.sh PREFIX [CTEST-OPTION...]      for example: tests/xnnpack.sh /opt/xnnpack -R test_conv
# PREFIX holds include/xnnpack.h and lib/libXNNPACK.a (or .so) with its parts, and pthreadpool's.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -ge 1 ] || { sed -n '2,5s/^# //p' "$0"; exit 2; }
prefix=$(realpath "$1")
shift
build=build/xnnpack

launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
cmake --preset release -B "$build" -DKILN_XNNPACK="$prefix" -DKILN_BUILD_TESTS=ON "${launcher[@]}" >/dev/null
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure -j "$(nproc)" -L 'unit|conformance' "$@"
