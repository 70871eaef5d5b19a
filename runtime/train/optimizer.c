/* Optimizers: one row of weights at a time, while its gradient is still in cache. */
#include "runtime/train/network.h"
#include "runtime/train/wide.h"

#include <math.h>
#include <tgmath.h>

size_t optimizer_moments(const kiln_train_options *options) {
    switch (options->optimizer) {
    case KILN_OPTIMIZER_SGD:
        return options->momentum != 0 ? 1 : 0;
    case KILN_OPTIMIZER_RMSPROP:
        return 1;
    default:
        return 2;
    }
}

update optimizer_update(const kiln_train_options *options, real rate, uint64_t step) {
    return (update){
        .optimizer = options->optimizer,
        .rate = rate,
        .momentum = (real)options->momentum,
        .rho = (real)options->rho,
        .beta1 = (real)options->beta1,
        .beta2 = (real)options->beta2,
        .epsilon = (real)options->epsilon,
        .decay = options->optimizer == KILN_OPTIMIZER_ADAMW ? (real)options->weight_decay : 0,
        .correction1 = (real)(1 - pow((double)options->beta1, (double)step)),
        .correction2 = (real)(1 - pow((double)options->beta2, (double)step)),
        .nesterov = options->nesterov};
}

WIDE static void apply_plain(real rate, size_t count, real *restrict w, const real *restrict g) {
    for (size_t k = 0; k < count; k++) {
        w[k] -= rate * g[k];
    }
}

WIDE static void apply_momentum(real rate, real momentum, bool nesterov, size_t count,
                                real *restrict w, const real *restrict g, real *restrict v) {
    for (size_t k = 0; k < count; k++) {
        v[k] = momentum * v[k] + g[k];
        w[k] -= rate * (nesterov ? g[k] + momentum * v[k] : v[k]);
    }
}

WIDE static void apply_rmsprop(real rate, real rho, real epsilon, size_t count, real *restrict w,
                               const real *restrict g, real *restrict s) {
    for (size_t k = 0; k < count; k++) {
        s[k] = rho * s[k] + (1 - rho) * g[k] * g[k];
        w[k] -= rate * g[k] / (sqrt(s[k]) + epsilon);
    }
}

WIDE static void apply_adam(const update *u, size_t count, real *restrict w, const real *restrict g,
                            real *restrict m, real *restrict s) {
    real beta1 = u->beta1, beta2 = u->beta2, epsilon = u->epsilon;
    real step = u->rate / u->correction1, scale = 1 / sqrt(u->correction2);
    real keep = 1 - u->rate * u->decay;
    for (size_t k = 0; k < count; k++) {
        m[k] = beta1 * m[k] + (1 - beta1) * g[k];
        s[k] = beta2 * s[k] + (1 - beta2) * g[k] * g[k];
        w[k] = w[k] * keep - step * m[k] / (sqrt(s[k]) * scale + epsilon);
    }
}

void optimizer_apply(const update *u, size_t count, real *w, const real *g, real *m, real *s) {
    switch (u->optimizer) {
    case KILN_OPTIMIZER_SGD:
        if (m == NULL) {
            apply_plain(u->rate, count, w, g);
        } else {
            apply_momentum(u->rate, u->momentum, u->nesterov, count, w, g, m);
        }
        return;
    case KILN_OPTIMIZER_RMSPROP:
        apply_rmsprop(u->rate, u->rho, u->epsilon, count, w, g, m);
        return;
    default:
        apply_adam(u, count, w, g, m, s);
    }
}
