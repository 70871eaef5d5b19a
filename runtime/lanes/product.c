/* Products of matrices, a tile of results at a time, which stays in registers. */
#include "runtime/lanes/vector.h"

#define COLUMNS ((size_t)LANES_WIDTH * LANES_VECTORS)
#define AHEAD 512 /* floats of b */

/* A tile: some rows by all columns of b, or by the first half of them. */
typedef struct tile {
    size_t k;
    const float *a;
    size_t a_stride;
    const float *b;
    float *c;
    size_t c_stride;
    const lanes_finish *last;
    const float *add; /* NULL: nothing */
} tile;

/* What is added is read, and results are written, once the sums are done: fetched meanwhile. */
INLINE void fetch_ahead(size_t vectors, size_t m, const tile *t) {
    UNROLL for (size_t row = 0; row < m; row++) {
        UNROLL for (size_t c = 0; c < vectors * LANES_WIDTH; c += LINE) {
            __builtin_prefetch(t->add + row * t->last->add_stride + c);
            __builtin_prefetch(t->c + row * t->c_stride + c, 1);
        }
    }
}

/* Of a panel that comes from memory the processor itself fetches too little ahead. May lie past the
 * last panel; so no arithmetic on pointers. */
INLINE void fetch_weights(const float *b) {
    UNROLL for (size_t c = 0; c < COLUMNS; c += LINE) {
        __builtin_prefetch((const void *)((uintptr_t)b + (AHEAD + c) * sizeof *b));
    }
}

INLINE void multiply(size_t vectors, size_t m, const tile *from) {
    const tile t = *from;
    vector sums[LANES_ROWS][LANES_VECTORS] = {0};
    if (t.add != NULL && t.last->far) {
        fetch_ahead(vectors, m, &t);
    }
    for (size_t i = 0; i < t.k; i++) {
        vector weights[LANES_VECTORS];
        fetch_weights(t.b + i * COLUMNS);
        UNROLL for (size_t v = 0; v < vectors; v++) {
            weights[v] = load(t.b + i * COLUMNS + v * LANES_WIDTH);
        }
        UNROLL for (size_t row = 0; row < m; row++) {
            vector x = all(t.a[row * t.a_stride + i]);
            UNROLL for (size_t v = 0; v < vectors; v++) {
                sums[row][v] = accumulate(sums[row][v], x, weights[v]);
            }
        }
    }
    if (t.last != NULL) {
        vector low = all(t.last->min), high = all(t.last->max);
        UNROLL for (size_t row = 0; row < m; row++) {
            UNROLL for (size_t v = 0; v < vectors; v++) {
                sums[row][v] += load(t.last->bias + v * LANES_WIDTH);
                if (t.add != NULL) {
                    sums[row][v] += load(t.add + row * t.last->add_stride + v * LANES_WIDTH);
                }
                sums[row][v] = clamp(sums[row][v], low, high);
            }
        }
    }
    UNROLL for (size_t row = 0; row < m; row++) {
        UNROLL for (size_t v = 0; v < vectors; v++) {
            store(t.c + row * t.c_stride + v * LANES_WIDTH, sums[row][v]);
        }
    }
}

/* With m known, its loops are unrolled and the sums stay in registers. */
INLINE void multiply_rows(size_t vectors, size_t m, const tile *t) {
#define ROWS(M)                                                                                    \
    case M:                                                                                        \
        multiply(vectors, M, t);                                                                   \
        break
    switch (m) {
        ROWS(1);
        ROWS(2);
        ROWS(3);
        ROWS(4);
#if LANES_ROWS > 4
        ROWS(5);
        ROWS(6);
#endif
#if LANES_ROWS > 6
        ROWS(7);
        ROWS(8);
#endif
#if LANES_ROWS > 8
        ROWS(9);
        ROWS(10);
        ROWS(11);
        ROWS(12);
#endif
    default:
        break;
    }
}

/* Where only some columns of a tile are results, they are copied. */
INLINE void multiply_tiles(size_t vectors, size_t m, size_t columns, tile t) {
    float sums[LANES_ROWS * COLUMNS], *to = t.c;
    size_t to_stride = t.c_stride;
    bool some = columns < vectors * LANES_WIDTH;
    if (some) {
        t.c = sums;
        t.c_stride = COLUMNS;
    }
    for (size_t rows = 0; m > 0; m -= rows) {
        rows = lanes_tile(m, LANES_ROWS);
        multiply_rows(vectors, rows, &t);
        for (size_t row = 0; some && row < rows; row++) {
            memcpy(to + row * to_stride, sums + row * COLUMNS, columns * sizeof(float));
        }
        to += rows * to_stride;
        t.a += rows * t.a_stride;
        t.c = some ? sums : to;
        if (t.add != NULL) {
            t.add += rows * t.last->add_stride;
        }
    }
}

void LANE(lane_product)(size_t m, size_t columns, size_t k, const float *a, size_t a_stride,
                        const float *b, float *c, size_t c_stride, const lanes_finish *last) {
    tile t = {k, a, a_stride, b, c, c_stride, last, last != NULL ? last->add : NULL};
    if (columns > COLUMNS / 2) {
        multiply_tiles(LANES_VECTORS, m, columns, t);
    } else {
        multiply_tiles(LANES_VECTORS / 2, m, columns, t);
    }
}
