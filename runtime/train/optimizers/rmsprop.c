/* RMSprop (Tieleman and Hinton 2012). */
#include "runtime/train/optimizers/optimizer.h"

#include <tgmath.h>

WIDE static void wide(real rate, real rho, real epsilon, size_t count, real *restrict w,
                      const real *restrict g, real *restrict s) {
    for (size_t k = 0; k < count; k++) {
        s[k] = rho * s[k] + (1 - rho) * g[k] * g[k];
        w[k] -= rate * g[k] / (sqrt(s[k]) + epsilon);
    }
}

static void apply(const update *u, size_t count, real *w, const real *g, real *s, real *unused) {
    (void)unused;
    wide(u->rate, (real)u->options->rho, (real)u->options->epsilon, count, w, g, s);
}

const optimizer optimizer_rmsprop = {
    .name = "rmsprop",
    .formula = "s = rho*s + (1-rho)*g^2; w -= rate * g / (sqrt(s) + epsilon)",
    .learning_rate = 0.001f,
    .moments = one_moment,
    .apply = apply,
    .ranges = RANGES(RANGE("rho", rho, 0, 1), EPSILON),
};
