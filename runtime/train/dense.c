/* Dense layers: forward, and backward with the update made row by row, so that the gradient of all
 * weights never lies in memory. */
#include "runtime/train/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tgmath.h>

#define MARGIN 16                       /* bytes that XNNPACK may read past an operand */
#define ROW_SCRATCH ((size_t)1 << 17)   /* numbers: half of an L2 cache */
#define TRANSPOSED_COLUMNS ((size_t)64) /* of weights at a time, going backward */
enum { STREAM_WEIGHTS = 1000, STREAM_DROPOUT = 2000 };

/* ---- Creating ------------------------------------------------------------------------------ */

static void *allocate(size_t count, size_t size) {
    return count > (SIZE_MAX - MARGIN) / size ? NULL : calloc(1, count * size + MARGIN);
}

static bool allocate_layer(dense *d, size_t batch, size_t moments) {
    size_t weights = d->inputs * d->units;
    bool cosine = d->activation == KILN_ACTIVATION_COSINE, good = true;
    d->weights = allocate(weights, sizeof(real));
    d->biases = cosine ? NULL : allocate(d->units, sizeof(real));
    for (size_t k = 0; k < moments; k++) {
        d->moments[k] = allocate(weights, sizeof(real));
        d->bias_moments[k] = allocate(d->units, sizeof(real));
        good = good && d->moments[k] != NULL && d->bias_moments[k] != NULL;
    }
    bool copied = d->dropout > 0 || cosine;
    d->input = copied ? allocate(d->inputs * batch, sizeof(real)) : NULL;
    d->kept = d->dropout > 0 ? allocate(d->inputs * batch, 1) : NULL;
    d->output = allocate(d->units * batch, sizeof(real));
    d->delta = allocate(d->units * batch, sizeof(real));
    if (cosine) {
        d->unit_weights = allocate(weights, sizeof(real));
        d->weight_norms = allocate(d->units, sizeof(real));
        d->input_norms = allocate(batch, sizeof(real));
        good = good && d->unit_weights != NULL && d->weight_norms != NULL && d->input_norms != NULL;
    }
    return good && d->weights != NULL && (cosine || d->biases != NULL) &&
           (!copied || d->input != NULL) && (d->dropout <= 0 || d->kept != NULL) &&
           d->output != NULL && d->delta != NULL;
}

/* Glorot and Bengio 2010: uniform in +-sqrt(6 / (inputs + units)). */
static void initialize_weights(dense *d, uint64_t seed, size_t layer) {
    real limit = sqrt((real)6 / (real)(d->inputs + d->units));
    for (size_t k = 0; k < d->inputs * d->units; k++) {
        d->weights[k] = limit * (2 * (real)random_uniform(seed, STREAM_WEIGHTS + layer, k) - 1);
    }
}

/* A scale at which a certain answer can be near certain: Wang et al. 2018 (CosFace), eq. 9, for a
 * probability of 0.999. */
static real default_scale(size_t classes) {
    real others = (real)(classes - 1);
    return (others / (real)classes) * log(others * (real)0.999 / (real)0.001) + 1;
}

kiln_status network_create(const kiln_train_options *options, size_t features, pthreadpool_t pool,
                           network *out_network, kiln_error *error) {
    *out_network = (network){.count = options->head.count,
                             .batch = options->batch_size,
                             .pool = pool,
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
        d->l2 = (real)from->l2;
        d->max_norm = (real)from->max_norm;
        d->scale = options->cosine_scale > 0 ? (real)options->cosine_scale
                                             : default_scale(options->class_count);
        widest = d->inputs > widest ? d->inputs : widest;
        widest = d->units > widest ? d->units : widest;
        good = good && allocate_layer(d, out_network->batch, moments);
        if (good) {
            initialize_weights(d, options->seed, k);
        }
    }
    out_network->row_room = widest * TRANSPOSED_COLUMNS;
    out_network->row_room =
        out_network->row_room > ROW_SCRATCH ? out_network->row_room : ROW_SCRATCH;
    out_network->rows = allocate(out_network->row_room, sizeof(real));
    if (!good || out_network->rows == NULL) {
        network_destroy(out_network);
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for the head's weights");
    }
    return KILN_OK;
}

void network_destroy(network *net) {
    for (size_t k = 0; k < net->count; k++) {
        dense *d = &net->layers[k];
        void *owned[] = {
            d->weights,         d->biases,      d->moments[0], d->moments[1], d->bias_moments[0],
            d->bias_moments[1], d->output,      d->delta,      d->kept,       d->unit_weights,
            d->weight_norms,    d->input_norms, d->input};
        for (size_t o = 0; o < sizeof owned / sizeof *owned; o++) {
            free(owned[o]);
        }
    }
    free(net->rows);
    *net = (network){0};
}

/* ---- Forward ------------------------------------------------------------------------------- */

