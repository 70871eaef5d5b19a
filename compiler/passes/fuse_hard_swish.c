/* Exporters without HardSigmoid and HardSwish write them out:
 *   HardSigmoid(x) = Clip(x + 3, 0, 6) / 6          HardSwish(x) = x * HardSigmoid(x)
 * (Howard et al., "Searching for MobileNetV3", 2019), also as x * Clip(x + 3, 0, 6) / 6. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/terms.h"

#include <math.h>

/* x when t = Clip(x + 3, 0, 6) and nobody else reads the steps between; else NULL. */
static tensor *clipped_source(tensor *t) {
    node *clip = sole_producer(t, "Clip");
    float low, high;
    if (!clamp_bounds(clip, &low, &high) || low != 0 || high != 6) {
        return NULL;
    }
    node *add = sole_producer(clip->inputs[0], "Add");
    tensor *constant = NULL, *x = NULL;
    float three = 0.0f;
    bool fits = add != NULL && split_constant(add, &constant, &x) &&
                scalar_value(constant, &three) && three == 3.0f && constant->rank <= 1 &&
                x->dtype == KILN_F32;
    return fits ? x : NULL;
}

/* The other operand of a division by 6 or a multiplication by 1/6; else NULL. */
static tensor *divided_by_six(node *n) {
    tensor *constant = NULL, *x = NULL;
    float value = 0.0f;
    if (n == NULL || !split_constant(n, &constant, &x) || !scalar_value(constant, &value) ||
        constant->rank > 1) {
        return NULL;
    }
    bool div = node_is(n, "Div") && n->inputs[1] == constant && value == 6.0f;
    bool mul = node_is(n, "Mul") && fabsf(value - 1.0f / 6.0f) < 1e-7f;
    return div || mul ? x : NULL;
}

static kiln_status rewrite(graph *g, node *n, const char *op_name, tensor *x) {
    return become_function(g, n, op_name, x, graph_printf(g, "%s (%s)", op_name, n->origin));
}

/* Fuses what ends in n: a division by six, of a clipped sum or of its product with x. */
static kiln_status fuse_node(graph *g, node *n, size_t *inout_rewrites) {
    tensor *sum = divided_by_six(n);
    tensor *x = sum != NULL ? clipped_source(sum) : NULL;
    const char *to = "HardSigmoid";
    if (sum != NULL && x == NULL) {
        node *mul = sole_producer(sum, "Mul");
        for (size_t side = 0; mul != NULL && mul->input_count == 2 && side < 2 && x == NULL;
             side++) {
            x = clipped_source(mul->inputs[side]);
            x = x == mul->inputs[1 - side] ? x : NULL;
        }
        to = "HardSwish";
    }
    if (x == NULL || !tensor_same_shape(x, n->outputs[0])) {
        return KILN_OK;
    }
    ++*inout_rewrites;
    kiln_status status = rewrite(g, n, to, x);
    if (status == KILN_OK && node_is(n, "HardSigmoid")) {
        status = node_set_float(g, n, "alpha", 1.0f / 6.0f);
        if (status == KILN_OK) {
            status = node_set_float(g, n, "beta", 0.5f);
        }
    }
    return status;
}

static kiln_status fuse_product(graph *g, node *mul, size_t *inout_rewrites) {
    for (size_t side = 0; node_is(mul, "Mul") && mul->input_count == 2 && side < 2; side++) {
        node *sigmoid = sole_producer(mul->inputs[side], "HardSigmoid");
        tensor *x = mul->inputs[1 - side];
        if (sigmoid != NULL && sigmoid->inputs[0] == x && x->dtype == KILN_F32 &&
            fabsf(node_float(sigmoid, "alpha", 0.2f) - 1.0f / 6.0f) < 1e-7f &&
            node_float(sigmoid, "beta", 0.5f) == 0.5f) {
            ++*inout_rewrites;
            return rewrite(g, mul, "HardSwish", x);
        }
    }
    return KILN_OK;
}

kiln_status pass_fuse_hard_swish(graph *g, size_t *inout_rewrites) {
    for (int round = 0; round < 2; round++) {
        for (size_t k = 0; k < g->node_count; k++) {
            node *n = g->nodes[k];
            kiln_status status = n->dead      ? KILN_OK
                                 : round == 0 ? fuse_node(g, n, inout_rewrites)
                                              : fuse_product(g, n, inout_rewrites);
            if (status != KILN_OK) {
                return status;
            }
        }
        kiln_status status = pass_remove_dead_code(g, &(size_t){0});
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}
