/* GoogLeNet (arXiv:1409.4842) with batch norm and without the auxiliary heads. As in torchvision,
 * the "5x5" branch has a 3x3 kernel. */
#include "models/networks.h"

static tensor basic(builder *b, tensor x, conv conv, const char *name) {
    size_t scope = builder_enter(b, "%s", name);
    conv.channels = builder_channels(b, conv.channels);
    x = builder_batch_norm(b, builder_conv(b, x, conv, "conv"), (batch_norm){1, 1e-3}, "bn");
    builder_leave(b, scope);
    return builder_relu(b, x);
}

/* Channels of the four branches; reduce: of the 1x1 convolution before a 3x3 one. */
typedef struct module {
    const char *name;
    size_t one, three_reduce, three, five_reduce, five, pool;
} module;

static tensor inception(builder *b, tensor x, const module *m) {
    const pool same = {.kernel = 3, .stride = 1, .padding = 1, .ceil = true};
    size_t scope = builder_enter(b, "inception%s", m->name);
    tensor branches[4];
    branches[0] = basic(b, x, (conv){.channels = m->one}, "branch1");
    branches[1] = basic(b, x, (conv){.channels = m->three_reduce}, "branch2.0");
    branches[1] =
        basic(b, branches[1], (conv){.channels = m->three, .kernel = {3, 3}, .padding = {1, 1}},
              "branch2.1");
    branches[2] = basic(b, x, (conv){.channels = m->five_reduce}, "branch3.0");
    branches[2] =
        basic(b, branches[2], (conv){.channels = m->five, .kernel = {3, 3}, .padding = {1, 1}},
              "branch3.1");
    branches[3] = basic(b, builder_max_pool(b, x, same), (conv){.channels = m->pool}, "branch4.1");
    x = builder_concat(b, branches, 4);
    builder_leave(b, scope);
    return x;
}

void build_googlenet(builder *b) {
    static const module modules[] = {
        {"3a", 64, 96, 128, 16, 32, 32},     {"3b", 128, 128, 192, 32, 96, 64},
        {"4a", 192, 96, 208, 16, 48, 64},    {"4b", 160, 112, 224, 24, 64, 64},
        {"4c", 128, 128, 256, 24, 64, 64},   {"4d", 112, 144, 288, 32, 64, 64},
        {"4e", 256, 160, 320, 32, 128, 128}, {"5a", 256, 160, 320, 32, 128, 128},
        {"5b", 384, 192, 384, 48, 128, 128},
    };
    const pool halve = {.kernel = 3, .stride = 2, .ceil = true};
    const pool halve_exactly = {.kernel = 2, .stride = 2, .ceil = true};
    tensor x = builder_input(b);
    x = basic(b, x, (conv){.channels = 64, .kernel = {7, 7}, .stride = 2, .padding = {3, 3}},
              "conv1");
    x = builder_max_pool(b, x, halve);
    x = basic(b, x, (conv){.channels = 64}, "conv2");
    x = basic(b, x, (conv){.channels = 192, .kernel = {3, 3}, .padding = {1, 1}}, "conv3");
    x = builder_max_pool(b, x, halve);
    for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
        x = inception(b, x, &modules[i]);
        if (i == 1)
            x = builder_max_pool(b, x, halve);
        if (i == 6)
            x = builder_max_pool(b, x, halve_exactly);
    }
    x = builder_flatten(b, builder_global_average_pool(b, x));
    builder_last(b);
    builder_gemm(b, x, builder_classes(b), "fc");
}
