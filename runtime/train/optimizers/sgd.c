/* Stochastic gradient descent, plain or with momentum, Nesterov's or not. */
#include "runtime/train/optimizers/optimizer.h"

WIDE static void plain(real rate, size_t count, real *restrict w, const real *restrict g) {
    for (size_t k = 0; k < count; k++) {
        w[k] -= rate * g[k];
    }
}

WIDE static void with_momentum(real rate, real momentum, bool nesterov, size_t count,
                               real *restrict w, const real *restrict g, real *restrict v) {
    for (size_t k = 0; k < count; k++) {
        v[k] = momentum * v[k] + g[k];
        w[k] -= rate * (nesterov ? g[k] + momentum * v[k] : v[k]);
    }
}

static void apply(const update *u, size_t count, real *w, const real *g, real *v, real *unused) {
    (void)unused;
    if (v == NULL) {
        plain(u->rate, count, w, g);
    } else {
        with_momentum(u->rate, (real)u->options->momentum, u->options->nesterov, count, w, g, v);
    }
}

static size_t moments(const kiln_train_options *options) {
    return options->momentum != 0 ? 1 : 0;
}

const optimizer optimizer_sgd = {
    .name = "sgd",
    .formula = "v = momentum*v + g; w -= rate * (nesterov ? g + momentum*v : v)",
    .learning_rate = 0.01f,
    .moments = moments,
    .apply = apply,
    .ranges = RANGES(RANGE("momentum", momentum, 0, 1)),
};
