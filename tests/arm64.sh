#!/bin/bash
# Builds Kiln for 64-bit ARM and runs the unit and conformance suites under emulation (qemu-user), which
# shows whether the NEON loops compute what they should, not how fast. ARM's libraries are unpacked into
# build/arm64, beside this system's own. For Debian; installs the cross compiler and the emulator.
#   tests/arm64.sh [CTEST-OPTION...]      for example: tests/arm64.sh -R test_conv
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$PWD/build/arm64
root=$folder/root
libraries="$(grep -oE '[a-z0-9-]+-dev' examples/packages.sh) check"

./examples/packages.sh gcc-aarch64-linux-gnu qemu-user libonnx-testdata

# apt as it would be on an ARM machine that has nothing: it finds what the libraries need, too.
apt_arm64() {
    apt-get -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 \
        -o Dir::State="$folder/apt" -o Dir::State::status="$folder/apt/status" \
        -o Dir::Cache="$folder/apt" -o Debug::NoLocking=1 "$@"
}

if [ "$(cat "$root/complete" 2>/dev/null)" != "$libraries" ]; then
    rm -rf "$root" "$folder/apt"
    mkdir -p "$root" "$folder/apt/lists/partial" "$folder/apt/archives/partial"
    : >"$folder/apt/status"
    apt_arm64 update
    # shellcheck disable=SC2086 # a list of names
    apt_arm64 install -y --no-install-recommends --download-only $libraries
    # Debian's base files, which are not fetched, would make these links.
    mkdir -p "$root/usr/lib"
    ln -s usr/lib "$root/lib"
    for package in "$folder"/apt/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink
    done
    rm -r "$folder/apt"
    echo "$libraries" >"$root/complete"
fi

cat >"$folder/toolchain.cmake" <<EOF
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_SYSROOT $root)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L $root)
EOF
export PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_LIBDIR=$root/usr/lib/aarch64-linux-gnu/pkgconfig
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
cmake -S . -B "$folder/build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$folder/toolchain.cmake" \
    -DKILN_BUILD_TESTS=ON "${launcher[@]}" >/dev/null
cmake --build "$folder/build"

# Emulated code takes ten times as long and more.
export CK_TIMEOUT_MULTIPLIER=10
# The command line's suites start programs from scripts, which emulation would have to be set up for
# in the system.
ctest --test-dir "$folder/build" --output-on-failure -j "$(nproc)" -L 'unit|integration|conformance' \
    -E '^(cli_|installed|without_training)' "$@"
