/* Replaces operators by others where their row knows how (ops/expand.h); those may be expanded in
 * turn. */
#include "compiler/ops/expand.h"
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

/* The nodes in their new order, in the graph's memory. */
typedef struct node_order {
    node **nodes;
    size_t count, capacity;
} node_order;

static kiln_status put(graph *g, node_order *order, node *n) {
    node **nodes = graph_grow(g, order->nodes, order->count, &order->capacity);
    if (nodes == NULL) {
        return KILN_ERROR_MEMORY;
    }
    order->nodes = nodes;
    order->nodes[order->count++] = n;
    return KILN_OK;
}

/* Expansions nest by a few levels only: no operator is expanded to itself. */
static kiln_status visit(graph *g, node_order *order, node *n, size_t *inout_rewrites) {
    expansion e = {.g = g, .n = n, .first = g->node_count};
    kiln_status status = KILN_OK;
    if (n->op->expand != NULL && !n->dead) {
        status = n->op->expand(&e, n);
        status = status == KILN_OK ? e.status : status;
    }
    size_t end = g->node_count;
    if (status == KILN_OK && e.first == end) {
        return n->dead || n->op->lower != NULL
                   ? put(g, order, n)
                   : node_fail(g, n, KILN_ERROR_INTERNAL, "is said in no other operators");
    }
    for (size_t k = e.first; k < end && status == KILN_OK; k++) {
        status = visit(g, order, g->nodes[k], inout_rewrites);
    }
    n->dead = true;
    ++*inout_rewrites;
    return status;
}

kiln_status pass_expand_operators(graph *g, size_t *inout_rewrites) {
    node_order order = {0};
    kiln_status status = KILN_OK;
    size_t count = g->node_count;
    for (size_t k = 0; k < count && status == KILN_OK; k++) {
        status = node_explain(g, g->nodes[k], visit(g, &order, g->nodes[k], inout_rewrites));
    }
    if (status == KILN_OK && order.count > 0) {
        g->nodes = order.nodes;
        g->node_count = order.count;
        g->node_capacity = order.capacity;
    }
    return status;
}
