/* Writes a network with a depthwise convolution of two outputs a channel, as ONNX.
 *   several FILE.onnx */
#include "models/builder.h"

#include <stdio.h>

int main(int argc, char **argv) {
    const builder_options options = {
        .name = "several", .size = 8, .classes = 4, .batch = 1, .width = 1, .seed = 1};
    builder *b = builder_create(&options);
    if (argc != 2 || b == NULL) {
        return 2;
    }
    tensor x = builder_input(b);
    x = builder_conv(b, x, (conv){.channels = 16}, "first");
    x = builder_conv(
        b, x, (conv){.channels = 32, .kernel = {3, 3}, .padding = {1, 1}, .groups = 16}, "second");
    builder_last(b);
    (void)builder_conv(b, x, (conv){.channels = 4}, "third");
    bool written = builder_write(b, argv[1]);
    if (!written) {
        fprintf(stderr, "several: %s\n", builder_error(b));
    }
    builder_destroy(b);
    return written ? 0 : 1;
}
