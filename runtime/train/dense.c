/* Dense layers: forward, and backward with the update made row by row, so that the gradient of all
 * weights never lies in memory. */
#include "runtime/train/network.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

enum { STREAM_DROPOUT = 2000 };

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

/* Scales the columns of x, [features][count] or, by rows, [count][features], to length 1. */
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

/* Keeps the largest of each `group` rows, in place. */
static void keep_largest(real *rows, size_t classes, size_t group, size_t count) {
    for (size_t c = 0; c < classes; c++) {
        for (size_t n = 0; n < count; n++) {
            real largest = rows[c * group * count + n];
            for (size_t k = 1; k < group; k++) {
                real other = rows[(c * group + k) * count + n];
                largest = other > largest ? other : largest;
            }
            rows[c * count + n] = largest;
        }
    }
}

static kiln_status dense_forward(network *net, size_t layer, const real *x, size_t count,
                                 kiln_error *error) {
    dense *d = &net->layers[layer];
    bool cosine = d->activation == KILN_ACTIVATION_COSINE;
    kiln_status status =
        product_once(d->units, d->inputs, count, cosine ? d->unit_weights : d->weights, x,
                     layer != 0, d->output, net->pool, net->allocator, error);
    if (status != KILN_OK) {
        return status;
    }
    for (size_t u = 0; u < d->units; u++) {
        real *row = d->output + u * count;
        real bias = d->biases != NULL ? d->biases[u] : 0;
        for (size_t n = 0; n < count; n++) {
            row[n] = cosine ? (row[n] + bias) * d->scale : row[n] + bias;
        }
    }
    if (layer + 1 < net->count) {
        activation_of(d->activation)->apply(d->output, d->units * count);
    } else if (net->group > 1) {
        keep_largest(d->output, network_classes(net), net->group, count);
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

/* Copies some columns of w [units][inputs] to rows of `units`. */
static void transpose_columns(const dense *d, const real *w, size_t begin, size_t columns,
                              real *out) {
    for (size_t u = 0; u < d->units; u++) {
        const real *row = w + u * d->inputs + begin;
        for (size_t c = 0; c < columns; c++) {
            out[c * d->units + u] = row[c];
        }
    }
}

/* Computes out [inputs][count] = d loss / d (what the layer multiplied) = W^T delta. */
static kiln_status gradient_of_input(network *net, size_t layer, size_t count, real *out,
                                     kiln_error *error) {
    dense *d = &net->layers[layer];
    const real *w = d->activation == KILN_ACTIVATION_COSINE ? d->unit_weights : d->weights;
    product p;
    kiln_status status = product_create(d->inputs, d->units, count, d->delta, true, net->pool,
                                        net->allocator, &p, error);
    if (status != KILN_OK) {
        return status;
    }
    for (size_t at = 0; at < d->inputs; at += TRANSPOSED_COLUMNS) {
        size_t columns = d->inputs - at < TRANSPOSED_COLUMNS ? d->inputs - at : TRANSPOSED_COLUMNS;
        transpose_columns(d, w, at, columns, net->rows);
        product_run(&p, columns, net->rows, out + at * count);
    }
    product_destroy(&p);
    return KILN_OK;
}

/* Takes the gradient through x / |x|: g -= x (x . g), divided by |x|, where x has length 1 already.
 */
static void through_norm(const real *x, real *g, size_t size, size_t step, real norm) {
    real along = 0;
    for (size_t k = 0; k < size; k++) {
        along += x[k * step] * g[k * step];
    }
    for (size_t k = 0; k < size; k++) {
        g[k * step] = (g[k * step] - x[k * step] * along) / norm;
    }
}

/* Computes the layer below's delta from this one's. */
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
    real *gradients; /* the gradients of the rows from `first` on */
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

/* Computes the gradient of some rows of weights at a time, delta x^T, and updates them. */
static kiln_status update_layer(network *net, size_t layer, size_t count, const update *u,
                                kiln_error *error) {
    dense *d = &net->layers[layer];
    size_t together = net->row_room / d->inputs;
    product p;
    kiln_status status = product_create(d->units, count, d->inputs, d->multiplied, layer == 0,
                                        net->pool, net->allocator, &p, error);
    if (status != KILN_OK) {
        return status;
    }
    for (size_t row = 0; row < d->units; row += together) {
        size_t rows = d->units - row < together ? d->units - row : together;
        product_run(&p, rows, d->delta + row * count, net->rows);
        row_update r = {d, u, net->rows, row};
        thread_pool_each(p.pool, update_row, &r, rows);
    }
    product_destroy(&p);
    if (d->biases != NULL) {
        update_biases(d, count, u, net->rows);
    }
    return KILN_OK;
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
