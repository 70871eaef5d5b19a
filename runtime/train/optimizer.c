/* Optimizers: one row of the table each, which updates one row of weights at a time, while its
 * gradient is still in cache. A new one is an enumerator in train.h, with its formula, and its
 * function and its row here. */
#include "runtime/train/network.h"
#include "runtime/train/wide.h"

#include <assert.h>
#include <math.h>
#include <tgmath.h>

/* ---- Updates ------------------------------------------------------------------------------- */

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

static void sgd(const update *u, size_t count, real *w, const real *g, real *v, real *unused) {
    (void)unused;
    if (v == NULL) {
        plain(u->rate, count, w, g);
    } else {
        with_momentum(u->rate, (real)u->options->momentum, u->options->nesterov, count, w, g, v);
    }
}

WIDE static void rmsprop_wide(real rate, real rho, real epsilon, size_t count, real *restrict w,
                              const real *restrict g, real *restrict s) {
    for (size_t k = 0; k < count; k++) {
        s[k] = rho * s[k] + (1 - rho) * g[k] * g[k];
        w[k] -= rate * g[k] / (sqrt(s[k]) + epsilon);
    }
}

static void rmsprop(const update *u, size_t count, real *w, const real *g, real *s, real *unused) {
    (void)unused;
    rmsprop_wide(u->rate, (real)u->options->rho, (real)u->options->epsilon, count, w, g, s);
}

/* keep: what decay leaves of a weight. */
WIDE static void adam_wide(const update *u, real keep, size_t count, real *restrict w,
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
    adam_wide(u, 1, count, w, g, m, s);
}

static void adamw(const update *u, size_t count, real *w, const real *g, real *m, real *s) {
    adam_wide(u, 1 - u->rate * (real)u->options->weight_decay, count, w, g, m, s);
}

WIDE static void lion_wide(real rate, real beta1, real beta2, real keep, size_t count,
                           real *restrict w, const real *restrict g, real *restrict m) {
    for (size_t k = 0; k < count; k++) {
        real c = beta1 * m[k] + (1 - beta1) * g[k];
        w[k] = w[k] * keep - rate * (c > 0 ? 1 : c < 0 ? -1 : 0);
        m[k] = beta2 * m[k] + (1 - beta2) * g[k];
    }
}

static void lion(const update *u, size_t count, real *w, const real *g, real *m, real *unused) {
    const kiln_train_options *o = u->options;
    (void)unused;
    lion_wide(u->rate, (real)o->beta1, (real)o->beta2, 1 - u->rate * (real)o->weight_decay, count,
              w, g, m);
}

/* ---- The table ----------------------------------------------------------------------------- */

static size_t with_or_without(const kiln_train_options *options) {
    return options->momentum != 0 ? 1 : 0;
}

static size_t one(const kiln_train_options *options) {
    (void)options;
    return 1;
}

static size_t two(const kiln_train_options *options) {
    (void)options;
    return 2;
}

#define EPSILON RANGE("epsilon", epsilon, 1e-30f, 1)
#define BETAS RANGE("beta1", beta1, 0, 1), RANGE("beta2", beta2, 0, 1)
#define WEIGHT_DECAY RANGE("weight decay", weight_decay, 0, 1e3f)

static const optimizer optimizers[] = {
    [KILN_OPTIMIZER_SGD] = {.name = "sgd",
                            .learning_rate = 0.01f,
                            .moments = with_or_without,
                            .apply = sgd,
                            .ranges = RANGES(RANGE("momentum", momentum, 0, 1))},
    [KILN_OPTIMIZER_RMSPROP] = {.name = "rmsprop",
                                .learning_rate = 0.001f,
                                .moments = one,
                                .apply = rmsprop,
                                .ranges = RANGES(RANGE("rho", rho, 0, 1), EPSILON)},
    [KILN_OPTIMIZER_ADAM] = {.name = "adam",
                             .learning_rate = 0.001f,
                             .beta2 = 0.999f,
                             .moments = two,
                             .apply = adam,
                             .ranges = RANGES(BETAS, EPSILON)},
    [KILN_OPTIMIZER_ADAMW] = {.name = "adamw",
                              .learning_rate = 0.001f,
                              .beta2 = 0.999f,
                              .moments = two,
                              .apply = adamw,
                              .ranges = RANGES(BETAS, EPSILON, WEIGHT_DECAY)},
    [KILN_OPTIMIZER_LION] = {.name = "lion",
                             .learning_rate = 0.0001f,
                             .beta2 = 0.99f,
                             .moments = one,
                             .apply = lion,
                             .ranges = RANGES(BETAS, WEIGHT_DECAY)},
};
static_assert(sizeof optimizers / sizeof *optimizers == KILN_OPTIMIZER_COUNT,
              "an optimizer of train.h has no row here");

const optimizer *optimizer_of(kiln_optimizer which) {
    return (unsigned)which < KILN_OPTIMIZER_COUNT ? &optimizers[which] : NULL;
}

const char *kiln_optimizer_name(kiln_optimizer which) {
    const optimizer *o = optimizer_of(which);
    return o != NULL ? o->name : NULL;
}

void kiln_optimizer_defaults(kiln_optimizer which, kiln_train_options *inout_options) {
    const optimizer *o = optimizer_of(which);
    inout_options->optimizer = which;
    if (o != NULL) {
        inout_options->learning_rate = o->learning_rate;
        inout_options->beta2 = o->beta2 > 0 ? o->beta2 : inout_options->beta2;
    }
}

update optimizer_update(const kiln_train_options *options, real rate, uint64_t step) {
    return (update){.optimizer = optimizer_of(options->optimizer),
                    .options = options,
                    .rate = rate,
                    .correction1 = (real)(1 - pow((double)options->beta1, (double)step)),
                    .correction2 = (real)(1 - pow((double)options->beta2, (double)step))};
}
