/* Products of matrices, a tile of results at a time, which stays in registers. */
#include "runtime/ukernels/vector.h"

#define GEMM_NR ((size_t)VECTOR_WIDTH * GEMM_NR_VECTORS)
#define AHEAD 512 /* a panel is fetched so many floats ahead */

/* A tile of results: some rows by all columns of b, or by the first half of them. */
typedef struct tile {
    size_t kc;
    const float *a;
    size_t a_stride;
    const float *b;
    float *c;
    size_t c_stride;
    const gemm_epilogue *epilogue;
    const float *add; /* NULL where nothing is added */
} tile;

/* What is added is read, and results are written, once the sums are done. Both are fetched
 * meanwhile. */
INLINE void fetch_ahead(size_t vectors, size_t m, const tile *t) {
    UNROLL for (size_t row = 0; row < m; row++) {
        UNROLL for (size_t c = 0; c < vectors * VECTOR_WIDTH; c += LINE) {
            __builtin_prefetch(t->add + row * t->epilogue->add_stride + c);
            __builtin_prefetch(t->c + row * t->c_stride + c, 1);
        }
    }
}

/* By itself the processor fetches too little ahead of a panel that comes from memory. The address
 * may lie past the last panel, so it is made of an integer, not of a pointer. */
INLINE void fetch_weights(const float *b) {
    UNROLL for (size_t c = 0; c < GEMM_NR; c += LINE) {
        __builtin_prefetch((const void *)((uintptr_t)b + (AHEAD + c) * sizeof *b));
    }
}

INLINE void multiply(size_t vectors, size_t m, const tile *from) {
    const tile t = *from;
    vector sums[GEMM_MR][GEMM_NR_VECTORS] = {0};
    if (t.add != NULL && t.epilogue->far) {
        fetch_ahead(vectors, m, &t);
    }
    for (size_t i = 0; i < t.kc; i++) {
        vector weights[GEMM_NR_VECTORS];
        fetch_weights(t.b + i * GEMM_NR);
        UNROLL for (size_t v = 0; v < vectors; v++) {
            weights[v] = load(t.b + i * GEMM_NR + v * VECTOR_WIDTH);
        }
        UNROLL for (size_t row = 0; row < m; row++) {
            vector x = all(t.a[row * t.a_stride + i]);
            UNROLL for (size_t v = 0; v < vectors; v++) {
                sums[row][v] = accumulate(sums[row][v], x, weights[v]);
            }
        }
    }
    if (t.epilogue != NULL) {
        vector low = all(t.epilogue->min), high = all(t.epilogue->max);
        UNROLL for (size_t row = 0; row < m; row++) {
            UNROLL for (size_t v = 0; v < vectors; v++) {
                sums[row][v] += load(t.epilogue->bias + v * VECTOR_WIDTH);
                if (t.add != NULL) {
                    sums[row][v] += load(t.add + row * t.epilogue->add_stride + v * VECTOR_WIDTH);
                }
                sums[row][v] = clamp(sums[row][v], low, high);
            }
        }
    }
    UNROLL for (size_t row = 0; row < m; row++) {
        UNROLL for (size_t v = 0; v < vectors; v++) {
            store(t.c + row * t.c_stride + v * VECTOR_WIDTH, sums[row][v]);
        }
    }
}

/* With m known, its loops are unrolled and the sums stay in registers. */
INLINE void multiply_rows(size_t vectors, size_t m, const tile *t) {
#define TILE(M)                                                                                    \
    case M:                                                                                        \
        multiply(vectors, M, t);                                                                   \
        break;
    switch (m) {
        GEMM_TILES(TILE)
    default:
        break;
    }
}

/* Where only some columns of a tile are results, they are copied. */
INLINE void multiply_tiles(size_t vectors, size_t m, size_t n, tile t) {
    float sums[GEMM_MR * GEMM_NR], *to = t.c;
    size_t to_stride = t.c_stride;
    bool some = n < vectors * VECTOR_WIDTH;
    if (some) {
        t.c = sums;
        t.c_stride = GEMM_NR;
    }
    for (size_t rows = 0; m > 0; m -= rows) {
        rows = gemm_tile_rows(m, GEMM_MR);
        multiply_rows(vectors, rows, &t);
        for (size_t row = 0; some && row < rows; row++) {
            memcpy(to + row * to_stride, sums + row * GEMM_NR, n * sizeof(float));
        }
        to += rows * to_stride;
        t.a += rows * t.a_stride;
        t.c = some ? sums : to;
        if (t.add != NULL) {
            t.add += rows * t.epilogue->add_stride;
        }
    }
}

void UKERNEL(gemm)(size_t m, size_t n, size_t kc, const float *a, size_t a_stride, const float *b,
                   float *c, size_t c_stride, const gemm_epilogue *epilogue) {
    tile t = {kc, a, a_stride, b, c, c_stride, epilogue, epilogue != NULL ? epilogue->add : NULL};
    if (n > GEMM_NR / 2) {
        multiply_tiles(GEMM_NR_VECTORS, m, n, t);
    } else {
        multiply_tiles(GEMM_NR_VECTORS / 2, m, n, t);
    }
}
