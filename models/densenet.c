/* DenseNet-121 (arXiv:1608.06993): every layer reads the concatenation of all before it in its
 * block, written anew for each layer, as torchvision does; a block's first layer concatenates one
 * tensor. */
#include "models/networks.h"

enum { MAX_LAYERS = 24 };

static tensor norm_relu_conv(builder *b, tensor x, conv conv, const char *norm_name,
                             const char *conv_name) {
    x = builder_relu(b, builder_batch_norm(b, x, (batch_norm){1, 1e-5}, norm_name));
    return builder_conv(b, x, conv, conv_name);
}

static tensor dense_block(builder *b, tensor x, size_t number, size_t layers) {
    const size_t growth = builder_channels(b, 32);
    const conv narrow = {.channels = 4 * growth},
               grow = {.channels = growth, .kernel = {3, 3}, .padding = {1, 1}};
    size_t block = builder_enter(b, "denseblock%zu", number);
    tensor parts[1 + MAX_LAYERS] = {x};
    for (size_t i = 1; i <= layers; i++) {
        size_t scope = builder_enter(b, "denselayer%zu", i);
        tensor y = builder_concat(b, parts, i);
        y = norm_relu_conv(b, y, narrow, "norm1", "conv1");
        parts[i] = norm_relu_conv(b, y, grow, "norm2", "conv2");
        builder_leave(b, scope);
    }
    x = builder_concat(b, parts, 1 + layers);
    builder_leave(b, block);
    return x;
}

static tensor transition(builder *b, tensor x, size_t number) {
    size_t scope = builder_enter(b, "transition%zu", number);
    x = norm_relu_conv(b, x, (conv){.channels = x.channels / 2}, "norm", "conv");
    x = builder_average_pool(b, x, (pool){.kernel = 2, .stride = 2});
    builder_leave(b, scope);
    return x;
}

void build_densenet121(builder *b) {
    static const size_t layers[] = {6, 12, MAX_LAYERS, 16};
    const conv stem = {
        .channels = builder_channels(b, 64), .kernel = {7, 7}, .stride = 2, .padding = {3, 3}};
    const size_t blocks = sizeof(layers) / sizeof(layers[0]);
    size_t scope = builder_enter(b, "features");
    tensor x = builder_conv(b, builder_input(b), stem, "conv0");
    x = builder_relu(b, builder_batch_norm(b, x, (batch_norm){1, 1e-5}, "norm0"));
    x = builder_max_pool(b, x, (pool){.kernel = 3, .stride = 2, .padding = 1});
    for (size_t i = 0; i < blocks; i++) {
        x = dense_block(b, x, i + 1, layers[i]);
        if (i + 1 < blocks)
            x = transition(b, x, i + 1);
    }
    x = builder_relu(b, builder_batch_norm(b, x, (batch_norm){1, 1e-5}, "norm5"));
    builder_leave(b, scope);
    x = builder_flatten(b, builder_global_average_pool(b, x));
    builder_last(b);
    builder_gemm(b, x, builder_classes(b), "classifier");
}
