/* Operators that passes make for the sake of memory order: Layout (the same tensor in its other
 * layout) and FlattenChannelsLast ([N,C,H,W] to [N,H*W*C]). */
#include "compiler/lower/lower.h"
#include "compiler/ops/ops.h"

#include <string.h>

static kiln_status evaluate_layout(graph *g, node *n) {
    (void)g;
    const tensor *x = n->inputs[0];
    memcpy(n->outputs[0]->owned, tensor_bytes(n->inputs[0]),
           (size_t)tensor_elements(x) * kiln_dtype_size(x->dtype));
    return KILN_OK;
}

static kiln_status lower_layout(lowering *l, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    bool same_order =
        y->dims[1] == 1 || tensor_elements(y) == y->dims[0] * y->dims[1] || x->layout == y->layout;
    if (same_order) {
        return lower_alias(l, n, y, x);
    }
    /* strides of x's physical elements, by logical axis; the batch counts one sample */
    int64_t by_axis[KILN_MAX_RANK], strides[KILN_MAX_RANK], stride = 1;
    for (uint32_t position = x->rank; position-- > 0;) {
        uint32_t axis = logical_axis(x, position);
        by_axis[axis] = stride;
        stride *= x->dims[axis];
    }
    for (uint32_t position = 0; position < y->rank; position++) {
        strides[position] = by_axis[logical_axis(y, position)];
    }
    return lower_copy(l, n, lower_tensor(l, x), lower_tensor(l, y), strides, 0);
}

static kiln_status infer_flatten(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    if (x->rank < 3) {
        return node_fail(g, n, KILN_ERROR_INTERNAL, "rank %u", x->rank);
    }
    int64_t dims[2] = {x->dims[0], tensor_elements(x) / x->dims[0]};
    n->outputs[0]->dtype = x->dtype;
    return tensor_set_shape(g, n, n->outputs[0], 2, dims);
}

static kiln_status evaluate_flatten(graph *g, node *n) {
    (void)g;
    const tensor *x = n->inputs[0];
    const float *from = tensor_f32(n->inputs[0]);
    float *to = n->outputs[0]->owned;
    int64_t channels = x->dims[1], pixels = tensor_elements(x) / (x->dims[0] * channels);
    for (int64_t k = 0; k < x->dims[0]; k++) {
        for (int64_t c = 0; c < channels; c++) {
            for (int64_t p = 0; p < pixels; p++) {
                to[(k * pixels + p) * channels + c] = from[(k * channels + c) * pixels + p];
            }
        }
    }
    return KILN_OK;
}

static kiln_status lower_flatten(lowering *l, node *n) {
    return lower_alias(l, n, n->outputs[0], n->inputs[0]);
}

const op ops_layout[] = {
    {.name = "Layout",
     .min_inputs = 1,
     .max_inputs = 1,
     .min_outputs = 1,
     .max_outputs = 1,
     .layout = OP_ANY,
     .flags = OP_NOT_ONNX,
     .infer = infer_same,
     .evaluate = evaluate_layout,
     .lower = lower_layout},
    {.name = "FlattenChannelsLast",
     .min_inputs = 1,
     .max_inputs = 1,
     .min_outputs = 1,
     .max_outputs = 1,
     .layout = OP_CHANNELS_LAST,
     .flags = OP_NOT_ONNX,
     .infer = infer_flatten,
     .evaluate = evaluate_flatten,
     .lower = lower_flatten},
    {.name = NULL},
};
