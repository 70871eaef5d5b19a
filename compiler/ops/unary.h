/* Steps of elementwise functions of one tensor. */
#ifndef KILN_COMPILER_OPS_UNARY_H
#define KILN_COMPILER_OPS_UNARY_H

#include "compiler/lower/lower.h"

/* Output 0 of the node is the function of its input 0. */
kiln_status emit_unary(lowering *l, node *n, kiln_unary_op op, float alpha, float beta);

#endif
