/* MatMul by a constant matrix becomes Gemm, and an Add of a constant vector after it its bias. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

static kiln_status add_bias(graph *g, node *n, node *add, tensor *bias) {
    tensor **inputs = graph_allocate(g, 3 * sizeof *inputs);
    if (inputs == NULL) {
        return KILN_ERROR_MEMORY;
    }
    inputs[0] = n->inputs[0];
    inputs[1] = n->inputs[1];
    inputs[2] = bias;
    n->inputs = inputs;
    n->input_count = 3;
    absorb(g, n, add);
    kiln_status status = node_set_float(g, n, "beta", 1.0f); /* of a C that was not there: any */
    return status == KILN_OK ? graph_refresh(g) : status;
}

kiln_status pass_fuse_matmul_bias(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        node *n = g->nodes[k];
        bool rank_two = !n->dead && (node_is(n, "MatMul") || node_is(n, "Gemm")) &&
                        n->inputs[0]->rank == 2 && n->inputs[1]->rank == 2 &&
                        tensor_is_constant(n->inputs[1]) && !tensor_is_constant(n->inputs[0]);
        if (!rank_two) {
            continue;
        }
        kiln_status status = KILN_OK;
        if (node_is(n, "MatMul")) {
            n->op = op_find("Gemm");
            n->attribute_count = 0; /* MatMul has none; Gemm would take them for its own */
            ++*inout_rewrites;
        }
        tensor *bias = NULL;
        bool has_bias = n->input_count > 2 && n->inputs[2] != NULL;
        node *add = has_bias ? NULL : added_vector(n, &bias);
        if (add != NULL) {
            status = add_bias(g, n, add, bias);
            k = 0; /* the order has changed */
            ++*inout_rewrites;
        }
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}
