/* Softmax and LogSoftmax. Until opset 12 they ran over all axes from `axis` on, flattened. */
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

/* The axes [first, last) that are normalised together. */
static kiln_status read_axes(const graph *g, const node *n, uint32_t *out_first,
                             uint32_t *out_last) {
    uint32_t rank = n->inputs[0]->rank;
    bool flat = g->opset < 13;
    int64_t axis = node_int(n, "axis", flat ? 1 : -1);
    if (flat && axis == (int64_t)rank) {
        *out_first = *out_last = rank; /* an empty product: every element alone */
        return KILN_OK;
    }
    kiln_status status = node_axis(g, n, axis, rank, out_first);
    *out_last = flat ? rank : *out_first + 1;
    return status;
}

static kiln_status infer_softmax(graph *g, node *n) {
    uint32_t first, last;
    kiln_status status = require_dtype(g, n, 0, MASK_F32);
    if (status == KILN_OK) {
        status = read_axes(g, n, &first, &last);
    }
    if (status == KILN_OK && first < last) {
        status = refuse_batch(g, n, n->inputs[0], first);
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status evaluate_softmax(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    const float *from = tensor_f32(n->inputs[0]);
    float *to = n->outputs[0]->owned;
    bool logarithm = strcmp(n->op->name, "LogSoftmax") == 0;
    uint32_t first, last;
    kiln_status status = read_axes(g, n, &first, &last);
    int64_t size = 1, inner = 1;
    for (uint32_t k = first; k < x->rank && status == KILN_OK; k++) {
        size *= k < last ? x->dims[k] : 1;
        inner *= k >= last ? x->dims[k] : 1;
    }
    for (int64_t column = 0; status == KILN_OK && column < tensor_elements(x) / size; column++) {
        int64_t start = column / inner * size * inner + column % inner;
        double maximum = -INFINITY, sum = 0;
        for (int64_t k = 0; k < size; k++) {
            double value = from[start + k * inner];
            maximum = value > maximum ? value : maximum; /* fmax: gcc 12 crashes for aarch64 */
        }
        for (int64_t k = 0; k < size; k++) {
            sum += exp((double)from[start + k * inner] - maximum);
        }
        for (int64_t k = 0; k < size; k++) {
            double shifted = (double)from[start + k * inner] - maximum;
            to[start + k * inner] = (float)(logarithm ? shifted - log(sum) : exp(shifted) / sum);
        }
    }
    return status;
}

static kiln_status emit(lowering *l, node *n, uint32_t axis, uint32_t x, uint32_t y) {
    kiln_softmax_params params = {.axis = axis, .log = strcmp(n->op->name, "LogSoftmax") == 0};
    return lower_step(l, n, KILN_KERNEL_SOFTMAX, &params, sizeof params, 1, &x, 1, &y);
}

/* Several axes at once: row-major copies, seen as a matrix. */
static kiln_status lower_flat(lowering *l, node *n, uint32_t first) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t dims[2] = {1, 1}, by_axis[KILN_MAX_RANK];
    for (uint32_t k = 0; k < x->rank; k++) {
        dims[k < first ? 0 : 1] *= x->dims[k];
    }
    uint32_t from = lower_tensor(l, x), to = lower_tensor(l, y);
    bool moves = x->layout == KILN_CHANNELS_LAST;
    if (moves) {
        uint32_t copy = lower_temporary(l, KILN_F32, x->rank, x->dims, KILN_ROW_MAJOR);
        physical_strides(l, x, by_axis);
        if (copy == KILN_PLAN_NONE || lower_copy(l, n, from, copy, by_axis, 0) != KILN_OK) {
            return lower_status(l);
        }
        from = copy;
    }
    uint32_t result = moves ? lower_temporary(l, KILN_F32, x->rank, x->dims, KILN_ROW_MAJOR) : to;
    kiln_status status =
        emit(l, n, 1, lower_reshaped(l, from, 2, dims), lower_reshaped(l, result, 2, dims));
    if (status != KILN_OK || !moves) {
        return status;
    }
    int64_t dense[KILN_MAX_RANK], strides[KILN_MAX_RANK], stride = 1;
    for (uint32_t k = y->rank; k-- > 0;) {
        dense[k] = stride;
        stride *= k == 0 ? sample_dim(l, y->dims[k]) : y->dims[k];
    }
    for (uint32_t position = 0; position < y->rank; position++) {
        strides[position] = dense[logical_axis(y, position)];
    }
    return lower_copy(l, n, result, to, strides, 0);
}

static kiln_status lower_softmax(lowering *l, node *n) {
    tensor *x = n->inputs[0];
    uint32_t first, last, wide = 0, axis = 0;
    kiln_status status = read_axes(lower_graph(l), n, &first, &last);
    if (status != KILN_OK) {
        return status;
    }
    axis = first < x->rank ? first : x->rank - 1;
    for (uint32_t k = first; k < last; k++) {
        if (x->dims[k] != 1) {
            wide++;
            axis = k;
        }
    }
    if (wide <= 1 && x->rank > 0 && first < x->rank) {
        return emit(l, n, physical_axis(x, axis), lower_tensor(l, x), lower_output(l, n, 0));
    }
    return lower_flat(l, n, first);
}

#define ROW(op_name)                                                                               \
    {                                                                                              \
        .name = op_name, .min_opset = 1, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1,       \
        .max_outputs = 1, .layout = OP_ANY, .infer = infer_softmax, .evaluate = evaluate_softmax,  \
        .lower = lower_softmax                                                                     \
    }

const op ops_softmax[] = {
    ROW("Softmax"),
    ROW("LogSoftmax"),
    {.name = NULL},
};
