#!/bin/bash
# Every public header alone, as an app's compiler sees it: C11 and C++11, with -Wpedantic, in the
# instruction sets of phones. Nothing is linked; a compiler that is not there is passed over.
#   check.sh INCLUDE-FOLDER C-COMPILER CXX-COMPILER
set -euo pipefail
include=$1 tried=0 failed=0
strict=(-fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Werror "-I$include")

# Without a system's headers, for machines whose C library is not here: what a header may include.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%s\n' '#include_next <stdint.h>' >"$work/stdint.h"
printf '%s\n' '#include <stddef.h>' 'typedef struct FILE FILE;' >"$work/stdio.h"
printf '%s\n' '#include <stddef.h>' 'void *memcpy(void *, const void *, size_t);' \
    'void *memset(void *, int, size_t);' 'size_t strlen(const char *);' >"$work/string.h"
printf '%s\n' 'double fabs(double), rint(double), nearbyint(double);' \
    'float fabsf(float);' '#define NAN __builtin_nanf("")' \
    '#define INFINITY __builtin_inff()' '#define isnan __builtin_isnan' >"$work/math.h"

# Compiles "source" with a compiler and its options.
try() {
    command -v "$2" >/dev/null || return 0
    tried=$((tried + 1))
    cp "$work/source" "$work/source.$1"
    if ! "${@:2}" "${strict[@]}" "$work/source.$1" 2>"$work/said"; then
        failed=$((failed + 1))
        echo "${*:2}:"
        grep -m3 error "$work/said" || head -3 "$work/said"
    fi
}

for header in "$include"/kiln/*.h; do
    printf '#include <kiln/%s>\n%.0s' "${header##*/}" 1 "${header##*/}" 2 >"$work/source"
    try c "$2" -std=c11
    cat "$work/source" >>"$work/all"
done
cp "$work/all" "$work/source"
for compiler in gcc clang; do
    try c $compiler -std=c11
done
for compiler in "$3" g++ clang++; do
    try cpp $compiler -std=c++11
    try cpp $compiler -std=c++20 -DKILN_STATIC -fno-exceptions -fno-rtti
done
for compiler in g++ clang++; do
    printf '#include <kiln/%s>\n' kiln.hpp faces.hpp kiln.hpp >"$work/source"
    for standard in 11 14 17 20; do
        try cpp $compiler -std=c++$standard -fno-exceptions -fno-rtti
    done
    try cpp $compiler -std=c++11 -DKILN_EXCEPTIONS
done
cp "$work/all" "$work/source"
for machine in aarch64-linux-android24 armv7a-linux-androideabi24 i686-linux-gnu arm64-apple-ios15; do
    try c clang --target=$machine -std=c11 -ffreestanding -isystem "$work"
done
echo "$tried compilations, $failed failed"
test "$tried" -gt 0 && test "$failed" -eq 0
