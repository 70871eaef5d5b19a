/* The naive evaluators' matrix products and threads: whole and broken blocks against plain sums,
 * the same bits on any number of threads. */
#include "compiler/graph/parallel.h"
#include "compiler/ops/product.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 300, ELEMENTS = MOST * MOST };

typedef struct matrices {
    int64_t rows, depth, columns;
    float a[ELEMENTS], b[ELEMENTS], y[ELEMENTS];
} matrices;

static matrices m, again;

static void get(const void *context, int64_t k_begin, int64_t k_end, int64_t j_begin, int64_t j_end,
                double *out) {
    const matrices *from = context;
    for (int64_t k = k_begin; k < k_end; k++) {
        for (int64_t j = j_begin; j < j_end; j++) {
            out[(k - k_begin) * PRODUCT_COLUMNS + j - j_begin] =
                (double)from->b[k * from->columns + j];
        }
    }
}

static void put(const void *context, int64_t row, int64_t j_begin, int64_t j_end,
                const double *sums) {
    matrices *to = (matrices *)(uintptr_t)context;
    for (int64_t j = j_begin; j < j_end; j++) {
        to->y[row * to->columns + j] = (float)sums[j - j_begin];
    }
}

static void multiply(matrices *of, uint32_t threads) {
    graph g = {.threads = threads};
    product p = {.a = of->a,
                 .a_row = of->depth,
                 .a_step = 1,
                 .rows = of->rows,
                 .depth = of->depth,
                 .columns = of->columns,
                 .get = get,
                 .put = put,
                 .context = of};
    product_compute(&g, &p);
}

static void make(int64_t rows, int64_t depth, int64_t columns) {
    m.rows = rows;
    m.depth = depth;
    m.columns = columns;
    for (int64_t k = 0; k < ELEMENTS; k++) {
        m.a[k] = (float)(k * 7 % 13 - 6) / 8;
        m.b[k] = (float)(k * 5 % 17 - 8) / 4;
        m.y[k] = -1234;
    }
}

/* Sums of these numbers are exact. */
static void check_product(int64_t rows, int64_t depth, int64_t columns) {
    make(rows, depth, columns);
    multiply(&m, 1);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
            float sum = 0;
            for (int64_t k = 0; k < depth; k++) {
                sum += m.a[i * depth + k] * m.b[k * columns + j];
            }
            ck_assert(m.y[i * columns + j] == sum);
        }
    }
    ck_assert(m.y[rows * columns] == -1234);
}

START_TEST(products_are_sums) {
    static const int64_t sizes[] = {0, 1, 3, 4, 5, 31, 32, 33, 64, 65, 128, 129};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int k = 0; k < SIZES; k++) {
        check_product(sizes[k], 3, 5);
        check_product(2, sizes[k], 3);
        check_product(3, 4, sizes[k]);
        check_product(sizes[k], sizes[SIZES - 1 - k], 33);
    }
}
END_TEST

START_TEST(threads_change_nothing) {
    make(130, 299, 290);
    for (int64_t k = 0; k < ELEMENTS; k++) {
        m.a[k] = 1.0f / (float)(k % 97 + 3);
    }
    again = m;
    multiply(&m, 1);
    multiply(&again, 7);
    for (int64_t k = 0; k < ELEMENTS; k++) {
        ck_assert(m.y[k] == again.y[k]);
    }
}
END_TEST

static void count(const void *context, int64_t begin, int64_t end) {
    uint8_t *seen = (uint8_t *)(uintptr_t)context;
    for (int64_t k = begin; k < end; k++) {
        seen[k]++;
    }
}

START_TEST(every_element_is_taken_once) {
    static const int64_t counts[] = {0, 1, 2, 1000, 99991};
    static const int64_t costs[] = {0, 1, 1 << 20, INT64_MAX};
    uint8_t *seen = malloc(100000);
    for (int c = 0; c < 5; c++) {
        for (uint32_t threads = 0; threads < 100; threads += 11) {
            graph g = {.threads = threads};
            memset(seen, 0, 100000);
            graph_parallel(&g, counts[c], costs[threads % 4], count, seen);
            for (int64_t k = 0; k < 100000; k++) {
                ck_assert_int_eq(seen[k], k < counts[c]);
            }
        }
    }
    free(seen);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("sums", products_are_sums),
        TEST("threads", threads_change_nothing),
        TEST("threads", every_element_is_taken_once),
    };
    return SUITE("product", tests);
}
