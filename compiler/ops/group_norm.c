/* GroupNormalization, MeanVarianceNormalization: said in other operators; and GroupNorm (ours). */
#include "compiler/ops/expand.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- GroupNormalization -------------------------------------------------------------------- */

/* Until opset 20 scale and bias were given for each group, since then for each channel. */
static int64_t scales_of(const graph *g, const node *n) {
    return g->opset < 21 ? node_int(n, "num_groups", 0) : n->inputs[0]->dims[1];
}

static kiln_status infer_group_norm(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    int64_t groups = node_int(n, "num_groups", 0);
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK && (x->rank < 2 || groups < 1 || x->dims[1] % groups != 0)) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "the channels are not %lld groups of one size",
                           (long long)groups);
    }
    for (size_t k = 1; k < 3 && status == KILN_OK; k++) {
        if (tensor_elements(n->inputs[k]) != scales_of(g, n)) {
            status =
                node_fail(g, n, KILN_ERROR_FORMAT, "input %zu has %lld elements, not %lld", k,
                          (long long)tensor_elements(n->inputs[k]), (long long)scales_of(g, n));
        }
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

/* Scale and bias are the groups', or the channels'. */
static void normalize_groups(const node *n, int64_t groups, bool by_group) {
    tensor *x = n->inputs[0];
    int64_t channels = x->dims[1], size = tensor_elements(x) / (x->dims[0] * groups);
    int64_t pixels = size / (channels / groups);
    double epsilon = (double)node_float(n, "epsilon", 1e-5f);
    for (int64_t k = 0; k < x->dims[0] * groups; k++) {
        const float *from = tensor_f32(x) + k * size;
        double mean, variance;
        moments(from, size, &mean, &variance);
        for (int64_t i = 0; i < size; i++) {
            int64_t group = k % groups, channel = group * (channels / groups) + i / pixels;
            int64_t at = by_group ? group : channel;
            double normal = ((double)from[i] - mean) / sqrt(variance + epsilon);
            ((float *)n->outputs[0]->owned)[k * size + i] =
                (float)(normal * (double)tensor_f32(n->inputs[1])[at] +
                        (double)tensor_f32(n->inputs[2])[at]);
        }
    }
}

static kiln_status evaluate_group_norm(graph *g, node *n) {
    normalize_groups(n, node_int(n, "num_groups", 0), g->opset < 21);
    return KILN_OK;
}

/* A value a channel, to broadcast with x. */
static tensor *by_channel(expansion *e, tensor *t, uint32_t rank) {
    int64_t dims[KILN_MAX_RANK];
    for (uint32_t k = 0; k + 1 < rank; k++) {
        dims[k] = k == 0 ? tensor_elements(t) : 1;
    }
    return expand_reshape(e, t, rank - 1, dims);
}

/* An InstanceNormalization of groups for channels. */
static kiln_status expand_group_norm(expansion *e, node *n) {
    tensor *x = n->inputs[0];
    int64_t groups = node_int(n, "num_groups", 0);
    int64_t dims[3] = {x->dims[0], groups, tensor_elements(x) / x->dims[0] / groups};
    const attribute epsilon = {
        .name = "epsilon", .type = ATTRIBUTE_FLOAT, .f = node_float(n, "epsilon", 1e-5f)};
    bool grouped = scales_of(e->g, n) == groups;
    tensor *one = expand_constant(e, KILN_F32, 1, &groups);
    tensor *zero = expand_constant(e, KILN_F32, 1, &groups);
    for (int64_t k = 0; k < groups && one != NULL; k++) {
        ((float *)one->owned)[k] = 1;
    }
    tensor *inputs[3] = {expand_reshape(e, x, 3, dims), grouped ? n->inputs[1] : one,
                         grouped ? n->inputs[2] : zero};
    tensor *y = expand_apply(e, "InstanceNormalization", 3, inputs, &epsilon);
    y = expand_reshape(e, y, x->rank, x->dims);
    if (!grouped) {
        y = expand_binary(e, "Mul", y, by_channel(e, n->inputs[1], x->rank));
        y = expand_binary(e, "Add", y, by_channel(e, n->inputs[2], x->rank));
    }
    expand_result(e, 0, y);
    return KILN_OK;
}

/* ---- GroupNorm ----------------------------------------------------------------------------- */

/* What pass_fuse_group_norm makes: scale and bias are the channels' own, in every opset. */
static kiln_status infer_channel_groups(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    int64_t groups = node_int(n, "groups", 0);
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK) {
        status = require_channel_values(g, n, 2);
    }
    if (status == KILN_OK && (x->rank < 3 || groups < 1 || x->dims[1] % groups != 0)) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "the channels are not %lld groups of one size",
                           (long long)groups);
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status evaluate_channel_groups(graph *g, node *n) {
    (void)g;
    normalize_groups(n, node_int(n, "groups", 1), false);
    return KILN_OK;
}

static kiln_status lower_channel_groups(lowering *l, node *n) {
    int64_t channels = n->inputs[0]->dims[1];
    kiln_group_norm_params params = {.epsilon = node_float(n, "epsilon", 1e-5f),
                                     .group_channels =
                                         (uint32_t)(channels / node_int(n, "groups", 1))};
    uint32_t inputs[3] = {lower_input(l, n, 0), lower_input(l, n, 1), lower_input(l, n, 2)};
    uint32_t y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_GROUP_NORM, &params, sizeof params, 3, inputs, 1, &y);
}

