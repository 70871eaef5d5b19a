/* BatchNormalization: at inference a scale and a bias, for each channel or (spatial=0, until opset
 * 8) for each element of a sample. With the statistics of its input (training mode) it is computed
 * of constants only, as networks with standardised weights have it. */
#include "compiler/ops/expand.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Until opset 13 more than one output said so. */
static bool is_training(const graph *g, const node *n) {
    if (g->opset >= 14) {
        return node_int(n, "training_mode", 0) != 0;
    }
    return n->output_count > 1 && node_int(n, "is_test", 0) == 0;
}

static bool is_spatial(const node *n) {
    return node_int(n, "spatial", 1) != 0;
}

/* How many scales there are. */
static int64_t features_of(const node *n) {
    const tensor *x = n->inputs[0];
    int64_t features = 1;
    for (uint32_t k = 1; k < (is_spatial(n) ? 2 : x->rank); k++) {
        features *= x->dims[k];
    }
    return features;
}

static kiln_status require_element_values(graph *g, node *n) {
    for (size_t k = 1; k <= 4; k++) {
        const tensor *t = n->inputs[k];
        if (t == NULL || n->inputs[0]->rank < 2 || tensor_elements(t) != features_of(n)) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "input %zu is not one value an element", k);
        }
    }
    return KILN_OK;
}

