/* OneHot, Hardmax: one element of each column is chosen by its position. */
#include "compiler/ops/axes.h"
#include "compiler/ops/expand.h"
#include "compiler/ops/support.h"

#include <string.h>

/* ---- OneHot -------------------------------------------------------------------------------- */

static kiln_status read_depth(const graph *g, const node *n, int64_t *out_depth) {
    tensor *t = n->inputs[1];
    if (tensor_elements(t) != 1 || !tensor_is_constant(t)) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "a depth that is no known number");
    }
    *out_depth = t->dtype == KILN_F32 ? integer_of_float(tensor_f32_at(t, 0)) : tensor_i64(t)[0];
    if (*out_depth < 1 || *out_depth > INT32_MAX) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "depth %lld", (long long)*out_depth);
    }
    return refuse_batch_values(g, n, 1);
}

static kiln_status infer_one_hot(graph *g, node *n) {
    const tensor *indices = n->inputs[0];
    int64_t dims[KILN_MAX_RANK + 1], depth = 0;
    uint32_t axis = 0, rank = indices->rank + 1;
    kiln_status status = require_dtype(g, n, 0, MASK_NUMBERS);
    if (status == KILN_OK) {
        status = require_dtype(g, n, 1, MASK_NUMBERS);
    }
    if (status == KILN_OK) {
        status = read_depth(g, n, &depth);
    }
    if (status == KILN_OK) {
        status = node_axis(g, n, node_int(n, "axis", -1), rank, &axis);
    }
    if (status == KILN_OK && tensor_elements(n->inputs[2]) != 2) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "values are not two");
    }
    if (status == KILN_OK && axis == 0) {
        status = refuse_batch(g, n, indices, 0);
    }
    if (status != KILN_OK) {
        return status;
    }
    for (uint32_t k = 0; k < rank; k++) {
        dims[k] = k == axis ? depth : indices->dims[k < axis ? k : k - 1];
    }
    n->outputs[0]->dtype = n->inputs[2]->dtype;
    return tensor_set_shape(g, n, n->outputs[0], rank, dims);
}

/* Negative ones count from the end; -1: none of the column. */
static int64_t hot_index(tensor *indices, int64_t k, int64_t depth) {
    int64_t index = indices->dtype == KILN_F32 ? integer_of_float(tensor_f32(indices)[k])
                                               : tensor_i64(indices)[k];
    index += index < 0 && index >= -depth ? depth : 0;
    return index < depth ? index : -1;
}

static kiln_status evaluate_one_hot(graph *g, node *n) {
    tensor *y = n->outputs[0], *values = n->inputs[2];
    size_t size = kiln_dtype_size(y->dtype);
    uint32_t axis;
    kiln_status status = node_axis(g, n, node_int(n, "axis", -1), y->rank, &axis);
    if (status != KILN_OK) {
        return status;
    }
    axis_span v = axis_span_of(y, axis);
    for (int64_t k = 0; k < tensor_elements(y); k++) {
        int64_t column = k / (v.size * v.inner) * v.inner + k % v.inner;
        bool hot = hot_index(n->inputs[0], column, v.size) == k / v.inner % v.size;
        memcpy((uint8_t *)y->owned + (size_t)k * size, tensor_bytes(values) + (hot ? size : 0),
               size);
    }
    return KILN_OK;
}

/* values[1] where the index, brought into the range if negative, is the position; else values[0].
 * An index outside the range meets no position. */
static kiln_status expand_one_hot(expansion *e, node *n) {
    const tensor *y = n->outputs[0];
    int64_t dims[KILN_MAX_RANK];
    uint32_t axis;
    kiln_status status = node_axis(e->g, n, node_int(n, "axis", -1), y->rank, &axis);
    if (status != KILN_OK) {
        return status;
    }
    memcpy(dims, y->dims, sizeof dims);
    dims[axis] = 1;
    tensor *indices = expand_reshape(e, expand_cast(e, n->inputs[0], KILN_I64), y->rank, dims);
    tensor *depth = expand_number(e, KILN_I64, (double)y->dims[axis]);
    tensor *negative = expand_binary(e, "Less", indices, expand_number(e, KILN_I64, 0));
    indices = expand_where(e, negative, expand_binary(e, "Add", indices, depth), indices);
    tensor *positions = expand_range(e, y->rank, axis, y->dims[axis]);
    tensor *hot = expand_binary(e, "Equal", indices, positions);
    tensor *inputs[2] = {n->inputs[2], expand_cast(e, hot, KILN_I64)};
    expand_result(e, 0, expand_apply(e, "Gather", 2, inputs, NULL));
    return KILN_OK;
}

/* ---- Hardmax ------------------------------------------------------------------------------- */

/* Until opset 12 over all axes from `axis` on, flattened. The input seen as a column an axis. */
static kiln_status hardmax_span(const graph *g, const node *n, axis_span *out) {
    const tensor *x = n->inputs[0];
    bool flat = g->opset < 13;
    uint32_t axis;
    kiln_status status = node_axis(g, n, node_int(n, "axis", flat ? 1 : -1), x->rank, &axis);
    if (status == KILN_OK) {
        status = refuse_batch(g, n, x, axis);
    }
    if (status == KILN_OK) {
        *out = axis_span_of(x, axis);
        out->size *= flat ? out->inner : 1;
        out->inner = flat ? 1 : out->inner;
    }
    return status;
}

static kiln_status infer_hardmax(graph *g, node *n) {
    axis_span v;
    kiln_status status = require_dtype(g, n, 0, MASK_F32);
    if (status == KILN_OK) {
        status = hardmax_span(g, n, &v);
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status evaluate_hardmax(graph *g, node *n) {
    const float *x = tensor_f32(n->inputs[0]);
    axis_span v;
    kiln_status status = hardmax_span(g, n, &v);
    for (int64_t column = 0; status == KILN_OK && column < v.outer * v.inner; column++) {
        int64_t start = column / v.inner * v.size * v.inner + column % v.inner, best = 0;
        for (int64_t k = 1; k < v.size; k++) {
            best = x[start + k * v.inner] > x[start + best * v.inner] ? k : best;
        }
        ((float *)n->outputs[0]->owned)[start + best * v.inner] = 1;
    }
    return status;
}

static kiln_status expand_hardmax(expansion *e, node *n) {
    tensor *x = n->inputs[0];
    const attribute along = {.name = "axis", .type = ATTRIBUTE_INT, .i = 1};
    axis_span v;
    kiln_status status = hardmax_span(e->g, n, &v);
    if (status != KILN_OK) {
        return status;
    }
    int64_t dims[3] = {v.outer, v.size, v.inner};
    tensor *columns = expand_reshape(e, x, 3, dims);
    tensor *best = expand_apply(e, "ArgMax", 1, &columns, &along);
    tensor *hot = expand_binary(e, "Equal", best, expand_range(e, 3, 1, v.size));
    expand_result(e, 0, expand_reshape(e, expand_cast(e, hot, KILN_F32), x->rank, x->dims));
    return KILN_OK;
}

const op ops_one_hot[] = {
    {"OneHot", 9, OP_INPUTS(3, 3), OP_OUTPUTS(1, 1), .constant_inputs = 2, .infer = infer_one_hot,
     .evaluate = evaluate_one_hot, .expand = expand_one_hot},
    {"Hardmax", 1, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .infer = infer_hardmax,
     .evaluate = evaluate_hardmax, .expand = expand_hardmax},
    {.name = NULL},
};
