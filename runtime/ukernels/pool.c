/* Pooling along a row of an image, a pixel at a time, since nothing is saved by more; and global
 * pooling. */
#include "runtime/ukernels/vector.h"

#include <math.h>

/* The part of a window that lies in the image. */
typedef struct taps {
    const float *from;
    size_t rows, columns;
    size_t row_step, column_step; /* floats */
    bool largest;                 /* else the sum */
    float scale;
    float min, max;
} taps;

/* Takes the vectors of one pixel. */
INLINE void take_pixel(bool largest, size_t vectors, const float *from, vector *sums) {
    if (largest) {
        UNROLL for (size_t v = 0; v < vectors; v++) {
            sums[v] = larger(sums[v], load(from + v * VECTOR_WIDTH));
        }
    } else {
        UNROLL for (size_t v = 0; v < vectors; v++) {
            sums[v] += load(from + v * VECTOR_WIDTH);
        }
    }
}

/* Pools so many vectors of channels, from channel c on, of which `channels` count. */
INLINE void pool_vectors(size_t vectors, const taps *t, size_t c, size_t channels, float *to) {
    vector sums[4];
    UNROLL for (size_t v = 0; v < vectors; v++) {
        sums[v] = all(t->largest ? -INFINITY : 0);
    }
    for (size_t y = 0; y < t->rows; y++) {
        const float *from = t->from + y * t->row_step + c;
        for (size_t x = 0; x < t->columns; x++, from += t->column_step) {
            take_pixel(t->largest, vectors, from, sums);
        }
    }
    UNROLL for (size_t v = 0; v < vectors; v++) {
        vector sum = sums[v] * t->scale;
        store_some(to + c + v * VECTOR_WIDTH, clamp(sum, all(t->min), all(t->max)),
                   vectors > 1 ? VECTOR_WIDTH : channels - c);
    }
}

INLINE void pool_pixel(const taps *shared, size_t channels, float *to) {
    const taps t = *shared; /* a copy, which no store can change */
    size_t c = 0, step = (size_t)4 * VECTOR_WIDTH;
    for (; c + step <= channels; c += step) {
        pool_vectors(4, &t, c, channels, to);
    }
    for (; c < channels; c += VECTOR_WIDTH) {
        pool_vectors(1, &t, c, channels, to);
    }
}

/* The number of columns of a kernel at `left` that lie before column `end` of the image. */
static size_t columns_before(const sliding_row *r, size_t left, size_t end) {
    ptrdiff_t reach = (ptrdiff_t)(end - left); /* left wraps around below 0 */
    size_t columns = reach <= 0 ? 0 : ((size_t)reach + r->dilation - 1) / r->dilation;
    return columns < r->kernel_columns ? columns : r->kernel_columns;
}

static void pool_row(bool largest, const sliding_row *r) {
    for (size_t x = 0; x < r->to_width; x++) {
        size_t left = x * r->stride - r->padding;
        size_t first = columns_before(r, left, 0), end = columns_before(r, left, r->width);
        size_t pixels = r->kernel_rows * (end - first);
        taps t = {.from = r->from,
                  .rows = pixels == 0 ? 0 : r->kernel_rows,
                  .columns = end - first,
                  .row_step = r->row_stride,
                  .column_step = r->dilation * r->pixel_stride,
                  .largest = largest,
                  .scale = largest       ? 1
                           : pixels == 0 ? 0
                                         : 1.0f / (float)pixels,
                  .min = r->min,
                  .max = r->max};
        float *to = r->to + x * r->to_stride;
        if (pixels > 0) {
            t.from += (left + first * r->dilation) * r->pixel_stride;
        }
        pool_pixel(&t, r->channels, to);
    }
}

void UKERNEL(max_pool)(const sliding_row *r) {
    pool_row(true, r);
    leave();
}

void UKERNEL(average_pool)(const sliding_row *r) {
    pool_row(false, r);
    leave();
}

/* ---- Global pooling ------------------------------------------------------------------------- */

#define MEANS 1024 /* the sums of so many channels stay in the L1 cache */
#define SUMMED 7   /* pixels that are added at a time; images are often 7 wide */

/* Adds the channels of `pixels` to the sums, in whole vectors. */
INLINE void add_pixels(const float *from, size_t pixels, size_t pixel_stride, size_t channels,
                       float *sums) {
    for (size_t c = 0; c < channels; c += VECTOR_WIDTH) {
        vector sum = load(sums + c);
        UNROLL for (size_t k = 0; k < pixels; k++) {
            sum += load(from + k * pixel_stride + c);
        }
        store(sums + c, sum);
    }
}

void UKERNEL(global_average_pool)(const float *from, size_t pixels, size_t pixel_stride,
                                  size_t channels, float min, float max, float *to) {
    vector low = all(min), high = all(max);
    for (size_t first = 0; first < channels; first += MEANS) {
        float sums[MEANS] = {0};
        size_t count = channels - first < MEANS ? channels - first : MEANS;
        size_t k = 0;
        for (; k + SUMMED <= pixels; k += SUMMED) {
            add_pixels(from + k * pixel_stride + first, SUMMED, pixel_stride, count, sums);
        }
        for (; k < pixels; k++) {
            add_pixels(from + k * pixel_stride + first, 1, pixel_stride, count, sums);
        }
        for (size_t c = 0; c < count; c += VECTOR_WIDTH) {
            vector v = load(sums + c) / all((float)pixels);
            store_some(to + first + c, clamp(v, low, high), count - c);
        }
    }
    leave();
}
