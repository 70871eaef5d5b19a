/* Dense layers: sums over weights that are read where they lie, f16 expanded in passing. */
#include "runtime/ukernels/vector.h"
#include <kiln/half.h>

#define WIDTH ((size_t)VECTOR_WIDTH)
/* How many rows and outputs have their sums in registers at a time. With one row, what counts is to
 * keep weights coming and both multipliers busy, so a few streams of weights are read, two vectors
 * of each. */
#define ROWS ((size_t)4)
#define OUTPUTS ((size_t)3)
#define ROW_OUTPUTS ((size_t)4)
#define ROW_STEPS ((size_t)2)

/* ---- Weights ------------------------------------------------------------------------------- */

INLINE vector load_weights(bool half, const void *from, size_t at) {
    return half ? load_half((const uint16_t *)from + at) : load((const float *)from + at);
}

/* Loads four floats of each of four rows. */
INLINE void load_quads(bool half, const void *from, size_t stride, quad out[4]) {
    if (half) {
        UNROLL for (size_t k = 0; k < 4; k++) {
            out[k] = load_half_quad((const uint16_t *)from + k * stride);
        }
    } else {
        UNROLL for (size_t k = 0; k < 4; k++) {
            out[k] = *(const quad *)((const float *)from + k * stride);
        }
    }
}

INLINE float load_weight(bool half, const void *from, size_t at) {
    return half ? kiln_f32_from_f16(((const uint16_t *)from)[at]) : ((const float *)from)[at];
}

INLINE const void *skip_weights(bool half, const void *from, size_t count) {
    return (const char *)from + count * (half ? sizeof(uint16_t) : sizeof(float));
}

/* ---- Sums ---------------------------------------------------------------------------------- */

INLINE vector keep(mask which, vector v) {
    return (vector)(which & (mask)v);
}

/* A tile of m rows by n outputs; what is from input `at` on is not yet in the sums. */
typedef struct tile {
    size_t row, output, m, n, at;
    vector sums[ROWS * ROW_OUTPUTS];
} tile;

/* Adds what is left of a row to the sums. Where k is no multiple of WIDTH, the last vector begins
 * earlier and overlaps the one before, so k must be at least WIDTH. Both factors are masked, as
 * what does not count may be infinite on either side. */
