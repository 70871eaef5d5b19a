/* MaxUnpool puts maxima back to where they were found, and zeros elsewhere. The indices are of the
 * tensor that was pooled, whose size follows from the window; a given output_shape has it in its
 * corner. */
#include "compiler/ops/expand.h"
#include "compiler/ops/support.h"

#include <string.h>

/* Dims of what was pooled. */
static kiln_status pooled_dims(const graph *g, const node *n, int64_t dims[KILN_MAX_RANK]) {
    const tensor *x = n->inputs[0];
    int64_t kernel[KILN_MAX_RANK], strides[KILN_MAX_RANK], pads[2 * KILN_MAX_RANK] = {0};
    int spatial = (int)x->rank - 2;
    int strided = node_ints(n, "strides", strides, KILN_MAX_RANK);
    int padded = node_ints(n, "pads", pads, 2 * KILN_MAX_RANK);
    if (spatial < 1 || node_ints(n, "kernel_shape", kernel, KILN_MAX_RANK) != spatial ||
        (strided >= 0 && strided != spatial) || (padded >= 0 && padded != 2 * spatial)) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "a window of other dimensions than the input");
    }
    memcpy(dims, x->dims, sizeof x->dims);
    for (int s = 0; s < spatial; s++) {
        int64_t stride = strided >= 0 ? strides[s] : 1, most = INT32_MAX;
        bool sane = stride >= 1 && stride < most && kernel[s] >= 1 && kernel[s] < most &&
                    pads[s] >= 0 && pads[s] < most && pads[spatial + s] >= 0 &&
                    pads[spatial + s] < most && x->dims[s + 2] < most;
        dims[s + 2] =
            sane ? (x->dims[s + 2] - 1) * stride + kernel[s] - pads[s] - pads[spatial + s] : 0;
        if (dims[s + 2] < 1) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "a window that leaves no pixels");
        }
    }
    return KILN_OK;
}

static kiln_status output_dims(const graph *g, const node *n, const int64_t pooled[KILN_MAX_RANK],
                               int64_t dims[KILN_MAX_RANK]) {
    uint32_t rank = n->inputs[0]->rank;
    memcpy(dims, pooled, KILN_MAX_RANK * sizeof *dims);
    if (n->input_count < 3 || n->inputs[2] == NULL) {
        return KILN_OK;
    }
    bool fits = node_input_ints(n, 2, dims, KILN_MAX_RANK) == (int)rank;
    for (uint32_t d = 0; fits && d < rank; d++) {
        fits = d < 2 ? dims[d] == pooled[d] : dims[d] >= pooled[d];
    }
    return fits ? KILN_OK
                : node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                            "an output_shape smaller than what the window makes");
}

static kiln_status infer_unpool(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    int64_t pooled[KILN_MAX_RANK], dims[KILN_MAX_RANK];
    kiln_status status = require_dtype(g, n, 0, MASK_F32);
    if (status == KILN_OK) {
        status = require_dtype(g, n, 1, 1u << KILN_I64);
    }
    if (status == KILN_OK && !tensor_same_shape(x, n->inputs[1])) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "indices of another shape than the input");
    }
    if (status == KILN_OK) {
        status = pooled_dims(g, n, pooled);
    }
    if (status == KILN_OK) {
        status = refuse_batch(g, n, x, 0); /* the indices count through the samples */
    }
    if (status == KILN_OK) {
        status = output_dims(g, n, pooled, dims);
    }
    n->outputs[0]->dtype = KILN_F32;
    return status == KILN_OK ? tensor_set_shape(g, n, n->outputs[0], x->rank, dims) : status;
}

static kiln_status evaluate_unpool(graph *g, node *n) {
    const tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t pooled[KILN_MAX_RANK], strides[KILN_MAX_RANK], elements = 1;
    kiln_status status = pooled_dims(g, n, pooled);
    dense_strides(y->rank, y->dims, strides);
    for (uint32_t d = 0; d < x->rank && status == KILN_OK; d++) {
        elements *= pooled[d];
    }
    for (int64_t k = 0; status == KILN_OK && k < tensor_elements(x); k++) {
        int64_t index = tensor_i64(n->inputs[1])[k], at = 0;
        if (index < 0 || index >= elements) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "index %lld of %lld elements",
                             (long long)index, (long long)elements);
        }
        for (uint32_t d = x->rank; d-- > 0;) {
            at += index % pooled[d] * strides[d];
            index /= pooled[d];
        }
        ((float *)y->owned)[at] = tensor_f32(x)[k];
    }
    return status;
}

static kiln_status expand_unpool(expansion *e, node *n) {
    const tensor *x = n->inputs[0], *out = n->outputs[0];
    int64_t pooled[KILN_MAX_RANK], count = tensor_elements(x), elements = 1;
    const int64_t pad_count = 2 * (int64_t)x->rank;
    kiln_status status = pooled_dims(e->g, n, pooled);
    if (status != KILN_OK) {
        return status;
    }
    for (uint32_t d = 0; d < x->rank; d++) {
        elements *= pooled[d];
    }
    tensor *inputs[3] = {expand_constant(e, KILN_F32, 1, &elements),
                         expand_reshape(e, n->inputs[1], 1, &count),
                         expand_reshape(e, n->inputs[0], 1, &count)};
    tensor *y = expand_apply(e, "ScatterElements", 3, inputs, NULL);
    y = expand_reshape(e, y, x->rank, pooled);
    if (!tensor_same_shape(out, y != NULL ? y : out)) {
        tensor *padding[2] = {y, expand_constant(e, KILN_I64, 1, &pad_count)};
        for (uint32_t d = 0; d < x->rank && padding[1] != NULL; d++) {
            ((int64_t *)padding[1]->owned)[x->rank + d] = out->dims[d] - pooled[d];
        }
        y = expand_apply(e, "Pad", 2, padding, NULL);
    }
    expand_result(e, 0, y);
    return KILN_OK;
}

const op ops_unpool[] = {
    {"MaxUnpool", 9, OP_INPUTS(2, 3), OP_OUTPUTS(1, 1), .constant_inputs = 4, .infer = infer_unpool,
     .evaluate = evaluate_unpool, .expand = expand_unpool},
    {.name = NULL},
};
