/* GatherElements, GatherND, ScatterElements (and Scatter), ScatterND: elements by their indices. */
#include "compiler/ops/expand.h"
#include "compiler/ops/scalar.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

/* An index from the end, when negative. Outside, there is an error: a run reads the nearest element
 * or writes nothing (plan_format.h). */
static kiln_status resolve(const graph *g, const node *n, int64_t index, int64_t size,
                           int64_t *out) {
    *out = index < 0 ? index + size : index;
    return *out >= 0 && *out < size
               ? KILN_OK
               : node_fail(g, n, KILN_ERROR_FORMAT, "index %lld of an axis of %lld",
                           (long long)index, (long long)size);
}

/* ---- Along an axis ------------------------------------------------------------------------- */

/* The indices have the rank of x, and no dim larger than its own but along the axis. */
static kiln_status require_indices_along(graph *g, node *n, uint32_t *out_axis) {
    const tensor *x = n->inputs[0], *indices = n->inputs[1];
    kiln_status status = require_dtype(g, n, 1, 1u << KILN_I64);
    if (status == KILN_OK) {
        status = node_axis(g, n, node_int(n, "axis", 0), x->rank, out_axis);
    }
    if (status == KILN_OK) {
        status = refuse_batch(g, n, x, *out_axis);
    }
    if (status != KILN_OK) {
        return status;
    }
    bool fits = indices->rank == x->rank;
    for (uint32_t d = 0; fits && d < x->rank; d++) {
        fits = d == *out_axis || indices->dims[d] <= x->dims[d];
    }
    if (!fits) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "indices of a shape that the input has not");
    }
    return tensor_is_batched(g, x) == tensor_is_batched(g, indices) &&
                   (!tensor_is_batched(g, x) || x->dims[0] == indices->dims[0])
               ? KILN_OK
               : node_fail(g, n, KILN_ERROR_UNSUPPORTED, "indexes a part of the batch");
}

/* Where element k of the indices lies in x. */
static kiln_status element_along(const graph *g, const node *n, uint32_t axis, int64_t k,
                                 int64_t *out_at) {
    const tensor *x = n->inputs[0], *indices = n->inputs[1];
    int64_t index[KILN_MAX_RANK], strides[KILN_MAX_RANK];
    index_of(indices, k, index);
    dense_strides(x->rank, x->dims, strides);
    kiln_status status = resolve(g, n, tensor_i64(indices)[k], x->dims[axis], &index[axis]);
    *out_at = dot_index(x->rank, index, strides);
    return status;
}

static kiln_status infer_gather_elements(graph *g, node *n) {
    uint32_t axis;
    kiln_status status = require_indices_along(g, n, &axis);
    n->outputs[0]->dtype = n->inputs[0]->dtype;
    return status == KILN_OK
               ? tensor_set_shape(g, n, n->outputs[0], n->inputs[1]->rank, n->inputs[1]->dims)
               : status;
}

static kiln_status evaluate_gather_elements(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    size_t size = kiln_dtype_size(x->dtype);
    uint32_t axis;
    kiln_status status = node_axis(g, n, node_int(n, "axis", 0), x->rank, &axis);
    for (int64_t k = 0; k < tensor_elements(n->inputs[1]) && status == KILN_OK; k++) {
        int64_t at;
        status = element_along(g, n, axis, k, &at);
        if (status == KILN_OK) {
            memcpy((uint8_t *)n->outputs[0]->owned + (size_t)k * size,
                   tensor_bytes(x) + (size_t)at * size, size);
        }
    }
    return status;
}

static kiln_status lower_gather_elements(lowering *l, node *n) {
    uint32_t axis;
    kiln_status status =
        node_axis(lower_graph(l), n, node_int(n, "axis", 0), n->inputs[0]->rank, &axis);
    kiln_gather_params params = {.axis = axis};
    uint32_t inputs[2] = {lower_input(l, n, 0), lower_input(l, n, 1)}, y = lower_output(l, n, 0);
    return status == KILN_OK ? lower_step(l, n, KILN_KERNEL_GATHER_ELEMENTS, &params, sizeof params,
                                          2, inputs, 1, &y)
                             : status;
}

