/* Products of matrices, a tile of results at a time, which stays in registers. */
#include "runtime/ukernels/vector.h"

#include <math.h>

#define GEMM_NR ((size_t)VECTOR_WIDTH * GEMM_NR_VECTORS)
/* Rows of a tile of half the columns, which has as many sums: a row's input is loaded for half as
 * many of them, so that other loads and the begin and end of a tile must weigh less. */
#define MOST_ROWS ((size_t)2 * GEMM_MR)
#define ROWS_TOGETHER ((size_t)3) /* rows that one address leads to */
/* Inputs of a round of the inner loop. Of more than two clang loads too much ahead for few
 * registers. */
#define STEPS ((size_t)(GEMM_MR >= 6 ? 4 : 2))
#define AHEAD ((size_t)512) /* a panel is fetched so many floats ahead */

/* A tile of results: some rows by all columns of b, or by the first half of them. */
typedef struct tile {
    gemm_windows from;
    size_t n; /* the columns that are results */
    float *c;
    size_t c_stride;
    const gemm_epilogue *epilogue;
    const float *add; /* NULL where nothing is added */
    size_t fetched;   /* the panel is fetched so many bytes ahead */
} tile;

/* Whether a tile has as many sums as there are registers for; few others are computed. */
INLINE bool is_full(size_t vectors, size_t m) {
    return m * vectors == (size_t)GEMM_MR * GEMM_NR_VECTORS;
}

/* What is added is read, and results are written, once the sums are done. Both are fetched
 * meanwhile. */
APART void fetch_ahead(size_t vectors, size_t m, const tile *t) {
    for (size_t row = 0; row < m; row++) {
        for (size_t c = 0; c < vectors * VECTOR_WIDTH; c += LINE) {
            __builtin_prefetch(t->add + row * t->epilogue->add_stride + c);
            __builtin_prefetch(t->c + row * t->c_stride + c, 1);
        }
    }
}

/* By itself the processor fetches too little ahead of a panel that comes from memory. The address
 * may lie past the last panel, so it is made of an integer, not of a pointer. */
INLINE void fetch_weights(size_t vectors, const float *b, size_t ahead) {
    UNROLL for (size_t c = 0; c < vectors * VECTOR_WIDTH; c += LINE) {
        __builtin_prefetch((const void *)((uintptr_t)b + ahead + c * sizeof *b));
    }
}

/* Adds the products of the input `ahead` bytes behind the rows' addresses. */
INLINE void multiply_step(size_t vectors, size_t m, const float *b, size_t fetched,
                          const uintptr_t *a, size_t ahead, size_t stride,
                          vector sums[MOST_ROWS][GEMM_NR_VECTORS]) {
    vector weights[GEMM_NR_VECTORS];
    fetch_weights(vectors, b, fetched);
    UNROLL for (size_t v = 0; v < vectors; v++) {
        weights[v] = load(b + v * VECTOR_WIDTH);
    }
    UNROLL_LONG for (size_t row = 0; row < m; row++) {
        size_t first = row / ROWS_TOGETHER * ROWS_TOGETHER;
        vector x = all(*(const float *)(a[first] + (row - first) * stride + ahead));
        UNROLL for (size_t v = 0; v < vectors; v++) {
            sums[row][v] = accumulate(sums[row][v], x, weights[v]);
        }
    }
}

/* Adds the products of so many inputs of all rows. */
INLINE void multiply_steps(size_t vectors, size_t m, const float *b, size_t fetched, size_t steps,
                           size_t stride, uintptr_t a[MOST_ROWS],
                           vector sums[MOST_ROWS][GEMM_NR_VECTORS]) {
    UNROLL for (size_t k = 0; k < steps; k++) {
        multiply_step(vectors, m, b + k * GEMM_NR, fetched, a, k * sizeof(float), stride, sums);
    }
    UNROLL for (size_t row = 0; row < m; row += ROWS_TOGETHER) {
        a[row] = opaque(a[row] + steps * sizeof(float));
    }
}

/* Adds the products of one piece of all rows. Where tiles are full, several inputs make a round of
 * the loop: processors foresee the end of few rounds, and nothing stops between two tiles. */
