/* Windows that slide over a row of a picture, channel by channel. */
#include "runtime/lanes/vector.h"

#include <math.h>
#include <stdbool.h>

/* ---- Depthwise convolution: a block of outputs at a time, in registers --------------------- */

#define SUMS 8    /* vectors of a block's outputs: of so many pixels, or two each of half as many */
#define AHEAD 512 /* floats: what is fetched is used so much later */
/* Every step of a loop over the input columns of a block: at most 2 * (SUMS - 1) + 3 of them. */
#define UNROLL_COLUMNS _Pragma("GCC unroll 32")

typedef struct block {
    size_t left;     /* column of the picture under the first pixel's window; wraps below 0 */
    size_t count;    /* pixels that count */
    uint32_t inside; /* bit j: column left + j lies in the picture, and under a pixel that counts */
    float *to;
} block;

/* What is known of a window when it is compiled. Of two vectors of 8 floats a block takes whole
 * cache lines of its pixels. That counts with channels a power of two, where all pixels fall into a
 * few sets of the L1 cache, and the other halves of the lines would not be found there again. */
typedef struct known {
    size_t vectors, pixels; /* of a block; their product is SUMS */
    size_t columns, stride; /* of a window that is not dilated; 0: any */
    bool whole;             /* all of the block counts and lies in the picture */
} known;

/* Compilers would keep the addresses of all pixels of a block in memory, and load each before what
 * it points to: this one is to be added to instead. */
INLINE uintptr_t opaque(uintptr_t address) {
    __asm__("" : "+r"(address));
    return address;
}

/* The weights of one tap. */
INLINE void load_weights(known k, const float *from, vector *out) {
    UNROLL for (size_t v = 0; v < k.vectors; v++) {
        out[v] = load(from + v * LANES_WIDTH);
    }
}

/* One kernel row of a window that is known: each input is loaded once for all pixels under whose
 * windows it lies. */
INLINE void known_row(known k, const window_row *r, const block *b, const float *from,
                      const float *weights, vector *sums) {
    vector weight[3 * 2];
    UNROLL for (size_t x = 0; x < k.columns; x++) {
        load_weights(k, weights + x * r->tap_stride, weight + x * k.vectors);
    }
    uintptr_t at = (uintptr_t)from + b->left * r->pixel_stride * sizeof(float);
    UNROLL_COLUMNS for (size_t j = 0; j < (k.pixels - 1) * k.stride + k.columns; j++) {
        if (k.whole || (b->inside >> j & 1) != 0) {
            UNROLL for (size_t v = 0; v < k.vectors; v++) {
                vector x = load((const float *)at + v * LANES_WIDTH);
                UNROLL for (size_t p = 0; p < k.pixels; p++) {
                    size_t column = j - p * k.stride, sum = p * k.vectors + v;
                    if (column < k.columns) {
                        sums[sum] = accumulate(sums[sum], x, weight[column * k.vectors + v]);
                    }
                }
            }
        }
        at = opaque(at + r->pixel_stride * sizeof(float));
    }
}

/* One kernel row of any window. */
INLINE void any_row(known k, const window_row *r, const block *b, const float *from,
                    const float *weights, vector *sums) {
    size_t step = r->stride * r->pixel_stride * sizeof(float);
    for (size_t x = 0; x < r->kernel_columns; x++) {
        vector weight[2];
        load_weights(k, weights + x * r->tap_stride, weight);
        size_t left = b->left + x * r->dilation;
        uintptr_t at = (uintptr_t)from + left * r->pixel_stride * sizeof(float);
        UNROLL for (size_t p = 0; p < k.pixels; p++) {
            if (k.whole || (p < b->count && left + p * r->stride < r->width)) {
                UNROLL for (size_t v = 0; v < k.vectors; v++) {
                    vector x = load((const float *)at + v * LANES_WIDTH);
                    sums[p * k.vectors + v] = accumulate(sums[p * k.vectors + v], x, weight[v]);
                }
            }
            at = opaque(at + step);
        }
    }
}

/* What a later block reads of the lowest rows, which rows above have not read yet, and what it
 * writes. Processors do not guess it: channels go by in the inner loop, pixels in the outer. May
 * lie outside the picture; so no arithmetic on pointers. */
INLINE void fetch_ahead(known k, const window_row *r, const block *b, size_t channel) {
    size_t ahead = r->channels < AHEAD / k.pixels ? AHEAD / r->channels : k.pixels;
    size_t step = r->pixel_stride * sizeof(float), to_step = r->to_stride * sizeof(float);
    uintptr_t from = (uintptr_t)(r->from + channel) + (b->left + ahead * r->stride) * step;
    for (size_t y = r->kernel_rows - r->fresh_rows; y < r->kernel_rows; y++) {
        for (size_t j = 0; j < k.pixels * r->stride; j++) {
            __builtin_prefetch((const void *)(from + y * r->row_stride * sizeof(float) + j * step));
        }
    }
    uintptr_t to = (uintptr_t)(b->to + channel) + ahead * to_step;
    UNROLL for (size_t p = 0; p < k.pixels; p++) {
        __builtin_prefetch((const void *)(to + p * to_step), 1);
    }
}