/* ---- Tuples of indices --------------------------------------------------------------------- */

typedef struct tuples {
    int64_t length, count; /* of one; how many */
    int64_t slice;         /* elements that one addresses */
    uint32_t leading;      /* dims before those addressed */
} tuples;

static kiln_status read_tuples(const graph *g, const node *n, tuples *out) {
    const tensor *x = n->inputs[0], *indices = n->inputs[1];
    int64_t leading = node_int(n, "batch_dims", 0);
    if (indices->rank < 1 || leading < 0 || leading >= indices->rank || leading > x->rank ||
        indices->dims[indices->rank - 1] < 1 ||
        indices->dims[indices->rank - 1] > (int64_t)x->rank - leading) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "indices of a shape that the input has not");
    }
    *out = (tuples){.length = indices->dims[indices->rank - 1],
                    .count = tensor_elements(indices) / indices->dims[indices->rank - 1],
                    .slice = 1,
                    .leading = (uint32_t)leading};
    for (uint32_t d = 0; d < x->rank; d++) {
        if (d < out->leading && x->dims[d] != indices->dims[d]) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "indices for another dimension %u", d);
        }
        out->slice *= d >= out->leading + out->length ? x->dims[d] : 1;
    }
    return KILN_OK;
}

/* The indices' dims but the last, then those of a slice. */
static uint32_t tuple_dims(const node *n, const tuples *t, int64_t dims[2 * KILN_MAX_RANK]) {
    const tensor *x = n->inputs[0], *indices = n->inputs[1];
    uint32_t rank = 0;
    for (uint32_t d = 0; d + 1 < indices->rank; d++) {
        dims[rank++] = indices->dims[d];
    }
    for (uint32_t d = t->leading + (uint32_t)t->length; d < x->rank; d++) {
        dims[rank++] = x->dims[d];
    }
    return rank;
}

/* Where the slice begins that tuple k addresses. */
static kiln_status slice_of(const graph *g, const node *n, const tuples *t, int64_t k,
                            int64_t *out_at) {
    const tensor *x = n->inputs[0];
    int64_t sets = 1, at = 0;
    for (uint32_t d = 0; d < t->leading; d++) {
        sets *= x->dims[d];
    }
    at = k / (t->count / sets);
    for (int64_t d = 0; d < t->length; d++) {
        int64_t size = x->dims[t->leading + d], index;
        kiln_status status =
            resolve(g, n, tensor_i64(n->inputs[1])[k * t->length + d], size, &index);
        if (status != KILN_OK) {
            return status;
        }
        at = at * size + index;
    }
    *out_at = at * t->slice;
    return KILN_OK;
}

static kiln_status infer_gather_nd(graph *g, node *n) {
    int64_t dims[2 * KILN_MAX_RANK];
    tuples t;
    kiln_status status = require_dtype(g, n, 1, 1u << KILN_I64);
    if (status == KILN_OK) {
        status = read_tuples(g, n, &t);
    }
    if (status == KILN_OK && t.leading == 0) {
        status = refuse_batch(g, n, n->inputs[0], 0);
    }
    if (status != KILN_OK) {
        return status;
    }
    n->outputs[0]->dtype = n->inputs[0]->dtype;
    return tensor_set_shape(g, n, n->outputs[0], tuple_dims(n, &t, dims), dims);
}

