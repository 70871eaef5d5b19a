/* Reading formulas that exporters spell out in several operators. */
#ifndef KILN_COMPILER_PASSES_TERMS_H
#define KILN_COMPILER_PASSES_TERMS_H

#include "compiler/graph/graph.h"

enum { TERMS = 8 };

/* Operands of an operator that is associative, and of those of its kind that make only these. */
typedef struct terms {
    size_t count;
    tensor *each[TERMS];
} terms;

/* The operands of n, an Add or a Mul; false: there are too many. */
bool collect_terms(const node *n, const char *op_name, terms *out);

/* factor x^power */
typedef struct monomial {
    double factor;
    uint32_t power;
} monomial;

/* Reads a product of scalar constants and of x or its square. */
bool read_monomial(tensor *t, const tensor *x, monomial *out);

/* Does the reduction keep its dims and run over exactly these axes, a bit each? */
bool reduces(const node *n, const char *op_name, uint32_t axes);

/* The values of t, of so many elements, as a constant vector; t NULL: ones. NULL: no memory. */
tensor *as_vector(graph *g, const tensor *t, int64_t count);

/* Makes n, whose other operands nobody needs then, a function of x. */
kiln_status become_function(graph *g, node *n, const char *op_name, tensor *x, const char *origin);

/* Inserts at the position, which then is one further, what moves channels from the last axis to
 * axis 1 (`first`), or back; y NULL: a new tensor. NULL: no memory. */
tensor *move_channels(graph *g, size_t *inout_position, const node *like, tensor *x, tensor *y,
                      bool first);

/* Drops what nobody reads since `found` formulas were rewritten, which are counted. */
kiln_status sweep_formulas(graph *g, size_t found, size_t *inout_rewrites);

#endif