INLINE void multiply_piece(size_t vectors, size_t m, const gemm_windows *from, size_t fetched,
                           size_t piece, vector sums[MOST_ROWS][GEMM_NR_VECTORS]) {
    const float *b = from->b + piece * from->b_step;
    size_t stride = from->a_stride * sizeof(float), k = 0;
    uintptr_t a[MOST_ROWS];
    UNROLL for (size_t row = 0; row < m; row += ROWS_TOGETHER) {
        a[row] = opaque((uintptr_t)(from->a + piece * from->a_step) + row * stride);
    }
    for (; is_full(vectors, m) && k + STEPS <= from->kc; k += STEPS) {
        multiply_steps(vectors, m, b + k * GEMM_NR, fetched, STEPS, stride, a, sums);
    }
    for (; k < from->kc; k++) {
        multiply_steps(vectors, m, b + k * GEMM_NR, fetched, 1, stride, a, sums);
    }
}

/* Clamps are for most layers of one side, and for some of none. */
INLINE void finish(size_t vectors, size_t m, const tile *t,
                   vector sums[MOST_ROWS][GEMM_NR_VECTORS]) {
    const gemm_epilogue *last = t->epilogue;
    vector low = all(last->min), high = all(last->max);
    if (is_full(vectors, m) && t->add != NULL) {
        UNROLL_LONG for (size_t row = 0; row < m; row++) {
            UNROLL for (size_t v = 0; v < vectors; v++) {
                sums[row][v] += load(t->add + row * last->add_stride + v * VECTOR_WIDTH);
            }
        }
    }
    if (last->min > -INFINITY) {
        UNROLL_LONG for (size_t row = 0; row < m; row++) {
            UNROLL for (size_t v = 0; v < vectors; v++) {
                sums[row][v] = larger(low, sums[row][v]);
            }
        }
    }
    if (last->max < INFINITY) {
        UNROLL_LONG for (size_t row = 0; row < m; row++) {
            UNROLL for (size_t v = 0; v < vectors; v++) {
                sums[row][v] = smaller(high, sums[row][v]);
            }
        }
    }
}

/* Finishes and stores a vector of columns of any tile. What is added may lie where results go: all
 * of it is loaded first, as a load waits for a store that it overlaps, of lanes left out too. */
INLINE void give_columns(size_t vectors, size_t m, const tile *t, size_t c, vector *sums) {
    const gemm_epilogue *last = t->epilogue;
    const vector low = all(last != NULL ? last->min : -INFINITY);
    const vector high = all(last != NULL ? last->max : INFINITY);
    for (size_t row = 0; row < m && t->add != NULL; row++) {
        sums[row * vectors] += load(t->add + row * last->add_stride + c);
    }
    for (size_t row = 0; row < m; row++) {
        store_some(t->c + row * t->c_stride + c, clamp(sums[row * vectors], low, high), t->n - c);
    }
}

/* Finishes and stores any tile. Rarer, so that it is compiled once. */
APART void give_part(size_t vectors, size_t m, const tile *from, vector *sums) {
    const tile t = *from; /* a copy, which no store can change */
    for (size_t c = 0; c < t.n; c += VECTOR_WIDTH) {
        give_columns(vectors, m, &t, c, sums + c / VECTOR_WIDTH);
    }
}

/* Whether a tile that is not full is finished in registers, too. */
INLINE bool is_plain(const tile *t) {
    return FEW_SHAPES ? t->epilogue == NULL : t->add == NULL;
}

/* Most tiles are finished in registers. */
INLINE void give(size_t vectors, size_t m, const tile *t, vector sums[MOST_ROWS][GEMM_NR_VECTORS]) {
    if (t->n >= vectors * VECTOR_WIDTH && (is_full(vectors, m) || is_plain(t))) {
        if (t->epilogue != NULL && (is_full(vectors, m) || !FEW_SHAPES)) {
            finish(vectors, m, t, sums);
        }
        UNROLL_LONG for (size_t row = 0; row < m; row++) {
            UNROLL for (size_t v = 0; v < vectors; v++) {
                store(t->c + row * t->c_stride + v * VECTOR_WIDTH, sums[row][v]);
            }
        }
        return;
    }
    vector kept[MOST_ROWS * GEMM_NR_VECTORS]; /* the sums themselves are to stay in registers */
    UNROLL_LONG for (size_t row = 0; row < m; row++) {
        UNROLL for (size_t v = 0; v < vectors; v++) {
            kept[row * vectors + v] = sums[row][v];
        }
    }
    give_part(vectors, m, t, kept);
}

