/* A map [C,HW] times a column [HW,1], as global context blocks have it (Cao et al., "GCNet", 2019):
 * its positions are weighed and added up. Maps lie channels-last, so that the product would first
 * have the map copied to channels-first. The row of weights times [HW,C] reads it where it lies. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

#include <string.h>

/* The map behind views that leave its elements in their order, [N,C,H,W] of t [N,1,...,C,HW]; NULL:
 * there is none. */
static tensor *map_of(tensor *t) {
    const tensor *matrix = t;
    while (t->producer != NULL && !t->producer->dead && t->producer->op->layout == OP_VIEW) {
        t = t->producer->inputs[0];
    }
    uint32_t rank = matrix->rank;
    bool fits = rank >= 3 && t != matrix && t->rank == 4 && t->producer != NULL &&
                t->dtype == KILN_F32 && t->dims[0] == matrix->dims[0] &&
                t->dims[1] == matrix->dims[rank - 2] &&
                t->dims[2] * t->dims[3] == matrix->dims[rank - 1];
    for (uint32_t k = 1; k + 2 < rank; k++) {
        fits = fits && matrix->dims[k] == 1;
    }
    return fits ? t : NULL;
}

static bool weighs_positions(const node *n) {
    const tensor *column = n->inputs[1];
    return node_is(n, "MatMul") && is_unclamped(n) && column->rank == n->inputs[0]->rank &&
           column->dims[column->rank - 1] == 1 && column->dims[0] == n->inputs[0]->dims[0] &&
           !tensor_is_constant(column) && map_of(n->inputs[0]) != NULL;
}

/* Inserts a node of one output; NULL: it cannot be. */
static node *insert(graph *g, size_t *inout_position, const char *op_name, const char *name,
                    tensor *const *inputs) {
    tensor *y = graph_add_tensor(g, NULL, KILN_F32);
    size_t count = strcmp(op_name, "Transpose") == 0 ? 1 : 2;
    return y != NULL ? graph_insert_node(g, (*inout_position)++, op_find(op_name), name, count,
                                         inputs, 1, &y)
                     : NULL;
}

/* The shape of t's dims, the last two swapped; NULL: no memory. */
static tensor *swapped_shape(graph *g, const tensor *t) {
    int64_t rank = t->rank;
    tensor *shape = graph_add_constant(g, NULL, KILN_I64, 1, &rank);
    for (int64_t k = 0; shape != NULL && k < rank; k++) {
        int64_t from = k == rank - 1 ? rank - 2 : k == rank - 2 ? rank - 1 : k;
        ((int64_t *)shape->owned)[k] = k == 0 ? -1 : t->dims[from];
    }
    return shape;
}

/* t with its last two dims swapped, where its elements then stand in the order of `as`; NULL: it
 * cannot be. */
static tensor *swapped(graph *g, size_t *inout_position, const node *like, tensor *as,
                       const tensor *t) {
    tensor *inputs[] = {as, swapped_shape(g, t)};
    node *n = inputs[1] != NULL ? insert(g, inout_position, "Reshape", like->name, inputs) : NULL;
    return n != NULL && graph_infer_node(g, n) == KILN_OK ? n->outputs[0] : NULL;
}

static kiln_status rewrite(graph *g, size_t *inout_position) {
    static const int64_t last[] = {0, 2, 3, 1};
    node *n = g->nodes[*inout_position];
    tensor *map = map_of(n->inputs[0]);
    node *moved = insert(g, inout_position, "Transpose", n->name, &map);
    if (moved == NULL || node_set_ints(g, moved, "perm", last, 4) != KILN_OK ||
        graph_infer_node(g, moved) != KILN_OK) {
        return KILN_ERROR_MEMORY;
    }
    tensor *factors[] = {swapped(g, inout_position, n, n->inputs[1], n->inputs[1]),
                         swapped(g, inout_position, n, moved->outputs[0], n->inputs[0])};
    node *product = factors[0] != NULL && factors[1] != NULL
                        ? insert(g, inout_position, "MatMul", n->name, factors)
                        : NULL;
    tensor **inputs = graph_allocate(g, 2 * sizeof *inputs);
    if (product == NULL || inputs == NULL || graph_infer_node(g, product) != KILN_OK) {
        return KILN_ERROR_MEMORY;
    }
    inputs[0] = product->outputs[0];
    inputs[1] = swapped_shape(g, product->outputs[0]);
    n->inputs = inputs;
    n->input_count = 2;
    n->attribute_count = 0;
    n->op = op_find("Reshape");
    return inputs[1] != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

kiln_status pass_weigh_positions(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        if (!weighs_positions(g->nodes[k])) {
            continue;
        }
        kiln_status status = rewrite(g, &k);
        if (status != KILN_OK) {
            return status;
        }
        ++*inout_rewrites;
    }
    return KILN_OK;
}
