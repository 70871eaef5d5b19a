/* Rows of images. Mostly plain loops, which compilers make vectors of. */
#include "runtime/ukernels/vector.h"

enum { LINE_BYTES = 64 };

static void add_rows(const uint8_t *restrict upper, const uint8_t *restrict lower, float above,
                     float below, size_t count, float *restrict sums) {
    for (size_t k = 0; k < count; k++) {
        sums[k] += above * (float)upper[k] + below * (float)lower[k];
    }
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

/* Once inlined with a known count, without a piece for what is left; and once for that. */
INLINE void share(const uint8_t *restrict upper, const uint8_t *restrict lower,
                  const float falling[2], const float rising[2], size_t count, float *restrict a,
                  float *restrict b) {
    for (size_t k = 0; k < count; k++) {
        float x = (float)upper[k], y = (float)lower[k];
        a[k] = a[k] + falling[0] * x + falling[1] * y;
        b[k] = b[k] + rising[0] * x + rising[1] * y;
    }
}

SELDOM void share_rest(const uint8_t *const lines[2], size_t k, const float falling[2],
                       const float rising[2], size_t count, float *a, float *b) {
    share(lines[0] + k, lines[1] + k, falling, rising, count - k, a + k, b + k);
}

/* Images do not fit into near caches, and rows are too short for processors to see what comes. */
static void share_rows(const uint8_t *const lines[2], const uint8_t *const ahead[2],
                       const float falling[2], const float rising[2], size_t count, float *a,
                       float *b) {
    float down[2] = {falling[0], falling[1]}, up[2] = {rising[0], rising[1]};
    size_t k = 0;
    for (; k + LINE_BYTES <= count; k += LINE_BYTES) {
        __builtin_prefetch(ahead[0] + k);
        __builtin_prefetch(ahead[1] + k);
        share(lines[0] + k, lines[1] + k, down, up, LINE_BYTES, a + k, b + k);
    }
    share_rest(lines, k, falling, rising, count, a, b);
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

SELDOM void add_bytes_rest(const uint8_t *restrict from, size_t count, uint16_t *restrict sums) {
    for (size_t k = 0; k < count; k++) {
        sums[k] = (uint16_t)(sums[k] + from[k]);
    }
}

static void add_bytes(const uint8_t *restrict from, const uint8_t *ahead, size_t count,
                      uint16_t *restrict sums) {
    size_t k = 0;
    for (; k + LINE_BYTES <= count; k += LINE_BYTES) {
        __builtin_prefetch(ahead + k);
        for (size_t j = 0; j < LINE_BYTES; j++) {
            sums[k + j] = (uint16_t)(sums[k + j] + from[k + j]);
        }
    }
    add_bytes_rest(from + k, count - k, sums + k);
}

static void add_shorts(const uint16_t *restrict from, size_t count, float *restrict sums) {
    for (size_t k = 0; k < count; k++) {
        sums[k] += (float)from[k];
    }
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

static void round_bytes(const float *restrict x, float factor, size_t count,
                        uint8_t *restrict out) {
    for (size_t k = 0; k < count; k++) {
        out[k] = (uint8_t)(int32_t)(x[k] * factor + 0.5f);
    }
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

void UKERNEL(interleave)(const uint32_t *restrict first, const uint32_t *restrict second,
                         const uint32_t *restrict third, size_t count, uint32_t *restrict to) {
    if (third == NULL) {
        for (size_t k = 0; k < count; k++) {
            to[2 * k] = first[k];
            to[2 * k + 1] = second[k];
        }
        return;
    }
    for (size_t k = 0; k < count; k++) {
        to[3 * k] = first[k];
        to[3 * k + 1] = second[k];
        to[3 * k + 2] = third[k];
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
