/* x * sigmoid(x) becomes one operator, as does x * sigmoid(alpha * x) ("quick GELU" is that
 * of 1.702).
 */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/terms.h"

/* sigmoid(alpha * x) of what only this reads. */
static bool is_gate(const tensor *t, tensor *x, float *out_alpha) {
    const node *sigmoid = sole_producer(t, "Sigmoid");
    const node *mul = sigmoid != NULL ? sole_producer(sigmoid->inputs[0], "Mul") : NULL;
    tensor *constant = NULL, *other = NULL;
    *out_alpha = 1;
    return sigmoid != NULL &&
           (sigmoid->inputs[0] == x ||
            (mul != NULL && is_unclamped(mul) && split_constant(mul, &constant, &other) &&
             other == x && scalar_value(constant, out_alpha) &&
             tensor_same_shape(x, mul->outputs[0])));
}

kiln_status pass_fuse_swish(graph *g, size_t *inout_rewrites) {
    size_t found = 0;
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        node *mul = g->nodes[k];
        if (!node_is(mul, "Mul") || mul->input_count != 2) {
            continue;
        }
        for (size_t side = 0; side < 2; side++) {
            tensor *x = mul->inputs[1 - side];
            float alpha;
            if (x->dtype != KILN_F32 || !is_gate(mul->inputs[side], x, &alpha)) {
                continue;
            }
            const char *origin =
                graph_printf(g, "%s + %s", mul->inputs[side]->producer->origin, mul->origin);
            status = become_function(g, mul, "Swish", x, origin);
            status = status == KILN_OK ? node_set_float(g, mul, "alpha", alpha) : status;
            found++;
            break;
        }
    }
    return status == KILN_OK ? sweep_formulas(g, found, inout_rewrites) : status;
}
