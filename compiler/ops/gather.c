/* Gather along one axis. */
#include "compiler/ops/axes.h"
#include "compiler/ops/expand.h"
#include "compiler/ops/sample_rows.h"
#include "compiler/ops/support.h"

#include <string.h>

/* Along an open batch, do the indices of each sample stay in it, at the same places? */
static bool stays_in_samples(graph *g, const node *n, sample_rows *out) {
    const tensor *x = n->inputs[0];
    int64_t axis = node_int(n, "axis", 0), size = x->rank > 0 ? x->dims[0] / GRAPH_BATCH : 0;
    bool inside = (axis == 0 || axis == -(int64_t)x->rank) && tensor_is_batched(g, x) &&
                  find_sample_rows(g, n->inputs[1], out) && out->step == size;
    for (int64_t k = 0; inside && k < tensor_elements(&out->base); k++) {
        int64_t index = tensor_i64(&out->base)[k];
        inside = index >= 0 && index < size;
    }
    return inside;
}

static kiln_status infer_gather(graph *g, node *n) {
    const tensor *x = n->inputs[0], *indices = n->inputs[1];
    uint32_t axis, rank = 0;
    int64_t dims[2 * KILN_MAX_RANK];
    kiln_status status = require_dtype(g, n, 1, 1u << KILN_I64);
    if (status == KILN_OK) {
        status = node_axis(g, n, node_int(n, "axis", 0), x->rank, &axis);
    }
    sample_rows rows;
    if (status == KILN_OK && (x->rank == KILN_MAX_RANK || !stays_in_samples(g, n, &rows))) {
        status = refuse_batch(g, n, x, axis);
    }
    if (status != KILN_OK) {
        return status;
    }
    for (uint32_t k = 0; k < axis; k++) {
        dims[rank++] = x->dims[k];
    }
    for (uint32_t k = 0; k < indices->rank; k++) {
        dims[rank++] = indices->dims[k];
    }
    for (uint32_t k = axis + 1; k < x->rank; k++) {
        dims[rank++] = x->dims[k];
    }
    n->outputs[0]->dtype = x->dtype;
    return tensor_set_shape(g, n, n->outputs[0], rank, dims);
}

static kiln_status evaluate_gather(graph *g, node *n) {
    tensor *x = n->inputs[0];
    uint32_t axis;
    kiln_status status = node_axis(g, n, node_int(n, "axis", 0), x->rank, &axis);
    if (status != KILN_OK) {
        return status;
    }
    axis_span v = axis_span_of(x, axis);
    int64_t count = tensor_elements(n->inputs[1]);
    const int64_t *indices = tensor_i64(n->inputs[1]);
    const uint8_t *from = tensor_bytes(x);
    size_t bytes = (size_t)v.inner * kiln_dtype_size(x->dtype);
    for (int64_t k = 0; k < v.outer * count; k++) {
        int64_t index = indices[k % count];
        index += index < 0 ? v.size : 0;
        if (index < 0 || index >= v.size) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "index %lld of an axis of %lld",
                             (long long)indices[k % count], (long long)v.size);
        }
        memcpy((uint8_t *)n->outputs[0]->owned + (size_t)k * bytes,
               from + (size_t)(k / count * v.size + index) * bytes, bytes);
    }
    return KILN_OK;
}

static bool counts_up(const tensor *t) {
    for (int64_t k = 0; k < tensor_elements(t); k++) {
        if (tensor_i64(t)[k] != k) {
            return false;
        }
    }
    return true;
}

/* Along the batch: within each sample, whose elements may all stay where they are. */
static kiln_status expand_gather(expansion *e, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    sample_rows rows;
    if (!stays_in_samples(e->g, n, &rows)) {
        return KILN_OK;
    }
    if (counts_up(&rows.base) && tensor_elements(&rows.base) * GRAPH_BATCH == x->dims[0]) {
        expand_result(e, 0, expand_reshape(e, x, y->rank, y->dims));
        return KILN_OK;
    }
    int64_t dims[KILN_MAX_RANK] = {GRAPH_BATCH, x->dims[0] / GRAPH_BATCH};
    memcpy(dims + 2, x->dims + 1, (x->rank - 1) * sizeof *dims);
    const attribute along = {.name = "axis", .type = ATTRIBUTE_INT, .i = 1};
    tensor *indices = expand_constant(e, KILN_I64, rows.base.rank - 1, rows.base.dims + 1);
    if (indices != NULL) {
        memcpy(indices->owned, rows.base.data, (size_t)tensor_elements(indices) * sizeof(int64_t));
    }
    tensor *inputs[2] = {expand_reshape(e, x, x->rank + 1, dims), indices};
    expand_result(e, 0, expand_apply(e, "Gather", 2, inputs, &along));
    return KILN_OK;
}

/* One constant index is a slice, and needs no copy where a slice needs none. */
static kiln_status lower_single(lowering *l, node *n, uint32_t axis) {
    tensor *x = n->inputs[0];
    int64_t by_axis[KILN_MAX_RANK], strides[KILN_MAX_RANK], index = tensor_i64(n->inputs[1])[0];
    index += index < 0 ? x->dims[axis] : 0;
    if (index < 0 || index >= x->dims[axis]) {
        return node_fail(lower_graph(l), n, KILN_ERROR_FORMAT, "index %lld of an axis of %lld",
                         (long long)index, (long long)x->dims[axis]);
    }
    uint32_t gathered = n->inputs[1]->rank;
    physical_strides(l, x, by_axis);
    for (uint32_t k = 0; k < n->outputs[0]->rank; k++) {
        bool inside = k >= axis && k < axis + gathered;
        strides[k] = k < axis ? by_axis[k] : inside ? 0 : by_axis[k - gathered + 1];
    }
    return lower_by_axes(l, n, x, n->outputs[0], strides, index * by_axis[axis]);
}

static kiln_status lower_gather(lowering *l, node *n) {
    uint32_t axis;
    kiln_status status =
        node_axis(lower_graph(l), n, node_int(n, "axis", 0), n->inputs[0]->rank, &axis);
    if (status != KILN_OK) {
        return status;
    }
    if (tensor_is_constant(n->inputs[1]) && tensor_elements(n->inputs[1]) == 1) {
        return lower_single(l, n, axis);
    }
    kiln_gather_params params = {.axis = axis};
    uint32_t inputs[2] = {lower_input(l, n, 0), lower_input(l, n, 1)}, y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_GATHER, &params, sizeof params, 2, inputs, 1, &y);
}

const op ops_gather[] = {
    {"Gather", 1, OP_INPUTS(2, 2), OP_OUTPUTS(1, 1), .layout = OP_ROW_MAJOR, .infer = infer_gather,
     .evaluate = evaluate_gather, .lower = lower_gather, .expand = expand_gather},
    {.name = NULL},
};
