/* Matrix products in double precision, for the naive evaluators of convolutions and dense
 * layers. */
#ifndef KILN_COMPILER_OPS_PRODUCT_H
#define KILN_COMPILER_OPS_PRODUCT_H

#include "compiler/graph/graph.h"

enum { PRODUCT_COLUMNS = 32 }; /* of a block */

/* a[i][k] * b[k][j], where element (i, k) of a is a[i * a_row + k * a_step]. The columns of b come
 * from a function, some rows k and at most PRODUCT_COLUMNS columns j at a time:
 * out[(k - k_begin) * PRODUCT_COLUMNS + j - j_begin]. What the product is goes to another, a row's
 * part at a time; both are called on several threads at once. */
typedef struct product {
    const float *a;
    int64_t a_row, a_step;
    int64_t rows, depth, columns;
    void (*get)(const void *context, int64_t k_begin, int64_t k_end, int64_t j_begin, int64_t j_end,
                double *out);
    void (*put)(const void *context, int64_t row, int64_t j_begin, int64_t j_end,
                const double *sums);
    const void *context;
} product;

void product_compute(const graph *g, const product *p);

#endif
