/* BitwiseNot: -1 - x. */
#include "compiler/ops/expand.h"
#include "compiler/ops/support.h"

static kiln_status infer_bitwise_not(graph *g, node *n) {
    kiln_status status = require_dtype(g, n, 0, 1u << KILN_I64);
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status evaluate_bitwise_not(graph *g, node *n) {
    (void)g;
    const int64_t *x = tensor_i64(n->inputs[0]);
    for (int64_t k = 0; k < tensor_elements(n->inputs[0]); k++) {
        ((int64_t *)n->outputs[0]->owned)[k] = ~x[k];
    }
    return KILN_OK;
}

static kiln_status expand_bitwise_not(expansion *e, node *n) {
    expand_result(e, 0, expand_binary(e, "Sub", expand_number(e, KILN_I64, -1), n->inputs[0]));
    return KILN_OK;
}

const op ops_bitwise_not[] = {
    {"BitwiseNot", 18, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .infer = infer_bitwise_not,
     .evaluate = evaluate_bitwise_not, .expand = expand_bitwise_not},
    {.name = NULL},
};
