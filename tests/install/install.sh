#!/bin/bash
# What is installed is enough for somebody else's project, wherever it is moved: by find_package and pkg-config, in C
# and C++, with both libraries; and a library that carries Kiln exports nothing of it.
#   install.sh BUILD-FOLDER EMBED-SOURCE GENERATOR C-COMPILER
set -euo pipefail
build=$1 source=$2 generator=$3 cc=$4
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "FAILED in line $LINENO"' ERR

cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/moved"
installed=$work/moved
version=$("$installed/bin/kiln" --version | grep -o '[0-9.]*' | head -1)
pages=$(echo "$installed"/share/man/man1/*.1)
test "$(wc -w <<<"$pages")" -gt 10
for command in compile train; do
    grep -q "kiln-$command" "$installed/share/man/man1/kiln-$command.1"
done
bash -n "$installed/share/bash-completion/completions/kiln"
test -s "$installed/share/zsh/site-functions/_kiln"
test -s "$installed/share/fish/vendor_completions.d/kiln.fish"
# No folder of this machine is in what others build by.
if grep -rnE "\"?(/usr|/home|/tmp|$build)" "$installed/lib"*/cmake "$installed/lib"*/pkgconfig; then false; fi

cp -r "$here/app" "$work/app"
cp "$source" "$work/app/app.c"
cmake -S "$work/app" -B "$work/app/build" -DCMAKE_PREFIX_PATH="$installed" -DEXPECTED_VERSION="$version" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$work/app/build" -j 2 >/dev/null

# A part that is not there is told by find_package.
mkdir "$work/asks"
printf 'cmake_minimum_required(VERSION 3.25)\nproject(asks C)\nfind_package(kiln REQUIRED COMPONENTS baking)\n' \
    >"$work/asks/CMakeLists.txt"
if cmake -S "$work/asks" -B "$work/asks/build" -DCMAKE_PREFIX_PATH="$installed" >"$work/log" 2>&1; then false; fi
grep -q baking "$work/log"

$generator squeezenet -o "$work/net.onnx" --width 0.1 --size 64 --classes 5 >/dev/null
"$work/app/build/compiles" "$work/net.onnx" "$work/net.plan"
"$work/app/build/app" "$work/net.plan" >"$work/static.txt"
"$work/app/build/app_shared" "$work/net.plan" >"$work/shared.txt"
"$work/app/build/app_cpp" "$work/net.plan" >"$work/zeros.f32"
for name in wrapper wrapper_throws; do
    "$work/app/build/$name" "$work/net.plan" | cmp - "$work/zeros.f32"
done
# Drawn people, whose names the command tells of the plan that the app has saved.
kiln=$installed/bin/kiln faces=$(dirname "$generator")/faces/kiln-faces models=$root/models/faces
export XDG_CACHE_HOME=$work/cache
"$faces" -o "$work/people" --people 3 --pictures 5 --scenes --size 320 --seed 77 >/dev/null
"$faces" -o "$work/felix" --people 1 --first-person 5 --pictures 10 --scenes --size 320 --seed 77 >/dev/null
"$kiln" compile "$models/backbone.onnx" -o "$work/backbone.plan" --mean 127.5 --std 128 -q
"$kiln" compile "$models/detector.onnx" -o "$work/detector.plan" -q
"$kiln" train "$work/backbone.plan" "$work/people" -o "$work/faces.plan" --detector "$models/detector.onnx" --bundle \
    --no-checkpoint -q
upright=()
for picture in "$work"/felix/*/*.png; do
    size=$("$build/tests/cli/frames" nv21 "${picture%.png}.nv21" "$picture")
    [ "$size" != '240 320' ] || upright+=("${picture%.png}.nv21")
done
for standard in 11 14 17 20; do
    "$work/app/build/faces_$standard" "$work/faces.plan" "$work/detector.plan" 240 320 "$work/more.plan" \
        "${upright[@]:0:4}" >"$work/told.txt"
    test "$(sed -n 1p "$work/told.txt")" != 'known felix'
    test "$(sed -n 2p "$work/told.txt")" = 'known felix'
    "$kiln" classify "$work/more.plan" "${upright[0]%.nv21}.png" | grep ': felix (' >/dev/null
done
test -s "$work/static.txt"
test "$(stat -c %s "$work/zeros.f32")" -eq 20
cmp "$work/static.txt" "$work/shared.txt"
"$installed/bin/kiln" inspect "$work/net.plan" >/dev/null

# The same with pkg-config alone.
if command -v pkg-config >/dev/null; then
    PKG_CONFIG_PATH=$(echo "$installed"/lib*/pkgconfig)
    if [ ! -d "$PKG_CONFIG_PATH" ]; then PKG_CONFIG_PATH=$(echo "$installed"/lib/*/pkgconfig); fi
    export PKG_CONFIG_PATH
    test "$(pkg-config --modversion kiln)" = "$version"
    # shellcheck disable=SC2046
    {
        "$cc" "$work/app/app.c" -o "$work/by_pc" $(pkg-config --cflags --libs kiln) -lm
        c++ -std=c++11 "$work/app/app.cpp" -o "$work/cpp_by_pc" $(pkg-config --cflags --libs kiln)
        "$cc" "$work/app/compiles.c" -o "$work/compiles_by_pc" $(pkg-config --cflags --libs kiln-compiler)
        static=$(pkg-config --static --libs kiln)
        "$cc" "$work/app/app.c" -o "$work/static_by_pc" $(pkg-config --cflags kiln) -lm \
            ${static/-lkiln/-l:libkiln.a}
    }
    LD_LIBRARY_PATH=$(pkg-config --variable=libdir kiln)
    export LD_LIBRARY_PATH
    "$work/by_pc" "$work/net.plan" | cmp - "$work/shared.txt"
    "$work/cpp_by_pc" "$work/net.plan" | cmp - "$work/zeros.f32"
    "$work/static_by_pc" "$work/net.plan" | cmp - "$work/shared.txt"
    "$work/compiles_by_pc" "$work/net.onnx" "$work/pc.plan"
    cmp "$work/net.plan" "$work/pc.plan"
fi

# What carries Kiln exports its own functions alone.
test "$(nm -D --defined-only "$work/app/build/libjni.so" | awk '{ print $NF }')" = Java_org_example_Kiln_version
nm "$work/app/build/libjni.so" | grep ' t kiln_session_create$' >/dev/null

# What an app makes of pixels is what the command makes of a picture of them, to the bit.
kiln=$installed/bin/kiln
for preset in imagenet caffe; do
    "$kiln" compile "$work/net.onnx" -o "$work/net.plan" --preprocess $preset -q
    head -c $((3 * 97 * 61)) "$work/net.onnx" >"$work/pixels"
    { printf 'P6 97 61 255\n' && cat "$work/pixels"; } >"$work/picture.ppm"
    "$work/app/build/frame" "$work/net.plan" 97 61 <"$work/pixels" >"$work/frame.f32"
    "$kiln" run "$work/net.plan" "$work/picture.ppm" --output "$work/arrays" >/dev/null
    test "$(stat -c %s "$work/frame.f32")" -eq 20
    tail -c 20 "$work/arrays/picture.ppm.output.npy" | cmp - "$work/frame.f32"
done
echo '1 passed, 0 failed'
