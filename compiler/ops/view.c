/* Reshape, Flatten, Squeeze, Unsqueeze: other dims, the same elements in the same order. */
#include "compiler/ops/support.h"

#include <string.h>

static kiln_status set_view_shape(graph *g, node *n, uint32_t rank, const int64_t *dims) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    y->dtype = x->dtype;
    kiln_status status = tensor_set_shape(g, n, y, rank, dims);
    if (status == KILN_OK && tensor_elements(x) != tensor_elements(y)) {
        char from[96], to[96];
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "%s elements cannot become %s",
                         tensor_shape_text(x, from, sizeof from),
                         tensor_shape_text(y, to, sizeof to));
    }
    return status;
}

/* 0 copies the input's dim (unless allowzero), -1 is what is left. */
static kiln_status infer_reshape(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    int64_t dims[KILN_MAX_RANK], known = 1;
    int count = n->input_count > 1 ? node_input_ints(n, 1, dims, KILN_MAX_RANK)
                                   : node_ints(n, "shape", dims, KILN_MAX_RANK),
        open = -1;
    if (count < 0) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "the target shape is not known, or has more than %d dimensions",
                         KILN_MAX_RANK);
    }
    for (int k = 0; k < count; k++) {
        if (dims[k] == 0 && node_int(n, "allowzero", 0) == 0) {
            if (k >= (int)x->rank) {
                return node_fail(g, n, KILN_ERROR_FORMAT,
                                 "dimension %d copies one that is not "
                                 "there",
                                 k);
            }
            dims[k] = x->dims[k];
        }
        if (dims[k] == -1 && open < 0) {
            open = k;
        } else if (dims[k] < 0) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "dimension %d is %lld", k,
                             (long long)dims[k]);
        } else if (dims[k] != 0 && known > GRAPH_MAX_ELEMENTS * GRAPH_BATCH / dims[k]) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "the target shape is too large");
        } else {
            known *= dims[k];
        }
    }
    if (open >= 0) {
        dims[open] = known == 0 ? 0 : tensor_elements(x) / known;
    }
    return set_view_shape(g, n, (uint32_t)count, dims);
}

static kiln_status infer_flatten(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    int64_t axis = node_int(n, "axis", 1), dims[2] = {1, 1};
    axis += axis < 0 ? x->rank : 0;
    if (axis < 0 || axis > x->rank) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "axis %lld of a tensor of rank %u",
                         (long long)axis, x->rank);
    }
    for (uint32_t k = 0; k < x->rank; k++) {
        dims[k < axis ? 0 : 1] *= x->dims[k];
    }
    return set_view_shape(g, n, 2, dims);
}

/* Axes by attribute (until opset 12) or constant input, as flags over `rank` dims. */
static kiln_status read_axes(graph *g, node *n, uint32_t rank, bool marked[KILN_MAX_RANK],
                             int *out_count) {
    int64_t axes[KILN_MAX_RANK];
    bool input = n->input_count > 1 && n->inputs[1] != NULL;
    int count = input ? node_input_ints(n, 1, axes, KILN_MAX_RANK)
                      : node_ints(n, "axes", axes, KILN_MAX_RANK);
    memset(marked, 0, KILN_MAX_RANK * sizeof *marked);
    *out_count = count;
    for (int k = 0; k < count; k++) {
        uint32_t axis;
        kiln_status status = node_axis(g, n, axes[k], rank, &axis);
        if (status != KILN_OK) {
            return status;
        }
        if (marked[axis]) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "axis %u is given twice", axis);
        }
        marked[axis] = true;
    }
    return KILN_OK;
}

static kiln_status infer_squeeze(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    bool marked[KILN_MAX_RANK];
    int64_t dims[KILN_MAX_RANK];
    int count;
    uint32_t rank = 0;
    kiln_status status = read_axes(g, n, x->rank, marked, &count);
    for (uint32_t k = 0; k < x->rank && status == KILN_OK; k++) {
        bool drop = count < 0 ? x->dims[k] == 1 : marked[k];
        if (drop && x->dims[k] != 1) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "axis %u has %lld elements", k,
                             (long long)x->dims[k]);
        }
        if (!drop) {
            dims[rank++] = x->dims[k];
        }
    }
    return status == KILN_OK ? set_view_shape(g, n, rank, dims) : status;
}

static kiln_status infer_unsqueeze(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    bool marked[KILN_MAX_RANK];
    int64_t dims[KILN_MAX_RANK], axes[KILN_MAX_RANK];
    bool input = n->input_count > 1 && n->inputs[1] != NULL;
    int count = input ? node_input_ints(n, 1, axes, KILN_MAX_RANK)
                      : node_ints(n, "axes", axes, KILN_MAX_RANK);
    if (count < 0 || (uint32_t)count + x->rank > KILN_MAX_RANK) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "axes are not known, or the result has more than %d dimensions",
                         KILN_MAX_RANK);
    }
    uint32_t rank = x->rank + (uint32_t)count, from = 0;
    kiln_status status = read_axes(g, n, rank, marked, &count);
    for (uint32_t k = 0; k < rank && status == KILN_OK; k++) {
        dims[k] = marked[k] ? 1 : x->dims[from++];
    }
    return status == KILN_OK ? set_view_shape(g, n, rank, dims) : status;
}

static kiln_status evaluate_view(graph *g, node *n) {
    (void)g;
    const tensor *x = n->inputs[0];
    memcpy(n->outputs[0]->owned, tensor_bytes(n->inputs[0]),
           (size_t)tensor_elements(x) * kiln_dtype_size(x->dtype));
    return KILN_OK;
}

static kiln_status lower_view(lowering *l, node *n) {
    return lower_alias(l, n, n->outputs[0], n->inputs[0]);
}

#define ROW(op_name, opset, inputs, constants, infer_function)                                     \
    {                                                                                              \
        .name = op_name, .min_opset = opset, .min_inputs = 1, .max_inputs = inputs,                \
        .min_outputs = 1, .max_outputs = 1, .constant_inputs = constants, .layout = OP_VIEW,       \
        .infer = infer_function, .evaluate = evaluate_view, .lower = lower_view                    \
    }

const op ops_view[] = {
    ROW("Reshape", 1, 2, 2, infer_reshape),
    ROW("Flatten", 1, 1, 0, infer_flatten),
    ROW("Squeeze", 1, 2, 2, infer_squeeze),
    ROW("Unsqueeze", 1, 2, 2, infer_unsqueeze),
    {.name = NULL},
};