/* Inverted dropout: what is kept is scaled up, so that nothing is to do at inference. */
static void drop(dense *d, const real *from, size_t size, uint64_t seed, uint64_t stream) {
    float rate = (float)d->dropout;
    real scale = 1 / (1 - d->dropout);
    for (size_t k = 0; k < size; k++) {
        d->kept[k] = random_uniform(seed, stream, k) >= rate;
        d->input[k] = d->kept[k] ? from[k] * scale : 0;
    }
}

/* Columns of x, [features][count] or, by rows, [count][features], to length 1. */
static void normalize_samples(real *x, size_t features, size_t count, bool by_rows, real *norms) {
    size_t step = by_rows ? 1 : count, sample = by_rows ? features : 1;
    for (size_t n = 0; n < count; n++) {
        real sum = 0;
        for (size_t k = 0; k < features; k++) {
            sum += x[n * sample + k * step] * x[n * sample + k * step];
        }
        norms[n] = sum > 0 ? sqrt(sum) : 1;
        for (size_t k = 0; k < features; k++) {
            x[n * sample + k * step] /= norms[n];
        }
    }
}

static void normalize_weights(dense *d) {
    memcpy(d->unit_weights, d->weights, d->inputs * d->units * sizeof(real));
    normalize_samples(d->unit_weights, d->inputs, d->units, true, d->weight_norms);
}

/* What the layer multiplies: the last one's output, or a copy with dropout or of length 1. */
static const real *layer_input(network *net, size_t layer, const real *features, size_t count,
                               bool training, uint64_t step) {
    dense *d = &net->layers[layer];
    const real *from = layer == 0 ? features : net->layers[layer - 1].output;
    size_t size = d->inputs * count;
    bool drops = d->dropout > 0 && training;
    if (drops) {
        drop(d, from, size, net->seed, (STREAM_DROPOUT + layer) + (step << 16));
    }
    if (d->activation == KILN_ACTIVATION_COSINE) {
        if (!drops) {
            memcpy(d->input, from, size * sizeof(real));
        }
        normalize_samples(d->input, d->inputs, count, layer == 0, d->input_norms);
        normalize_weights(d);
        return d->input;
    }
    return drops ? d->input : from;
}

static kiln_status dense_forward(network *net, size_t layer, const real *x, size_t count,
                                 kiln_error *error) {
    dense *d = &net->layers[layer];
    bool cosine = d->activation == KILN_ACTIVATION_COSINE;
    kiln_status status =
        product_once(d->units, d->inputs, count, cosine ? d->unit_weights : d->weights, x,
                     layer != 0, d->output, net->pool, error);
    if (status != KILN_OK) {
        return status;
    }
    for (size_t u = 0; u < d->units; u++) {
        real *row = d->output + u * count;
        for (size_t n = 0; n < count; n++) {
            row[n] = cosine ? row[n] * d->scale : row[n] + d->biases[u];
        }
    }
    if (layer + 1 < net->count) {
        activation_of(d->activation)->apply(d->output, d->units * count);
    }
    return KILN_OK;
}

kiln_status network_forward(network *net, const real *features, size_t count, bool training,
                            uint64_t step, kiln_error *error) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < net->count && status == KILN_OK; k++) {
        const real *x = layer_input(net, k, features, count, training, step);
        net->layers[k].multiplied = x;
        status = dense_forward(net, k, x, count, error);
    }
    return status;
}

/* ---- Backward ------------------------------------------------------------------------------ */

double network_penalty(const network *net) {
    double sum = 0;
    for (size_t k = 0; k < net->count; k++) {
        const dense *d = &net->layers[k];
        double squares = 0;
        for (size_t i = 0; d->l2 > 0 && i < d->inputs * d->units; i++) {
            squares += (double)d->weights[i] * (double)d->weights[i];
        }
        sum += (double)d->l2 * squares;
    }
    return sum;
}

/* Some columns of w [units][inputs], as rows of `units`. */
static void transpose_columns(const dense *d, const real *w, size_t begin, size_t columns,
                              real *out) {
    for (size_t u = 0; u < d->units; u++) {
        const real *row = w + u * d->inputs + begin;
        for (size_t c = 0; c < columns; c++) {
            out[c * d->units + u] = row[c];
        }
    }
}

/* out [inputs][count] = d loss / d (what the layer multiplied) = W^T delta. */
static kiln_status gradient_of_input(network *net, size_t layer, size_t count, real *out,
                                     kiln_error *error) {
    dense *d = &net->layers[layer];
    const real *w = d->activation == KILN_ACTIVATION_COSINE ? d->unit_weights : d->weights;
    product p;
    kiln_status status =
        product_create(d->inputs, d->units, count, d->delta, true, net->pool, &p, error);
    if (status != KILN_OK) {
        return status;
    }
    for (size_t at = 0; at < d->inputs && status == KILN_OK; at += TRANSPOSED_COLUMNS) {
        size_t columns = d->inputs - at < TRANSPOSED_COLUMNS ? d->inputs - at : TRANSPOSED_COLUMNS;
        transpose_columns(d, w, at, columns, net->rows);
        status = product_run(&p, columns, net->rows, out + at * count, error);
    }
    product_destroy(&p);
    return status;
}

