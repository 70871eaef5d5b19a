/* ResNet-18 and ResNet-50 (arXiv:1512.03385). The strides of ResNet-50's blocks are in their 3x3
 * convolution, as torchvision has it ("v1.5"). The last batch norm of a residual branch has small
 * scales, so that the sum of many branches stays of the size of one. */
#include "models/networks.h"

static const double branch_gamma = 0.3;

static tensor conv_norm(builder *b, tensor x, conv conv, double gamma, const char *conv_name,
                        const char *norm_name) {
    x = builder_conv(b, x, conv, conv_name);
    return builder_batch_norm(b, x, (batch_norm){gamma, 1e-5}, norm_name);
}

/* The identity, or a 1x1 convolution where the shape changes. */
static tensor shortcut(builder *b, tensor x, size_t channels, size_t stride) {
    if (x.channels == channels && stride == 1)
        return x;
    return conv_norm(b, x, (conv){.channels = channels, .stride = stride}, 1, "downsample.0",
                     "downsample.1");
}

static tensor basic_block(builder *b, tensor x, size_t width, size_t stride) {
    conv conv3 = {.channels = width, .kernel = {3, 3}, .stride = stride, .padding = {1, 1}};
    tensor y = builder_relu(b, conv_norm(b, x, conv3, 1, "conv1", "bn1"));
    conv3.stride = 1;
    y = conv_norm(b, y, conv3, branch_gamma, "conv2", "bn2");
    return builder_relu(b, builder_add(b, y, shortcut(b, x, width, stride)));
}

static tensor bottleneck(builder *b, tensor x, size_t width, size_t stride) {
    const conv conv3 = {.channels = width, .kernel = {3, 3}, .stride = stride, .padding = {1, 1}};
    tensor y = builder_relu(b, conv_norm(b, x, (conv){.channels = width}, 1, "conv1", "bn1"));
    y = builder_relu(b, conv_norm(b, y, conv3, 1, "conv2", "bn2"));
    y = conv_norm(b, y, (conv){.channels = 4 * width}, branch_gamma, "conv3", "bn3");
    return builder_relu(b, builder_add(b, y, shortcut(b, x, 4 * width, stride)));
}

static void build_resnet(builder *b, tensor (*block)(builder *, tensor, size_t, size_t),
                         const size_t blocks[4]) {
    const conv stem = {
        .channels = builder_channels(b, 64), .kernel = {7, 7}, .stride = 2, .padding = {3, 3}};
    tensor x = builder_relu(b, conv_norm(b, builder_input(b), stem, 1, "conv1", "bn1"));
    x = builder_max_pool(b, x, (pool){.kernel = 3, .stride = 2, .padding = 1});
    for (size_t stage = 0; stage < 4; stage++)
        for (size_t i = 0; i < blocks[stage]; i++) {
            size_t scope = builder_enter(b, "layer%zu.%zu", stage + 1, i);
            x = block(b, x, builder_channels(b, (size_t)64 << stage), stage > 0 && i == 0 ? 2 : 1);
            builder_leave(b, scope);
        }
    x = builder_flatten(b, builder_global_average_pool(b, x));
    builder_last(b);
    builder_gemm(b, x, builder_classes(b), "fc");
}

void build_resnet18(builder *b) {
    build_resnet(b, basic_block, (const size_t[]){2, 2, 2, 2});
}

void build_resnet50(builder *b) {
    build_resnet(b, bottleneck, (const size_t[]){3, 4, 6, 3});
}
