/* Identity, and Dropout, which is that at inference. */
#include "compiler/ops/support.h"

#include <string.h>

static kiln_status evaluate_identity(graph *g, node *n) {
    (void)g;
    const tensor *x = n->inputs[0];
    memcpy(n->outputs[0]->owned, tensor_bytes(n->inputs[0]),
           (size_t)tensor_elements(x) * kiln_dtype_size(x->dtype));
    if (n->output_count > 1 && n->outputs[1] != NULL) {
        memset(n->outputs[1]->owned, 1, (size_t)tensor_elements(x));
    }
    return KILN_OK;
}

static kiln_status lower_identity(lowering *l, node *n) {
    return lower_alias(l, n, n->outputs[0], n->inputs[0]);
}

/* Training mode drops at random, unless nothing is to be dropped. */
static kiln_status infer_dropout(graph *g, node *n) {
    bool training = false;
    const tensor *mode = n->input_count > 2 ? n->inputs[2] : NULL;
    if (mode != NULL && tensor_is_constant(mode)) {
        training = tensor_bytes(n->inputs[2])[0] != 0;
    }
    const tensor *ratio = n->input_count > 1 ? n->inputs[1] : NULL;
    float dropped = ratio != NULL && ratio->dtype == KILN_F32 ? tensor_f32(n->inputs[1])[0] : 0.5f;
    if (training && dropped != 0.0f) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "training_mode with ratio %g drops at random; supported: inference",
                         (double)dropped);
    }
    if (n->output_count > 1 && n->outputs[1] != NULL) {
        n->outputs[1]->dtype = g->opset < 10 ? n->inputs[0]->dtype : KILN_BOOL;
        kiln_status status =
            tensor_set_shape(g, n, n->outputs[1], n->inputs[0]->rank, n->inputs[0]->dims);
        if (status != KILN_OK) {
            return status;
        }
    }
    return infer_same(g, n);
}

static kiln_status lower_dropout(lowering *l, node *n) {
    tensor *mask = n->output_count > 1 ? n->outputs[1] : NULL;
    if (mask != NULL && mask->dtype != KILN_BOOL) {
        return node_fail(lower_graph(l), n, KILN_ERROR_UNSUPPORTED,
                         "the mask output before opset 10");
    }
    if (mask != NULL) {
        const uint8_t kept = 1;
        const int64_t strides[KILN_MAX_RANK] = {0};
        uint32_t one = lower_constant_data(l, NULL, KILN_BOOL, 0, NULL, &kept);
        kiln_status status = lower_copy(l, n, one, lower_tensor(l, mask), strides, 0);
        if (status != KILN_OK) {
            return status;
        }
    }
    return lower_identity(l, n);
}

const op ops_identity[] = {
    {"Identity", 1, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .layout = OP_ANY, .flags = OP_ELEMENTWISE,
     .infer = infer_same, .evaluate = evaluate_identity, .lower = lower_identity},
    {"Dropout", 6, OP_INPUTS(1, 3), OP_OUTPUTS(1, 2), .constant_inputs = 6, .layout = OP_ANY,
     .flags = OP_ELEMENTWISE, .infer = infer_dropout, .evaluate = evaluate_identity,
     .lower = lower_dropout},
    {.name = NULL},
};
