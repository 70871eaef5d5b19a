/* Windows that slide over a row of a picture, channel by channel: PIXELS outputs at a time, whose
 * results stay in registers while the window's kernel rows and columns go by. */
#include "runtime/lanes/vector.h"

#include <math.h>
#include <stdbool.h>

#define PIXELS 8
#define LINE 16 /* floats of a cache line */
/* Every step of a loop over the input columns of a block: at most 2 * (PIXELS - 1) + 3 of them. */
#define UNROLL_COLUMNS _Pragma("GCC unroll 32")

/* PIXELS outputs of a row, or as many as there are left. */
typedef struct block {
    const window_row *row;
    size_t left;     /* column of the picture under the first pixel's window; wraps below 0 */
    size_t count;    /* pixels that count */
    uint32_t inside; /* bit j: column left + j lies in the picture, and under a pixel that counts */
    float *to;
    float scales[PIXELS]; /* AVERAGE */
} block;

INLINE vector take(window_op op, vector sum, vector x, vector weight) {
    switch (op) {
    case WINDOW_MAXIMUM:
        return LARGER(sum, x);
    case WINDOW_AVERAGE:
        return sum + x;
    default:
        return sum + x * weight;
    }
}

/* One kernel row, of which columns and stride are known and not dilated: each input is loaded once
 * for all pixels under whose windows it lies. */
INLINE void known_row(window_op op, size_t columns, size_t stride, bool whole, const block *b,
                      const float *from, const float *weights, vector *sums) {
    const window_row *r = b->row;
    vector weight[3];
    UNROLL for (size_t k = 0; k < columns; k++) {
        weight[k] = op == WINDOW_MULTIPLY ? load(weights + k * r->tap_stride) : (vector){0};
    }
    size_t at = b->left * r->pixel_stride;
    UNROLL_COLUMNS for (size_t j = 0; j < (PIXELS - 1) * stride + columns; j++) {
        if (whole || (b->inside >> j & 1) != 0) {
            vector x = load(from + at);
            UNROLL for (size_t p = 0; p < PIXELS; p++) {
                size_t k = j - p * stride;
                if (k < columns) {
                    sums[p] = take(op, sums[p], x, weight[k]);
                }
            }
        }
        at += r->pixel_stride;
    }
}

/* One kernel row of any window. */
INLINE void any_row(window_op op, bool whole, const block *b, const float *from,
                    const float *weights, vector *sums) {
    const window_row *r = b->row;
    size_t step = r->stride * r->pixel_stride;
    for (size_t k = 0; k < r->kernel_columns; k++) {
        vector weight = op == WINDOW_MULTIPLY ? load(weights + k * r->tap_stride) : (vector){0};
        size_t left = b->left + k * r->dilation, at = left * r->pixel_stride;
        UNROLL for (size_t p = 0; p < PIXELS; p++) {
            if (whole || (p < b->count && left + p * r->stride < r->width)) {
                sums[p] = take(op, sums[p], load(from + (at + p * step)), weight);
            }
        }
    }
}

/* What the next block reads of the lowest row, the one that rows above have not read yet, and what
 * it writes. Processors do not guess it: channels go by in the inner loop, pixels in the outer. May
 * lie outside the picture; so no arithmetic on pointers. */
INLINE void fetch_ahead(const block *b, size_t channel) {
    const window_row *r = b->row;
    size_t step = r->pixel_stride * sizeof(float);
    uintptr_t from = (uintptr_t)(r->from + channel) + (b->left + PIXELS * r->stride) * step +
                     (r->kernel_rows - 1) * r->row_stride * sizeof(float);
    for (size_t j = 0; j < PIXELS * r->stride; j++) {
        __builtin_prefetch((const void *)(from + j * step));
    }
    uintptr_t to = (uintptr_t)(b->to + channel);
    UNROLL for (size_t p = PIXELS; p < (size_t)2 * PIXELS; p++) {
        __builtin_prefetch((const void *)(to + p * r->to_stride * sizeof(float)), 1);
    }
}

