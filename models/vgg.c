/* VGG16 and VGG19 without batch norm (arXiv:1409.1556, table 1, columns D and E). */
#include "models/networks.h"

#include <stdio.h>

static void build_vgg(builder *b, const size_t convolutions[5]) {
    static const size_t channels[5] = {64, 128, 256, 512, 512};
    size_t scope = builder_enter(b, "features"), layer = 0;
    tensor x = builder_input(b);
    for (size_t stage = 0; stage < 5; stage++) {
        for (size_t i = 0; i < convolutions[stage]; i++) {
            char name[24];
            snprintf(name, sizeof(name), "%zu", layer);
            const conv conv = {.channels = builder_channels(b, channels[stage]),
                               .kernel = {3, 3},
                               .padding = {1, 1},
                               .bias = true};
            x = builder_relu(b, builder_conv(b, x, conv, name));
            layer += 2; /* the activation is a layer of torchvision's numbering, too */
        }
        x = builder_max_pool(b, x, (pool){.kernel = 2, .stride = 2});
        layer++;
    }
    builder_leave(b, scope);

    x = builder_flatten(b, builder_adaptive_average_pool(b, x, 7));
    x = builder_relu(b, builder_gemm(b, x, builder_channels(b, 4096), "classifier.0"));
    x = builder_relu(b, builder_gemm(b, x, builder_channels(b, 4096), "classifier.3"));
    builder_last(b);
    builder_gemm(b, x, builder_classes(b), "classifier.6");
}

void build_vgg16(builder *b) {
    build_vgg(b, (const size_t[]){2, 2, 3, 3, 3});
}

void build_vgg19(builder *b) {
    build_vgg(b, (const size_t[]){2, 2, 4, 4, 4});
}
