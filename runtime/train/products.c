/* Matrix products: XNNPACK's fully connected operator with its roles swapped. The operator packs
 * its weights when it is created, which for large, changing weights would cost as much as the
 * product. So the small operand (a batch of samples) is given as the operator's weights, and the
 * large one (a layer's weights) as its input, which is read where it lies. A layer of few units is
 * multiplied by the loops below: there, packing the batch would cost more than the product. */
#include "runtime/train/dot.h"
#include "runtime/train/network.h"
#include "runtime/train/wide.h"

#include <string.h>

#ifdef KILN_TRAIN_XNNPACK
#include "runtime/kernels/xnnpack.h"
#define FEW_ROWS ((size_t)48)
#else
#define FEW_ROWS SIZE_MAX /* the loops below work in any precision */
#endif

#define COLUMNS 512 /* columns of the result worked at a time, which stay in the L1 cache */
/* Multiply-accumulates below which waking threads costs more than they give. */
#define WORTH_THREADS ((size_t)1 << 22)

/* ---- Few rows ------------------------------------------------------------------------------ */

WIDE static DOT(dot, real, 16)

    /* Adds to y the sum of four rows, `step` apart, times a's four numbers. */
    WIDE static void add_four(real *y, const real *rows, size_t step, const real *a, size_t size) {
    const real *r0 = rows, *r1 = rows + step, *r2 = r1 + step, *r3 = r2 + step;
    for (size_t c = 0; c < size; c++) {
        y[c] += (a[0] * r0[c] + a[1] * r1[c]) + (a[2] * r2[c] + a[3] * r3[c]);
    }
}

WIDE static void add_one(real *y, const real *row, real a, size_t size) {
    for (size_t c = 0; c < size; c++) {
        y[c] += a * row[c];
    }
}

/* Computes one block of columns of the result, where b lies as [k][n]. */
static void multiply_by_k(const product *p, size_t m, const real *a, real *y, size_t first,
                          size_t columns) {
    for (size_t row = 0; row < m; row++) {
        const real *factors = a + row * p->k, *from = p->b + first;
        real *out = y + row * p->n + first;
        memset(out, 0, columns * sizeof *out);
        size_t k = 0;
        for (; k + 4 <= p->k; k += 4) {
            add_four(out, from + k * p->n, p->n, factors + k, columns);
        }
        for (; k < p->k; k++) {
            add_one(out, from + k * p->n, factors[k], columns);
        }
    }
}

static void multiply_few(const product *p, size_t m, const real *a, real *y) {
    for (size_t first = 0; p->b_by_k && first < p->n; first += COLUMNS) {
        multiply_by_k(p, m, a, y, first, p->n - first < COLUMNS ? p->n - first : COLUMNS);
    }
    for (size_t column = 0; !p->b_by_k && column < p->n; column++) {
        for (size_t row = 0; row < m; row++) {
            y[row * p->n + column] = dot(a + row * p->k, p->b + column * p->k, p->k);
        }
    }
}

/* ---- Any number of rows -------------------------------------------------------------------- */

kiln_status product_create(size_t m, size_t k, size_t n, const real *b, bool b_by_k,
                           pthreadpool_t pool, product *out_product, kiln_error *error) {
    *out_product = (product){k, n, b, b_by_k, m * k * n < WORTH_THREADS ? NULL : pool, NULL};
    if (m <= FEW_ROWS) {
        return KILN_OK;
    }
#ifdef KILN_TRAIN_XNNPACK
    return xnnpack_create_product(k, n, b, b_by_k, &out_product->packed, error);
#else
    (void)error;
    return KILN_OK;
#endif
}

kiln_status product_run(const product *p, size_t m, const real *a, real *y, kiln_error *error) {
#ifdef KILN_TRAIN_XNNPACK
    if (p->packed != NULL) {
        return xnnpack_run_product(p->packed, m, a, y, p->pool, error);
    }
#endif
    (void)error;
    multiply_few(p, m, a, y);
    return KILN_OK;
}

void product_destroy(product *p) {
#ifdef KILN_TRAIN_XNNPACK
    xnnpack_delete(p->packed);
#endif
    p->packed = NULL;
}

kiln_status product_once(size_t m, size_t k, size_t n, const real *a, const real *b, bool b_by_k,
                         real *y, pthreadpool_t pool, kiln_error *error) {
    product p;
    kiln_status status = product_create(m, k, n, b, b_by_k, pool, &p, error);
    if (status == KILN_OK) {
        status = product_run(&p, m, a, y, error);
        product_destroy(&p);
    }
    return status;
}
