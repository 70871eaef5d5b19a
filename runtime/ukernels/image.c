/* Rows of images. */
#include "runtime/ukernels/mix.h"

enum { LINE_BYTES = 64 };

/* A function of `count` elements from `at` on is inlined twice: for blocks, whose length compilers
 * know, so that they make vectors without a piece for what is left, and for what is left. */
#define IN_BLOCKS(function, count, ...)                                                            \
    do {                                                                                           \
        size_t at = 0;                                                                             \
        for (; at + LINE_BYTES <= (count); at += LINE_BYTES) {                                     \
            function(at, LINE_BYTES, __VA_ARGS__);                                                 \
        }                                                                                          \
        function(at, (count)-at, __VA_ARGS__);                                                     \
    } while (0)

INLINE void add_rows_block(size_t at, size_t count, const uint8_t *restrict upper,
                           const uint8_t *restrict lower, float above, float below,
                           float *restrict sums) {
    for (size_t k = at; k < at + count; k++) {
        sums[k] += above * (float)upper[k] + below * (float)lower[k];
    }
}

static void add_rows(const uint8_t *upper, const uint8_t *lower, float above, float below,
                     size_t count, float *sums) {
    IN_BLOCKS(add_rows_block, count, upper, lower, above, below, sums);
}

/* Four channels at a time make a vector; the fourth is the next pixel's, and not kept. Two sums, as
 * each addition waits for the one before. */
static void scale_row(const float *row, const size_t *first, const float *weights, size_t taps,
                      size_t count, float *out) {
    for (size_t x = 0; x < count; x++, weights += taps, out += 3) {
        const float *from = row + first[x] * 3;
        quad sum = {0}, other = {0};
        size_t t = 0;
        for (; t + 1 < taps; t += 2, from += 6) {
            sum += weights[t] * *(const quad *)from;
            other += weights[t + 1] * *(const quad *)(from + 3);
        }
        if (t < taps) {
            sum += weights[t] * *(const quad *)from;
        }
        sum += other;
        out[0] = sum[0];
        out[1] = sum[1];
        out[2] = sum[2];
    }
}

/* Images do not fit into near caches, and rows are too short for processors to see what comes. */
INLINE void share(size_t at, size_t count, const uint8_t *restrict upper,
                  const uint8_t *restrict lower, const uint8_t *const ahead[2],
                  const float falling[2], const float rising[2], float *restrict a,
                  float *restrict b) {
    __builtin_prefetch(ahead[0] + at);
    __builtin_prefetch(ahead[1] + at);
    for (size_t k = at; k < at + count; k++) {
        float x = (float)upper[k], y = (float)lower[k];
        a[k] = a[k] + falling[0] * x + falling[1] * y;
        b[k] = b[k] + rising[0] * x + rising[1] * y;
    }
}

static void share_rows(const uint8_t *const lines[2], const uint8_t *const ahead[2],
                       const float falling[2], const float rising[2], size_t count, float *a,
                       float *b) {
    float down[2] = {falling[0], falling[1]}, up[2] = {rising[0], rising[1]};
    IN_BLOCKS(share, count, lines[0], lines[1], ahead, down, up, a, b);
}

static void share_columns(const float *row, const float *rises, const image_run *runs, size_t count,
                          float *out) {
    quad before = {0};
    for (size_t r = 0; r < count; r++) {
        float *to = out + (size_t)runs[r].pixel * 3;
        quad sum = before, rising = {0};
        for (size_t k = runs[r].count; k > 0; k--, row += 3, rises++) {
            quad pixel = *(const quad *)row;
            sum += pixel;
            rising += *rises * pixel;
        }
        sum = *(const quad *)to + (sum - rising) * runs[r].scale;
        to[0] = sum[0];
        to[1] = sum[1];
        to[2] = sum[2];
        before = rising;
    }
}

