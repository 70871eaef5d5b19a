/* Element-wise activations. */
#include "runtime/train/activation.h"

#include <tgmath.h>

static real activate(kiln_activation activation, real z) {
    switch (activation) {
    case KILN_ACTIVATION_RELU:
        return z > 0 ? z : 0;
    case KILN_ACTIVATION_TANH:
        return tanh(z);
    case KILN_ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-z));
    default:
        return z;
    }
}

void activate_all(kiln_activation activation, real *z, size_t size) {
    if (activation == KILN_ACTIVATION_LINEAR) {
        return;
    }
    for (size_t k = 0; k < size; k++) {
        z[k] = activate(activation, z[k]);
    }
}

real activation_slope(kiln_activation activation, real y) {
    switch (activation) {
    case KILN_ACTIVATION_RELU:
        return y > 0 ? 1 : 0;
    case KILN_ACTIVATION_TANH:
        return 1 - y * y;
    case KILN_ACTIVATION_SIGMOID:
        return y * (1 - y);
    default:
        return 1;
    }
}
