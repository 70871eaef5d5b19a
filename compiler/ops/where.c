/* Where: a choice between two operands, with broadcasting. */
#include "compiler/ops/support.h"

#include <string.h>

static kiln_status infer_where(graph *g, node *n) {
    int64_t dims[KILN_MAX_RANK];
    uint32_t rank;
    kiln_status status = require_dtype(g, n, 0, MASK_BOOL);
    if (status == KILN_OK) {
        status = require_same_dtype(g, n, 1);
    }
    if (status == KILN_OK) {
        status = infer_broadcast(g, n, &rank, dims);
    }
    if (status != KILN_OK) {
        return status;
    }
    n->outputs[0]->dtype = n->inputs[1]->dtype;
    return tensor_set_shape(g, n, n->outputs[0], rank, dims);
}

static kiln_status evaluate_where(graph *g, node *n) {
    (void)g;
    tensor *y = n->outputs[0];
    int64_t strides[3][KILN_MAX_RANK], index[KILN_MAX_RANK];
    const uint8_t *data[3];
    size_t size = kiln_dtype_size(y->dtype);
    for (size_t k = 0; k < 3; k++) {
        broadcast_strides(n->inputs[k], y, strides[k]);
        data[k] = tensor_bytes(n->inputs[k]);
    }
    for (int64_t k = 0; k < tensor_elements(y); k++) {
        index_of(y, k, index);
        size_t from = data[0][dot_index(y->rank, index, strides[0])] != 0 ? 1 : 2;
        memcpy((uint8_t *)y->owned + (size_t)k * size,
               data[from] + (size_t)dot_index(y->rank, index, strides[from]) * size, size);
    }
    return KILN_OK;
}

static kiln_status lower_where(lowering *l, node *n) {
    kiln_where_params params = {0};
    uint32_t inputs[3], y = lower_output(l, n, 0);
    for (size_t k = 0; k < 3; k++) {
        inputs[k] = lower_broadcast(l, n, n->inputs[k], n->outputs[0]);
    }
    return lower_step(l, n, KILN_KERNEL_WHERE, &params, sizeof params, 3, inputs, 1, &y);
}

const op ops_where[] = {
    {"Where", 9, OP_INPUTS(3, 3), OP_OUTPUTS(1, 1), .layout = OP_ANY, .flags = OP_BROADCASTS,
     .infer = infer_where, .evaluate = evaluate_where, .lower = lower_where},
    {.name = NULL},
};
