/* Blocks of 64 rows and 32 columns, each by one thread; within a block some of the depth at a time,
 * so that what is read again and again stays near. */
#include "compiler/ops/product.h"
#include "compiler/graph/parallel.h"

#include <string.h>

enum { ROWS = 64, DEPTH = 128, ROWS_AT_ONCE = 4 };

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* sums[r][j] += a[r][k] * b[k][j] for some rows. */
static void add_rows(const product *p, const float *a, int64_t rows, int64_t depth, const double *b,
                     double (*sums)[PRODUCT_COLUMNS]) {
    for (int64_t k = 0; k < depth; k++) {
        for (int64_t r = 0; r < rows; r++) {
            double factor = (double)a[r * p->a_row + k * p->a_step];
            for (int64_t j = 0; j < PRODUCT_COLUMNS; j++) {
                sums[r][j] += factor * b[k * PRODUCT_COLUMNS + j];
            }
        }
    }
}

static void compute_block(const product *p, int64_t row, int64_t column) {
    double sums[ROWS][PRODUCT_COLUMNS], b[DEPTH * PRODUCT_COLUMNS];
    int64_t rows = least(ROWS, p->rows - row);
    int64_t end = least(column + PRODUCT_COLUMNS, p->columns);
    memset(sums, 0, (size_t)rows * sizeof *sums);
    if (end - column < PRODUCT_COLUMNS) {
        memset(b, 0, sizeof b); /* columns that do not exist */
    }
    for (int64_t k = 0; k < p->depth; k += DEPTH) {
        int64_t depth = least(DEPTH, p->depth - k);
        p->get(p->context, k, k + depth, column, end, b);
        for (int64_t r = 0; r < rows; r += ROWS_AT_ONCE) {
            add_rows(p, p->a + (row + r) * p->a_row + k * p->a_step, least(ROWS_AT_ONCE, rows - r),
                     depth, b, sums + r);
        }
    }
    for (int64_t r = 0; r < rows; r++) {
        p->put(p->context, row + r, column, end, sums[r]);
    }
}

static int64_t row_blocks(const product *p) {
    return (p->rows + ROWS - 1) / ROWS;
}

static void compute_blocks(const void *context, int64_t begin, int64_t end) {
    const product *p = context;
    for (int64_t k = begin; k < end; k++) {
        compute_block(p, k % row_blocks(p) * ROWS, k / row_blocks(p) * PRODUCT_COLUMNS);
    }
}

void product_compute(const graph *g, const product *p) {
    int64_t column_blocks = (p->columns + PRODUCT_COLUMNS - 1) / PRODUCT_COLUMNS;
    int64_t cost = least(p->rows, ROWS) * PRODUCT_COLUMNS * (p->depth + 1);
    graph_parallel(g, row_blocks(p) * column_blocks, cost, compute_blocks, p);
}