INLINE void multiply(size_t vectors, size_t m, const tile *from) {
    const tile t = *from;
    vector sums[MOST_ROWS][GEMM_NR_VECTORS], first[GEMM_NR_VECTORS] = {0};
    if (t.epilogue != NULL) {
        UNROLL for (size_t v = 0; v < vectors; v++) {
            first[v] = load(t.epilogue->bias + v * VECTOR_WIDTH);
        }
    }
    UNROLL_LONG for (size_t row = 0; row < m; row++) {
        UNROLL for (size_t v = 0; v < vectors; v++) {
            sums[row][v] = first[v];
        }
    }
    if (t.add != NULL && t.epilogue->far) {
        fetch_ahead(vectors, m, &t);
    }
    for (size_t piece = 0; piece < t.from.pieces; piece++) {
        multiply_piece(vectors, m, &t.from, t.fetched, piece, sums);
    }
    give(vectors, m, &t, sums);
}

#define TILE(M)                                                                                    \
    case M:                                                                                        \
        multiply(GEMM_NR_VECTORS, M, t);                                                           \
        break;
#define HALF_TILE(M)                                                                               \
    if (m >= (M)) {                                                                                \
        multiply(GEMM_NR_VECTORS / 2, M, t);                                                       \
        return M;                                                                                  \
    }

/* Multiplies the next rows of m, and returns how many these are: as their number is known, loops
 * are unrolled and the sums stay in registers. Where half of the columns are results, the last few
 * rows compute the others, too: their sums are too few to keep the processor busy. */
INLINE size_t multiply_rows(size_t m, const tile *t) {
    if (t->n <= GEMM_NR / 2) {
        GEMM_HALF_TILES(HALF_TILE)
    }
    size_t rows = gemm_tile_rows(m, GEMM_MR);
    switch (rows) {
        GEMM_TILES(TILE)
    default:
        break;
    }
    return rows;
}

INLINE void next_tile(size_t rows, tile *t) {
    t->from.a += rows * t->from.a_stride;
    t->c += rows * t->c_stride;
    if (t->add != NULL) {
        t->add += rows * t->epilogue->add_stride;
    }
}

#ifdef OWN_HALVES
/* ---- Panels of one and a half vectors ------------------------------------------------------
 * The half is that of two rows at a time, side by side in a vector: three multiplications of
 * vectors for two rows and an input, not four. */

#define HALVES_NR (VECTOR_WIDTH + VECTOR_WIDTH / 2)
#define HALVES_ROWS ((size_t)16)

typedef struct halves_sums {
    vector whole[HALVES_ROWS], half[HALVES_ROWS / 2];
} halves_sums;

/* Adds the products of one input of all rows, `ahead` bytes behind their addresses. */
INLINE void halves_step(const float *b, const uintptr_t *a, size_t ahead, size_t stride,
                        halves_sums *sums) {
    fetch_weights(GEMM_NR_VECTORS, b, AHEAD * sizeof *b);
    vector whole = load(b), half = load_twice(b + VECTOR_WIDTH);
    UNROLL_LONG for (size_t pair = 0; pair < HALVES_ROWS / 2; pair++) {
        vector x[2];
        UNROLL for (size_t k = 0; k < 2; k++) {
            size_t row = 2 * pair + k, first = row / ROWS_TOGETHER * ROWS_TOGETHER;
            x[k] = all(*(const float *)(a[first] + (row - first) * stride + ahead));
            sums->whole[row] = accumulate(sums->whole[row], x[k], whole);
        }
        sums->half[pair] = accumulate(sums->half[pair], halves(x[0], x[1]), half);
    }
}

