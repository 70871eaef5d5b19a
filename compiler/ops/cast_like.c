/* CastLike: a Cast to the type of another tensor. */
#include "compiler/ops/expand.h"
#include "compiler/ops/support.h"
#include <kiln/element.h>

static kiln_status infer_cast_like(graph *g, node *n) {
    kiln_status status = infer_same(g, n);
    n->outputs[0]->dtype = n->inputs[1]->dtype;
    return status;
}

static kiln_status evaluate_cast_like(graph *g, node *n) {
    (void)g;
    tensor *x = n->inputs[0], *y = n->outputs[0];
    for (size_t k = 0; k < (size_t)tensor_elements(x); k++) {
        kiln_element_convert(x->dtype, tensor_bytes(x) + k * kiln_dtype_size(x->dtype), y->dtype,
                             (uint8_t *)y->owned + k * kiln_dtype_size(y->dtype), 0);
    }
    return KILN_OK;
}

static kiln_status expand_cast_like(expansion *e, node *n) {
    expand_result(e, 0, expand_cast(e, n->inputs[0], n->inputs[1]->dtype));
    return KILN_OK;
}

const op ops_cast_like[] = {
    {"CastLike", 15, OP_INPUTS(2, 2), OP_OUTPUTS(1, 1), .infer = infer_cast_like,
     .evaluate = evaluate_cast_like, .expand = expand_cast_like},
    {.name = NULL},
};