/* At most `channels` floats of each pixel that counts. */
INLINE void give(known k, size_t channels, const block *b, size_t step, float *to, vector *sums) {
    UNROLL for (size_t v = 0; v < k.vectors; v++) {
        UNROLL for (size_t p = 0; p < k.pixels; p++) {
            if ((k.whole || p < b->count) && v * LANES_WIDTH < channels) {
                store_some(to + p * step + v * LANES_WIDTH, sums[p * k.vectors + v],
                           channels - v * LANES_WIDTH);
            }
        }
    }
}

/* A block's channels from c on: at most k.vectors. */
INLINE void slide(known k, const window_row *r, const block *b, size_t c) {
    vector sums[SUMS], low = all(r->min), high = all(r->max);
    UNROLL for (size_t i = 0; i < SUMS; i++) {
        sums[i] = load(r->bias + c + i % k.vectors * LANES_WIDTH);
    }
    for (size_t y = 0; y < r->kernel_rows; y++) {
        const float *from = r->from + y * r->row_stride + c;
        const float *weights = r->weights + y * r->kernel_columns * r->tap_stride + c;
        if (k.columns != 0) {
            known_row(k, r, b, from, weights, sums);
        } else {
            any_row(k, r, b, from, weights, sums);
        }
    }
    UNROLL for (size_t i = 0; i < SUMS; i++) {
        sums[i] = clamp(sums[i], low, high);
    }
    size_t left = r->channels - c;
    if (left >= k.vectors * LANES_WIDTH) {
        give(k, k.vectors * LANES_WIDTH, b, r->to_stride, b->to + c, sums);
    } else {
        give(k, left, b, r->to_stride, b->to + c, sums);
    }
}

/* Works on copies, which stores cannot change as far as a compiler knows. */
INLINE void slide_channels(known k, const window_row *from_row, const block *from_block) {
    const window_row r = *from_row;
    const block b = *from_block;
    for (size_t c = 0; c < r.channels; c += k.vectors * LANES_WIDTH) {
        if (r.fresh_rows > 0 && c % LINE == 0) {
            fetch_ahead(k, &r, &b, c);
        }
        slide(k, &r, &b, c);
    }
}

/* True: all of it counts and lies in the picture. */
static bool place(known k, const window_row *r, size_t x, block *b) {
    *b = (block){.left = x * r->stride - r->padding,
                 .count = r->to_width - x < k.pixels ? r->to_width - x : k.pixels,
                 .to = r->to + x * r->to_stride};
    size_t last = (b->count - 1) * r->stride + (r->kernel_columns - 1) * r->dilation;
    bool whole = b->count == k.pixels && b->left < r->width && last < r->width - b->left;
    for (size_t j = 0; k.columns != 0 && !whole && j < (b->count - 1) * k.stride + k.columns; j++) {
        b->inside |= (uint32_t)(b->left + j < r->width) << j;
    }
    return whole;
}

INLINE void slide_row(size_t vectors, size_t columns, size_t stride, const window_row *r) {
    const known part = {vectors, SUMS / vectors, columns, stride, false};
    known whole = part;
    whole.whole = true;
    for (size_t x = 0; x < r->to_width; x += part.pixels) {
        block b;
        if (place(part, r, x, &b)) {
            slide_channels(whole, r, &b);
        } else {
            slide_channels(part, r, &b);
        }
    }
}

/* A window of one pixel: scales and shifts each channel. */
static void scale_row(const window_row *r) {
    vector low = all(r->min), high = all(r->max);
    for (size_t x = 0; x < r->to_width; x++) {
        const float *from = r->from + x * r->pixel_stride;
        float *to = r->to + x * r->to_stride;
        size_t c = 0;
        for (; c + LANES_WIDTH <= r->channels; c += LANES_WIDTH) {
            vector v = load(from + c) * load(r->weights + c) + load(r->bias + c);
            store(to + c, clamp(v, low, high));
        }
        if (c < r->channels) {
            vector v = load(from + c) * load(r->weights + c) + load(r->bias + c);
            store_some(to + c, clamp(v, low, high), r->channels - c);
        }
    }
}

#define LINE_VECTORS (LANES_WIDTH < LINE ? 2 : 1)

static void multiply(const window_row *r) {
    bool known = r->kernel_columns == 3 && r->dilation == 1;
    bool single = r->kernel_rows == 1 && r->kernel_columns == 1 && r->stride == 1;
    if (single && r->padding == 0 && r->to_width <= r->width) {
        scale_row(r);
    } else if (known && r->stride == 1) {
        slide_row(1, 3, 1, r);
    } else if (known && r->stride == 2) {
        slide_row(1, 3, 2, r);
    } else {
        slide_row(LINE_VECTORS, 0, 0, r);
    }
}

/* ---- Pooling: a pixel at a time, since nothing is saved by more ----------------------------- */

