#!/bin/bash
# On Debian 13: builds Kiln and runs the unit, integration and conformance suites.
#   suites.sh [CTEST-OPTION...]
set -euo pipefail
/kiln/examples/packages.sh check libonnx-testdata ccache g++ make
cmake -S /kiln -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -DKILN_BUILD_TESTS=ON \
    -DCMAKE_C_COMPILER_LAUNCHER=ccache >/dev/null
cmake --build /build
ctest --test-dir /build --output-on-failure -j "$(nproc)" -L 'unit|integration|conformance' "$@"