INLINE void halves_piece(const gemm_windows *from, size_t piece, halves_sums *sums) {
    const float *b = from->b + piece * from->b_step;
    size_t stride = from->a_stride * sizeof(float);
    uintptr_t a[HALVES_ROWS];
    UNROLL for (size_t row = 0; row < HALVES_ROWS; row += ROWS_TOGETHER) {
        a[row] = opaque((uintptr_t)(from->a + piece * from->a_step) + row * stride);
    }
    for (size_t k = 0; k < from->kc; k++) {
        halves_step(b + k * GEMM_NR, a, 0, stride, sums);
        UNROLL for (size_t row = 0; row < HALVES_ROWS; row += ROWS_TOGETHER) {
            a[row] = opaque(a[row] + sizeof(float));
        }
    }
}

INLINE vector bounded(vector v, const gemm_epilogue *last) {
    v = last->min > -INFINITY ? larger(all(last->min), v) : v;
    return last->max < INFINITY ? smaller(all(last->max), v) : v;
}

/* Adds, clamps and stores two rows. */
INLINE void halves_give(const tile *t, size_t pair, halves_sums *sums) {
    const gemm_epilogue *last = t->epilogue;
    vector half = sums->half[pair];
    float *c[2];
    UNROLL for (size_t k = 0; k < 2; k++) {
        size_t row = 2 * pair + k;
        c[k] = t->c + row * t->c_stride;
        vector whole = sums->whole[row];
        whole += t->add != NULL ? load(t->add + row * last->add_stride) : all(0);
        store(c[k], bounded(whole, last));
    }
    if (t->add != NULL) {
        const float *add = t->add + 2 * pair * last->add_stride + VECTOR_WIDTH;
        half += halves(load_twice(add), load_twice(add + last->add_stride));
    }
    store_halves(c[0] + VECTOR_WIDTH, c[1] + VECTOR_WIDTH, bounded(half, last),
                 t->n - VECTOR_WIDTH);
}

static void multiply_halves(const tile *from) {
    const tile t = *from;
    halves_sums sums;
    UNROLL for (size_t pair = 0; pair < HALVES_ROWS / 2; pair++) {
        sums.whole[2 * pair] = sums.whole[2 * pair + 1] = load(t.epilogue->bias);
        sums.half[pair] = load_twice(t.epilogue->bias + VECTOR_WIDTH);
    }
    for (size_t piece = 0; piece < t.from.pieces; piece++) {
        halves_piece(&t.from, piece, &sums);
    }
    UNROLL for (size_t pair = 0; pair < HALVES_ROWS / 2; pair++) {
        halves_give(&t, pair, &sums);
    }
}
#endif

void UKERNEL(gemm_windows)(size_t m, size_t n, const gemm_windows *windows, float *c,
                           size_t c_stride, const gemm_epilogue *epilogue) {
    tile t = {.from = *windows,
              .n = n,
              .c = c,
              .c_stride = c_stride,
              .epilogue = epilogue,
              .fetched = AHEAD * sizeof *c};
    if (epilogue != NULL) {
        t.add = epilogue->add;
        t.fetched = epilogue->ahead > 0 ? epilogue->ahead * sizeof *c : t.fetched;
    }
#ifdef OWN_HALVES
    bool halves = n > VECTOR_WIDTH && n <= HALVES_NR && epilogue != NULL;
    for (; halves && m >= HALVES_ROWS; m -= HALVES_ROWS) {
        multiply_halves(&t);
        next_tile(HALVES_ROWS, &t);
    }
#endif
    for (size_t rows = 0; m > 0; m -= rows) {
        rows = multiply_rows(m, &t);
        next_tile(rows, &t);
    }
}

void UKERNEL(gemm)(size_t m, size_t n, size_t kc, const float *a, size_t a_stride, const float *b,
                   float *c, size_t c_stride, const gemm_epilogue *epilogue) {
    const gemm_windows whole = {.a = a, .b = b, .kc = kc, .pieces = 1, .a_stride = a_stride};
    UKERNEL(gemm_windows)(m, n, &whole, c, c_stride, epilogue);
}
