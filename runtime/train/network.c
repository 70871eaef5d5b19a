/* The layers of a head: their memory, and the weights that they have before anything is learned. */
#include "runtime/train/network.h"
#include "runtime/base/memory.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

#define ROW_SCRATCH ((size_t)1 << 17) /* so many numbers take half of an L2 cache */
enum { STREAM_WEIGHTS = 1000 };

/* Whether as many numbers as weights, or as a batch has inputs, can be counted: sizes may have 32
 * bits. */
static bool is_countable(const network *net, const dense *d) {
    size_t most = SIZE_MAX / sizeof(real) / d->inputs;
    return d->units <= most && net->batch <= most &&
           net->batch <= SIZE_MAX / sizeof(real) / d->units;
}

static bool allocate_layer(const network *net, dense *d, size_t moments, bool biased) {
    if (!is_countable(net, d)) {
        return false;
    }
    const kiln_allocator *from = net->allocator;
    size_t weights = d->inputs * d->units, batch = net->batch;
    bool cosine = d->activation == KILN_ACTIVATION_COSINE, good = true;
    d->weights = memory_zeros(from, weights, sizeof(real));
    d->biases = biased ? memory_zeros(from, d->units, sizeof(real)) : NULL;
    for (size_t k = 0; k < moments; k++) {
        d->moments[k] = memory_zeros(from, weights, sizeof(real));
        d->bias_moments[k] = memory_zeros(from, d->units, sizeof(real));
        good = good && d->moments[k] != NULL && d->bias_moments[k] != NULL;
    }
    bool copied = d->dropout > 0 || cosine;
    d->input = copied ? memory_zeros(from, d->inputs * batch, sizeof(real)) : NULL;
    d->kept = d->dropout > 0 ? memory_zeros(from, d->inputs * batch, 1) : NULL;
    d->output = memory_zeros(from, d->units * batch, sizeof(real));
    d->delta = memory_zeros(from, d->units * batch, sizeof(real));
    if (cosine) {
        d->unit_weights = memory_zeros(from, weights, sizeof(real));
        d->weight_norms = memory_zeros(from, d->units, sizeof(real));
        d->input_norms = memory_zeros(from, batch, sizeof(real));
        good = good && d->unit_weights != NULL && d->weight_norms != NULL && d->input_norms != NULL;
    }
    return good && d->weights != NULL && (!biased || d->biases != NULL) &&
           (!copied || d->input != NULL) && (d->dropout <= 0 || d->kept != NULL) &&
           d->output != NULL && d->delta != NULL;
}

/* Weights are uniform in +-sqrt(6 / (inputs + units)): Glorot and Bengio 2010. */
static void initialize_weights(dense *d, uint64_t seed, size_t layer) {
    real limit = sqrt((real)6 / (real)(d->inputs + d->units));
    for (size_t k = 0; k < d->inputs * d->units; k++) {
        d->weights[k] = limit * (2 * (real)random_uniform(seed, STREAM_WEIGHTS + layer, k) - 1);
    }
}

/* A scale at which a certain answer can be near certain: Wang et al. 2018 (CosFace), eq. 9, for a
 * probability of 0.999. */
real network_scale(const kiln_train_options *options) {
    real classes = (real)options->class_count, others = classes - 1;
    return options->cosine_scale > 0
               ? (real)options->cosine_scale
               : (others / classes) * log(others * (real)0.999 / (real)0.001) + 1;
}

kiln_status network_create(const kiln_train_options *options, size_t features, thread_pool *pool,
                           network *out_network, kiln_error *error) {
    *out_network = (network){.count = options->head.count,
                             .group = 1,
                             .batch = options->batch_size,
                             .pool = pool,
                             .allocator = options->allocator,
                             .seed = options->seed,
                             .loss = loss_of(options->loss),
                             .label_smoothing = (real)options->label_smoothing,
                             .arc_margin = (real)options->arc_margin};
    bool good = true;
    size_t widest = 0, moments = optimizer_named(options->optimizer)->moments(options);
    for (size_t k = 0; k < out_network->count; k++) {
        const kiln_head_layer *from = &options->head.layers[k];
        dense *d = &out_network->layers[k];
        d->inputs = k == 0 ? features : out_network->layers[k - 1].units;
        d->units = from->units != 0 ? from->units : options->class_count;
        d->activation = from->activation;
        d->dropout = (real)from->dropout;
        d->l2 = (real)fmaxf(from->l2, 0); /* KILN_L2_PRIOR waits for the samples */
        d->max_norm = (real)from->max_norm;
        d->scale = network_scale(options);
        widest = d->inputs > widest ? d->inputs : widest;
        widest = d->units > widest ? d->units : widest;
        bool biased =
            d->activation != KILN_ACTIVATION_COSINE || options->head.rule == KILN_RULE_LDA;
        good = good && allocate_layer(out_network, d, moments, biased);
        if (good) {
            initialize_weights(d, options->seed, k);
        }
    }
    out_network->row_room = widest * TRANSPOSED_COLUMNS;
    out_network->row_room =
        out_network->row_room > ROW_SCRATCH ? out_network->row_room : ROW_SCRATCH;
    out_network->rows = memory_zeros(options->allocator, out_network->row_room, sizeof(real));
    if (!good || out_network->rows == NULL) {
        network_destroy(out_network);
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for the head's weights");
    }
    return KILN_OK;
}

static void clear(real *numbers, size_t count) {
    if (numbers != NULL) {
        memset(numbers, 0, count * sizeof *numbers);
    }
}

void network_reset(network *net) {
    for (size_t k = 0; k < net->count; k++) {
        dense *d = &net->layers[k];
        initialize_weights(d, net->seed, k);
        clear(d->biases, d->units);
        for (int m = 0; m < 2; m++) {
            clear(d->moments[m], d->inputs * d->units);
            clear(d->bias_moments[m], d->units);
        }
    }
}

static void free_layer(dense *d) {
    void *owned[] = {
        d->weights,         d->biases,      d->moments[0], d->moments[1], d->bias_moments[0],
        d->bias_moments[1], d->output,      d->delta,      d->kept,       d->unit_weights,
        d->weight_norms,    d->input_norms, d->input};
    for (size_t o = 0; o < sizeof owned / sizeof *owned; o++) {
        memory_free(owned[o]);
    }
}

kiln_status network_widen(network *net, size_t group, kiln_error *error) {
    dense *d = &net->layers[0];
    dense wide = {.inputs = d->inputs,
                  .units = network_classes(net) * group,
                  .activation = d->activation,
                  .scale = d->scale};
    if (!allocate_layer(net, &wide, 0, false)) {
        free_layer(&wide);
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for %zu kept samples of %zu features",
                         wide.units, wide.inputs);
    }
    free_layer(d);
    *d = wide;
    net->group = group;
    return KILN_OK;
}

void network_destroy(network *net) {
    for (size_t k = 0; k < net->count; k++) {
        free_layer(&net->layers[k]);
    }
    memory_free(net->rows);
    *net = (network){0};
}
