#!/bin/bash
# KILN_ISA takes the names of sets of vector instructions, and says what there are where it does not know one.
#   isa.sh SOURCES GENERATOR C-COMPILER
set -euo pipefail
sources=$1 generator=$2 cc=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "FAILED in line $LINENO"' ERR

configure() {
    cmake -S "$sources" -B "$work/${1%%;*}" -G "$generator" -DCMAKE_C_COMPILER="$cc" -DKILN_BUILD_COMPILER=OFF \
        -DKILN_ISA="$1" >"$work/log" 2>&1
}

configure base
grep -q '^#define EACH_ISA(ISA, of) ISA(base, of)$' "$work/base/runtime/kiln_built_in/built_in.h"
if configure "avx3;base"; then false; fi
tr -s '\n ' ' ' <"$work/log" | grep -q "'avx3' is no set of vector instructions of .*, which has: .*base"
echo '1 passed, 0 failed'
