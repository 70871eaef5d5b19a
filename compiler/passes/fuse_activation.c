/* Relu, Clip and Relu6 become the clamp of the operator before them. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

#include <math.h>

/* The bounds of a clamping activation; false when n is none or they are not known. */
static bool clamp_bounds(const node *n, float *out_min, float *out_max) {
    *out_min = 0.0f;
    *out_max = INFINITY;
    if (node_is(n, "Relu")) {
        return true;
    }
    if (!node_is(n, "Clip")) {
        return false;
    }
    *out_min = node_float(n, "min", -INFINITY);
    *out_max = node_float(n, "max", INFINITY);
    for (size_t k = 1; k < n->input_count && k < 3; k++) {
        float *bound = k == 1 ? out_min : out_max;
        if (n->inputs[k] != NULL && !scalar_value(n->inputs[k], bound)) {
            return false;
        }
    }
    return *out_min < *out_max;
}

kiln_status pass_fuse_activation(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        node *activation = g->nodes[k];
        float min, max;
        if (activation->dead || !clamp_bounds(activation, &min, &max)) {
            continue;
        }
        tensor *x = activation->inputs[0];
        node *n = x->consumer_count == 1 && !x->is_output ? x->producer : NULL;
        bool fits = n != NULL && !n->dead && (n->op->flags & OP_CLAMPS) != 0 &&
                    x == n->outputs[0] && x->dtype == KILN_F32;
        float low = fits ? fmaxf(n->min, min) : 0, high = fits ? fminf(n->max, max) : 0;
        if (fits && low < high) {
            n->min = low;
            n->max = high;
            absorb(g, n, activation);
            ++*inout_rewrites;
        }
    }
    return KILN_OK;
}
