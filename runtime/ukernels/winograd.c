/* The transforms of Winograd's algorithm for kernels of 3x3. Lavin and Gray 2015 (arXiv
 * 1509.09308), with the interpolation points 0, 1, -1 for F(2); and 2, -2 for F(4); and 1/2, -1/2
 * for F(6). Of stride 2, F(m, 2) of every second pixel has the points 0, 1 for m = 2; 0, 1, -1, 2
 * for m = 4. Results of a one-dimensional transform lie `out_step` apart. */
#include "runtime/ukernels/vector.h"

INLINE void input_2(const vector *d, vector *out, size_t out_step) {
    vector d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
    out[0] = d0 - d2;
    out[out_step] = d1 + d2;
    out[2 * out_step] = d2 - d1;
    out[3 * out_step] = d3 - d1;
}

INLINE void output_2(const vector *m, vector *out, size_t out_step) {
    vector sum = m[1] + m[2], difference = m[1] - m[2];
    out[0] = m[0] + sum;
    out[out_step] = difference + m[3];
}

INLINE void weights_2(const vector *g, vector *out, size_t out_step) {
    vector g0 = g[0], g1 = g[1], g2 = g[2];
    out[0] = g0;
    out[out_step] = (g0 + g2 + g1) * 0.5f;
    out[2 * out_step] = (g0 + g2 - g1) * 0.5f;
    out[3 * out_step] = g2;
}

INLINE void input_4(const vector *d, vector *out, size_t out_step) {
    vector d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
    vector even = d4 - 4 * d2, odd = d3 - 4 * d1;
    vector even2 = d4 - d2, odd2 = 2 * (d3 - d1);
    out[0] = 4 * d0 - 5 * d2 + d4;
    out[out_step] = even + odd;
    out[2 * out_step] = even - odd;
    out[3 * out_step] = even2 + odd2;
    out[4 * out_step] = even2 - odd2;
    out[5 * out_step] = 4 * d1 - 5 * d3 + d5;
}

INLINE void output_4(const vector *m, vector *out, size_t out_step) {
    vector sum1 = m[1] + m[2], difference1 = m[1] - m[2];
    vector sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    out[0] = m[0] + sum1 + sum2;
    out[out_step] = difference1 + 2 * difference2;
    out[2 * out_step] = sum1 + 4 * sum2;
    out[3 * out_step] = difference1 + 8 * difference2 + m[5];
}

INLINE void weights_4(const vector *g, vector *out, size_t out_step) {
    vector g0 = g[0], g1 = g[1], g2 = g[2];
    vector outer = (g0 + g2) * (1.0f / 6), inner = g1 * (1.0f / 6);
    vector outer2 = g0 * (1.0f / 24) + g2 * (1.0f / 6), inner2 = g1 * (1.0f / 12);
    out[0] = g0 * 0.25f;
    out[out_step] = -outer - inner;
    out[2 * out_step] = inner - outer;
    out[3 * out_step] = outer2 + inner2;
    out[4 * out_step] = outer2 - inner2;
    out[5 * out_step] = g2;
}

INLINE void input_6(const vector *d, vector *out, size_t out_step) {
    vector d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5], d6 = d[6], d7 = d[7];
    vector even = d2 + d6 - 4.25f * d4, odd = d1 + d5 - 4.25f * d3;
    out[0] = d0 - d6 + 5.25f * (d4 - d2);
    out[out_step] = even + odd;
    out[2 * out_step] = even - odd;
    even = d6 + 0.25f * d2 - 1.25f * d4;
    odd = 0.5f * d1 - 2.5f * d3 + 2 * d5;
    out[3 * out_step] = even + odd;
    out[4 * out_step] = even - odd;
    even = d6 + 4 * d2 - 5 * d4;
    odd = 2 * d1 - 2.5f * d3 + 0.5f * d5;
    out[5 * out_step] = even + odd;
    out[6 * out_step] = even - odd;
    out[7 * out_step] = d7 - d1 + 5.25f * (d3 - d5);
}

INLINE void output_6(const vector *m, vector *out, size_t out_step) {
    vector sum1 = m[1] + m[2], difference1 = m[1] - m[2];
    vector sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    vector sum3 = m[5] + m[6], difference3 = m[5] - m[6];
    out[0] = m[0] + sum1 + sum2 + sum3;
    out[out_step] = difference1 + 2 * difference2 + 0.5f * difference3;
    out[2 * out_step] = sum1 + 4 * sum2 + 0.25f * sum3;
    out[3 * out_step] = difference1 + 8 * difference2 + 0.125f * difference3;
    out[4 * out_step] = sum1 + 16 * sum2 + 0.0625f * sum3;
    out[5 * out_step] = difference1 + 32 * difference2 + 0.03125f * difference3 + m[7];
}

