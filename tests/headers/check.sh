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

check() { # what the compiler's options are for, then the compiler and its options
    local header what=$1
    shift
    command -v "$1" >/dev/null || return 0
    for header in "$include"/kiln/*.h; do
        tried=$((tried + 1))
        printf '#include <kiln/%s>\n#include <kiln/%s>\nint main(void) { return 0; }\n' \
            "${header##*/}" "${header##*/}" >"$work/source.${what%%-*}"
        if ! "$@" "${strict[@]}" "$work/source.${what%%-*}" 2>"$work/said"; then
            failed=$((failed + 1))
            echo "${header##*/} as $what with $*:"
            grep -m3 error "$work/said" || head -3 "$work/said"
        fi
    done
}

for compiler in "$2" gcc clang; do
    check c-host "$compiler" -std=c11
done
for compiler in "$3" g++ clang++; do
    check cpp-host "$compiler" -std=c++11
    check cpp-static "$compiler" -std=c++20 -DKILN_STATIC -fno-exceptions -fno-rtti
done
for machine in aarch64-linux-android24 armv7a-linux-androideabi24 i686-linux-gnu arm64-apple-ios15; do
    check c-$machine clang --target=$machine -std=c11 -ffreestanding -isystem "$work"
done
echo "$tried headers tried, $failed failed"
test "$tried" -gt 0 && test "$failed" -eq 0
