/* MobileNetV2 (arXiv:1801.04381): inverted residual blocks around depthwise convolutions. */
#include "models/networks.h"

#include <stdio.h>

/* Convolution (padded to keep the size), batch norm, and ReLU6 unless `linear`. Numbers are
 * torchvision's: the convolution is PREFIX0, its batch norm PREFIX1, for a linear one NUMBER and
 * NUMBER + 1. */
static tensor conv_norm_relu6(builder *b, tensor x, conv conv, size_t number) {
    size_t scope = builder_enter(b, "%zu", number);
    conv.padding[0] = conv.padding[1] = conv.kernel[0] / 2;
    x = builder_batch_norm(b, builder_conv(b, x, conv, "0"), (batch_norm){1, 1e-5}, "1");
    builder_leave(b, scope);
    return builder_relu6(b, x);
}

/* The last convolution of a block: no activation. */
static tensor project(builder *b, tensor x, size_t channels, double gamma, size_t number) {
    char conv_name[24], norm_name[24];
    snprintf(conv_name, sizeof(conv_name), "%zu", number);
    snprintf(norm_name, sizeof(norm_name), "%zu", number + 1);
    x = builder_conv(b, x, (conv){.channels = channels}, conv_name);
    return builder_batch_norm(b, x, (batch_norm){gamma, 1e-5}, norm_name);
}

static tensor inverted_residual(builder *b, tensor x, size_t expand, size_t channels,
                                size_t stride) {
    const bool residual = stride == 1 && x.channels == channels;
    const size_t hidden = x.channels * expand;
    size_t number = 0;
    tensor y = x;
    if (expand > 1)
        y = conv_norm_relu6(b, y, (conv){.channels = hidden}, number++);
    y = conv_norm_relu6(
        b, y, (conv){.channels = hidden, .kernel = {3, 3}, .stride = stride, .groups = hidden},
        number++);
    y = project(b, y, channels, residual ? 0.3 : 1, number);
    return residual ? builder_add(b, x, y) : y;
}

void build_mobilenetv2(builder *b) {
    static const struct {
        size_t expand, channels, blocks, stride;
    } stages[] = {
        /* table 2 of the paper */
        {1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2},  {6, 64, 4, 2},
        {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
    };
    size_t features = builder_enter(b, "features"), layer = 1;
    tensor x = builder_input(b);
    x = conv_norm_relu6(
        b, x, (conv){.channels = builder_channels(b, 32), .kernel = {3, 3}, .stride = 2}, 0);
    for (size_t stage = 0; stage < sizeof(stages) / sizeof(stages[0]); stage++)
        for (size_t i = 0; i < stages[stage].blocks; i++) {
            size_t scope = builder_enter(b, "%zu.conv", layer++);
            x = inverted_residual(b, x, stages[stage].expand,
                                  builder_channels(b, stages[stage].channels),
                                  i == 0 ? stages[stage].stride : 1);
            builder_leave(b, scope);
        }
    x = conv_norm_relu6(b, x, (conv){.channels = builder_channels(b, 1280)}, layer);
    builder_leave(b, features);

    x = builder_flatten(b, builder_global_average_pool(b, x));
    builder_last(b);
    builder_gemm(b, x, builder_classes(b), "classifier.1");
}
