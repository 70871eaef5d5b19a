/* What the last layer starts from, and the heads that are no more than that. */
#include "runtime/base/memory.h"
#include "runtime/train/trainer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const char *const names[] = {
    [KILN_START_MEANS] = "means", [KILN_START_ZERO] = "zero", [KILN_START_RANDOM] = "random"};
static_assert(sizeof names / sizeof *names == KILN_START_COUNT, "a start of train.h has no name");

const char *kiln_start_name(kiln_start which) {
    return (unsigned)which < KILN_START_COUNT ? names[which] : NULL;
}

/* ---- Class means --------------------------------------------------------------------------- */

static void put_direction(real *out, const double *from, size_t count, double length) {
    double squares = 0;
    for (size_t k = 0; k < count; k++) {
        squares += from[k] * from[k];
    }
    double factor = squares > 0 ? length / sqrt(squares) : 0;
    for (size_t k = 0; k < count; k++) {
        out[k] = (real)(from[k] * factor);
    }
}

/* A softmax layer multiplies features as they are: of the average length, they give the logits that
 * a cosine layer would. */
static kiln_status start_from_means(kiln_trainer *t, kiln_error *error) {
    class_means m;
    dense *d = &t->net.layers[0];
    kiln_status status = class_means_create(t, false, &m, error);
    if (status != KILN_OK) {
        return status;
    }
    bool cosine = d->activation == KILN_ACTIVATION_COSINE;
    double length = cosine || m.length <= 0 ? 1 : (double)d->scale / m.length;
    for (size_t u = 0; u < d->units; u++) {
        put_direction(d->weights + u * d->inputs, m.means + u * d->inputs, d->inputs, length);
        if (d->biases != NULL) {
            d->biases[u] = 0;
        }
    }
    class_means_free(&m);
    return KILN_OK;
}

/* ---- Nearest neighbours -------------------------------------------------------------------- */

#define MOST_KEPT ((size_t)1 << 28) /* numbers */

static kiln_status too_many(const kiln_trainer *t, size_t most, kiln_error *error) {
    return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                     "knn keeps all samples, as many a class as the largest has (%zu): %u classes "
                     "of %zu features are too many; lda and mean are not",
                     most, t->options.class_count, t->feature_count);
}

/* A class of fewer samples than the largest has its own again: that changes no maximum. */
static kiln_status start_from_samples(kiln_trainer *t, kiln_error *error) {
    size_t classes = t->options.class_count, features = t->feature_count, most = 1;
    size_t *counts = memory_zeros(&t->allocator, classes, sizeof *counts);
    if (counts == NULL) {
        return memory_fail(error);
    }
    for (size_t n = 0; n < t->train_count; n++) {
        size_t count = ++counts[sample_label(t, t->train[n])];
        most = count > most ? count : most;
    }
    bool fits = most <= MOST_KEPT / classes / features;
    kiln_status status = fits ? network_widen(&t->net, most, error) : too_many(t, most, error);
    memset(counts, 0, classes * sizeof *counts);
    dense *d = &t->net.layers[0];
    for (size_t n = 0; n < t->train_count && status == KILN_OK; n++) {
        samples_gather(t, t->train + n, NULL, 1);
        uint32_t label = t->batch_labels[0];
        size_t at = label * most + counts[label]++;
        double length = length_of(t->batch, features);
        for (size_t k = 0; length > 0 && k < features; k++) {
            d->weights[at * features + k] = (real)((double)t->batch[k] / length);
        }
    }
    for (size_t u = 0; u < classes * most && status == KILN_OK; u++) {
        size_t count = counts[u / most],
               from = u / most * most + (count > 0 ? u % most % count : 0);
        if (from != u) {
            memcpy(d->weights + u * features, d->weights + from * features,
                   features * sizeof *d->weights);
        }
    }
    memory_free(counts);
    float *best = status == KILN_OK
                      ? memory_grow(&t->allocator, t->best, weights_count(&t->net) * sizeof *best)
                      : NULL;
    t->best = best != NULL ? best : t->best;
    return status != KILN_OK || best != NULL ? status : memory_fail(error);
}

/* ---- The start ----------------------------------------------------------------------------- */

static void clear_last(network *net) {
    dense *d = &net->layers[net->count - 1];
    memset(d->weights, 0, d->inputs * d->units * sizeof *d->weights);
}

static bool starts_at_zero(const kiln_trainer *t) {
    bool learns_features = t->backbone == NULL && t->net.count > 1;
    return t->options.start == KILN_START_ZERO ||
           (t->options.start == KILN_START_MEANS && !learns_features);
}

kiln_status start_head(kiln_trainer *t, bool anew, kiln_error *error) {
    kiln_rule rule = t->options.head.rule;
    if (rule != KILN_RULE_DESCENT) {
        return rule == KILN_RULE_LDA   ? lda_start(t, error)
               : rule == KILN_RULE_KNN ? start_from_samples(t, error)
                                       : start_from_means(t, error);
    }
    if (anew) {
        network_reset(&t->net);
    }
    if (t->options.fine_tune > 0 && fine_tune_weights(t)) {
        return KILN_OK;
    }
    kiln_activation last = t->net.layers[t->net.count - 1].activation;
    if (t->options.start == KILN_START_MEANS && t->net.count == 1 && activation_of(last)->softmax) {
        return start_from_means(t, error);
    }
    if (starts_at_zero(t) && last != KILN_ACTIVATION_COSINE) {
        clear_last(&t->net);
    }
    return KILN_OK;
}
