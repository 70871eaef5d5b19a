#!/bin/bash
# What is built in, as one says it on a command line: KILN_ISA takes the names of sets of vector instructions, and says
# what there are where it does not know one; KILN_KERNELS a list in the folder that one is in; KILN_XNNPACK an absolute path.
#   isa.sh SOURCES GENERATOR C-COMPILER
set -euo pipefail
sources=$1 generator=$2 cc=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "FAILED in line $LINENO"' ERR

configure() { # FOLDER OPTION...
    cmake -S "$sources" -B "$work/$1" -G "$generator" -DCMAKE_C_COMPILER="$cc" -DKILN_BUILD_COMPILER=OFF \
        "${@:2}" >"$work/log" 2>&1
}

configure base -DKILN_ISA=base
grep -q '^#define EACH_ISA(ISA, of) ISA(base, of)$' "$work/base/runtime/kiln_built_in/built_in.h"
if configure other "-DKILN_ISA=avx3;base"; then false; fi
tr -s '\n ' ' ' <"$work/log" | grep -q "'avx3' is no set of vector instructions of .*, which has: .*base"
printf 'kernel copy\nkernel softmax\n' >"$work/app.kernels"
cd "$work"
configure app -DKILN_KERNELS=app.kernels
grep -q '^#define EACH_BUILT_IN_KERNEL(KERNEL) KERNEL(COPY, copy) KERNEL(SOFTMAX, softmax)$' \
    app/runtime/kiln_built_in/built_in.h
if configure none -DKILN_KERNELS=none.kernels; then false; fi
grep -q "none.kernels" log
mkdir sources
if configure relative -DKILN_XNNPACK=sources; then false; fi
grep -q 'give the absolute path of sources' log
echo '1 passed, 0 failed'