INLINE void weights_6(const vector *g, vector *out, size_t out_step) {
    vector g0 = g[0], g1 = g[1], g2 = g[2];
    vector outer = (g0 + g2) * (2.0f / 9), inner = g1 * (2.0f / 9);
    vector outer2 = g0 * (1.0f / 90) + g2 * (2.0f / 45), inner2 = g1 * (1.0f / 45);
    vector outer3 = g0 * (32.0f / 45) + g2 * (8.0f / 45), inner3 = g1 * (16.0f / 45);
    out[0] = g0;
    out[out_step] = -outer - inner;
    out[2 * out_step] = inner - outer;
    out[3 * out_step] = outer2 + inner2;
    out[4 * out_step] = outer2 - inner2;
    out[5 * out_step] = outer3 + inner3;
    out[6 * out_step] = outer3 - inner3;
    out[7 * out_step] = g2;
}

/* Of stride 2: the even pixels by F(2, 2), the odd ones as they are. */
INLINE void input_2_by_2(const vector *d, vector *out, size_t out_step) {
    vector d2 = d[2];
    out[0] = d[0] - d2;
    out[out_step] = d2;
    out[2 * out_step] = d[4] - d2;
    out[3 * out_step] = d[1];
    out[4 * out_step] = d[3];
}

INLINE void output_2_by_2(const vector *m, vector *out, size_t out_step) {
    out[0] = m[0] + m[1] + m[3];
    out[out_step] = m[1] + m[2] + m[4];
}

INLINE void weights_2_by_2(const vector *g, vector *out, size_t out_step) {
    vector g0 = g[0], g2 = g[2];
    out[0] = g0;
    out[out_step] = g0 + g2;
    out[2 * out_step] = g2;
    out[3 * out_step] = g[1];
}

INLINE void input_4_by_2(const vector *d, vector *out, size_t out_step) {
    vector d0 = d[0], d2 = d[2], d4 = d[4], d6 = d[6];
    out[0] = 2 * d0 - d2 + d6 - 2 * d4;
    out[out_step] = d6 - d4 - 2 * d2;
    out[2 * out_step] = d6 - 3 * d4 + 2 * d2;
    out[3 * out_step] = d6 - d2;
    out[4 * out_step] = 2 * d2 - d4 + d[8] - 2 * d6;
    UNROLL for (size_t k = 0; k < 4; k++) {
        out[(5 + k) * out_step] = d[2 * k + 1];
    }
}

INLINE void output_4_by_2(const vector *m, vector *out, size_t out_step) {
    vector sum = m[1] + m[2], difference = m[1] - m[2], third = m[3];
    out[0] = m[0] + sum + third + m[5];
    out[out_step] = difference + 2 * third + m[6];
    out[2 * out_step] = sum + 4 * third + m[7];
    out[3 * out_step] = difference + 8 * third + m[4] + m[8];
}

INLINE void weights_4_by_2(const vector *g, vector *out, size_t out_step) {
    vector g0 = g[0], g2 = g[2];
    out[0] = g0 * 0.5f;
    out[out_step] = (g0 + g2) * -0.5f;
    out[2 * out_step] = (g2 - g0) * (1.0f / 6);
    out[3 * out_step] = (g0 + 2 * g2) * (1.0f / 6);
    out[4 * out_step] = g2;
    out[5 * out_step] = g[1];
}

/* Each transform is its matrix applied to columns, then to rows. The latter two are loops, through
 * memory, as there are fewer registers than elements. */
#define MOST WINOGRAD_MAX_TILE
typedef void transform(const vector *in, vector *out, size_t out_step);

INLINE void input(size_t n, transform *apply, const float *const *pixels, size_t channels,
                  float *out, size_t position_stride) {
    for (size_t c = 0; c < channels; c += VECTOR_WIDTH) {
        vector columns[MOST * MOST], some[MOST];
        ROLLED for (size_t x = 0; x < n; x++) {
            UNROLL for (size_t y = 0; y < n; y++) {
                some[y] = load(pixels[y * n + x] + c);
            }
            apply(some, columns + x, n);
        }
        ROLLED for (size_t y = 0; y < n; y++) {
            apply(columns + y * n, some, 1);
            UNROLL for (size_t x = 0; x < n; x++) {
                store(out + (y * n + x) * position_stride + c, some[x]);
            }
        }
    }
}

/* Where m^2 results go that are not whole vectors, before their first channels are stored. */
APART void vectors_of(size_t m, vector *vectors, float **to) {
    for (size_t p = 0; p < m * m; p++) {
        to[p] = (float *)&vectors[p];
    }
}

