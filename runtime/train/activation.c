/* Activations: one row of the table each. */
#include "runtime/train/network.h"

#include <assert.h>
#include <tgmath.h>

static void linear(real *z, size_t size) {
    (void)z;
    (void)size;
}

static real linear_slope(real y) {
    (void)y;
    return 1;
}

static void relu(real *z, size_t size) {
    for (size_t k = 0; k < size; k++) {
        z[k] = z[k] > 0 ? z[k] : 0;
    }
}

static real relu_slope(real y) {
    return y > 0 ? 1 : 0;
}

static void hyperbolic_tangent(real *z, size_t size) {
    for (size_t k = 0; k < size; k++) {
        z[k] = tanh(z[k]);
    }
}

static real hyperbolic_tangent_slope(real y) {
    return 1 - y * y;
}

static void sigmoid(real *z, size_t size) {
    for (size_t k = 0; k < size; k++) {
        z[k] = 1 / (1 + exp(-z[k]));
    }
}

static real sigmoid_slope(real y) {
    return y * (1 - y);
}

static const activation activations[] = {
    [KILN_ACTIVATION_LINEAR] = {.name = "linear",
                                .inner = true,
                                .apply = linear,
                                .slope = linear_slope},
    [KILN_ACTIVATION_RELU] = {.name = "relu", .inner = true, .apply = relu, .slope = relu_slope},
    [KILN_ACTIVATION_TANH] = {.name = "tanh",
                              .inner = true,
                              .apply = hyperbolic_tangent,
                              .slope = hyperbolic_tangent_slope},
    [KILN_ACTIVATION_SIGMOID] = {.name = "sigmoid",
                                 .inner = true,
                                 .apply = sigmoid,
                                 .slope = sigmoid_slope},
    [KILN_ACTIVATION_SOFTMAX] = {.name = "softmax", .softmax = true},
    [KILN_ACTIVATION_COSINE] = {.name = "cosine",
                                .softmax = true,
                                .ranges = RANGES(RANGE("cosine scale", cosine_scale, 0, 1e4f))},
};
static_assert(sizeof activations / sizeof *activations == KILN_ACTIVATION_COUNT,
              "an activation of train.h has no row here");

const activation *activation_of(kiln_activation which) {
    return (unsigned)which < KILN_ACTIVATION_COUNT ? &activations[which] : NULL;
}

const char *kiln_activation_name(kiln_activation which) {
    const activation *a = activation_of(which);
    return a != NULL ? a->name : NULL;
}
