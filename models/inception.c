/* Inception v3 (arXiv:1512.00567) without the auxiliary head. Modules A to E are torchvision's
 * names for figures 5, 10 (twice), 6 and 7 of the paper. */
#include "models/networks.h"

static tensor basic(builder *b, tensor x, conv conv, const char *name) {
    size_t scope = builder_enter(b, "%s", name);
    conv.channels = builder_channels(b, conv.channels);
    x = builder_batch_norm(b, builder_conv(b, x, conv, "conv"), (batch_norm){1, 1e-3}, "bn");
    builder_leave(b, scope);
    return builder_relu(b, x);
}

/* A convolution that keeps height and width. */
static tensor same(builder *b, tensor x, size_t channels, size_t kernel_height, size_t kernel_width,
                   const char *name) {
    return basic(b, x,
                 (conv){.channels = channels,
                        .kernel = {kernel_height, kernel_width},
                        .padding = {kernel_height / 2, kernel_width / 2}},
                 name);
}

static tensor halving(builder *b, tensor x, size_t channels, const char *name) {
    return basic(b, x, (conv){.channels = channels, .kernel = {3, 3}, .stride = 2}, name);
}

static tensor pool_branch(builder *b, tensor x, size_t channels) {
    x = builder_average_pool(b, x, (pool){.kernel = 3, .stride = 1, .padding = 1});
    return same(b, x, channels, 1, 1, "branch_pool");
}

static tensor module_a(builder *b, tensor x, size_t pool_channels) {
    tensor one = same(b, x, 64, 1, 1, "branch1x1");
    tensor five = same(b, x, 48, 1, 1, "branch5x5_1");
    five = same(b, five, 64, 5, 5, "branch5x5_2");
    tensor three = same(b, x, 64, 1, 1, "branch3x3dbl_1");
    three = same(b, three, 96, 3, 3, "branch3x3dbl_2");
    three = same(b, three, 96, 3, 3, "branch3x3dbl_3");
    tensor pooled = pool_branch(b, x, pool_channels);
    return builder_concat(b, (tensor[]){one, five, three, pooled}, 4);
}

static tensor module_b(builder *b, tensor x, size_t unused) {
    (void)unused;
    tensor three = halving(b, x, 384, "branch3x3");
    tensor twice = same(b, x, 64, 1, 1, "branch3x3dbl_1");
    twice = same(b, twice, 96, 3, 3, "branch3x3dbl_2");
    twice = halving(b, twice, 96, "branch3x3dbl_3");
    tensor pooled = builder_max_pool(b, x, (pool){.kernel = 3, .stride = 2});
    return builder_concat(b, (tensor[]){three, twice, pooled}, 3);
}

static tensor module_c(builder *b, tensor x, size_t inner) {
    tensor one = same(b, x, 192, 1, 1, "branch1x1");
    tensor seven = same(b, x, inner, 1, 1, "branch7x7_1");
    seven = same(b, seven, inner, 1, 7, "branch7x7_2");
    seven = same(b, seven, 192, 7, 1, "branch7x7_3");
    tensor twice = same(b, x, inner, 1, 1, "branch7x7dbl_1");
    twice = same(b, twice, inner, 7, 1, "branch7x7dbl_2");
    twice = same(b, twice, inner, 1, 7, "branch7x7dbl_3");
    twice = same(b, twice, inner, 7, 1, "branch7x7dbl_4");
    twice = same(b, twice, 192, 1, 7, "branch7x7dbl_5");
    tensor pooled = pool_branch(b, x, 192);
    return builder_concat(b, (tensor[]){one, seven, twice, pooled}, 4);
}

static tensor module_d(builder *b, tensor x, size_t unused) {
    (void)unused;
    tensor three = same(b, x, 192, 1, 1, "branch3x3_1");
    three = halving(b, three, 320, "branch3x3_2");
    tensor seven = same(b, x, 192, 1, 1, "branch7x7x3_1");
    seven = same(b, seven, 192, 1, 7, "branch7x7x3_2");
    seven = same(b, seven, 192, 7, 1, "branch7x7x3_3");
    seven = halving(b, seven, 192, "branch7x7x3_4");
    tensor pooled = builder_max_pool(b, x, (pool){.kernel = 3, .stride = 2});
    return builder_concat(b, (tensor[]){three, seven, pooled}, 3);
}

static tensor module_e(builder *b, tensor x, size_t unused) {
    (void)unused;
    tensor one = same(b, x, 320, 1, 1, "branch1x1");
    tensor three = same(b, x, 384, 1, 1, "branch3x3_1");
    tensor wide = same(b, three, 384, 1, 3, "branch3x3_2a");
    tensor tall = same(b, three, 384, 3, 1, "branch3x3_2b");
    three = builder_concat(b, (tensor[]){wide, tall}, 2);
    tensor twice = same(b, x, 448, 1, 1, "branch3x3dbl_1");
    twice = same(b, twice, 384, 3, 3, "branch3x3dbl_2");
    wide = same(b, twice, 384, 1, 3, "branch3x3dbl_3a");
    tall = same(b, twice, 384, 3, 1, "branch3x3dbl_3b");
    twice = builder_concat(b, (tensor[]){wide, tall}, 2);
    tensor pooled = pool_branch(b, x, 192);
    return builder_concat(b, (tensor[]){one, three, twice, pooled}, 4);
}

static const struct {
    const char *name;
    tensor (*build)(builder *b, tensor x, size_t channels);
    size_t channels; /* A: of the pool branch; C: inside the 7x7 branches */
} modules[] = {
    {"Mixed_5b", module_a, 32},  {"Mixed_5c", module_a, 64},  {"Mixed_5d", module_a, 64},
    {"Mixed_6a", module_b, 0},   {"Mixed_6b", module_c, 128}, {"Mixed_6c", module_c, 160},
    {"Mixed_6d", module_c, 160}, {"Mixed_6e", module_c, 192}, {"Mixed_7a", module_d, 0},
    {"Mixed_7b", module_e, 0},   {"Mixed_7c", module_e, 0},
};

void build_inception_v3(builder *b) {
    const pool halve = {.kernel = 3, .stride = 2};
    tensor x = halving(b, builder_input(b), 32, "Conv2d_1a_3x3");
    x = basic(b, x, (conv){.channels = 32, .kernel = {3, 3}}, "Conv2d_2a_3x3");
    x = same(b, x, 64, 3, 3, "Conv2d_2b_3x3");
    x = builder_max_pool(b, x, halve);
    x = same(b, x, 80, 1, 1, "Conv2d_3b_1x1");
    x = basic(b, x, (conv){.channels = 192, .kernel = {3, 3}}, "Conv2d_4a_3x3");
    x = builder_max_pool(b, x, halve);
    for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
        size_t scope = builder_enter(b, "%s", modules[i].name);
        x = modules[i].build(b, x, modules[i].channels);
        builder_leave(b, scope);
    }
    x = builder_flatten(b, builder_global_average_pool(b, x));
    builder_last(b);
    builder_gemm(b, x, builder_classes(b), "fc");
}