INLINE void add_rest(bool half, const dense_piece *p, tile *t) {
    static const int32_t ordinals[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    mask ordinal;
    memcpy(&ordinal, ordinals, sizeof ordinal);
    for (; t->at < p->k; t->at += WIDTH) {
        size_t at = t->at + WIDTH <= p->k ? t->at : p->k - WIDTH;
        mask which = ordinal >= (mask){0} + (int32_t)(t->at - at);
        for (size_t o = 0; o < t->n; o++) {
            vector w = load_weights(half, p->weights, (t->output + o) * p->k + at);
            for (size_t r = 0; r < t->m; r++) {
                vector x = load(p->x + (t->row + r) * p->x_stride + at);
                t->sums[r * t->n + o] += keep(which, x) * keep(which, w);
            }
        }
    }
}

/* Adds up the lanes of the sums, and stores the results. It is called once a tile, so loops do. */
APART void finish(bool half, const dense_piece *p, tile *t) {
    add_rest(half, p, t);
    for (size_t r = 0; r < t->m; r++) {
        for (size_t o = 0; o < t->n; o++) {
            float sum = sum_of(t->sums[r * t->n + o]);
            sum += p->bias != NULL ? p->bias[t->output + o] : 0;
            sum = sum < p->min ? p->min : sum; /* a NaN stays one */
            p->y[(t->row + r) * p->y_stride + t->output + o] = sum > p->max ? p->max : sum;
        }
    }
}

/* Multiplies one vector of each of m rows by one of each of n outputs. */
INLINE void step(size_t m, size_t n, bool half, const dense_piece *p, const float *x,
                 const void *weights, size_t at, vector sums[ROWS][ROW_OUTPUTS]) {
    vector w[ROW_OUTPUTS];
    UNROLL for (size_t o = 0; o < n; o++) {
        w[o] = load_weights(half, weights, o * p->k + at);
    }
    UNROLL for (size_t r = 0; r < m; r++) {
        vector v = load(x + r * p->x_stride + at);
        UNROLL for (size_t o = 0; o < n; o++) {
            sums[r][o] += v * w[o];
        }
    }
}

/* Multiplies m rows by n outputs, `steps` vectors of inputs in a round. */
INLINE void multiply(size_t m, size_t n, size_t steps, bool half, const dense_piece *p, size_t row,
                     size_t output) {
    const float *x = p->x + row * p->x_stride;
    const void *weights = skip_weights(half, p->weights, output * p->k);
    vector sums[ROW_STEPS][ROWS][ROW_OUTPUTS] = {0};
    tile t; /* all else is set below, and 0 is not to be written to all sums first */
    size_t at = 0;
    for (; at + steps * WIDTH <= p->k; at += steps * WIDTH) {
        UNROLL for (size_t s = 0; s < steps; s++) {
            step(m, n, half, p, x, weights, at + s * WIDTH, sums[s]);
        }
    }
    UNROLL for (size_t r = 0; r < m; r++) {
        UNROLL for (size_t o = 0; o < n; o++) {
            t.sums[r * n + o] = sums[0][r][o] + sums[1][r][o];
        }
    }
    t.row = row, t.output = output, t.m = m, t.n = n, t.at = at;
    finish(half, p, &t);
}

/* Multiplies all rows by OUTPUTS outputs, whose weights stay in the cache. */
INLINE void outputs(bool half, const dense_piece *p, size_t output) {
    size_t row = 0;
    for (; row + ROWS <= p->m; row += ROWS) {
        multiply(ROWS, OUTPUTS, 1, half, p, row, output);
    }
    for (; row < p->m; row++) {
        multiply(1, OUTPUTS, 1, half, p, row, output);
    }
}

/* Does the same for rows that are shorter than a vector. */
SELDOM void dot_short(bool half, const dense_piece *p) {
    for (size_t row = 0; row < p->m; row++) {
        for (size_t output = 0; output < p->n; output++) {
            float sums[VECTOR_WIDTH] = {0};
            for (size_t i = 0; i < p->k; i++) {
                sums[i] =
                    p->x[row * p->x_stride + i] * load_weight(half, p->weights, output * p->k + i);
            }
            tile t = {
                .row = row, .output = output, .m = 1, .n = 1, .at = p->k, .sums = {load(sums)}};
            finish(half, p, &t);
        }
    }
}

INLINE void dot(bool half, const dense_piece *p) {
    size_t output = 0;
    if (p->k < WIDTH) {
        dot_short(half, p);
        return;
    }
    if (p->m == 1 && !(half && FEW_SHAPES)) {
        for (; output + ROW_OUTPUTS <= p->n; output += ROW_OUTPUTS) {
            multiply(1, ROW_OUTPUTS, ROW_STEPS, half, p, 0, output);
        }
    } else if (!(half && FEW_SHAPES)) {
        for (; output + OUTPUTS <= p->n; output += OUTPUTS) {
            outputs(half, p, output);
        }
    }
    for (; output < p->n; output++) {
        for (size_t row = 0; row < p->m; row++) {
            multiply(1, 1, ROW_STEPS, half, p, row, output);
        }
    }
}

static void dot_f32(const dense_piece *piece) {
    dot(false, piece);
    leave();
}

static void dot_f16(const dense_piece *piece) {
    dot(true, piece);
    leave();
}

/* ---- Panels -------------------------------------------------------------------------------- */

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAS_SHUFFLE
#endif
#endif

/* Transposes four rows of four. */
INLINE void transpose(bool half, const void *weights, size_t stride, float *to, size_t to_stride) {
    quad rows[4];
    load_quads(half, weights, stride, rows);
#ifdef HAS_SHUFFLE
    quad a = rows[0], b = rows[1], c = rows[2], d = rows[3];
    quad ac_low = __builtin_shufflevector(a, c, 0, 4, 1, 5);
    quad ac_high = __builtin_shufflevector(a, c, 2, 6, 3, 7);
    quad bd_low = __builtin_shufflevector(b, d, 0, 4, 1, 5);
    quad bd_high = __builtin_shufflevector(b, d, 2, 6, 3, 7);
    *(quad *)to = __builtin_shufflevector(ac_low, bd_low, 0, 4, 1, 5);
    *(quad *)(to + to_stride) = __builtin_shufflevector(ac_low, bd_low, 2, 6, 3, 7);
    *(quad *)(to + 2 * to_stride) = __builtin_shufflevector(ac_high, bd_high, 0, 4, 1, 5);
    *(quad *)(to + 3 * to_stride) = __builtin_shufflevector(ac_high, bd_high, 2, 6, 3, 7);
#else
    for (size_t row = 0; row < 4; row++) {
        for (size_t l = 0; l < 4; l++) {
            to[l * to_stride + row] = rows[row][l];
        }
    }
#endif
}

APART void pack(bool half, size_t n, size_t k, const void *weights, size_t stride, float *to) {
    const size_t nr = WIDTH * GEMM_NR_VECTORS;
    size_t whole_rows = n / 4 * 4, whole = k / 4 * 4;
    for (size_t row = 0; row < whole_rows; row += 4) {
        for (size_t i = 0; i < whole; i += 4) {
            for (size_t r = row; i % 16 == 0 && r < row + 4; r++) { /* fetches what comes next */
                __builtin_prefetch(skip_weights(half, weights, r * stride + k + i), 0, 2);
            }
            transpose(half, skip_weights(half, weights, row * stride + i), stride,
                      to + i * nr + row, nr);
        }
    }
    for (size_t i = 0; i < k; i++) {
        for (size_t row = i < whole ? whole_rows : 0; row < nr; row++) {
            to[i * nr + row] = row < n ? load_weight(half, weights, row * stride + i) : 0;
        }
    }
}

static void pack_f32(size_t n, size_t k, const void *weights, size_t stride, float *to) {
    pack(false, n, k, weights, stride, to);
    leave();
}

static void pack_f16(size_t n, size_t k, const void *weights, size_t stride, float *to) {
    pack(true, n, k, weights, stride, to);
    leave();
}

const dense_ukernels UKERNEL(dense) = {.dot = {dot_f32, dot_f16}};
const pack_ukernels UKERNEL(pack) = {.weights = {pack_f32, pack_f16}};