/* Through x / |x|: g -= x (x . g), then / |x|; x of length 1. */
static void through_norm(const real *x, real *g, size_t size, size_t step, real norm) {
    real along = 0;
    for (size_t k = 0; k < size; k++) {
        along += x[k * step] * g[k * step];
    }
    for (size_t k = 0; k < size; k++) {
        g[k * step] = (g[k * step] - x[k * step] * along) / norm;
    }
}

/* The layer below's delta, from this one's. */
static kiln_status pass_down(network *net, size_t layer, size_t count, kiln_error *error) {
    dense *d = &net->layers[layer], *below = &net->layers[layer - 1];
    kiln_status status = gradient_of_input(net, layer, count, below->delta, error);
    if (status != KILN_OK) {
        return status;
    }
    if (d->activation == KILN_ACTIVATION_COSINE) {
        for (size_t n = 0; n < count; n++) {
            through_norm(d->input + n, below->delta + n, d->inputs, count, d->input_norms[n]);
        }
    }
    real scale = 1 / (1 - d->dropout);
    const activation *a = activation_of(below->activation);
    for (size_t k = 0; k < below->units * count; k++) {
        real kept = d->dropout <= 0 ? 1 : d->kept[k] ? scale : 0;
        below->delta[k] *= kept * a->slope(below->output[k]);
    }
    return KILN_OK;
}

typedef struct row_update {
    dense *d;
    const update *u;
    real *gradients; /* of rows from `first` on */
    size_t first;
} row_update;

static void limit_norm(real *w, size_t size, real limit) {
    real sum = 0;
    for (size_t k = 0; k < size; k++) {
        sum += w[k] * w[k];
    }
    real scale = sum > limit * limit ? limit / sqrt(sum) : 1;
    for (size_t k = 0; scale < 1 && k < size; k++) {
        w[k] *= scale;
    }
}

static void update_row(void *context, size_t index) {
    const row_update *r = context;
    dense *d = r->d;
    size_t row = r->first + index, at = row * d->inputs;
    real *w = d->weights + at, *g = r->gradients + index * d->inputs;
    if (d->activation == KILN_ACTIVATION_COSINE) {
        through_norm(d->unit_weights + at, g, d->inputs, 1, d->weight_norms[row]);
    }
    for (size_t k = 0; d->l2 > 0 && k < d->inputs; k++) {
        g[k] += 2 * d->l2 * w[k];
    }
    r->u->optimizer->apply(r->u, d->inputs, w, g, d->moments[0] != NULL ? d->moments[0] + at : NULL,
                           d->moments[1] != NULL ? d->moments[1] + at : NULL);
    if (d->max_norm > 0) {
        limit_norm(w, d->inputs, d->max_norm);
    }
}

static void update_biases(dense *d, size_t count, const update *u, real *gradients) {
    for (size_t row = 0; row < d->units; row++) {
        gradients[row] = 0;
        for (size_t n = 0; n < count; n++) {
            gradients[row] += d->delta[row * count + n];
        }
    }
    u->optimizer->apply(u, d->units, d->biases, gradients, d->bias_moments[0], d->bias_moments[1]);
}

/* The gradient of some rows of weights at a time, delta x^T, and their update. */
static kiln_status update_layer(network *net, size_t layer, size_t count, const update *u,
                                kiln_error *error) {
    dense *d = &net->layers[layer];
    size_t together = net->row_room / d->inputs;
    product p;
    kiln_status status =
        product_create(d->units, count, d->inputs, d->multiplied, layer == 0, net->pool, &p, error);
    if (status != KILN_OK) {
        return status;
    }
    for (size_t row = 0; row < d->units && status == KILN_OK; row += together) {
        size_t rows = d->units - row < together ? d->units - row : together;
        status = product_run(&p, rows, d->delta + row * count, net->rows, error);
        row_update r = {d, u, net->rows, row};
        if (status == KILN_OK) {
            pthreadpool_parallelize_1d(p.pool, update_row, &r, rows, 0);
        }
    }
    product_destroy(&p);
    if (status == KILN_OK && d->biases != NULL) {
        update_biases(d, count, u, net->rows);
    }
    return status;
}

kiln_status network_backward(network *net, size_t count, const update *u, kiln_error *error) {
    for (size_t k = net->count; k-- > 0;) {
        dense *d = &net->layers[k];
        if (d->activation == KILN_ACTIVATION_COSINE) {
            for (size_t i = 0; i < d->units * count; i++) {
                d->delta[i] *= d->scale;
            }
        }
        kiln_status status = k > 0 ? pass_down(net, k, count, error) : KILN_OK;
        if (status == KILN_OK) {
            status = update_layer(net, k, count, u, error);
        }
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}
