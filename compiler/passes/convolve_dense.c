/* MatMul of a map [N,...,K] by a constant matrix becomes a 1x1 convolution between two transposes,
 * which cost nothing in channels-last layout and cancel with those that a model has around it. So
 * it takes what convolutions do: packed weights, a bias, scales, a residual. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/terms.h"

/* Rows of a sample from which a convolution's packed weights pay. */
#define LEAST_ROWS 16

static bool is_dense_of_map(const node *n) {
    const tensor *x = n->inputs[0], *w = n->inputs[1];
    if (!node_is(n, "MatMul") || !is_unclamped(n) || x->rank < 3 || x->rank > 4 || w->rank != 2 ||
        !tensor_is_constant(w) || w->dtype != KILN_F32 || w->quantized != NULL ||
        tensor_is_constant(x)) {
        return false;
    }
    int64_t rows = 1;
    for (uint32_t k = 1; k + 1 < x->rank; k++) {
        rows *= x->dims[k];
    }
    return rows >= LEAST_ROWS;
}

/* [K,M] as a convolution's [M,K,1,1]. */
static tensor *convolution_weights(graph *g, const tensor *w, uint32_t rank) {
    int64_t inputs = w->dims[0], outputs = w->dims[1];
    int64_t dims[4] = {outputs, inputs, 1, 1};
    tensor *result = graph_add_constant(g, NULL, KILN_F32, rank, dims);
    for (int64_t k = 0; result != NULL && k < inputs * outputs; k++) {
        ((float *)result->owned)[k] = tensor_f32_at(w, k % inputs * outputs + k / inputs);
    }
    return result;
}

/* Inserts a node of one output before `position`; NULL: it cannot be. */
static tensor *insert(graph *g, size_t position, const char *op_name, const char *name,
                      size_t count, tensor *const *inputs, const int64_t *perm) {
    tensor *y = graph_add_tensor(g, NULL, KILN_F32);
    node *n = y != NULL
                  ? graph_insert_node(g, position, g->find_op(op_name), name, count, inputs, 1, &y)
                  : NULL;
    bool made = n != NULL &&
                (perm == NULL || node_set_ints(g, n, "perm", perm, inputs[0]->rank) == KILN_OK) &&
                graph_infer_node(g, n) == KILN_OK;
    return made ? y : NULL;
}

/* `n`, at `position`, becomes the transpose back. */
static kiln_status convolve(graph *g, size_t position, node *n) {
    static const int64_t first[2][4] = {{0, 2, 1}, {0, 3, 1, 2}};
    static const int64_t last[2][4] = {{0, 2, 1}, {0, 2, 3, 1}};
    tensor *bias = NULL, *inputs[3] = {NULL, NULL, NULL};
    uint32_t rank = n->inputs[0]->rank;
    node *add = added_vector(n, &bias);
    inputs[0] = insert(g, position, "Transpose", n->name, 1, &n->inputs[0], first[rank - 3]);
    inputs[1] = convolution_weights(g, n->inputs[1], rank);
    inputs[2] = add != NULL ? as_vector(g, bias, tensor_elements(bias)) : NULL;
    if (inputs[0] == NULL || inputs[1] == NULL || (add != NULL && inputs[2] == NULL)) {
        return KILN_ERROR_MEMORY;
    }
    tensor *y = insert(g, position + 1, "Conv", n->name, add != NULL ? 3 : 2, inputs, NULL);
    if (y == NULL || become_function(g, n, "Transpose", y, n->origin) != KILN_OK) {
        return KILN_ERROR_MEMORY;
    }
    if (add != NULL) {
        absorb(g, n, add);
    }
    return node_set_ints(g, n, "perm", last[rank - 3], rank);
}

kiln_status pass_convolve_dense(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        if (!g->nodes[k]->dead && is_dense_of_map(g->nodes[k])) {
            kiln_status status = convolve(g, k, g->nodes[k]);
            if (status != KILN_OK) {
                return status;
            }
            k += 2;
            ++*inout_rewrites;
        }
    }
    return KILN_OK;
}