static kiln_status evaluate_gather_nd(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    tuples t;
    kiln_status status = read_tuples(g, n, &t);
    for (int64_t k = 0; status == KILN_OK && k < t.count; k++) {
        size_t bytes = (size_t)t.slice * kiln_dtype_size(x->dtype);
        int64_t at;
        status = slice_of(g, n, &t, k, &at);
        if (status == KILN_OK) {
            memcpy((uint8_t *)n->outputs[0]->owned + (size_t)k * bytes,
                   tensor_bytes(x) + (size_t)at * kiln_dtype_size(x->dtype), bytes);
        }
    }
    return status;
}

static kiln_status lower_gather_nd(lowering *l, node *n) {
    kiln_gather_nd_params params = {.batch_dims = (uint32_t)node_int(n, "batch_dims", 0)};
    uint32_t inputs[2] = {lower_input(l, n, 0), lower_input(l, n, 1)}, y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_GATHER_ND, &params, sizeof params, 2, inputs, 1, &y);
}

/* ---- Scatter ------------------------------------------------------------------------------- */

static const char *const reductions[KILN_SCATTER_COUNT] = {"none", "add", "mul", "max", "min"};

static kiln_status read_reduction(const graph *g, const node *n, uint32_t *out) {
    const char *name = node_string(n, "reduction", "none");
    for (*out = 0; *out < KILN_SCATTER_COUNT; ++*out) {
        if (strcmp(reductions[*out], name) == 0) {
            return *out == KILN_SCATTER_SET ? KILN_OK : require_dtype(g, n, 0, MASK_NUMBERS);
        }
    }
    return node_fail(g, n, KILN_ERROR_FORMAT, "the reduction '%.20s'", name);
}

/* Updates have the type of the data, and the given shape. */
static kiln_status infer_scatter(graph *g, node *n, uint32_t rank, const int64_t *dims) {
    const tensor *updates = n->inputs[2];
    uint32_t reduction;
    kiln_status status = read_reduction(g, n, &reduction);
    if (status == KILN_OK &&
        (updates->dtype != n->inputs[0]->dtype || updates->rank != rank ||
         (rank > 0 && memcmp(updates->dims, dims, rank * sizeof *dims) != 0))) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "updates of another type or shape");
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status infer_scatter_elements(graph *g, node *n) {
    uint32_t axis;
    kiln_status status = require_indices_along(g, n, &axis);
    return status == KILN_OK ? infer_scatter(g, n, n->inputs[1]->rank, n->inputs[1]->dims) : status;
}

static kiln_status infer_scatter_nd(graph *g, node *n) {
    int64_t dims[2 * KILN_MAX_RANK];
    tuples t;
    kiln_status status = require_dtype(g, n, 1, 1u << KILN_I64);
    for (size_t k = 0; k < 3 && status == KILN_OK; k++) {
        status = n->inputs[k]->rank > 0 ? refuse_batch(g, n, n->inputs[k], 0) : KILN_OK;
    }
    if (status == KILN_OK) {
        status = read_tuples(g, n, &t);
    }
    return status == KILN_OK ? infer_scatter(g, n, tuple_dims(n, &t, dims), dims) : status;
}

/* y[to] = reduction(y[to], the update). */
static void reduce_element(const node *n, uint32_t reduction, int64_t from, int64_t to) {
    const tensor *updates = n->inputs[2];
    size_t size = kiln_dtype_size(updates->dtype);
    void *y = n->outputs[0]->owned;
    static const kiln_binary_op functions[] = {[KILN_SCATTER_ADD] = KILN_BINARY_ADD,
                                               [KILN_SCATTER_MUL] = KILN_BINARY_MUL,
                                               [KILN_SCATTER_MAX] = KILN_BINARY_MAX,
                                               [KILN_SCATTER_MIN] = KILN_BINARY_MIN};
    if (reduction == KILN_SCATTER_SET) {
        memcpy((uint8_t *)y + (size_t)to * size, tensor_bytes(updates) + (size_t)from * size, size);
    } else if (updates->dtype == KILN_F32) {
        ((float *)y)[to] = scalar_float(functions[reduction], (double)((float *)y)[to],
                                        (double)tensor_f32(updates)[from]);
    } else {
        ((int64_t *)y)[to] =
            scalar_integer(functions[reduction], ((int64_t *)y)[to], tensor_i64(updates)[from]);
    }
}