static kiln_status infer_batch_norm(graph *g, node *n) {
    if (is_training(g, n) && !tensor_is_constant(n->inputs[0])) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "training mode (training_mode=1, or until opset 13 several outputs); "
                         "supported: inference with given mean and variance");
    }
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK) {
        status = is_spatial(n) ? require_channel_values(g, n, 4) : require_element_values(g, n);
    }
    for (size_t k = 1; k < n->output_count && status == KILN_OK; k++) {
        if (n->outputs[k] != NULL) {
            n->outputs[k]->dtype = KILN_F32;
            status = tensor_set_shape(g, n, n->outputs[k], n->inputs[1]->rank, n->inputs[1]->dims);
        }
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

/* ---- Evaluation ---------------------------------------------------------------------------- */

/* Which scale element k of x takes. */
static int64_t feature_of(const node *n, int64_t k) {
    const tensor *x = n->inputs[0];
    int64_t sample = tensor_elements(x) / x->dims[0];
    return is_spatial(n) ? k / (sample / x->dims[1]) % x->dims[1] : k % sample;
}

/* Mean and variance of each feature over the batch (and the pixels). */
static void measure(const node *n, int64_t features, double *mean, double *variance) {
    int64_t elements = tensor_elements(n->inputs[0]);
    double share = (double)features / (double)elements;
    const float *x = tensor_f32(n->inputs[0]);
    for (int64_t k = 0; k < elements; k++) {
        mean[feature_of(n, k)] += (double)x[k] * share;
    }
    for (int64_t k = 0; k < elements; k++) {
        int64_t f = feature_of(n, k);
        variance[f] += ((double)x[k] - mean[f]) * ((double)x[k] - mean[f]) * share;
    }
}

/* Outputs but the first: running mean and variance; until opset 13 also the batch's own mean and
 * the factor that its variance makes. */
static void store_statistics(const node *n, int64_t features, const double *mean,
                             const double *variance) {
    double momentum = (double)node_float(n, "momentum", 0.9f);
    double epsilon = (double)node_float(n, "epsilon", 1e-5f);
    for (size_t k = 1; k < n->output_count; k++) {
        for (int64_t f = 0; f < features && n->outputs[k] != NULL; f++) {
            double measured = k % 2 == 1 ? mean[f] : variance[f];
            double running = k < 3 ? (double)tensor_f32(n->inputs[k + 2])[f] : 0;
            double value = k < 3    ? running * momentum + measured * (1 - momentum)
                           : k == 3 ? measured
                                    : 1 / sqrt(measured + epsilon);
            ((float *)n->outputs[k]->owned)[f] = (float)value;
        }
    }
}

static void normalise(const node *n, const double *mean, const double *variance) {
    double epsilon = (double)node_float(n, "epsilon", 1e-5f);
    const float *x = tensor_f32(n->inputs[0]);
    for (int64_t k = 0; k < tensor_elements(n->inputs[0]); k++) {
        int64_t f = feature_of(n, k);
        double scale = (double)tensor_f32(n->inputs[1])[f] / sqrt(variance[f] + epsilon);
        double bias = (double)tensor_f32(n->inputs[2])[f];
        ((float *)n->outputs[0]->owned)[k] = (float)(((double)x[k] - mean[f]) * scale + bias);
    }
}

static kiln_status evaluate_batch_norm(graph *g, node *n) {
    int64_t features = features_of(n);
    double *mean = calloc((size_t)features * 2 + 1, sizeof *mean);
    if (mean == NULL) {
        return graph_fail(g, KILN_ERROR_MEMORY, "out of memory");
    }
    double *variance = mean + features;
    if (is_training(g, n)) {
        measure(n, features, mean, variance);
        store_statistics(n, features, mean, variance);
    }
    for (int64_t f = 0; f < features && !is_training(g, n); f++) {
        mean[f] = (double)tensor_f32(n->inputs[3])[f];
        variance[f] = (double)tensor_f32(n->inputs[4])[f];
    }
    if (n->outputs[0] != NULL) {
        normalise(n, mean, variance);
    }
    free(mean);
    return KILN_OK;
}

/* ---- Lowering ------------------------------------------------------------------------------ */

/* All scales, then all biases: y = scale * x + bias. In the graph's memory. */
static float *scales_and_biases(graph *g, const node *n) {
    double epsilon = (double)node_float(n, "epsilon", 1e-5f);
    int64_t features = features_of(n);
    float *factors = graph_allocate(g, (size_t)features * 2 * sizeof *factors);
    for (int64_t f = 0; f < features && factors != NULL; f++) {
        double variance = (double)tensor_f32_at(n->inputs[4], f);
        double scale = (double)tensor_f32_at(n->inputs[1], f) / sqrt(variance + epsilon);
        factors[f] = (float)scale;
        factors[features + f] = (float)((double)tensor_f32_at(n->inputs[2], f) -
                                        (double)tensor_f32_at(n->inputs[3], f) * scale);
    }
    return factors;
}

/* A scale an element has no kernel of its own. */
static kiln_status expand_batch_norm(expansion *e, node *n) {
    const tensor *x = n->inputs[0];
    if (is_spatial(n)) {
        return KILN_OK;
    }
    const float *factors = scales_and_biases(e->g, n);
    tensor *scale = expand_constant(e, KILN_F32, x->rank - 1, x->dims + 1);
    tensor *bias = expand_constant(e, KILN_F32, x->rank - 1, x->dims + 1);
    if (factors == NULL || bias == NULL || scale == NULL) {
        return e->status != KILN_OK ? e->status : KILN_ERROR_MEMORY;
    }
    size_t bytes = (size_t)features_of(n) * sizeof *factors;
    memcpy(scale->owned, factors, bytes);
    memcpy(bias->owned, factors + features_of(n), bytes);
    tensor *scaled = expand_binary(e, "Mul", n->inputs[0], scale);
    expand_result(e, 0, expand_binary(e, "Add", scaled, bias));
    return KILN_OK;
}

static uint32_t emit_binary(lowering *l, node *n, kiln_binary_op op, uint32_t a, uint32_t b,
                            uint32_t y) {
    bool last = op == KILN_BINARY_ADD;
    kiln_binary_params params = {
        .op = op, .min = last ? n->min : -INFINITY, .max = last ? n->max : INFINITY};
    uint32_t inputs[2] = {a, b};
    (void)lower_step(l, n, KILN_KERNEL_BINARY, &params, sizeof params, 2, inputs, 1, &y);
    return y;
}

/* An image of channels is a depthwise 1x1 convolution, which XNNPACK has a kernel for; anything
 * else a product and a sum. Channels are the last physical dim in both cases. */
static kiln_status lower_batch_norm(lowering *l, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t channels = x->dims[1];
    const float *factors = scales_and_biases(lower_graph(l), n);
    if (factors == NULL) {
        return KILN_ERROR_MEMORY;
    }
    uint32_t from = lower_tensor(l, x), to = lower_tensor(l, y);
    uint32_t bias = lower_constant_data(l, NULL, KILN_F32, 1, &channels, factors + channels);
    if (x->rank == 3 || x->rank == 4) {
        int64_t dims[4] = {channels, 1, 1, 1};
        kiln_conv_params params = {.stride_height = 1,
                                   .stride_width = 1,
                                   .dilation_height = 1,
                                   .dilation_width = 1,
                                   .groups = (uint32_t)channels,
                                   .min = n->min,
                                   .max = n->max};
        uint32_t inputs[3] = {from, lower_constant_data(l, NULL, KILN_F32, 4, dims, factors), bias};
        return lower_step(l, n, KILN_KERNEL_CONV_2D, &params, sizeof params, 3, inputs, 1, &to);
    }
    uint32_t scale = lower_constant_data(l, NULL, KILN_F32, 1, &channels, factors);
    uint32_t scaled = lower_temporary(l, KILN_F32, x->rank, x->dims, y->layout);
    scaled = emit_binary(l, n, KILN_BINARY_MUL, from, scale, scaled);
    (void)emit_binary(l, n, KILN_BINARY_ADD, scaled, bias, to);
    return lower_status(l);
}

const op ops_batch_norm[] = {
    {"BatchNormalization", 6, OP_INPUTS(5, 5), OP_OUTPUTS(1, 5), .constant_inputs = 30,
     .layout = OP_CHANNELS_LAST, .flags = OP_CLAMPS, .infer = infer_batch_norm,
     .evaluate = evaluate_batch_norm, .lower = lower_batch_norm, .expand = expand_batch_norm},
    {.name = NULL},
};
