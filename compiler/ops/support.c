/* What several operator rows share. */
#include "compiler/ops/support.h"
#include "runtime/base/text.h"

#include <string.h>

static kiln_status broadcast_into(const graph *g, const node *n, const tensor *t, uint32_t rank,
                                  int64_t dims[KILN_MAX_RANK]) {
    uint32_t missing = rank - t->rank;
    for (uint32_t k = 0; k < t->rank; k++) {
        int64_t *dim = &dims[k + missing];
        if (*dim == 1) {
            *dim = t->dims[k];
        } else if (t->dims[k] != 1 && t->dims[k] != *dim) {
            return node_fail(g, n, KILN_ERROR_FORMAT,
                             "input '%s' does not broadcast: dimension %u is %lld, not 1 or %lld",
                             t->name, k, (long long)t->dims[k], (long long)*dim);
        }
    }
    return KILN_OK;
}

kiln_status infer_broadcast(graph *g, node *n, uint32_t *out_rank,
                            int64_t out_dims[KILN_MAX_RANK]) {
    uint32_t rank = 0;
    for (size_t k = 0; k < n->input_count; k++) {
        if (n->inputs[k] != NULL && n->inputs[k]->rank > rank) {
            rank = n->inputs[k]->rank;
        }
    }
    for (uint32_t k = 0; k < KILN_MAX_RANK; k++) {
        out_dims[k] = 1;
    }
    *out_rank = rank;
    for (size_t k = 0; k < n->input_count; k++) {
        if (n->inputs[k] != NULL) {
            kiln_status status = broadcast_into(g, n, n->inputs[k], rank, out_dims);
            if (status != KILN_OK) {
                return status;
            }
        }
    }
    return KILN_OK;
}

kiln_status require_dtype(const graph *g, const node *n, size_t k, uint32_t mask) {
    const tensor *t = k < n->input_count ? n->inputs[k] : NULL;
    if (t == NULL || (mask >> t->dtype & 1u) != 0) {
        return KILN_OK;
    }
    char supported[96] = "";
    for (kiln_dtype d = KILN_F32; kiln_dtype_size(d) != 0; d++) {
        if ((mask >> d & 1u) != 0) {
            text_list_add(supported, sizeof supported, kiln_dtype_name(d));
        }
    }
    return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "input '%s' is of type %s; supported: %s",
                     t->name, kiln_dtype_name(t->dtype), supported);
}

kiln_status require_same_dtype(const graph *g, const node *n, size_t from) {
    const tensor *first = NULL;
    for (size_t k = from; k < n->input_count; k++) {
        const tensor *t = n->inputs[k];
        if (first == NULL) {
            first = t;
        } else if (t != NULL && t->dtype != first->dtype) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "inputs of types %s and %s",
                             kiln_dtype_name(first->dtype), kiln_dtype_name(t->dtype));
        }
    }
    return KILN_OK;
}

void broadcast_strides(const tensor *operand, const tensor *out, int64_t strides[KILN_MAX_RANK]) {
    uint32_t missing = out->rank - operand->rank;
    int64_t stride = 1;
    for (uint32_t k = out->rank; k-- > 0;) {
        int64_t dim = k < missing ? 1 : operand->dims[k - missing];
        strides[k] = dim == 1 ? 0 : stride;
        stride *= dim;
    }
}

kiln_status infer_same(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    if (x == NULL) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "input 0 is missing");
    }
    n->outputs[0]->dtype = x->dtype;
    return tensor_set_shape(g, n, n->outputs[0], x->rank, x->dims);
}

void index_of(const tensor *t, int64_t element, int64_t out_index[KILN_MAX_RANK]) {
    for (uint32_t k = t->rank; k-- > 0;) {
        out_index[k] = element % t->dims[k];
        element /= t->dims[k];
    }
}

int64_t dot_index(uint32_t rank, const int64_t *index, const int64_t *strides) {
    int64_t at = 0;
    for (uint32_t k = 0; k < rank; k++) {
        at += index[k] * strides[k];
    }
    return at;
}

