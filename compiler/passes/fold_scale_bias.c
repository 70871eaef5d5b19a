/* Mul and Add (Sub, Div) of per-channel constants go into the weights of what makes their operand;
 * between the two may be views that only move its channels about. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/scale_bias.h"

#include <stdlib.h>

/* Elements of one step along an axis. */
static int64_t step_of(const tensor *t, uint32_t axis) {
    int64_t step = 1;
    for (uint32_t k = axis + 1; k < t->rank; k++) {
        step *= t->dims[k];
    }
    return step;
}

/* Which axis of its input a view's axis is; 0: none but the first. */
static uint32_t axis_before(const node *view, uint32_t axis) {
    const tensor *x = view->inputs[0], *y = view->outputs[0];
    if (node_is(view, "Transpose")) {
        int64_t perm[KILN_MAX_RANK];
        int count = node_ints(view, "perm", perm, KILN_MAX_RANK);
        return count < 0 ? x->rank - 1 - axis : (uint32_t)perm[axis];
    }
    for (uint32_t k = 1; k < x->rank; k++) {
        if (x->dims[k] == y->dims[axis] && step_of(x, k) == step_of(y, axis)) {
            return k;
        }
    }
    return 0;
}

/* What makes t, behind views, where its channels are t's axis, and may be scaled. */
static node *find_scalable(const tensor *t, uint32_t axis) {
    while (axis > 0) {
        node *made = axis == 1 ? scalable_producer(t) : NULL, *view = sole_producer(t, "Transpose");
        view = view == NULL ? sole_producer(t, "Reshape") : view;
        if (made != NULL || view == NULL) {
            return made;
        }
        axis = axis_before(view, axis);
        t = view->inputs[0];
    }
    return NULL;
}

/* Does a constant have one value, or one for each step along an axis of x? */
static bool is_along(const tensor *constant, const tensor *x, uint32_t axis) {
    bool along = constant->dtype == KILN_F32 && constant->rank <= x->rank;
    for (uint32_t k = 0; k < constant->rank && along; k++) {
        along = constant->dims[k] == 1 ||
                (k + x->rank - constant->rank == axis && constant->dims[k] == x->dims[axis]);
    }
    return along;
}

static kiln_status fold_into(graph *g, node *into, node *n, const tensor *constant, node *last) {
    int64_t channels = into->outputs[0]->dims[1];
    bool single = tensor_elements(constant) == 1;
    float *values = calloc((size_t)channels * 3, sizeof *values);
    if (values == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (int64_t c = 0; c < channels; c++) {
        values[c] = tensor_f32_at(constant, single ? 0 : c);
    }
    kiln_status status = KILN_ERROR_UNSUPPORTED;
    if (linear_form(n, constant, values, channels, values + channels, values + 2 * channels)) {
        status = scale_weights(g, into, values + channels, values + 2 * channels);
    }
    free(values);
    if (status == KILN_OK) {
        absorb(g, last, n);
    }
    return status;
}

static kiln_status fold(graph *g, node *n, size_t *inout_rewrites) {
    tensor *constant = NULL, *x = NULL;
    if (n->dead ||
        !(node_is(n, "Add") || node_is(n, "Sub") || node_is(n, "Mul") || node_is(n, "Div")) ||
        !split_constant(n, &constant, &x) || !tensor_same_shape(x, n->outputs[0])) {
        return KILN_OK;
    }
    node *into = NULL;
    for (uint32_t axis = 1; axis < x->rank && into == NULL; axis++) {
        into = is_along(constant, x, axis) ? find_scalable(x, axis) : NULL;
    }
    kiln_status status =
        into != NULL ? fold_into(g, into, n, constant, x->producer) : KILN_ERROR_UNSUPPORTED;
    *inout_rewrites += status == KILN_OK;
    return status == KILN_ERROR_UNSUPPORTED ? KILN_OK : status;
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
