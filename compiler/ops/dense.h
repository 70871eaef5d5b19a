/* What Gemm and MatMul share. */
#ifndef KILN_COMPILER_OPS_DENSE_H
#define KILN_COMPILER_OPS_DENSE_H

#include "compiler/ops/support.h"

/* y [M][N] = alpha A [M][K] B [K][N] + beta C. */
typedef struct gemm_shape {
    int64_t m, n, k;
    bool trans_a, trans_b;
    float alpha, beta;
    tensor *c; /* NULL: none */
} gemm_shape;

/* Adds a fully connected layer: y = alpha (x b) + beta C, where b is the node's constant input 1;
 * clamped, if it is the last step. */
kiln_status lower_fully_connected(lowering *l, node *n, uint32_t x, const gemm_shape *s, uint32_t y,
                                  bool last);
/* A copy of the constant t times factor; t itself when the factor is 1. NULL: memory. */
tensor *dense_scaled(lowering *l, tensor *t, float factor);
/* A product's right side, whose element (k, j) is at k * by_k + j * by_j: the contexts' first
 * member. */
typedef struct right_side {
    const float *b;
    int64_t by_k, by_j;
} right_side;
/* The `get` of such products. */
void dense_columns(const void *context, int64_t k_begin, int64_t k_end, int64_t j_begin,
                   int64_t j_end, double *out);
/* Multiplications of a product of the node's first two inputs. */
double work_of_product(const node *n);

#endif