void dense_strides(uint32_t rank, const int64_t *dims, int64_t strides[KILN_MAX_RANK]) {
    int64_t stride = 1;
    for (uint32_t k = rank; k-- > 0;) {
        strides[k] = stride;
        stride *= dims[k];
    }
}

static bool is_batched_axis(const graph *g, const tensor *t, uint32_t axis) {
    return axis == 0 && tensor_is_batched(g, t);
}

kiln_status refuse_batch(const graph *g, const node *n, const tensor *t, uint32_t axis) {
    return is_batched_axis(g, t, axis)
               ? node_fail(g, n, KILN_ERROR_UNSUPPORTED, "works along the batch")
               : KILN_OK;
}

int64_t sample_dim(const lowering *l, int64_t dim) {
    return lower_graph(l)->batch_symbolic && dim % GRAPH_BATCH == 0 ? dim / GRAPH_BATCH : dim;
}

void physical_strides(const lowering *l, const tensor *t, int64_t out_by_axis[KILN_MAX_RANK]) {
    int64_t stride = 1;
    for (uint32_t position = t->rank; position-- > 0;) {
        uint32_t axis = logical_axis(t, position);
        out_by_axis[axis] = stride;
        stride *= position == 0 ? sample_dim(l, t->dims[axis]) : t->dims[axis];
    }
}

/* Going through y in its physical order, does x go forward too? */
static bool keeps_order(const tensor *y, const int64_t strides_by_axis[KILN_MAX_RANK]) {
    int64_t last = INT64_MAX;
    for (uint32_t position = 0; position < y->rank; position++) {
        uint32_t axis = logical_axis(y, position);
        if (y->dims[axis] != 1) {
            if (strides_by_axis[axis] > last) {
                return false;
            }
            last = strides_by_axis[axis];
        }
    }
    return true;
}

void transpose_strides(const node *n, const int64_t by_axis[KILN_MAX_RANK],
                       int64_t out[KILN_MAX_RANK]) {
    int64_t perm[KILN_MAX_RANK];
    uint32_t rank = n->inputs[0]->rank;
    int count = node_ints(n, "perm", perm, KILN_MAX_RANK);
    for (uint32_t k = 0; k < rank; k++) {
        out[k] = by_axis[count < 0 ? rank - 1 - k : perm[k]];
    }
}

bool transpose_keeps_order(const lowering *l, const node *n) {
    int64_t by_axis[KILN_MAX_RANK], strides[KILN_MAX_RANK];
    physical_strides(l, n->inputs[0], by_axis);
    transpose_strides(n, by_axis, strides);
    return keeps_order(n->outputs[0], strides);
}

kiln_status lower_by_axes(lowering *l, const node *n, tensor *x, tensor *y,
                          const int64_t strides_by_axis[KILN_MAX_RANK], int64_t start) {
    int64_t strides[KILN_MAX_RANK] = {0};
    for (uint32_t position = 0; position < y->rank; position++) {
        strides[position] = strides_by_axis[logical_axis(y, position)];
    }
    return lower_copy(l, n, lower_tensor(l, x), lower_tensor(l, y), strides, start);
}

kiln_status require_floats(graph *g, node *n) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < n->input_count && status == KILN_OK; k++) {
        status = require_dtype(g, n, k, MASK_F32);
    }
    return status;
}

kiln_status require_channel_values(graph *g, node *n, size_t count) {
    const tensor *x = n->inputs[0];
    for (size_t k = 1; k <= count; k++) {
        const tensor *t = n->inputs[k];
        if (t == NULL || x->rank < 2 || t->rank != 1 || t->dims[0] != x->dims[1]) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "input %zu is not one value a channel", k);
        }
    }
    return KILN_OK;
}

void moments(const float *x, int64_t count, double *out_mean, double *out_variance) {
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

kiln_status refuse_batch_values(const graph *g, const node *n, size_t k) {
    return k < n->input_count && tensor_depends_on_batch(n->inputs[k])
               ? node_fail(g, n, KILN_ERROR_UNSUPPORTED, "computes with the batch size")
               : KILN_OK;
}

kiln_status lower_unfoldable(lowering *l, node *n) {
    return node_fail(lower_graph(l), n, KILN_ERROR_UNSUPPORTED,
                     "depends on values that only a run can tell");
}
