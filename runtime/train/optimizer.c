/* Optimizers, by name: the rows of optimizers/. */
#include "runtime/train/network.h"

#include <math.h>
#include <string.h>

#define ROW(name) extern const optimizer optimizer_##name;
#include "optimizer_rows.h"
#undef ROW

static const optimizer *const optimizers[] = {
#define ROW(name) &optimizer_##name,
#include "optimizer_rows.h"
#undef ROW
};

const optimizer *optimizer_at(size_t k) {
    return k < sizeof optimizers / sizeof *optimizers ? optimizers[k] : NULL;
}

const optimizer *optimizer_named(const char *name) {
    const optimizer *o = NULL;
    for (size_t k = 0; name != NULL && (o = optimizer_at(k)) != NULL; k++) {
        if (strcmp(o->name, name) == 0) {
            return o;
        }
    }
    return NULL;
}

const char *kiln_optimizer_name(unsigned k) {
    const optimizer *o = optimizer_at(k);
    return o != NULL ? o->name : NULL;
}

const char *kiln_optimizer_formula(const char *name) {
    const optimizer *o = optimizer_named(name);
    return o != NULL ? o->formula : NULL;
}

bool kiln_optimizer_defaults(const char *name, kiln_train_options *inout_options) {
    const optimizer *o = optimizer_named(name);
    if (o != NULL) {
        inout_options->optimizer = o->name;
        inout_options->learning_rate = o->learning_rate;
        inout_options->beta2 = o->beta2 > 0 ? o->beta2 : inout_options->beta2;
    }
    return o != NULL;
}

update optimizer_update(const kiln_train_options *options, real rate, uint64_t step) {
    return (update){.optimizer = optimizer_named(options->optimizer),
                    .options = options,
                    .rate = rate,
                    .correction1 = (real)(1 - pow((double)options->beta1, (double)step)),
                    .correction2 = (real)(1 - pow((double)options->beta2, (double)step))};
}
