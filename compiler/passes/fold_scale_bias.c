/* Mul and Add (Sub, Div) of per-channel constants go into the weights of what makes their
 * operand. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/scale_bias.h"

#include <stdlib.h>

static kiln_status fold(graph *g, node *n, size_t *inout_rewrites) {
    tensor *constant = NULL, *x = NULL;
    if (n->dead ||
        !(node_is(n, "Add") || node_is(n, "Sub") || node_is(n, "Mul") || node_is(n, "Div")) ||
        !split_constant(n, &constant, &x) || x->rank < 2 || !tensor_same_shape(x, n->outputs[0])) {
        return KILN_OK;
    }
    node *into = scalable_producer(x);
    if (into == NULL) {
        return KILN_OK;
    }
    int64_t channels = x->dims[1];
    float *values = calloc((size_t)channels * 3, sizeof *values);
    if (values == NULL) {
        return KILN_ERROR_MEMORY;
    }
    kiln_status status = KILN_OK;
    if (channel_values(constant, x, values) &&
        linear_form(n, constant, values, channels, values + channels, values + 2 * channels)) {
        status = scale_weights(g, into, values + channels, values + 2 * channels);
        if (status == KILN_OK) {
            absorb(g, into, n);
            ++*inout_rewrites;
        }
    }
    free(values);
    return status;
}

kiln_status pass_fold_scale_bias(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        kiln_status status = fold(g, g->nodes[k], inout_rewrites);
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}
