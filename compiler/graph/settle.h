/* Settling a graph's structure, shapes and constants, and what stands in the way of it. */
#ifndef KILN_COMPILER_GRAPH_SETTLE_H
#define KILN_COMPILER_GRAPH_SETTLE_H

#include "compiler/graph/graph.h"

/* Settles what the wanted tensors need; other nodes become dead. The graph's producers must be
 * right (graph_refresh), and are to be made so again afterwards. */
kiln_status graph_settle(graph *g, tensor *const *wanted, size_t count, size_t *inout_folded);

/* ---- Refusals (refusals.c) ----------------------------------------------------------------- */

/* Nodes that are needed and cannot be compiled: named all at once. */
typedef struct refusals {
    struct refusal *each;
    size_t count, capacity;
    kiln_error first; /* of the first node that failed in its own words */
} refusals;

/* Notes that a node is refused; why NULL: the operator is not supported at all. */
kiln_status refuse_node(const graph *g, refusals *r, const node *n, const char *why);
/* The same where the graph's error says why. */
kiln_status refuse_failed_node(const graph *g, refusals *r, const node *n);
/* Returns KILN_OK when nothing was refused; else says what could be compiled instead. */
kiln_status refusals_fail(const graph *g, refusals *r, tensor *const *wanted, size_t count);
void refusals_free(refusals *r);

#endif
