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
# A frame of raw pixels to the network's answer, as raw floats.
cat >"$work/app/frame.c" <<'EOF'
#include <kiln/image.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    static uint8_t pixels[1 << 20];
    kiln_image frame = {.format = KILN_IMAGE_RGB, .pixels = pixels};
    kiln_plan *plan = NULL;
    kiln_session *session = NULL;
    kiln_tensor_info input, output;
    kiln_preprocess preprocess;
    if (argc != 4 || kiln_plan_open(argv[1], NULL, &plan, NULL) != KILN_OK ||
        kiln_session_create(plan, NULL, &session, NULL) != KILN_OK) {
        return 1;
    }
    frame.width = (uint32_t)atoi(argv[2]);
    frame.height = (uint32_t)atoi(argv[3]);
    frame.stride = (size_t)frame.width * 3;
    (void)kiln_plan_input(plan, 0, &input);
    (void)kiln_plan_output(plan, 0, &output);
    kiln_plan_preprocess(plan, &preprocess);
    kiln_buffer in = {malloc(input.bytes), input.bytes}, out = {malloc(output.bytes), output.bytes};
    if (fread(pixels, frame.stride, frame.height, stdin) != frame.height ||
        kiln_image_to_input(&frame, &input, &preprocess, 0, in, NULL) != KILN_OK ||
        kiln_session_run(session, 1, &in, 1, &out, 1, NULL) != KILN_OK ||
        fwrite(out.data, 1, out.size, stdout) != out.size) {
        return 1;
    }
    free(in.data);
    free(out.data);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    return 0;
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
add_executable(frame frame.c)
target_link_libraries(frame kiln::kiln_shared)
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

# What an app makes of pixels is what the command makes of a picture of them, to the bit.
kiln=$work/installed/bin/kiln
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
