/* Lion (Chen et al. 2023, arXiv 2302.06675). */
#include "runtime/train/optimizers/optimizer.h"

WIDE static void wide(real rate, real beta1, real beta2, real keep, size_t count, real *restrict w,
                      const real *restrict g, real *restrict m) {
    for (size_t k = 0; k < count; k++) {
        real c = beta1 * m[k] + (1 - beta1) * g[k];
        w[k] = w[k] * keep - rate * (c > 0 ? 1 : c < 0 ? -1 : 0);
        m[k] = beta2 * m[k] + (1 - beta2) * g[k];
    }
}

static void apply(const update *u, size_t count, real *w, const real *g, real *m, real *unused) {
    const kiln_train_options *o = u->options;
    (void)unused;
    wide(u->rate, (real)o->beta1, (real)o->beta2, 1 - u->rate * (real)o->weight_decay, count, w, g,
         m);
}

const optimizer optimizer_lion = {
    .name = "lion",
    .formula = "w -= rate * weight_decay * w; w -= rate * sign(beta1*m + (1-beta1)*g); "
               "m = beta2*m + (1-beta2)*g",
    .learning_rate = 0.0001f,
    .beta2 = 0.99f,
    .moments = one_moment,
    .apply = apply,
    .ranges = RANGES(BETAS, WEIGHT_DECAY),
};
