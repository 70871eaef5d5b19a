/* Products of matrices: a tile of results that stays in registers. */
#include "runtime/lanes/vector.h"

#define COLUMNS ((size_t)LANES_WIDTH * LANES_VECTORS)

INLINE void multiply(size_t vectors, size_t m, size_t k, const float *a, size_t a_stride,
                     const float *b, float *c, size_t c_stride, const lanes_finish *last) {
    vector sums[LANES_ROWS][LANES_VECTORS] = {0};
    for (size_t i = 0; i < k; i++) {
        vector weights[LANES_VECTORS];
        UNROLL for (size_t v = 0; v < vectors; v++) {
            weights[v] = load(b + i * COLUMNS + v * LANES_WIDTH);
        }
        UNROLL for (size_t row = 0; row < m; row++) {
            UNROLL for (size_t v = 0; v < vectors; v++) {
                sums[row][v] = accumulate(sums[row][v], all(a[row * a_stride + i]), weights[v]);
            }
        }
    }
    if (last != NULL) {
        vector low = all(last->min), high = all(last->max);
        UNROLL for (size_t row = 0; row < m; row++) {
            UNROLL for (size_t v = 0; v < vectors; v++) {
                sums[row][v] += load(last->bias + v * LANES_WIDTH);
                if (last->add != NULL) {
                    sums[row][v] += load(last->add + row * last->add_stride + v * LANES_WIDTH);
                }
                sums[row][v] = clamp(sums[row][v], low, high);
            }
        }
    }
    UNROLL for (size_t row = 0; row < m; row++) {
        UNROLL for (size_t v = 0; v < vectors; v++) {
            store(c + row * c_stride + v * LANES_WIDTH, sums[row][v]);
        }
    }
}

/* With m known, its loops are unrolled and the sums stay in registers. */
INLINE void multiply_rows(size_t vectors, size_t m, size_t k, const float *a, size_t a_stride,
                          const float *b, float *c, size_t c_stride, const lanes_finish *last) {
#define ROWS(M)                                                                                    \
    case M:                                                                                        \
        multiply(vectors, M, k, a, a_stride, b, c, c_stride, last);                                \
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

void LANE(lane_product)(size_t m, size_t k, const float *a, size_t a_stride, const float *b,
                        float *c, size_t c_stride, const lanes_finish *last) {
    multiply_rows(LANES_VECTORS, m, k, a, a_stride, b, c, c_stride, last);
}

void LANE(lane_product_half)(size_t m, size_t k, const float *a, size_t a_stride, const float *b,
                             float *c, size_t c_stride, const lanes_finish *last) {
    multiply_rows(LANES_VECTORS / 2, m, k, a, a_stride, b, c, c_stride, last);
}
