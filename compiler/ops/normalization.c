/* BatchNormalization, InstanceNormalization, LayerNormalization, LRN, LpNormalization. */
#include "compiler/ops/axes.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static kiln_status require_floats(graph *g, node *n) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < n->input_count && status == KILN_OK; k++) {
        status = require_dtype(g, n, k, MASK_F32);
    }
    return status;
}

/* Inputs 1 .. count are one value a channel. */
static kiln_status require_channel_values(graph *g, node *n, size_t count) {
    const tensor *x = n->inputs[0];
    for (size_t k = 1; k <= count; k++) {
        const tensor *t = n->inputs[k];
        if (t == NULL || x->rank < 2 || t->rank != 1 || t->dims[0] != x->dims[1]) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "input %zu is not one value a channel", k);
        }
    }
    return KILN_OK;
}

/* ---- BatchNormalization -------------------------------------------------------------------- */

static kiln_status infer_batch_norm(graph *g, node *n) {
    bool extra = false;
    for (size_t k = 1; k < n->output_count; k++) {
        extra = extra || (n->outputs[k] != NULL && n->outputs[k]->consumer_count > 0) ||
                (n->outputs[k] != NULL && n->outputs[k]->is_output);
    }
    if (node_int(n, "training_mode", 0) != 0 || extra) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "training_mode=1; supported: inference with given mean and variance");
    }
    if (node_int(n, "spatial", 1) == 0) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "spatial=0; supported: one mean and variance a channel");
    }
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK) {
        status = require_channel_values(g, n, 4);
    }
    for (size_t k = 1; k < n->output_count && status == KILN_OK; k++) {
        if (n->outputs[k] != NULL) { /* unread */
            n->outputs[k]->dtype = KILN_F32;
            status = tensor_set_shape(g, n, n->outputs[k], 1, n->inputs[1]->dims);
        }
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

/* y = scale[c] * x + bias[c]. */
static void batch_norm_factors(const node *n, int64_t c, double *out_scale, double *out_bias) {
    double epsilon = (double)node_float(n, "epsilon", 1e-5f);
    double variance = (double)tensor_f32_at(n->inputs[4], c);
    *out_scale = (double)tensor_f32_at(n->inputs[1], c) / sqrt(variance + epsilon);
    *out_bias = (double)tensor_f32_at(n->inputs[2], c) -
                (double)tensor_f32_at(n->inputs[3], c) * *out_scale;
}

static kiln_status evaluate_batch_norm(graph *g, node *n) {
    (void)g;
    tensor *x = n->inputs[0];
    int64_t channels = x->dims[1], pixels = tensor_elements(x) / (x->dims[0] * channels);
    for (int64_t k = 0; k < x->dims[0] * channels; k++) {
        double scale, bias;
        batch_norm_factors(n, k % channels, &scale, &bias);
        for (int64_t p = 0; p < pixels; p++) {
            double value = (double)tensor_f32(x)[k * pixels + p];
            ((float *)n->outputs[0]->owned)[k * pixels + p] = (float)(value * scale + bias);
        }
    }
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
    float *factors = graph_allocate(lower_graph(l), (size_t)channels * 2 * sizeof *factors);
    if (factors == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (int64_t c = 0; c < channels; c++) {
        double scale, bias;
        batch_norm_factors(n, c, &scale, &bias);
        factors[c] = (float)scale;
        factors[channels + c] = (float)bias;
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

/* ---- InstanceNormalization ----------------------------------------------------------------- */

static kiln_status infer_instance_norm(graph *g, node *n) {
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK && n->inputs[0]->rank < 3) {
        status = node_fail(g, n, KILN_ERROR_UNSUPPORTED, "an input of rank %u; supported: 3 to 8",
                           n->inputs[0]->rank);
    }
    if (status == KILN_OK) {
        status = require_channel_values(g, n, 2);
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

static void moments(const float *x, int64_t count, double *out_mean, double *out_variance) {
    double sum = 0, squares = 0;
    for (int64_t k = 0; k < count; k++) {
        sum += (double)x[k];
    }
    *out_mean = sum / (double)count;
    for (int64_t k = 0; k < count; k++) {
        squares += ((double)x[k] - *out_mean) * ((double)x[k] - *out_mean);
    }
    *out_variance = squares / (double)count;
}

static kiln_status evaluate_instance_norm(graph *g, node *n) {
    (void)g;
    tensor *x = n->inputs[0];
    int64_t channels = x->dims[1], pixels = tensor_elements(x) / (x->dims[0] * channels);
    double epsilon = (double)node_float(n, "epsilon", 1e-5f);
    for (int64_t k = 0; k < x->dims[0] * channels; k++) {
        const float *from = tensor_f32(x) + k * pixels;
        double mean, variance;
        moments(from, pixels, &mean, &variance);
        double factor = (double)tensor_f32(n->inputs[1])[k % channels] / sqrt(variance + epsilon);
        for (int64_t p = 0; p < pixels; p++) {
            ((float *)n->outputs[0]->owned)[k * pixels + p] =
                (float)(((double)from[p] - mean) * factor +
                        (double)tensor_f32(n->inputs[2])[k % channels]);
        }
    }
    return KILN_OK;
}

static kiln_status lower_instance_norm(lowering *l, node *n) {
    kiln_instance_norm_params params = {.epsilon = node_float(n, "epsilon", 1e-5f)};
    uint32_t inputs[3] = {lower_input(l, n, 0), lower_input(l, n, 1), lower_input(l, n, 2)};
    uint32_t y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_INSTANCE_NORM, &params, sizeof params, 3, inputs, 1, &y);
}

/* ---- LayerNormalization -------------------------------------------------------------------- */

static kiln_status layer_norm_axis(const graph *g, const node *n, uint32_t *out_axis) {
    return node_axis(g, n, node_int(n, "axis", -1), n->inputs[0]->rank, out_axis);
}

static kiln_status infer_layer_norm(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    uint32_t axis;
    int64_t dims[KILN_MAX_RANK], size = 1;
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK) {
        status = layer_norm_axis(g, n, &axis);
    }
    if (status == KILN_OK) {
        status = refuse_batch(g, n, x, axis);
    }
    if (status != KILN_OK) {
        return status;
    }
    for (uint32_t k = 0; k < x->rank; k++) {
        dims[k] = k < axis ? x->dims[k] : 1;
        size *= k < axis ? 1 : x->dims[k];
    }
    for (size_t k = 1; k < n->input_count; k++) {
        if (n->inputs[k] != NULL && tensor_elements(n->inputs[k]) != size) {
            return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                             "input %zu has %lld elements; supported: the %lld normalised ones", k,
                             (long long)tensor_elements(n->inputs[k]), (long long)size);
        }
    }
    for (size_t k = 1; k < n->output_count && status == KILN_OK; k++) {
        if (n->outputs[k] != NULL) {
            n->outputs[k]->dtype = KILN_F32;
            status = tensor_set_shape(g, n, n->outputs[k], x->rank, dims);
        }
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status evaluate_layer_norm(graph *g, node *n) {
    tensor *x = n->inputs[0];
    uint32_t axis;
    int64_t size = 1;
    kiln_status status = layer_norm_axis(g, n, &axis);
    for (uint32_t k = axis; k < x->rank && status == KILN_OK; k++) {
        size *= x->dims[k];
    }
    double epsilon = (double)node_float(n, "epsilon", 1e-5f);
    tensor *bias = n->input_count > 2 ? n->inputs[2] : NULL;
    for (int64_t r = 0; status == KILN_OK && r < tensor_elements(x) / size; r++) {
        const float *from = tensor_f32(x) + r * size;
        double mean, variance;
        moments(from, size, &mean, &variance);
        double inverse = 1 / sqrt(variance + epsilon);
        for (int64_t k = 0; k < size; k++) {
            double value = ((double)from[k] - mean) * inverse * (double)tensor_f32(n->inputs[1])[k];
            ((float *)n->outputs[0]->owned)[r * size + k] =
                (float)(bias != NULL ? value + (double)tensor_f32(bias)[k] : value);
        }
        if (n->output_count > 1 && n->outputs[1] != NULL) {
            ((float *)n->outputs[1]->owned)[r] = (float)mean;
        }
        if (n->output_count > 2 && n->outputs[2] != NULL) {
            ((float *)n->outputs[2]->owned)[r] = (float)inverse;
        }
    }
    return status;
}

static kiln_status lower_layer_norm(lowering *l, node *n) {
    uint32_t axis;
    kiln_status status = layer_norm_axis(lower_graph(l), n, &axis);
    if (status != KILN_OK) {
        return status;
    }
    kiln_layer_norm_params params = {.axes = n->inputs[0]->rank - axis,
                                     .epsilon = node_float(n, "epsilon", 1e-5f)};
    uint32_t inputs[3] = {lower_input(l, n, 0), lower_input(l, n, 1), lower_input(l, n, 2)};
    uint32_t outputs[3] = {lower_output(l, n, 0), lower_output(l, n, 1), lower_output(l, n, 2)};
    return lower_step(l, n, KILN_KERNEL_LAYER_NORM, &params, sizeof params, 3, inputs,
                      n->output_count, outputs);
}

/* ---- LRN ----------------------------------------------------------------------------------- */

static kiln_status infer_lrn(graph *g, node *n) {
    int64_t size = node_int(n, "size", 0);
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK && (n->inputs[0]->rank < 3 || size < 1 || size > 65536)) {
        status = node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                           "rank %u, size %lld; supported: rank 3 to 8, size 1 to 65536",
                           n->inputs[0]->rank, (long long)size);
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status evaluate_lrn(graph *g, node *n) {
    (void)g;
    tensor *x = n->inputs[0];
    axis_span v = axis_span_of(x, 1);
    int64_t size = node_int(n, "size", 1), before = (size - 1) / 2, after = size / 2;
    double alpha = (double)node_float(n, "alpha", 1e-4f), bias = (double)node_float(n, "bias", 1);
    double beta = (double)node_float(n, "beta", 0.75f);
    const float *from = tensor_f32(x);
    for (int64_t k = 0; k < tensor_elements(x); k++) {
        int64_t c = k / v.inner % v.size;
        double sum = 0;
        for (int64_t o = c - before; o <= c + after; o++) {
            if (o >= 0 && o < v.size) {
                double value = (double)from[k + (o - c) * v.inner];
                sum += value * value;
            }
        }
        ((float *)n->outputs[0]->owned)[k] =
            (float)((double)from[k] / pow(bias + alpha / (double)size * sum, beta));
    }
    return KILN_OK;
}

static kiln_status lower_lrn(lowering *l, node *n) {
    kiln_lrn_params params = {.size = (uint32_t)node_int(n, "size", 1),
                              .alpha = node_float(n, "alpha", 1e-4f),
                              .beta = node_float(n, "beta", 0.75f),
                              .bias = node_float(n, "bias", 1.0f)};
    uint32_t x = lower_input(l, n, 0), y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_LRN, &params, sizeof params, 1, &x, 1, &y);
}

/* ---- LpNormalization ----------------------------------------------------------------------- */

static kiln_status read_lp(const graph *g, const node *n, uint32_t *out_axis) {
    int64_t p = node_int(n, "p", 2);
    if (p != 1 && p != 2) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "p=%lld; supported: 1 and 2", (long long)p);
    }
    return node_axis(g, n, node_int(n, "axis", -1), n->inputs[0]->rank, out_axis);
}

static kiln_status infer_lp(graph *g, node *n) {
    uint32_t axis;
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK) {
        status = read_lp(g, n, &axis);
    }
    if (status == KILN_OK) {
        status = refuse_batch(g, n, n->inputs[0], axis);
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status evaluate_lp(graph *g, node *n) {
    tensor *x = n->inputs[0];
    uint32_t axis;
    kiln_status status = read_lp(g, n, &axis);
    if (status != KILN_OK) {
        return status;
    }
    axis_span v = axis_span_of(x, axis);
    const float *from = tensor_f32(x);
    for (int64_t column = 0; column < v.outer * v.inner; column++) {
        int64_t start = column / v.inner * v.size * v.inner + column % v.inner;
        double norm = 0;
        for (int64_t k = 0; k < v.size; k++) {
            double value = (double)from[start + k * v.inner];
            norm += node_int(n, "p", 2) == 1 ? fabs(value) : value * value;
        }
        norm = node_int(n, "p", 2) == 1 ? norm : sqrt(norm);
        for (int64_t k = 0; k < v.size; k++) {
            int64_t at = start + k * v.inner;
            ((float *)n->outputs[0]->owned)[at] = norm > 0 ? (float)((double)from[at] / norm) : 0;
        }
    }
    return KILN_OK;
}

static kiln_status lower_lp(lowering *l, node *n) {
    uint32_t axis;
    kiln_status status = read_lp(lower_graph(l), n, &axis);
    if (status != KILN_OK) {
        return status;
    }
    kiln_lp_norm_params params = {.axis = physical_axis(n->inputs[0], axis),
                                  .p = (uint32_t)node_int(n, "p", 2)};
    uint32_t x = lower_input(l, n, 0), y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_LP_NORM, &params, sizeof params, 1, &x, 1, &y);
}

#define ROW(op_name, opset, least, most, outputs, constants, how, extra, suffix)                   \
    {                                                                                              \
        .name = op_name, .min_opset = opset, .min_inputs = least, .max_inputs = most,              \
        .min_outputs = 1, .max_outputs = outputs, .constant_inputs = constants, .layout = how,     \
        .flags = extra, .infer = infer_##suffix, .evaluate = evaluate_##suffix,                    \
        .lower = lower_##suffix                                                                    \
    }

const op ops_normalization[] = {
    ROW("BatchNormalization", 6, 5, 5, 5, 30, OP_CHANNELS_LAST, OP_CLAMPS, batch_norm),
    ROW("InstanceNormalization", 6, 3, 3, 1, 0, OP_CHANNELS_LAST, 0, instance_norm),
    ROW("LayerNormalization", 17, 2, 3, 3, 0, OP_ROW_MAJOR, 0, layer_norm),
    ROW("LRN", 1, 1, 1, 1, 0, OP_CHANNELS_LAST, 0, lrn),
    ROW("LpNormalization", 1, 1, 1, 1, 0, OP_ANY, 0, lp),
    {.name = NULL},
};
