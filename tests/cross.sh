#!/bin/bash
# Builds Kiln for another processor and runs its suites, which shows whether vectors compute there what they
# should and whether 32 bits are enough, not how fast. ARM's programs run under emulation (qemu-user), i386's
# by the machine itself. Libraries of that processor are unpacked into build/ARCHITECTURE, beside this
# system's own. For Debian on x86-64; installs the cross compiler and the emulator.
#   [type=MinSizeRel] [lto=1] [clang=1] [targets=TARGET...] tests/cross.sh arm64|armhf|i386 [CTEST-OPTION...]
# For example: tests/cross.sh armhf -R test_conv. What is built, all or those targets, stays in build/ARCHITECTURE/build,
# or that of another type, optimised at the link or by clang with LLVM's ld in build/ARCHITECTURE/TYPE[-lto][-clang].
set -euo pipefail
cd "$(dirname "$0")/.."

architecture=${1:?which processor: arm64, armhf or i386}
shift
labels=unit
case $architecture in
arm64) processor=aarch64 compiler=aarch64-linux-gnu labels='unit|integration|conformance' ;;
armhf) processor=armv7l compiler=arm-linux-gnueabihf ;;
i386) processor=i686 compiler=i686-linux-gnu ;;
*)
    echo "$0: $architecture is none of arm64, armhf and i386" >&2
    exit 2
    ;;
esac
folder=$PWD/build/$architecture
build=$folder/${type:-build}${lto:+-lto}${clang:+-clang}
root=$folder/root
triplet=${compiler/i686/i386} # as Debian's folders are named
case $architecture in
arm64) emulator="qemu-aarch64;-L;$root" ;;
armhf) emulator="qemu-arm;-L;$root" ;;
i386) emulator="$root/lib/ld-linux.so.2;--library-path;$root/lib/$triplet:$root/usr/lib/$triplet" ;;
esac
libraries="$(grep -oE '[a-z0-9-]+-dev' examples/packages.sh) check"

# shellcheck disable=SC2086 # names
./examples/packages.sh "gcc-$compiler" qemu-user libonnx-testdata ${clang:+clang lld llvm}

# apt as it would be on such a machine that has nothing: it finds what the libraries need, too.
apt_there() {
    apt-get -q -o APT::Architecture="$architecture" -o APT::Architectures::="$architecture" \
        -o Dir::State="$folder/apt" -o Dir::State::status="$folder/apt/status" \
        -o Dir::Cache="$folder/apt" -o Debug::NoLocking=1 "$@"
}

if [ "$(cat "$root/complete" 2>/dev/null)" != "$libraries" ]; then
    rm -rf "$root" "$folder/apt"
    mkdir -p "$root" "$folder/apt/lists/partial" "$folder/apt/archives/partial"
    : >"$folder/apt/status"
    apt_there update || true # the next line tells what is not to be had
    # shellcheck disable=SC2086 # a list of names
    apt_there install -y --no-install-recommends --download-only $libraries
    # Debian's base files, which are not fetched, would make these links.
    mkdir -p "$root/usr/lib"
    ln -s usr/lib "$root/lib"
    for package in "$folder"/apt/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink
    done
    # Links to absolute paths would lead to this system's files.
    find "$root" -type l -lname '/*' -printf '%p %l\n' | while read -r link target; do
        ln -sfn "$root$target" "$link"
    done
    rm -r "$folder/apt"
    echo "$libraries" >"$root/complete"
fi

cat >"$build.cmake" <<END
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR $processor)
set(CMAKE_C_COMPILER $compiler-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE $triplet)
set(CMAKE_SYSROOT $root)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR "$emulator")
END
if [ -n "${clang:-}" ]; then # with gcc's libraries
    cat >>"$build.cmake" <<END
set(CMAKE_C_COMPILER clang)
set(CMAKE_C_COMPILER_TARGET $compiler)
set(CMAKE_C_FLAGS_INIT --gcc-toolchain=/usr)
foreach(kind EXE SHARED MODULE)
    set(CMAKE_\${kind}_LINKER_FLAGS_INIT "-fuse-ld=lld -L/usr/$compiler/lib")
endforeach()
END
fi
export PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_LIBDIR=$root/usr/lib/$triplet/pkgconfig
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
cmake -S . -B "$build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$build.cmake" \
    -DCMAKE_BUILD_TYPE="${type:-Release}" -DCMAKE_INTERPROCEDURAL_OPTIMIZATION="${lto:+ON}" -DKILN_BUILD_TESTS=ON \
    "${launcher[@]}" >/dev/null
# shellcheck disable=SC2086 # a list of names
cmake --build "$build" --target ${targets:-all}

# Emulated code takes ten times as long and more.
export CK_TIMEOUT_MULTIPLIER=10
# Suites that start the command, or a compiler, from scripts would need emulation to be set up in the system;
# headers are not a matter of the processor that compiles them.
ctest --test-dir "$build" --output-on-failure -j "$(nproc)" -L "$labels" \
    -E '^(cli_|installed|without_training|selected_kernels|isa_option|headers)' "$@"