static void copy_data(const node *n) {
    const tensor *x = n->inputs[0];
    memcpy(n->outputs[0]->owned, tensor_bytes(x),
           (size_t)tensor_elements(x) * kiln_dtype_size(x->dtype));
}

static kiln_status evaluate_scatter_elements(graph *g, node *n) {
    uint32_t axis, reduction;
    kiln_status status = node_axis(g, n, node_int(n, "axis", 0), n->inputs[0]->rank, &axis);
    if (status == KILN_OK) {
        status = read_reduction(g, n, &reduction);
    }
    copy_data(n);
    for (int64_t k = 0; status == KILN_OK && k < tensor_elements(n->inputs[1]); k++) {
        int64_t at;
        status = element_along(g, n, axis, k, &at);
        if (status == KILN_OK) {
            reduce_element(n, reduction, k, at);
        }
    }
    return status;
}

static kiln_status evaluate_scatter_nd(graph *g, node *n) {
    uint32_t reduction;
    tuples t;
    kiln_status status = read_tuples(g, n, &t);
    if (status == KILN_OK) {
        status = read_reduction(g, n, &reduction);
    }
    copy_data(n);
    for (int64_t k = 0; status == KILN_OK && k < t.count; k++) {
        int64_t at;
        status = slice_of(g, n, &t, k, &at);
        for (int64_t i = 0; i < t.slice && status == KILN_OK; i++) {
            reduce_element(n, reduction, k * t.slice + i, at + i);
        }
    }
    return status;
}

static kiln_status lower_scatter(lowering *l, node *n) {
    bool nd = strcmp(n->op->name, "ScatterND") == 0;
    kiln_scatter_params params = {0};
    kiln_status status = read_reduction(lower_graph(l), n, &params.reduction);
    if (status == KILN_OK && !nd) {
        status =
            node_axis(lower_graph(l), n, node_int(n, "axis", 0), n->inputs[0]->rank, &params.axis);
    }
    uint32_t inputs[3] = {lower_input(l, n, 0), lower_input(l, n, 1), lower_input(l, n, 2)};
    uint32_t y = lower_output(l, n, 0);
    return status == KILN_OK
               ? lower_step(l, n, nd ? KILN_KERNEL_SCATTER_ND : KILN_KERNEL_SCATTER_ELEMENTS,
                            &params, sizeof params, 3, inputs, 1, &y)
               : status;
}

/* Without indices, nothing is written. */
static kiln_status expand_scatter(expansion *e, node *n) {
    if (tensor_elements(n->inputs[1]) == 0) {
        expand_result(e, 0, n->inputs[0]);
    }
    return KILN_OK;
}

#define ROW(op_name, opset, inputs, suffix, lowering_function, expanding)                          \
    {                                                                                              \
        .name = op_name, .min_opset = opset, .min_inputs = inputs, .max_inputs = inputs,           \
        .min_outputs = 1, .max_outputs = 1, .layout = OP_ROW_MAJOR, .infer = infer_##suffix,       \
        .evaluate = evaluate_##suffix, .lower = lowering_function, .expand = expanding             \
    }

const op ops_indexed[] = {
    ROW("GatherElements", 11, 2, gather_elements, lower_gather_elements, NULL),
    ROW("GatherND", 11, 2, gather_nd, lower_gather_nd, NULL),
    ROW("Scatter", 9, 3, scatter_elements, lower_scatter, expand_scatter),
    ROW("ScatterElements", 11, 3, scatter_elements, lower_scatter, expand_scatter),
    ROW("ScatterND", 11, 3, scatter_nd, lower_scatter, expand_scatter),
    {.name = NULL},
};
