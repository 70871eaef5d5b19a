/* Adam (Kingma and Ba 2015, arXiv 1412.6980), and AdamW, which decays weights apart from the
 * gradient (Loshchilov and Hutter 2019, arXiv 1711.05101); biases, too, as PyTorch does. */
#include "runtime/train/optimizers/optimizer.h"

#include <tgmath.h>

/* `keep` is what decay leaves of a weight. */
WIDE static void wide(const update *u, real keep, size_t count, real *restrict w,
                      const real *restrict g, real *restrict m, real *restrict s) {
    real beta1 = (real)u->options->beta1, beta2 = (real)u->options->beta2;
    real epsilon = (real)u->options->epsilon;
    real step = u->rate / u->correction1, scale = 1 / sqrt(u->correction2);
    for (size_t k = 0; k < count; k++) {
        m[k] = beta1 * m[k] + (1 - beta1) * g[k];
        s[k] = beta2 * s[k] + (1 - beta2) * g[k] * g[k];
        w[k] = w[k] * keep - step * m[k] / (sqrt(s[k]) * scale + epsilon);
    }
}

static void adam(const update *u, size_t count, real *w, const real *g, real *m, real *s) {
    wide(u, 1, count, w, g, m, s);
}

static void adamw(const update *u, size_t count, real *w, const real *g, real *m, real *s) {
    wide(u, 1 - u->rate * (real)u->options->weight_decay, count, w, g, m, s);
}

const optimizer optimizer_adam = {
    .name = "adam",
    .formula = "m = beta1*m + (1-beta1)*g; s = beta2*s + (1-beta2)*g^2; "
               "w -= rate * (m/(1-beta1^t)) / (sqrt(s/(1-beta2^t)) + epsilon)",
    .learning_rate = 0.001f,
    .beta2 = 0.999f,
    .moments = two_moments,
    .apply = adam,
    .ranges = RANGES(BETAS, EPSILON),
};

const optimizer optimizer_adamw = {
    .name = "adamw",
    .formula = "w -= rate * weight_decay * w; then as adam",
    .learning_rate = 0.001f,
    .beta2 = 0.999f,
    .moments = two_moments,
    .apply = adamw,
    .ranges = RANGES(BETAS, EPSILON, WEIGHT_DECAY),
};