/* columns and stride 0: any. */
INLINE void slide(window_op op, size_t columns, size_t stride, bool whole, const block *b) {
    const window_row *r = b->row;
    vector low = all(r->min), high = all(r->max);
    for (size_t c = 0; c < r->channels; c += LANES_WIDTH) {
        vector sums[PIXELS], first = op == WINDOW_MULTIPLY
                                         ? load(r->bias + c)
                                         : all(op == WINDOW_MAXIMUM ? -INFINITY : 0);
        UNROLL for (size_t p = 0; p < PIXELS; p++) {
            sums[p] = first;
        }
        if (c % LINE == 0) {
            fetch_ahead(b, c);
        }
        for (size_t y = 0; y < r->kernel_rows; y++) {
            const float *from = r->from + y * r->row_stride + c;
            const float *weights = op == WINDOW_MULTIPLY
                                       ? r->weights + y * r->kernel_columns * r->tap_stride + c
                                       : NULL;
            if (columns != 0) {
                known_row(op, columns, stride, whole, b, from, weights, sums);
            } else {
                any_row(op, whole, b, from, weights, sums);
            }
        }
        UNROLL for (size_t p = 0; p < PIXELS; p++) {
            if (whole || p < b->count) {
                vector v = sums[p] * (op == WINDOW_AVERAGE ? b->scales[p] : 1.0f);
                store_some(b->to + p * r->to_stride + c, clamp(v, low, high), r->channels - c);
            }
        }
    }
}

/* Kernel columns of pixel p that lie in the picture. */
static size_t columns_inside(const block *b, size_t p) {
    const window_row *r = b->row;
    size_t count = 0;
    for (size_t k = 0; k < r->kernel_columns; k++) {
        count += b->left + p * r->stride + k * r->dilation < r->width;
    }
    return count;
}

/* True: all of it lies in the picture. */
INLINE bool place(window_op op, size_t columns, size_t stride, const window_row *r, size_t x,
                  block *b) {
    *b = (block){.row = r,
                 .left = x * r->stride - r->padding,
                 .count = r->to_width - x < PIXELS ? r->to_width - x : PIXELS,
                 .to = r->to + x * r->to_stride};
    size_t last = (b->count - 1) * r->stride + (r->kernel_columns - 1) * r->dilation;
    bool whole = b->count == PIXELS && b->left < r->width && last < r->width - b->left;
    for (size_t j = 0; columns != 0 && j < (b->count - 1) * stride + columns; j++) {
        b->inside |= (uint32_t)(b->left + j < r->width) << j;
    }
    for (size_t p = 0; op == WINDOW_AVERAGE && p < b->count; p++) {
        size_t pixels = r->kernel_rows * (whole ? r->kernel_columns : columns_inside(b, p));
        b->scales[p] = pixels == 0 ? 0 : 1.0f / (float)pixels;
    }
    return whole;
}

INLINE void slide_all(window_op op, size_t columns, size_t stride, const window_row *r) {
    for (size_t x = 0; x < r->to_width; x += PIXELS) {
        block b;
        if (place(op, columns, stride, r, x, &b)) {
            slide(op, columns, stride, true, &b);
        } else {
            slide(op, columns, stride, false, &b);
        }
    }
}

static bool is(const window_row *r, size_t columns, size_t stride) {
    return r->kernel_columns == columns && r->stride == stride && r->dilation == 1;
}

static void multiply(const window_row *r) {
    if (is(r, 3, 1)) {
        slide_all(WINDOW_MULTIPLY, 3, 1, r);
    } else if (is(r, 3, 2)) {
        slide_all(WINDOW_MULTIPLY, 3, 2, r);
    } else {
        slide_all(WINDOW_MULTIPLY, 0, 0, r);
    }
}

static void maximum(const window_row *r) {
    if (is(r, 3, 2)) {
        slide_all(WINDOW_MAXIMUM, 3, 2, r);
    } else {
        slide_all(WINDOW_MAXIMUM, 0, 0, r);
    }
}

static void average(const window_row *r) {
    slide_all(WINDOW_AVERAGE, 0, 0, r);
}

#define MEANS 4 /* vectors: additions wait for each other in each */

static void mean(const float *from, size_t pixels, size_t pixel_stride, size_t channels,
                 float scale, float min, float max, float *to) {
    size_t count = (channels + LANES_WIDTH - 1) / LANES_WIDTH; /* vectors */
    for (size_t v = 0; v < count; v += MEANS) {
        size_t c = v * LANES_WIDTH, left = count - v;
        vector sums[MEANS] = {0};
        for (size_t k = 0; k < pixels; k++) {
            UNROLL for (size_t i = 0; i < MEANS; i++) {
                if (i < left) {
                    sums[i] += load(from + k * pixel_stride + c + i * LANES_WIDTH);
                }
            }
        }
        for (size_t i = 0; i < MEANS && i < left; i++, c += LANES_WIDTH) {
            store_some(to + c, clamp(sums[i] * scale, all(min), all(max)), channels - c);
        }
    }
}

const window_lanes LANE(lane_window) = {
    .row = {multiply, maximum, average},
    .mean = mean,
};
