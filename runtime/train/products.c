/* Matrix products. Large ones run on the micro-kernel of convolutions, with its roles swapped. It
 * wants one operand packed in panels, which for large, changing weights would cost as much as the
 * product. So the small operand (a batch of samples) is packed, and the large one (a layer's
 * weights) is read where it lies. A layer of few units is multiplied by the loops below: there,
 * packing the batch would cost more than the product. */
#include "runtime/base/memory.h"
#include "runtime/train/dot.h"
#include "runtime/train/network.h"
#include "runtime/train/wide.h"

#include <math.h>
#include <string.h>

#ifdef KILN_TRAIN_VECTORS
#include "runtime/ukernels/ukernels.h"
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

/* ---- Many rows ----------------------------------------------------------------------------- */

#ifdef KILN_TRAIN_VECTORS
#define DEPTH ((size_t)256) /* a panel of so many k stays in the L1 cache */
#define ROWS ((size_t)48)   /* of a task, whose part of a stays in the L2 cache */

typedef struct multiplying {
    const ukernels *ukernels;
    const product *p;
    size_t m;
    const real *a;
    real *y;
} multiplying;

static void pack_panel(void *context, size_t panel) {
    const product *p = context;
    const ukernels *u = ukernels_best();
    size_t first = panel * u->nr, columns = p->n - first < u->nr ? p->n - first : u->nr;
    float *to = (float *)p->packed + panel * p->k * u->nr;
    if (!p->b_by_k) {
        ukernels_pack(u)->weights[DENSE_F32](columns, p->k, p->b + first * p->k, p->k, to);
        return;
    }
    for (size_t k = 0; k < p->k; k++, to += u->nr) {
        memcpy(to, p->b + k * p->n + first, columns * sizeof *to);
        memset(to + columns, 0, (u->nr - columns) * sizeof *to);
    }
}

/* Multiplies some rows by all panels, some k at a time, which are added to what is there. */
static void multiply_rows(void *context, size_t begin, size_t rows) {
    static const float zeros[GEMM_MAX_NR];
    const multiplying *job = context;
    const product *p = job->p;
    size_t nr = job->ukernels->nr;
    for (size_t from = 0; from < p->k; from += DEPTH) {
        size_t depth = p->k - from < DEPTH ? p->k - from : DEPTH;
        const float *panel = (const float *)p->packed + from * nr;
        for (size_t first = 0; first < p->n; first += nr, panel += p->k * nr) {
            real *y = job->y + begin * p->n + first;
            gemm_epilogue sum = {
                .bias = zeros, .add = y, .add_stride = p->n, .min = -INFINITY, .max = INFINITY};
            job->ukernels->gemm(rows, p->n - first < nr ? p->n - first : nr, depth,
                                job->a + begin * p->k + from, p->k, panel, y, p->n,
                                from > 0 ? &sum : NULL);
        }
    }
}

static kiln_status create_packed(product *p, kiln_error *error) {
    size_t nr = ukernels_best()->nr, panels = (p->n + nr - 1) / nr;
    p->packed = memory_take(p->allocator, panels * nr * p->k * sizeof(float));
    if (p->packed == NULL) {
        return memory_fail(error);
    }
    thread_pool_each(p->pool, pack_panel, p, panels);
    return KILN_OK;
}

static void multiply_many(const product *p, size_t m, const real *a, real *y) {
    multiplying job = {ukernels_best(), p, m, a, y};
    thread_pool_ranges(p->pool, multiply_rows, &job, m, ROWS);
}
#else
static kiln_status create_packed(product *p, kiln_error *error) {
    (void)p;
    (void)error;
    return KILN_OK;
}

static void multiply_many(const product *p, size_t m, const real *a, real *y) {
    multiply_few(p, m, a, y);
}
#endif

/* ---- Any number of rows -------------------------------------------------------------------- */

kiln_status product_create(size_t m, size_t k, size_t n, const real *b, bool b_by_k,
                           thread_pool *pool, const kiln_allocator *allocator, product *out_product,
                           kiln_error *error) {
    *out_product =
        (product){k, n, b, b_by_k, m * k * n < WORTH_THREADS ? NULL : pool, allocator, NULL};
    return m <= FEW_ROWS ? KILN_OK : create_packed(out_product, error);
}

void product_run(const product *p, size_t m, const real *a, real *y) {
    if (p->packed != NULL) {
        multiply_many(p, m, a, y);
    } else {
        multiply_few(p, m, a, y);
    }
}

void product_destroy(product *p) {
    memory_free(p->packed);
    p->packed = NULL;
}

kiln_status product_once(size_t m, size_t k, size_t n, const real *a, const real *b, bool b_by_k,
                         real *y, thread_pool *pool, const kiln_allocator *allocator,
                         kiln_error *error) {
    product p;
    kiln_status status = product_create(m, k, n, b, b_by_k, pool, allocator, &p, error);
    if (status == KILN_OK) {
        product_run(&p, m, a, y);
        product_destroy(&p);
    }
    return status;
}
