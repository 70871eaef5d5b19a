#!/bin/bash
# What is installed is enough for somebody else's project: find_package, both libraries, a plan run.
#   install.sh BUILD-FOLDER EMBED-SOURCE GENERATOR
set -euo pipefail
build=$1 source=$2 generator=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "FAILED in line $LINENO"' ERR

cmake --install "$build" --prefix "$work/installed" >/dev/null
mkdir "$work/app"
cp "$source" "$work/app/app.c"
cat >"$work/app/compiles.c" <<'EOF'
#include <kiln/compile.h>
#include <stdio.h>
int main(int argc, char **argv) {
    kiln_error error;
    kiln_status status = argc == 3 ? kiln_compile(argv[1], argv[2], NULL, NULL, &error) : 1;
    return status == KILN_OK ? 0 : 1;
}
EOF
cat >"$work/app/CMakeLists.txt" <<'EOF'
cmake_minimum_required(VERSION 3.25)
project(app LANGUAGES C)
find_package(kiln REQUIRED)
add_executable(app app.c)
target_link_libraries(app kiln::kiln)
add_executable(app_shared app.c)
target_link_libraries(app_shared kiln::kiln_shared)
add_executable(compiles compiles.c)
target_link_libraries(compiles kiln::kilnc)
EOF
cmake -S "$work/app" -B "$work/app/build" -DCMAKE_PREFIX_PATH="$work/installed" >/dev/null
cmake --build "$work/app/build" >/dev/null
$generator squeezenet -o "$work/net.onnx" --width 0.1 --size 64 --classes 5 >/dev/null
"$work/app/build/compiles" "$work/net.onnx" "$work/net.plan"
"$work/app/build/app" "$work/net.plan" >"$work/static.txt"
"$work/app/build/app_shared" "$work/net.plan" >"$work/shared.txt"
test -s "$work/static.txt"
cmp "$work/static.txt" "$work/shared.txt"
"$work/installed/bin/kiln" inspect "$work/net.plan" >/dev/null
echo '1 passed, 0 failed'
