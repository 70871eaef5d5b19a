/* Infers every tensor's shape, in order, and computes on the way what depends on constants and
 * shapes alone. */
#include "compiler/graph/element_type.h"
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

#include <string.h>

static bool can_evaluate(const graph *g, const node *n) {
    for (size_t k = 0; k < n->input_count; k++) {
        const tensor *t = n->inputs[k];
        bool known = t == NULL || tensor_is_constant(t) ||
                     ((n->op->flags & OP_SHAPE_ONLY) != 0 && t->shape_known);
        if (!known) {
            return false;
        }
    }
    for (size_t k = 0; k < n->output_count; k++) {
        const tensor *t = n->outputs[k];
        if (t == NULL) {
            continue;
        }
        /* Types of the graph's boundary are made by a run only. */
        if (t->dtype != inner_dtype(t->dtype)) {
            return false;
        }
        /* A constant whose shape has the batch's placeholder cannot be made now. */
        for (uint32_t d = 0; d < t->rank; d++) {
            if (g->batch_symbolic && t->dims[d] > 0 && t->dims[d] % GRAPH_BATCH == 0) {
                return false;
            }
        }
    }
    return n->op->evaluate != NULL;
}

static kiln_status check_folded_size(const graph *g, const node *n) {
    for (size_t k = 0; k < n->output_count; k++) {
        const tensor *t = n->outputs[k];
        if (t != NULL &&
            (size_t)tensor_elements(t) > GRAPH_MAX_FOLDED_BYTES / kiln_dtype_size(t->dtype)) {
            return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                             "a constant of %lld elements; the largest folded is 1 GiB",
                             (long long)tensor_elements(t));
        }
    }
    return KILN_OK;
}

/* Inputs that an operator needs now but that only a run could tell. */
static kiln_status check_constant_inputs(const graph *g, const node *n) {
    for (size_t k = 0; k < n->input_count && k < 32; k++) {
        const tensor *t = n->inputs[k];
        if ((n->op->constant_inputs >> k & 1) != 0 && t != NULL && !tensor_is_constant(t)) {
            return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                             "input %zu ('%s') must be known when compiling%s", k, t->name,
                             t->is_input ? "; settle it with --input NAME=@FILE" : "");
        }
    }
    return KILN_OK;
}

/* Outputs without elements are constants, whatever computes them: nothing is left to compute. A
 * graph's output stays, and is refused. */
static kiln_status settle_empty_outputs(graph *g, node *n) {
    bool all = n->output_count > 0;
    for (size_t k = 0; k < n->output_count; k++) {
        tensor *t = n->outputs[k];
        if (t == NULL) {
            continue;
        }
        if (tensor_elements(t) != 0 || t->is_output) {
            all = false;
            continue;
        }
        kiln_status status = tensor_allocate(g, t);
        if (status != KILN_OK) {
            return status;
        }
        n->outputs[k] = NULL;
    }
    n->dead = all;
    return KILN_OK;
}

kiln_status pass_fold_constants(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        node *n = g->nodes[k];
        kiln_status status = check_constant_inputs(g, n);
        if (status == KILN_OK) {
            status = graph_infer_node(g, n);
        }
        if (status != KILN_OK) {
            return status;
        }
        if (can_evaluate(g, n)) {
            status = check_folded_size(g, n);
            if (status == KILN_OK) {
                status = graph_evaluate_node(g, n);
            }
            if (status == KILN_OK) {
                n->dead = true;
                ++*inout_rewrites;
            }
        } else {
            status = graph_check_batch(g, n);
            status = status == KILN_OK ? settle_empty_outputs(g, n) : status;
        }
        if (status != KILN_OK) {
            return status;
        }
    }
    for (size_t k = 0; k < g->output_count; k++) {
        if (tensor_depends_on_batch(g->outputs[k])) {
            return graph_fail(g, KILN_ERROR_UNSUPPORTED, "output '%s' depends on the batch size",
                              g->outputs[k]->name);
        }
    }
    return KILN_OK;
}