INLINE void add_bytes_block(size_t at, size_t count, const uint8_t *restrict from,
                            const uint8_t *ahead, uint16_t *restrict sums) {
    __builtin_prefetch(ahead + at);
    for (size_t k = at; k < at + count; k++) {
        sums[k] = (uint16_t)(sums[k] + from[k]);
    }
}

static void add_bytes(const uint8_t *from, const uint8_t *ahead, size_t count, uint16_t *sums) {
    IN_BLOCKS(add_bytes_block, count, from, ahead, sums);
}

INLINE void add_shorts_block(size_t at, size_t count, const uint16_t *restrict from,
                             float *restrict sums) {
    for (size_t k = at; k < at + count; k++) {
        sums[k] += (float)from[k];
    }
}

static void add_shorts(const uint16_t *from, size_t count, float *sums) {
    IN_BLOCKS(add_shorts_block, count, from, sums);
}

static void add_groups(const float *from, size_t size, size_t count, float *sums) {
    for (size_t g = 0; g < count; g++, sums += 3) {
        quad sum = *(const quad *)from;
        from += 3;
        for (size_t k = 1; k < size; k++, from += 3) {
            sum += *(const quad *)from;
        }
        sums[0] += sum[0];
        sums[1] += sum[1];
        sums[2] += sum[2];
    }
}

INLINE void round_block(size_t at, size_t count, const float *restrict x, float factor,
                        uint8_t *restrict out) {
    for (size_t k = at; k < at + count; k++) {
        out[k] = (uint8_t)(int32_t)(x[k] * factor + 0.5f);
    }
}

static void round_bytes(const float *x, float factor, size_t count, uint8_t *out) {
    IN_BLOCKS(round_block, count, x, factor, out);
}

/* Sums in f64, of which the products are exact: contracted or not, they are the same. */
static void store_planes(const float *restrict rgb, size_t count, const double scale[3],
                         const double bias[3], float *restrict a, float *restrict b,
                         float *restrict c) {
    for (size_t k = 0; k < count; k++, rgb += 3) {
        a[k] = (float)((double)rgb[0] * scale[0] + bias[0]);
        b[k] = (float)((double)rgb[1] * scale[1] + bias[1]);
        c[k] = (float)((double)rgb[2] * scale[2] + bias[2]);
    }
}

/* The last vectors begin earlier, so that they are whole, and overlap those before. */
INLINE void interleave(size_t planes, const uint32_t *const *from, size_t count, uint32_t *to) {
    for (size_t next = 0; count >= VECTOR_WIDTH && next < count; next += VECTOR_WIDTH) {
        size_t k = next + VECTOR_WIDTH <= count ? next : count - VECTOR_WIDTH;
        vector in[3], out[3];
        UNROLL for (size_t p = 0; p < planes; p++) {
            in[p] = load((const float *)(const void *)(from[p] + k));
        }
        mix(planes, in, out);
        UNROLL for (size_t p = 0; p < planes; p++) {
            store((float *)(void *)(to + planes * k) + p * VECTOR_WIDTH, out[p]);
        }
    }
    for (size_t k = 0; count < VECTOR_WIDTH && k < count; k++) {
        for (size_t p = 0; p < planes; p++) {
            to[planes * k + p] = from[p][k];
        }
    }
}

void UKERNEL(interleave)(const uint32_t *first, const uint32_t *second, const uint32_t *third,
                         size_t count, uint32_t *to) {
    const uint32_t *const from[3] = {first, second, third};
    if (third == NULL) {
        interleave(2, from, count, to);
    } else {
        interleave(3, from, count, to);
    }
}

const image_ukernels UKERNEL(image) = {.add_rows = add_rows,
                                       .scale_row = scale_row,
                                       .share_rows = share_rows,
                                       .share_columns = share_columns,
                                       .add_bytes = add_bytes,
                                       .add_shorts = add_shorts,
                                       .add_groups = add_groups,
                                       .round_bytes = round_bytes,
                                       .store_planes = store_planes};
