#!/bin/bash
# Builds Kiln with another XNNPACK, of any generation, and runs the unit and conformance suites.
#   tests/xnnpack.sh [--target] DIR [CTEST-OPTION...]      for example: tests/xnnpack.sh /opt/xnnpack -R test_conv
# DIR is where one is installed (include/xnnpack.h, lib/libXNNPACK.a or .so with its parts, and pthreadpool's),
# or its source tree, with the sources that it wants beside it (README, XNNPACK). --target: what is installed
# there as a target of another project, which has Kiln as a subdirectory.
set -euo pipefail
cd "$(dirname "$0")/.."

route=directory
[ "${1:-}" != --target ] || { route=target; shift; }
[ $# -ge 1 ] || { sed -n '2,6s/^# //p' "$0"; exit 2; }
xnnpack=$(realpath "$1")
shift

options=(-G Ninja -DCMAKE_BUILD_TYPE=Release -DKILN_BUILD_COMPILER=ON -DKILN_BUILD_TESTS=ON -DKILN_WERROR=ON)
command -v ccache >/dev/null && options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
if [ $route = target ]; then
    build=build/xnnpack_target
    cmake -S tests/xnnpack -B "$build" -DXNNPACK_PREFIX="$xnnpack" "${options[@]}" >/dev/null
else
    build=build/xnnpack
    cmake -S . -B "$build" -DKILN_XNNPACK="$xnnpack" "${options[@]}" >/dev/null
fi
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure -j "$(nproc)" -L 'unit|conformance' "$@"
