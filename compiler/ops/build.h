/* Rows build nodes in another's place before anything is inferred (op->resolve). After a failure
 * nothing more is made. */
#ifndef KILN_COMPILER_OPS_BUILD_H
#define KILN_COMPILER_OPS_BUILD_H

#include "compiler/ops/ops.h"

typedef struct builder {
    graph *g;
    node *n;    /* what is replaced */
    node *made; /* the latest */
    kiln_status status;
} builder;

/* Input k of the node; NULL: left out. */
tensor *build_input(const builder *b, size_t k);
/* Adds a node with one output: `to`, or a new tensor. Inputs left out at the end may be NULL. */
tensor *build_node(builder *b, const char *name, size_t count, tensor *const *inputs, tensor *to);
tensor *build_unary(builder *b, const char *name, tensor *x, tensor *to);
tensor *build_binary(builder *b, const char *name, tensor *x, tensor *y, tensor *to);
tensor *build_number(builder *b, float value);
tensor *build_integers(builder *b, size_t count, const int64_t *values);
/* The axes of x in another order. */
tensor *build_transpose(builder *b, tensor *x, size_t rank, const int64_t *order, tensor *to);

/* Give the latest node one attribute, or those of the node that is replaced. */
void build_int(builder *b, const char *name, int64_t value);
void build_float(builder *b, const char *name, float value);
void build_string(builder *b, const char *name, const char *value);
void build_attributes(builder *b);

void build_refusal(builder *b, const char *what);

#endif
