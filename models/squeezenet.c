/* SqueezeNet 1.1 (arXiv:1602.07360 and the authors' later, cheaper version). No dense layer: a 1x1
 * convolution makes the classes, and a global pool averages them. */
#include "models/networks.h"

static tensor conv_relu(builder *b, tensor x, conv conv, const char *name) {
    conv.bias = true;
    return builder_relu(b, builder_conv(b, x, conv, name));
}

static tensor fire(builder *b, tensor x, size_t layer, size_t squeeze, size_t expand) {
    size_t scope = builder_enter(b, "features.%zu", layer);
    const size_t channels = builder_channels(b, expand);
    x = conv_relu(b, x, (conv){.channels = builder_channels(b, squeeze)}, "squeeze");
    tensor one = conv_relu(b, x, (conv){.channels = channels}, "expand1x1");
    tensor three = conv_relu(
        b, x, (conv){.channels = channels, .kernel = {3, 3}, .padding = {1, 1}}, "expand3x3");
    x = builder_concat(b, (tensor[]){one, three}, 2);
    builder_leave(b, scope);
    return x;
}

void build_squeezenet(builder *b) {
    const pool halve = {.kernel = 3, .stride = 2, .ceil = true};
    tensor x = builder_input(b);
    x = conv_relu(b, x, (conv){.channels = builder_channels(b, 64), .kernel = {3, 3}, .stride = 2},
                  "features.0");
    x = builder_max_pool(b, x, halve);
    x = fire(b, x, 3, 16, 64);
    x = fire(b, x, 4, 16, 64);
    x = builder_max_pool(b, x, halve);
    x = fire(b, x, 6, 32, 128);
    x = fire(b, x, 7, 32, 128);
    x = builder_max_pool(b, x, halve);
    x = fire(b, x, 9, 48, 192);
    x = fire(b, x, 10, 48, 192);
    x = fire(b, x, 11, 64, 256);
    x = fire(b, x, 12, 64, 256);
    x = conv_relu(b, x, (conv){.channels = builder_classes(b)}, "classifier.1");
    x = builder_global_average_pool(b, x);
    builder_last(b);
    builder_flatten(b, x);
}
