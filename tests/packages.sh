#!/bin/bash
# The Debian packages in a clean bookworm: builds libkiln0, libkiln-dev and kiln-tools, makes a root with debootstrap,
# installs them there, and uses each: apps in C and C++ are built and run with libkiln0 and libkiln-dev, by find_package
# and by pkg-config, shared and static; the command compiles.
#   packages.sh [FOLDER]         kept for the next time; build/packages if none is given. Needs root and a mirror.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$source/build/packages}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
mkdir -p "$folder"
root=$folder/root
trap 'echo "FAILED in line $LINENO"' ERR

for tool in debootstrap dpkg-deb dpkg-shlibdeps; do
    command -v $tool >/dev/null || { echo "packages.sh needs $tool (debootstrap, dpkg-dev)"; exit 1; }
done
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
cmake --preset release -S "$source" -B "$folder/build" -DCMAKE_INSTALL_PREFIX=/usr -DKILN_BUILD_TESTS=OFF \
    -DKILN_ZSH_FOLDER=share/zsh/vendor-completions "${launcher[@]}" >/dev/null
cmake --build "$folder/build" -j "$(nproc)" >"$folder/log" || { tail -20 "$folder/log"; false; }
rm -rf "$folder/debs"
cpack --config "$folder/build/CPackConfig.cmake" -G DEB -B "$folder/debs" >/dev/null
debs=("$folder"/debs/*.deb)
for deb in "${debs[@]}"; do
    printf '%s: %s\n' "${deb##*/}" "$(dpkg-deb -f "$deb" Depends)"
done
test ${#debs[@]} -eq 3
for name in libkiln0 libkiln-dev kiln-tools; do
    ls "$folder"/debs/${name}_*.deb >/dev/null
done

inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
if [ ! -e "$root/ready" ]; then
    rm -rf "$root"
    debootstrap --variant=minbase bookworm "$root" "$mirror" >"$folder/log"
    touch "$root/ready"
fi
# What XNNPACK asks of the processor it reads there.
if [ ! -e "$root/proc/self" ]; then
    mount -t proc proc "$root/proc"
    trap 'umount "$root/proc"' EXIT
fi
rm -rf "$root/tmp/kiln"
mkdir "$root/tmp/kiln"
cp "${debs[@]}" "$root/tmp/kiln"
cp "$source/models/faces/backbone.onnx" "$source/examples/embed.c" "$source"/tests/install/app/{app.cpp,compiles.c} \
    "$root/tmp/kiln"
inside apt-get update -q >/dev/null

# The library alone, then what apps are built with, then the command; each brings what it needs.
inside apt-get purge -y -q 'libkiln*' kiln-tools >/dev/null 2>&1 || true
inside sh -c 'apt-get install -y -q --no-install-recommends /tmp/kiln/libkiln0_*.deb' >"$folder/log"
test -e "$(echo "$root"/usr/lib/*/libkiln.so.0)"
test ! -e "$root/usr/include/kiln"
inside sh -c 'apt-get install -y -q --no-install-recommends /tmp/kiln/kiln-tools_*.deb' >"$folder/log"
inside kiln compile /tmp/kiln/backbone.onnx -o /tmp/kiln/net.plan --mean 127.5 --std 128 -q
inside kiln inspect /tmp/kiln/net.plan >/dev/null
for file in share/man/man1/kiln.1 share/bash-completion/completions/kiln share/zsh/vendor-completions/_kiln; do
    test -s "$root/usr/$file"
done
inside sh -c 'apt-get install -y -q --no-install-recommends /tmp/kiln/libkiln-dev_*.deb g++ pkg-config cmake make' \
    >"$folder/log"
inside sh -c 'cd /tmp/kiln && cc embed.c -o embed $(pkg-config --cflags --libs kiln) -lm && ./embed net.plan' \
    >"$folder/shared"
inside sh -c 'cd /tmp/kiln && c++ -std=c++11 app.cpp -o cpp $(pkg-config --cflags --libs kiln) && ./cpp net.plan' \
    >"$folder/cpp"
test "$(stat -c %s "$folder/cpp")" -gt 100
# What --static names links without the shared library.
inside sh -c 'cd /tmp/kiln && libraries=$(pkg-config --static --libs kiln | sed s/-lkiln/-l:libkiln.a/) &&
    cc embed.c -o alone $(pkg-config --cflags kiln) $libraries && ./alone net.plan && ! ldd alone | grep libkiln' \
    >"$folder/alone"
cmp "$folder/shared" "$folder/alone"
inside sh -c 'cd /tmp/kiln && cc compiles.c -o compiles $(pkg-config --cflags --libs kiln-compiler) &&
    ./compiles backbone.onnx other.plan && kiln inspect other.plan' >"$folder/log"
mkdir "$root/tmp/kiln/app"
printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(app C)' 'find_package(kiln REQUIRED)' \
    'add_executable(app ../embed.c)' 'target_link_libraries(app kiln::kiln)' >"$root/tmp/kiln/app/CMakeLists.txt"
inside sh -c 'cd /tmp/kiln/app && cmake . >/dev/null && cmake --build . >/dev/null && ./app ../net.plan' >"$folder/static"
test -s "$folder/shared"
cmp "$folder/shared" "$folder/static"
# Nothing is left behind.
inside apt-get purge -y -q libkiln0 libkiln-dev kiln-tools >/dev/null
test -z "$(find "$root/usr" -name '*kiln*' -print -quit)"
echo '1 passed, 0 failed'
