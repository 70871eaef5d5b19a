/* AlexNet (arXiv:1404.5997): large kernels and strides, overlapping pools, three dense layers. */
#include "models/networks.h"

static tensor conv_relu(builder *b, tensor x, conv conv, const char *name) {
    conv.channels = builder_channels(b, conv.channels);
    conv.bias = true;
    return builder_relu(b, builder_conv(b, x, conv, name));
}

void build_alexnet(builder *b) {
    const pool halve = {.kernel = 3, .stride = 2};
    size_t scope = builder_enter(b, "features");
    tensor x = builder_input(b);
    x = conv_relu(b, x, (conv){.channels = 64, .kernel = {11, 11}, .stride = 4, .padding = {2, 2}},
                  "0");
    x = builder_max_pool(b, x, halve);
    x = conv_relu(b, x, (conv){.channels = 192, .kernel = {5, 5}, .padding = {2, 2}}, "3");
    x = builder_max_pool(b, x, halve);
    x = conv_relu(b, x, (conv){.channels = 384, .kernel = {3, 3}, .padding = {1, 1}}, "6");
    x = conv_relu(b, x, (conv){.channels = 256, .kernel = {3, 3}, .padding = {1, 1}}, "8");
    x = conv_relu(b, x, (conv){.channels = 256, .kernel = {3, 3}, .padding = {1, 1}}, "10");
    x = builder_max_pool(b, x, halve);
    builder_leave(b, scope);

    x = builder_flatten(b, builder_adaptive_average_pool(b, x, 6));
    x = builder_relu(b, builder_gemm(b, x, builder_channels(b, 4096), "classifier.1"));
    x = builder_relu(b, builder_gemm(b, x, builder_channels(b, 4096), "classifier.4"));
    builder_last(b);
    builder_gemm(b, x, builder_classes(b), "classifier.6");
}
