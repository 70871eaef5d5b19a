/* Steps of elementwise functions of one tensor. */
#ifndef KILN_COMPILER_OPS_UNARY_H
#define KILN_COMPILER_OPS_UNARY_H

#include "compiler/lower/lower.h"

/* Reads which function of f32 an operator's node is; false where it is none of these. */
bool unary_function_of(const node *n, kiln_unary_params *out);
/* The value at x of such a function, or of CLAMP. */
double unary_value(const kiln_unary_params *f, double x);

/* Output 0 of the node is the function of its input 0. */
kiln_status emit_unary(lowering *l, node *n, kiln_unary_op op, float alpha, float beta);

#endif