/* The part of a window that lies in the picture. */
typedef struct taps {
    const float *from;
    size_t rows, columns;
    size_t row_step, column_step; /* floats */
    float scale;                  /* AVERAGE */
    float min, max;
} taps;

INLINE vector take(window_op op, vector sum, vector x) {
    if (op == WINDOW_MAXIMUM) {
        return LARGER(sum, x);
    }
    return sum + x;
}

/* Of so many vectors from channel c on. */
INLINE void pool_vectors(window_op op, size_t vectors, const taps *t, size_t c, vector *sums) {
    for (size_t v = 0; v < vectors; v++) {
        sums[v] = all(op == WINDOW_MAXIMUM ? -INFINITY : 0);
    }
    UNROLL for (size_t y = 0; y < t->rows; y++) {
        UNROLL for (size_t x = 0; x < t->columns; x++) {
            const float *from = t->from + y * t->row_step + x * t->column_step + c;
            UNROLL for (size_t v = 0; v < vectors; v++) {
                sums[v] = take(op, sums[v], load(from + v * LANES_WIDTH));
            }
        }
    }
    UNROLL for (size_t v = 0; v < vectors; v++) {
        sums[v] =
            clamp(sums[v] * (op == WINDOW_AVERAGE ? t->scale : 1.0f), all(t->min), all(t->max));
    }
}

INLINE void pool_pixel(window_op op, size_t vectors, const taps *t, size_t channels, float *to) {
    size_t c = 0, step = vectors * LANES_WIDTH;
    vector sums[4];
    for (; c + step <= channels; c += step) {
        pool_vectors(op, vectors, t, c, sums);
        UNROLL for (size_t v = 0; v < vectors; v++) {
            store(to + c + v * LANES_WIDTH, sums[v]);
        }
    }
    for (; c < channels; c += LANES_WIDTH) {
        pool_vectors(op, 1, t, c, sums);
        store_some(to + c, sums[0], channels - c);
    }
}

/* Of a window's size that is known: its loops are unrolled. */
INLINE void pool_square(window_op op, size_t size, taps t, size_t channels, float *to) {
    t.rows = t.columns = size;
    pool_pixel(op, 1, &t, channels, to);
}

/* Columns of a kernel at `left` that lie before column `end` of the picture. */
static size_t columns_before(const window_row *r, size_t left, size_t end) {
    ptrdiff_t reach = (ptrdiff_t)(end - left); /* left wraps below 0 */
    size_t columns = reach <= 0 ? 0 : ((size_t)reach + r->dilation - 1) / r->dilation;
    return columns < r->kernel_columns ? columns : r->kernel_columns;
}

INLINE void pool_row(window_op op, const window_row *r) {
    for (size_t x = 0; x < r->to_width; x++) {
        size_t left = x * r->stride - r->padding;
        size_t first = columns_before(r, left, 0), end = columns_before(r, left, r->width);
        size_t pixels = r->kernel_rows * (end - first);
        taps t = {.from = r->from,
                  .rows = pixels == 0 ? 0 : r->kernel_rows,
                  .columns = end - first,
                  .row_step = r->row_stride,
                  .column_step = r->dilation * r->pixel_stride,
                  .scale = pixels == 0 ? 0 : 1.0f / (float)pixels,
                  .min = r->min,
                  .max = r->max};
        float *to = r->to + x * r->to_stride;
        if (pixels > 0) {
            t.from += (left + first * r->dilation) * r->pixel_stride;
        }
        if (t.rows == 3 && t.columns == 3) {
            pool_square(op, 3, t, r->channels, to);
        } else if (t.rows == 2 && t.columns == 2) {
            pool_square(op, 2, t, r->channels, to);
        } else {
            pool_pixel(op, 4, &t, r->channels, to);
        }
    }
}

static void maximum(const window_row *r) {
    pool_row(WINDOW_MAXIMUM, r);
}

static void average(const window_row *r) {
    pool_row(WINDOW_AVERAGE, r);
}

/* ---- Global pooling ------------------------------------------------------------------------- */

#define MEANS 1024 /* channels: their sums stay in the L1 cache */
#define SUMMED 7   /* pixels at a time: pictures are often 7 wide */

/* sums[c] + the sums of `pixels`: in whole vectors. */
INLINE void add_pixels(const float *from, size_t pixels, size_t pixel_stride, size_t channels,
                       float *sums) {
    for (size_t c = 0; c < channels; c += LANES_WIDTH) {
        vector sum = load(sums + c);
        UNROLL for (size_t k = 0; k < pixels; k++) {
            sum += load(from + k * pixel_stride + c);
        }
        store(sums + c, sum);
    }
}

static void mean(const float *from, size_t pixels, size_t pixel_stride, size_t channels, float min,
                 float max, float *to) {
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
        for (size_t c = 0; c < count; c += LANES_WIDTH) {
            vector v = load(sums + c) / all((float)pixels);
            store_some(to + first + c, clamp(v, low, high), count - c);
        }
    }
}

const window_lanes LANE(lane_window) = {
    .row = {multiply, maximum, average},
    .mean = mean,
};
