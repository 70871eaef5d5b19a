/* Operators that are said in others. A row's expand builds those with the functions below and names
 * the tensors that take the place of the node's outputs; the pass (passes/expand_operators.c) puts
 * them where the node was. A failure sticks: each function then returns NULL, and takes NULL, so
 * that calls need no checks in between. */
#ifndef KILN_COMPILER_OPS_EXPAND_H
#define KILN_COMPILER_OPS_EXPAND_H

#include "compiler/graph/graph.h"

typedef struct expansion {
    graph *g;
    node *n;      /* what is expanded */
    size_t first; /* what has been built: the graph's nodes from here on */
    kiln_status status;
} expansion;

/* The output of a new node: an operator of one output, with one attribute or none (NULL). It is a
 * constant, and there is no node, where all inputs are constant. */
tensor *expand_apply(expansion *e, const char *op, size_t count, tensor *const *inputs,
                     const attribute *with);
tensor *expand_node(expansion *e, const char *op, size_t count, tensor *const *inputs,
                    size_t attribute_count, const attribute *attributes);
tensor *expand_unary(expansion *e, const char *op, tensor *x);
tensor *expand_binary(expansion *e, const char *op, tensor *a, tensor *b);
/* The same elements under other dims, which may be multiples of the batch's placeholder. */
tensor *expand_reshape(expansion *e, tensor *x, uint32_t rank, const int64_t *dims);
tensor *expand_transpose(expansion *e, tensor *x, const int64_t *order);
tensor *expand_cast(expansion *e, tensor *x, kiln_dtype dtype);
tensor *expand_where(expansion *e, tensor *condition, tensor *yes, tensor *no);

/* Constants: of zeros, to be filled in; one number; 0, 1, .. along one axis of `rank`. */
tensor *expand_constant(expansion *e, kiln_dtype dtype, uint32_t rank, const int64_t *dims);
tensor *expand_number(expansion *e, kiln_dtype dtype, double value);
tensor *expand_range(expansion *e, uint32_t rank, uint32_t axis, int64_t count);

/* `t` is the node's output k. Each output that is read needs one. */
void expand_result(expansion *e, size_t k, tensor *t);

#endif
