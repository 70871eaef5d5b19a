/* Infers one node's shapes, or computes its outputs by the operator's naive evaluator. */
#include "compiler/ops/ops.h"

#include <math.h>

static bool has_fused_clamp(const node *n) {
    return n->min > -INFINITY || n->max < INFINITY;
}

kiln_status graph_infer_node(graph *g, node *n) {
    for (size_t k = 0; k < n->input_count; k++) {
        if (n->inputs[k] != NULL && !n->inputs[k]->shape_known) {
            return node_fail(g, n, KILN_ERROR_INTERNAL, "input '%s' has no shape yet",
                             n->inputs[k]->name);
        }
    }
    kiln_status status = n->op->infer(g, n);
    for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
        const tensor *t = n->outputs[k];
        if (t != NULL && (!t->shape_known || kiln_dtype_size(t->dtype) == 0)) {
            status = node_fail(g, n, KILN_ERROR_INTERNAL, "output '%s' was not inferred", t->name);
        }
    }
    return node_explain(g, n, status);
}

/* Clamps values; a NaN stays. */
static void apply_clamp(const node *n, tensor *t) {
    float *values = t->owned;
    int64_t count = tensor_elements(t);
    for (int64_t i = 0; i < count; i++) {
        if (values[i] < n->min) {
            values[i] = n->min;
        } else if (values[i] > n->max) {
            values[i] = n->max;
        }
    }
}

/* Is there nothing to compute? Evaluators need not think of empty tensors, nor divide by their
 * dims. */
static bool is_empty(const node *n) {
    for (size_t k = 0; k < n->output_count; k++) {
        if (n->outputs[k] != NULL && tensor_elements(n->outputs[k]) != 0) {
            return false;
        }
    }
    return true;
}

static kiln_status allocate_outputs(graph *g, node *n) {
    for (size_t k = 0; k < n->output_count; k++) {
        tensor *t = n->outputs[k];
        if (t == NULL) {
            continue;
        }
        if (!t->shape_known) {
            return node_fail(g, n, KILN_ERROR_INTERNAL, "output '%s' has no shape yet", t->name);
        }
        kiln_status status = tensor_allocate(g, t);
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}

/* Aligns inputs, which evaluators read as arrays. */
static kiln_status align_inputs(const graph *g, const node *n) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < n->input_count && status == KILN_OK; k++) {
        status = tensor_align(g, n->inputs[k]);
    }
    return status;
}

kiln_status graph_evaluate_node(graph *g, node *n) {
    bool shape_only = (n->op->flags & OP_SHAPE_ONLY) != 0;
    for (size_t k = 0; k < n->input_count && !shape_only; k++) {
        if (n->inputs[k] != NULL && !tensor_is_constant(n->inputs[k])) {
            return node_fail(g, n, KILN_ERROR_INTERNAL, "input '%s' has no value yet",
                             n->inputs[k]->name);
        }
    }
    if (n->op->evaluate == NULL) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "cannot be computed at compile time");
    }
    kiln_status status = align_inputs(g, n);
    if (status == KILN_OK) {
        status = allocate_outputs(g, n);
    }
    if (status == KILN_OK && !is_empty(n)) {
        status = n->op->evaluate(g, n);
    }
    tensor *first = n->output_count > 0 ? n->outputs[0] : NULL;
    if (status == KILN_OK && has_fused_clamp(n) && first != NULL && first->dtype == KILN_F32) {
        apply_clamp(n, first);
    }
    if (status == KILN_OK) {
        status = graph_evaluate_other_batches(g, n);
    }
    for (size_t k = 0; k < n->output_count && status != KILN_OK; k++) {
        if (n->outputs[k] != NULL) {
            tensor_release(n->outputs[k]);
        }
    }
    return node_explain(g, n, status);
}
