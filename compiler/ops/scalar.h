/* BINARY's functions of two elements, by type. */
#ifndef KILN_COMPILER_OPS_SCALAR_H
#define KILN_COMPILER_OPS_SCALAR_H

#include <kiln/plan_format.h>
#include <stdbool.h>

float scalar_float(kiln_binary_op op, double a, double b);
int64_t scalar_integer(kiln_binary_op op, int64_t a, int64_t b);
/* From how a and b compare: with a NaN, none of the three holds. */
bool scalar_comparison(kiln_binary_op op, bool less, bool equal, bool greater);
bool scalar_logic(kiln_binary_op op, bool a, bool b);

#endif
