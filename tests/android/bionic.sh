#!/bin/bash
# Without the NDK, but with the source of bionic, Android's libc: compiles everything native of examples/android by
# clang for Android 7 with bionic's headers, and links it with what bionic has from API 24 on; for arm64 and x86-64.
# What is linked runs nowhere: the libraries hold names alone.
#   tests/android/bionic.sh BIONIC SOURCES      a checkout of platform/bionic; SOURCES as in tests/android.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

[ $# -eq 2 ] || { sed -n '2,5s/^# //p' "$0"; exit 2; }
bionic=$(realpath "$1") sources=$(realpath "$2")
./examples/packages.sh clang lld android-libnativehelper-dev

for processor in aarch64 x86_64; do
    folder=$PWD/build/bionic/$processor
    mkdir -p "$folder/lib" "$folder/jni"
    ln -sf /usr/include/android/nativehelper/jni.h "$folder/jni/"
    target=$processor-linux-android24
    case $processor in aarch64) name=arm64 asm=asm-arm64 ;; *) name=x86_64 asm=asm-x86 ;; esac
    # Which processor it is, a compiler's own library knows; the NDK has one, too.
    own=$([ $processor != x86_64 ] || x86_64-linux-gnu-gcc -print-libgcc-file-name)
    for library in c m dl; do
        # A line is "name; # tags": which processors, from which API on; blocks that are not for apps are left out.
        awk -v name=$name '
            /^[A-Z_0-9a-z]+ \{/ { block = 0; apps = !/PRIVATE|PLATFORM|platform-only/
                if (match($0, /introduced=[0-9]+/)) block = substr($0, RSTART + 11, RLENGTH - 11) }
            /^ +[A-Za-z_][A-Za-z_0-9]*;/ && apps && !/apex|systemapi|llndk|platform-only|future/ {
                from = block
                tags = $0; sub(/[^#]*/, "", tags)
                if (tags ~ /(^| )(arm|arm64|x86|x86_64|riscv64)( |$)/ && tags !~ "(^| )" name "( |$)") next
                if (match(tags, "introduced-" name "=[0-9]+")) from = substr(tags, RSTART + 12 + length(name), RLENGTH - 12 - length(name))
                else if (match(tags, /introduced=[0-9]+/)) from = substr(tags, RSTART + 11, RLENGTH - 11)
                sub(/;.*/, ""); gsub(/ /, "")
                if (from + 0 <= 24) printf ".globl %s\n.type %s,%%function\n%s:\n", $0, $0, $0 }
        ' "$bionic/lib$library/lib$library.map.txt" | sed 's/%function/@function/' >"$folder/lib/$library.s"
        [ $processor != aarch64 ] || sed -i 's/@function/%function/' "$folder/lib/$library.s"
        clang --target=$target -nostdlib -shared -fuse-ld=lld -o "$folder/lib/lib$library.so" "$folder/lib/$library.s"
    done
    headers="-nostdlibinc -isystem $bionic/libc/include -isystem $bionic/libc/kernel/uapi"
    headers+=" -isystem $bionic/libc/kernel/uapi/$asm -isystem $bionic/libc/kernel/android/uapi -isystem $folder/jni"
    cmake -S examples/android/kiln/src/main/cpp -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DKILN_SOURCES="$sources" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=$processor -DANDROID=TRUE \
        -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_COMPILER_TARGET=$target \
        -DCMAKE_CXX_COMPILER_TARGET=$target -DCMAKE_C_FLAGS="$headers" -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY \
        -DCMAKE_SHARED_LINKER_FLAGS="-fuse-ld=lld -nostdlib -L$folder/lib -lc -lm -ldl" \
        -DCMAKE_C_STANDARD_LIBRARIES="$own" >/dev/null
    cmake --build "$folder/build" --target kiln_jni
    tests/android/library.sh "$folder/build/libkiln_jni.so"
done
echo 'bionic: all is well'
