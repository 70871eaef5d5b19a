/* What the files of unary functions share. */
#ifndef KILN_COMPILER_OPS_UNARY_H
#define KILN_COMPILER_OPS_UNARY_H

#include "compiler/lower/lower.h"
#include "compiler/ops/ops.h"

typedef struct unary_spec {
    const char *name;
    kiln_unary_op kernel;
    uint32_t dtypes;
    const char *alpha, *beta; /* attributes; NULL: the value is fixed */
    float alpha_default, beta_default;
    double (*f)(double x, double a, double b);
} unary_spec;

extern const unary_spec unary_more_specs[]; /* unary_more.c */

kiln_status infer_unary(graph *g, node *n);
kiln_status evaluate_unary(graph *g, node *n);
kiln_status lower_unary(lowering *l, node *n);

/* A row for an operator that has a specification. */
#define UNARY_ROW(op_name, opset, extra)                                                           \
    {                                                                                              \
        .name = op_name, .min_opset = opset, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1,   \
        .max_outputs = 1, .layout = OP_ANY, .flags = OP_ELEMENTWISE | (extra),                     \
        .infer = infer_unary, .evaluate = evaluate_unary, .lower = lower_unary                     \
    }

#endif
