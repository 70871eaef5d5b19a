/* The transforms of Winograd's algorithm for kernels of 3x3. Lavin and Gray 2015 (arXiv
 * 1509.09308), with the interpolation points 0, 1, -1 for F(2); and 2, -2 for F(4); and 1/2, -1/2
 * for F(6). Of stride 2, F(m, 2) of every second pixel has the points 0, 1 for m = 2; 0, 1, -1, 2
 * for m = 4. Each one-dimensional transform is applied to elements `step` apart. */
#include "runtime/ukernels/vector.h"

INLINE void input_2(const vector *d, size_t step, vector *out, size_t out_step) {
    vector d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
    out[0] = d0 - d2;
    out[out_step] = d1 + d2;
    out[2 * out_step] = d2 - d1;
    out[3 * out_step] = d3 - d1;
}

INLINE void output_2(const vector *m, size_t step, vector *out, size_t out_step) {
    vector sum = m[step] + m[2 * step], difference = m[step] - m[2 * step];
    out[0] = m[0] + sum;
    out[out_step] = difference + m[3 * step];
}

INLINE void weights_2(const vector *g, size_t step, vector *out, size_t out_step) {
    vector g0 = g[0], g1 = g[step], g2 = g[2 * step];
    out[0] = g0;
    out[out_step] = (g0 + g2 + g1) * 0.5f;
    out[2 * out_step] = (g0 + g2 - g1) * 0.5f;
    out[3 * out_step] = g2;
}

INLINE void input_4(const vector *d, size_t step, vector *out, size_t out_step) {
    vector d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step],
           d5 = d[5 * step];
    vector even = d4 - 4 * d2, odd = d3 - 4 * d1;
    vector even2 = d4 - d2, odd2 = 2 * (d3 - d1);
    out[0] = 4 * d0 - 5 * d2 + d4;
    out[out_step] = even + odd;
    out[2 * out_step] = even - odd;
    out[3 * out_step] = even2 + odd2;
    out[4 * out_step] = even2 - odd2;
    out[5 * out_step] = 4 * d1 - 5 * d3 + d5;
}

INLINE void output_4(const vector *m, size_t step, vector *out, size_t out_step) {
    vector sum1 = m[step] + m[2 * step], difference1 = m[step] - m[2 * step];
    vector sum2 = m[3 * step] + m[4 * step], difference2 = m[3 * step] - m[4 * step];
    out[0] = m[0] + sum1 + sum2;
    out[out_step] = difference1 + 2 * difference2;
    out[2 * out_step] = sum1 + 4 * sum2;
    out[3 * out_step] = difference1 + 8 * difference2 + m[5 * step];
}

INLINE void weights_4(const vector *g, size_t step, vector *out, size_t out_step) {
    vector g0 = g[0], g1 = g[step], g2 = g[2 * step];
    vector outer = (g0 + g2) * (1.0f / 6), inner = g1 * (1.0f / 6);
    vector outer2 = g0 * (1.0f / 24) + g2 * (1.0f / 6), inner2 = g1 * (1.0f / 12);
    out[0] = g0 * 0.25f;
    out[out_step] = -outer - inner;
    out[2 * out_step] = inner - outer;
    out[3 * out_step] = outer2 + inner2;
    out[4 * out_step] = outer2 - inner2;
    out[5 * out_step] = g2;
}

INLINE void input_6(const vector *d, size_t step, vector *out, size_t out_step) {
    vector d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step],
           d5 = d[5 * step], d6 = d[6 * step], d7 = d[7 * step];
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

INLINE void output_6(const vector *m, size_t step, vector *out, size_t out_step) {
    vector sum1 = m[step] + m[2 * step], difference1 = m[step] - m[2 * step];
    vector sum2 = m[3 * step] + m[4 * step], difference2 = m[3 * step] - m[4 * step];
    vector sum3 = m[5 * step] + m[6 * step], difference3 = m[5 * step] - m[6 * step];
    out[0] = m[0] + sum1 + sum2 + sum3;
    out[out_step] = difference1 + 2 * difference2 + 0.5f * difference3;
    out[2 * out_step] = sum1 + 4 * sum2 + 0.25f * sum3;
    out[3 * out_step] = difference1 + 8 * difference2 + 0.125f * difference3;
    out[4 * out_step] = sum1 + 16 * sum2 + 0.0625f * sum3;
    out[5 * out_step] = difference1 + 32 * difference2 + 0.03125f * difference3 + m[7 * step];
}

