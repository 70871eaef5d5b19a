/* InstanceNormalization, LayerNormalization, RMSNormalization, LRN, LpNormalization. */
#include "compiler/ops/axes.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* RMSNormalization is LayerNormalization about zero. */
static bool is_about_zero(const node *n) {
    return strcmp(n->op->name, "RMSNormalization") == 0;
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
        if (is_about_zero(n)) {
            variance += mean * mean;
            mean = 0;
        }
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
    return is_about_zero(n) ? lower_step(l, n, KILN_KERNEL_RMS_NORM, &params, sizeof params, 2,
                                         inputs, 1, outputs)
                            : lower_step(l, n, KILN_KERNEL_LAYER_NORM, &params, sizeof params, 3,
                                         inputs, n->output_count, outputs);
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
    int64_t size = node_int(n, "size", 1), before = (size - 1) / 2;
    double alpha = (double)node_float(n, "alpha", 1e-4f), bias = (double)node_float(n, "bias", 1);
    double beta = (double)node_float(n, "beta", 0.75f);
    const float *from = tensor_f32(x);
    for (int64_t k = 0; k < tensor_elements(x); k++) {
        int64_t c = k / v.inner % v.size, begin, end;
        double sum = 0;
        window_inside(c - before, 1, size, v.size, &begin, &end);
        for (int64_t tap = begin; tap < end; tap++) {
            double value = (double)from[k + (tap - before) * v.inner];
            sum += value * value;
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
            ((float *)n->outputs[0]->owned)[at] = norm == 0 ? 0 : (float)((double)from[at] / norm);
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
    ROW("InstanceNormalization", 6, 3, 3, 1, 0, OP_CHANNELS_LAST, 0, instance_norm),
    ROW("LayerNormalization", 17, 2, 3, 3, 0, OP_ROW_MAJOR, 0, layer_norm),
    ROW("RMSNormalization", 23, 2, 2, 1, 0, OP_ROW_MAJOR, 0, layer_norm),
    ROW("LRN", 1, 1, 1, 1, 0, OP_CHANNELS_LAST, 0, lrn),
    ROW("LpNormalization", 1, 1, 1, 1, 0, OP_ANY, 0, lp),
    {.name = NULL},
};
