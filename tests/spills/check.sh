#!/bin/bash
# Inner loops keep their sums in registers: compiles micro-kernels for phones, by clang and gcc as far as they are
# here, and for this processor, and counts the vectors that go through the stack where much is computed: an eighth at
# most. Constants that lie on the stack and are only read there cost what reading them elsewhere would.
#   check.sh SOURCES C-COMPILER [OPTION-OF-THE-BEST-SET]...
set -euo pipefail
sources=$1 own=$2
shift 2
here=$(realpath "$(dirname "$0")") work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "FAILED in line $LINENO"' ERR
cd "$sources"

# Functions of many constants (unary.c, elementwise.c) have no sums to keep.
kernels="attention bilinear dense depthwise gemm multiplier peak pool reduce softmax winograd"
# What may spill: Winograd's weights, which are made once; and clang, in tiles of at most 4 outputs by 16 rows, for
# which it begins more loads than there are registers for; and depthwise windows with the 16 registers of ARMv7.
may_spill='^(.*:winograd_weights_[0-9] |clang.*aarch64.*:ukernel_gemm_windows_base computing=64 '
may_spill+='|.*:ukernel_depthwise_neon )'

# Headers for a machine whose C library is not here.
printf '%s\n' '#include <stddef.h>' 'void *memcpy(void *, const void *, size_t);' \
    'void *memset(void *, int, size_t);' 'size_t strlen(const char *);' 'int strcmp(const char *, const char *);' \
    >"$work/string.h"
printf '%s\n' 'float sinf(float), cosf(float), tanf(float), fmodf(float, float);' \
    '#define NAN __builtin_nanf("")' '#define INFINITY __builtin_inff()' >"$work/math.h"

# blocks HEADER COMPILER [OPTION]...: of each kernel, what spills.awk tells.
blocks() {
    local kernel
    for kernel in $kernels; do
        "${@:2}" -w -std=c11 -O2 -ffp-contract=fast -fno-math-errno -fPIC -DNDEBUG -D_GNU_SOURCE -S \
            "-DUKERNEL_ISA=\"runtime/ukernels/$1\"" -I. -Iinclude "runtime/ukernels/$kernel.c" -o "$work/code.s"
        awk -v prefix="${*:2}:" -f "$here/spills.awk" "$work/code.s"
    done
}

{
    if command -v clang >/dev/null; then
        blocks neon.h clang --target=aarch64-linux-android24 -ffreestanding -fbuiltin -isystem "$work"
        blocks neon.h clang --target=armv7a-linux-androideabi24 -mfpu=neon-vfpv4 -ffreestanding -fbuiltin -isystem "$work"
    fi
    if command -v arm-linux-gnueabihf-gcc >/dev/null; then
        blocks neon.h arm-linux-gnueabihf-gcc -mfpu=neon-vfpv4 -mfp16-format=ieee -funsafe-math-optimizations \
            -fno-associative-math -ffreestanding -fbuiltin -isystem "$work"
    fi
    if command -v aarch64-linux-gnu-gcc >/dev/null; then
        blocks neon.h aarch64-linux-gnu-gcc
    fi
    if [ $# -gt 0 ]; then
        blocks "$1" "$own" "${@:2}"
    fi
} >"$work/blocks"
echo "$(wc -l <"$work/blocks") blocks of code that compute much"
test "$(wc -l <"$work/blocks")" -gt 5
awk '{ for (k = 0; k < 3; k++) { split($(NF - k), of, "="); n[k] = of[2] } }
    (n[0] < n[1] ? n[0] : n[1]) * 8 > n[2]' "$work/blocks" |
    grep -vE "$may_spill" >"$work/spilling" || true
cat "$work/spilling"
test ! -s "$work/spilling"
echo '1 passed, 0 failed'