APART void store_firsts(size_t m, const vector *vectors, size_t c, size_t count,
                        float *const *pixels) {
    for (size_t p = 0; p < m * m; p++) {
        store_first(pixels[p] + c, vectors[p], count);
    }
}

INLINE void output(size_t m, size_t n, transform *apply, const float *in, size_t position_stride,
                   const float *bias, size_t channels, float min, float max,
                   const float *const *add, float *const *pixels) {
    const vector low = all(min), high = all(max);
    for (size_t c = 0; c < channels; c += VECTOR_WIDTH) {
        vector columns[MOST * MOST], some[MOST], last[MOST * MOST];
        float *lasts[MOST * MOST];
        const bool whole = channels - c >= VECTOR_WIDTH;
        if (!whole) {
            vectors_of(m, last, lasts);
        }
        float *const *to = whole ? pixels : lasts;
        const size_t at = whole ? c : 0;
        ROLLED for (size_t x = 0; x < n; x++) {
            UNROLL for (size_t y = 0; y < n; y++) {
                some[y] = load(in + (y * n + x) * position_stride + c);
            }
            apply(some, columns + x, n);
        }
        const vector shift = load(bias + c);
        ROLLED for (size_t y = 0; y < m; y++) {
            apply(columns + y * n, some, 1);
            if (add != NULL) {
                UNROLL for (size_t x = 0; x < m; x++) {
                    some[x] += load(add[y * m + x] + c);
                }
            }
            UNROLL for (size_t x = 0; x < m; x++) {
                store(to[y * m + x] + at, clamp(some[x] + shift, low, high));
            }
        }
        if (!whole) {
            store_firsts(m, last, c, channels - c, pixels);
        }
    }
}

/* Weights so large that they are not kept are transformed in each run, by F(4) or F(6), whose
 * columns stay in registers, where there are enough, as each store counts. */
#define WEIGHTS(NAME, W, LOOP)                                                                     \
    static void winograd_weights_##NAME(const float *const *taps, size_t channels, float *out,     \
                                        size_t position_stride) {                                  \
        for (size_t c = 0; c < channels; c += VECTOR_WIDTH) {                                      \
            vector columns[W * 3], some[W];                                                        \
            LOOP for (size_t x = 0; x < 3; x++) {                                                  \
                UNROLL for (size_t y = 0; y < 3; y++) {                                            \
                    some[y] = load(taps[y * 3 + x] + c);                                           \
                }                                                                                  \
                weights_##NAME(some, columns + x, 3);                                              \
            }                                                                                      \
            LOOP for (size_t y = 0; y < W; y++) {                                                  \
                weights_##NAME(columns + y * 3, some, 1);                                          \
                UNROLL for (size_t x = 0; x < W; x++) {                                            \
                    store(out + (y * W + x) * position_stride + c, some[x]);                       \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
#if VECTOR_WIDTH > 4 || GEMM_MR * GEMM_NR_VECTORS >= 16
#define WHERE_REGISTERS_ARE_MANY UNROLL
#else
#define WHERE_REGISTERS_ARE_MANY ROLLED
#endif
WEIGHTS(2, 4, ROLLED)
WEIGHTS(4, 6, WHERE_REGISTERS_ARE_MANY)
WEIGHTS(6, 8, WHERE_REGISTERS_ARE_MANY)
WEIGHTS(2_by_2, 4, ROLLED)
WEIGHTS(4_by_2, 6, ROLLED)

/* M outputs and N pixels a side. */
#define TRANSFORMS(NAME, M, N)                                                                     \
    static void winograd_input_##NAME(const float *const *pixels, size_t channels, float *out,     \
                                      size_t position_stride) {                                    \
        input(N, input_##NAME, pixels, channels, out, position_stride);                            \
    }                                                                                              \
    static void winograd_output_##NAME(const float *in, size_t position_stride, const float *bias, \
                                       size_t channels, float min, float max,                      \
                                       const float *const *add, float *const *pixels) {            \
        output(M, N, output_##NAME, in, position_stride, bias, channels, min, max, add, pixels);   \
    }
TRANSFORMS(2, 2, 4)
TRANSFORMS(4, 4, 6)
TRANSFORMS(6, 6, 8)
TRANSFORMS(2_by_2, 2, 5)
TRANSFORMS(4_by_2, 4, 9)

#define EACH_SIZE(name)                                                                            \
    {                                                                                              \
        winograd_##name##_2, winograd_##name##_4, winograd_##name##_6, winograd_##name##_2_by_2,   \
            winograd_##name##_4_by_2                                                               \
    }

const winograd_ukernels UKERNEL(winograd) = {
    .input = EACH_SIZE(input),
    .output = EACH_SIZE(output),
    .weights = EACH_SIZE(weights),
};