/* ---- MeanVarianceNormalization ------------------------------------------------------------- */

static kiln_status read_axes(const graph *g, const node *n, bool reduced[KILN_MAX_RANK]) {
    int64_t axes[KILN_MAX_RANK] = {0, 2, 3};
    int count = node_ints(n, "axes", axes, KILN_MAX_RANK);
    count = count < 0 ? 3 : count;
    memset(reduced, 0, KILN_MAX_RANK * sizeof *reduced);
    for (int k = 0; k < count; k++) {
        uint32_t axis;
        kiln_status status = node_axis(g, n, axes[k], n->inputs[0]->rank, &axis);
        if (status != KILN_OK) {
            return status;
        }
        reduced[axis] = true;
    }
    return KILN_OK;
}

static kiln_status infer_mvn(graph *g, node *n) {
    bool reduced[KILN_MAX_RANK];
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK) {
        status = read_axes(g, n, reduced);
    }
    if (status == KILN_OK && reduced[0]) {
        status = refuse_batch(g, n, n->inputs[0], 0);
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

/* The first element of the set that is normalised together with element k. */
static int64_t set_of(const tensor *x, const bool reduced[KILN_MAX_RANK], int64_t k) {
    int64_t index[KILN_MAX_RANK], strides[KILN_MAX_RANK];
    index_of(x, k, index);
    dense_strides(x->rank, x->dims, strides);
    for (uint32_t d = 0; d < x->rank; d++) {
        index[d] = reduced[d] ? 0 : index[d];
    }
    return dot_index(x->rank, index, strides);
}

static kiln_status evaluate_mvn(graph *g, node *n) {
    tensor *x = n->inputs[0];
    bool reduced[KILN_MAX_RANK];
    int64_t elements = tensor_elements(x), size = 1;
    kiln_status status = read_axes(g, n, reduced);
    double *sums = status == KILN_OK ? calloc((size_t)elements * 2, sizeof *sums) : NULL;
    if (sums == NULL) {
        return status == KILN_OK ? graph_fail(g, KILN_ERROR_MEMORY, "out of memory") : status;
    }
    for (uint32_t d = 0; d < x->rank; d++) {
        size *= reduced[d] ? x->dims[d] : 1;
    }
    double *squares = sums + elements;
    const float *from = tensor_f32(x);
    for (int64_t k = 0; k < elements; k++) {
        sums[set_of(x, reduced, k)] += (double)from[k] / (double)size;
    }
    for (int64_t k = 0; k < elements; k++) {
        double shifted = (double)from[k] - sums[set_of(x, reduced, k)];
        squares[set_of(x, reduced, k)] += shifted * shifted / (double)size;
    }
    for (int64_t k = 0; k < elements; k++) {
        int64_t set = set_of(x, reduced, k);
        double deviation = sqrt(squares[set]) + 1e-9;
        ((float *)n->outputs[0]->owned)[k] = (float)(((double)from[k] - sums[set]) / deviation);
    }
    free(sums);
    return KILN_OK;
}

static kiln_status expand_mvn(expansion *e, node *n) {
    bool reduced[KILN_MAX_RANK];
    int64_t axes[KILN_MAX_RANK];
    attribute along = {.name = "axes", .type = ATTRIBUTE_INTS, .ints = axes};
    kiln_status status = read_axes(e->g, n, reduced);
    for (uint32_t d = 0; d < n->inputs[0]->rank && status == KILN_OK; d++) {
        if (reduced[d]) {
            axes[along.count++] = d;
        }
    }
    along.ints = graph_allocate(e->g, sizeof axes);
    if (status != KILN_OK || along.ints == NULL) {
        return status != KILN_OK ? status : KILN_ERROR_MEMORY;
    }
    memcpy(along.ints, axes, along.count * sizeof *axes);
    tensor *mean = expand_apply(e, "ReduceMean", 1, n->inputs, &along);
    tensor *shifted = expand_binary(e, "Sub", n->inputs[0], mean);
    tensor *squares = expand_binary(e, "Mul", shifted, shifted);
    tensor *variance = expand_apply(e, "ReduceMean", 1, &squares, &along);
    tensor *deviation = expand_unary(e, "Sqrt", variance);
    deviation = expand_binary(e, "Add", deviation, expand_number(e, KILN_F32, 1e-9));
    expand_result(e, 0, expand_binary(e, "Div", shifted, deviation));
    return KILN_OK;
}

const op ops_group_norm[] = {
    {"GroupNormalization", 18, OP_INPUTS(3, 3), OP_OUTPUTS(1, 1), .infer = infer_group_norm,
     .evaluate = evaluate_group_norm, .expand = expand_group_norm},
    {"GroupNorm", 1, OP_INPUTS(3, 3), OP_OUTPUTS(1, 1), .layout = OP_CHANNELS_LAST,
     .flags = OP_NOT_ONNX, .infer = infer_channel_groups, .evaluate = evaluate_channel_groups,
     .lower = lower_channel_groups},
    {"MeanVarianceNormalization", 9, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .infer = infer_mvn,
     .evaluate = evaluate_mvn, .expand = expand_mvn},
    {.name = NULL},
};
