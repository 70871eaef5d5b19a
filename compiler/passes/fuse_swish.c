/* x * sigmoid(x) becomes one operator. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

kiln_status pass_fuse_swish(graph *g, size_t *inout_rewrites) {
    const op *swish = op_find("Swish");
    for (size_t k = 0; k < g->node_count && swish != NULL; k++) {
        node *mul = g->nodes[k];
        if (!node_is(mul, "Mul") || mul->input_count != 2) {
            continue;
        }
        for (size_t side = 0; side < 2; side++) {
            node *sigmoid = sole_producer(mul->inputs[side], "Sigmoid");
            tensor *x = mul->inputs[1 - side];
            if (sigmoid == NULL || sigmoid->inputs[0] != x || x->dtype != KILN_F32) {
                continue;
            }
            const char *origin = graph_printf(g, "%s + %s", sigmoid->origin, mul->origin);
            tensor **inputs = graph_allocate(g, sizeof *inputs);
            if (origin == NULL || inputs == NULL) {
                return KILN_ERROR_MEMORY;
            }
            inputs[0] = x;
            mul->inputs = inputs;
            mul->input_count = 1;
            mul->attribute_count = 0;
            mul->op = swish;
            mul->origin = origin;
            sigmoid->dead = true;
            ++*inout_rewrites;
            break;
        }
    }
    return KILN_OK;
}
