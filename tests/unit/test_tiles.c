/* Matrix products' micro-kernels against sums in double precision: for each set of vector
 * instructions every number of rows and columns of a tile, few and many inputs, rows in pieces and
 * at a distance, with and without what follows the sums. */
#include "runtime/ukernels/ukernels.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <float.h>
#include <math.h>

enum { ROWS = 60, INPUTS = 40, GAP = 3, MOST_PIECES = 3 };

typedef struct product {
    size_t m, n, kc, pieces;
    bool finishes, adds;
} product;

static float a[MOST_PIECES][ROWS * (INPUTS + GAP)], add[ROWS * (GEMM_MAX_NR + GAP)];
static float b[MOST_PIECES * INPUTS * GEMM_MAX_NR], c[ROWS * (GEMM_MAX_NR + GAP) + GEMM_MAX_NR];
static float bias[GEMM_MAX_NR];

static void fill(float *to, size_t count, uint32_t seed) {
    for (size_t k = 0; k < count; k++) {
        seed = seed * 1664525u + 1013904223u;
        to[k] = (float)(seed >> 8) / (float)(1u << 23) - 1.0f;
    }
}

static double expected(const product *p, size_t nr, size_t row, size_t column) {
    double sum = 0;
    for (size_t piece = 0; piece < p->pieces; piece++) {
        for (size_t k = 0; k < p->kc; k++) {
            sum += (double)a[piece][row * (INPUTS + GAP) + k] *
                   (double)b[(piece * INPUTS + k) * nr + column];
        }
    }
    if (!p->finishes) {
        return sum;
    }
    sum += (double)bias[column] + (p->adds ? (double)add[row * (GEMM_MAX_NR + GAP) + column] : 0);
    return fmin(fmax(sum, -0.5), 1.5);
}

static void try_product(const ukernels *u, const product *p) {
    size_t stride = GEMM_MAX_NR + GAP;
    gemm_windows from = {
        a[0], b, p->kc, p->pieces, INPUTS + GAP, sizeof a[0] / sizeof(float), INPUTS * u->nr};
    gemm_epilogue last = {bias, p->adds ? add : NULL, stride,         -0.5f,
                          1.5f, p->m % 2 == 0,        p->n % 3 * 1000};
    for (size_t k = 0; k < sizeof c / sizeof *c; k++) {
        c[k] = NAN;
    }
    u->gemm_windows(p->m, p->n, &from, c, stride, p->finishes ? &last : NULL);
    for (size_t k = 0; k < sizeof c / sizeof *c; k++) {
        size_t row = k / stride, column = k % stride;
        if (row >= p->m || column >= p->n) {
            if (!isnan(c[k])) {
                ck_abort_msg("%s %zu x %zu: written at row %zu column %zu", u->name, p->m, p->n,
                             row, column);
            }
            continue;
        }
        double wanted = expected(p, u->nr, row, column);
        double bound = 4 * (double)FLT_EPSILON * (double)(p->pieces * p->kc + 2);
        if (!(fabs((double)c[k] - wanted) <= bound)) { /* an assertion that holds costs, too */
            ck_abort_msg("%s %zu x %zu of %zu, row %zu column %zu: %g, not %g", u->name, p->m, p->n,
                         p->kc, row, column, (double)c[k], wanted);
        }
    }
}

START_TEST(tiles_are_sums) {
    static const size_t inputs[] = {1, 3, 4, 5, 8, 27, 40};
    const ukernels *u = NULL;
    fill(a[0], sizeof a / sizeof(float), 1);
    fill(b, sizeof b / sizeof *b, 2);
    fill(add, sizeof add / sizeof *add, 3);
    fill(bias, GEMM_MAX_NR, 4);
    for (size_t k = 0; (u = ukernels_at(k)) != NULL; k++) {
        for (size_t m = 1; m <= ROWS; m++) {
            for (size_t n = 1; n <= u->nr; n += n < u->nr / 2 + 2 ? 1 : 3) {
                size_t at = m + n;
                product p = {m, n, inputs[at % 7], 1 + at % MOST_PIECES, at % 4 > 0, at % 4 > 1};
                try_product(u, &p);
            }
        }
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("sums", tiles_are_sums),
    };
    return SUITE("tiles", tests);
}
