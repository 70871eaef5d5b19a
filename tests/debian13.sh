#!/bin/bash
# Builds Kiln on Debian 13, whose XNNPACK is of November 2024, and runs the unit, integration and
# conformance suites. Debian's base system is unpacked into build/debian13/root by debootstrap, and stays
# there for the next time. To be run by root.
#   tests/debian13.sh [CTEST-OPTION...]      for example: tests/debian13.sh -R test_conv
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD/build/debian13/root
mirror=http://deb.debian.org/debian

./examples/packages.sh debootstrap
if [ ! -e "$root/complete" ]; then
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase trixie "$root" "$mirror"
    touch "$root/complete"
fi
mkdir -p "$root/kiln" "$root/build"

# The mounts are seen by this shell alone and end with it. XNNPACK reads /proc to know the processor.
exec unshare --mount bash -euo pipefail -s "$root" "$PWD" "$@" <<'EOF'
root=$1 source=$2
shift 2
mount --bind -o ro "$source" "$root/kiln"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
run() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"; }
run /kiln/examples/packages.sh check libonnx-testdata ccache g++ make
run cmake -S /kiln -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -DKILN_BUILD_TESTS=ON \
    -DCMAKE_C_COMPILER_LAUNCHER=ccache >/dev/null
run cmake --build /build
run ctest --test-dir /build --output-on-failure -j "$(nproc)" -L 'unit|integration|conformance' "$@"
EOF