INLINE void weights_6(const vector *g, size_t step, vector *out, size_t out_step) {
    vector g0 = g[0], g1 = g[step], g2 = g[2 * step];
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
INLINE void input_2_by_2(const vector *d, size_t step, vector *out, size_t out_step) {
    vector d2 = d[2 * step];
    out[0] = d[0] - d2;
    out[out_step] = d2;
    out[2 * out_step] = d[4 * step] - d2;
    out[3 * out_step] = d[step];
    out[4 * out_step] = d[3 * step];
}

INLINE void output_2_by_2(const vector *m, size_t step, vector *out, size_t out_step) {
    out[0] = m[0] + m[step] + m[3 * step];
    out[out_step] = m[step] + m[2 * step] + m[4 * step];
}

INLINE void weights_2_by_2(const vector *g, size_t step, vector *out, size_t out_step) {
    vector g0 = g[0], g2 = g[2 * step];
    out[0] = g0;
    out[out_step] = g0 + g2;
    out[2 * out_step] = g2;
    out[3 * out_step] = g[step];
}

INLINE void input_4_by_2(const vector *d, size_t step, vector *out, size_t out_step) {
    vector d0 = d[0], d2 = d[2 * step], d4 = d[4 * step], d6 = d[6 * step];
    out[0] = 2 * d0 - d2 + d6 - 2 * d4;
    out[out_step] = d6 - d4 - 2 * d2;
    out[2 * out_step] = d6 - 3 * d4 + 2 * d2;
    out[3 * out_step] = d6 - d2;
    out[4 * out_step] = 2 * d2 - d4 + d[8 * step] - 2 * d6;
    UNROLL for (size_t k = 0; k < 4; k++) {
        out[(5 + k) * out_step] = d[(2 * k + 1) * step];
    }
}

INLINE void output_4_by_2(const vector *m, size_t step, vector *out, size_t out_step) {
    vector sum = m[step] + m[2 * step], difference = m[step] - m[2 * step], third = m[3 * step];
    out[0] = m[0] + sum + third + m[5 * step];
    out[out_step] = difference + 2 * third + m[6 * step];
    out[2 * out_step] = sum + 4 * third + m[7 * step];
    out[3 * out_step] = difference + 8 * third + m[4 * step] + m[8 * step];
}

INLINE void weights_4_by_2(const vector *g, size_t step, vector *out, size_t out_step) {
    vector g0 = g[0], g2 = g[2 * step];
    out[0] = g0 * 0.5f;
    out[out_step] = (g0 + g2) * -0.5f;
    out[2 * out_step] = (g2 - g0) * (1.0f / 6);
    out[3 * out_step] = (g0 + 2 * g2) * (1.0f / 6);
    out[4 * out_step] = g2;
    out[5 * out_step] = g[step];
}

/* Each transform is its matrix applied to columns, then to rows. M outputs, N pixels and W weights
 * a side. */
#define TRANSFORMS(NAME, M, N, W)                                                                  \
    static void winograd_input_##NAME(const float *const *pixels, size_t channels, float *out,     \
                                      size_t position_stride) {                                    \
        for (size_t c = 0; c < channels; c += VECTOR_WIDTH) {                                      \
            vector columns[N * N], row[N];                                                         \
            for (size_t x = 0; x < N; x++) {                                                       \
                vector pixel[N];                                                                   \
                UNROLL for (size_t y = 0; y < N; y++) {                                            \
                    pixel[y] = load(pixels[y * N + x] + c);                                        \
                }                                                                                  \
                input_##NAME(pixel, 1, columns + x, N);                                            \
            }                                                                                      \
            for (size_t y = 0; y < N; y++) {                                                       \
                input_##NAME(columns + y * N, 1, row, 1);                                          \
                UNROLL for (size_t x = 0; x < N; x++) {                                            \
                    store(out + (y * N + x) * position_stride + c, row[x]);                        \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void winograd_output_##NAME(const float *in, size_t position_stride, const float *bias, \
                                       size_t channels, float min, float max,                      \
                                       const float *const *add, float *const *pixels) {            \
        for (size_t c = 0; c < channels; c += VECTOR_WIDTH) {                                      \
            vector columns[M * N], row[M];                                                         \
            for (size_t x = 0; x < N; x++) {                                                       \
                vector element[N];                                                                 \
                UNROLL for (size_t y = 0; y < N; y++) {                                            \
                    element[y] = load(in + (y * N + x) * position_stride + c);                     \
                }                                                                                  \
                output_##NAME(element, 1, columns + x, N);                                         \
            }                                                                                      \
            vector shift = load(bias + c), low = all(min), high = all(max);                        \
            for (size_t y = 0; y < M; y++) {                                                       \
                output_##NAME(columns + y * N, 1, row, 1);                                         \
                UNROLL for (size_t x = 0; x < M; x++) {                                            \
                    vector v = row[x] + shift;                                                     \
                    if (add != NULL) {                                                             \
                        v += load(add[y * M + x] + c);                                             \
                    }                                                                              \
                    store_some(pixels[y * M + x] + c, clamp(v, low, high), channels - c);          \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void winograd_weights_##NAME(const float *const *taps, size_t channels, float *out,     \
                                        size_t position_stride) {                                  \
        for (size_t c = 0; c < channels; c += VECTOR_WIDTH) {                                      \
            vector columns[W * 3], row[W];                                                         \
            UNROLL for (size_t x = 0; x < 3; x++) {                                                \
                vector tap[3];                                                                     \
                UNROLL for (size_t y = 0; y < 3; y++) {                                            \
                    tap[y] = load(taps[y * 3 + x] + c);                                            \
                }                                                                                  \
                weights_##NAME(tap, 1, columns + x, 3);                                            \
            }                                                                                      \
            UNROLL for (size_t y = 0; y < W; y++) {                                                \
                weights_##NAME(columns + y * 3, 1, row, 1);                                        \
                UNROLL for (size_t x = 0; x < W; x++) {                                            \
                    store(out + (y * W + x) * position_stride + c, row[x]);                        \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
TRANSFORMS(2, 2, 4, 4)
TRANSFORMS(4, 4, 6, 6)
TRANSFORMS(6, 6, 8, 8)
TRANSFORMS(2_by_2, 2, 5, 4)
TRANSFORMS(4_by_2, 4, 9, 6)

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
