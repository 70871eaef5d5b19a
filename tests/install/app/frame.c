/* A frame of raw pixels to the network's answer, as raw floats. */
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
