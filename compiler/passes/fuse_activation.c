/* Relu, Clip and Relu6 become the clamp of the operator before them; and what scales and shifts all
 * that a convolution or a dense layer makes by one number, as the learnable affine blocks of HGNet
 * do behind each activation, goes into its weights and the clamp's bounds. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/scale_bias.h"

#include <math.h>

/* s clamp(x, min, max) + b is s x + b between s min + b and s max + b, which change places where s
 * is negative. */
static kiln_status fold_behind_bounds(graph *g, node *n, size_t *inout_rewrites) {
    tensor *constant = NULL, *x = NULL;
    float value, scale, bias;
    bool fits = !n->dead && n->output_count == 1 && split_constant(n, &constant, &x) &&
                scalar_value(constant, &value) && x->rank >= 2 &&
                tensor_same_shape(x, n->outputs[0]) && is_unclamped(n) &&
                linear_form(n, constant, &value, 1, &scale, &bias) && scale != 0;
    node *into = fits ? scalable_bounded_producer(x) : NULL;
    if (into == NULL || is_unclamped(into)) {
        return KILN_OK;
    }
    float from = scale * into->min + bias, to = scale * into->max + bias;
    float low = fminf(from, to), high = fmaxf(from, to);
    int64_t channels = x->dims[1];
    float *values = low < high ? graph_allocate(g, (size_t)channels * 2 * sizeof *values) : NULL;
    if (values == NULL) {
        return low < high ? KILN_ERROR_MEMORY : KILN_OK;
    }
    for (int64_t c = 0; c < channels; c++) {
        values[c] = scale;
        values[channels + c] = bias;
    }
    kiln_status status = scale_weights(g, into, values, values + channels);
    if (status == KILN_OK) {
        into->min = low;
        into->max = high;
        absorb(g, into, n);
        ++*inout_rewrites;
    }
    return status;
}

static void fuse_into_bounds(graph *g, node *activation, size_t *inout_rewrites) {
    float min, max;
    if (activation->dead || !clamp_bounds(activation, &min, &max)) {
        return;
    }
    tensor *x = activation->inputs[0];
    node *n = x->consumer_count == 1 && !x->is_output ? x->producer : NULL;
    bool fits = n != NULL && !n->dead && (n->op->flags & OP_CLAMPS) != 0 && x == n->outputs[0] &&
                x->dtype == KILN_F32;
    float low = fits ? fmaxf(n->min, min) : 0, high = fits ? fminf(n->max, max) : 0;
    if (fits && low < high) {
        n->min = low;
        n->max = high;
        absorb(g, n, activation);
        ++*inout_rewrites;
    }
}

kiln_status pass_fuse_activation(graph *g, size_t *inout_rewrites) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        fuse_into_bounds(g, g->nodes[k], inout_rewrites);
        status = fold_behind_bounds(g, g->nodes[k], inout_rewrites);
    }
    return status;
}
