/* Depthwise convolution along a row of an image: a block of outputs at a time, in registers. */
#include "runtime/ukernels/depthwise_blocks.h"

#include <math.h>

#define AHEAD 512 /* what is fetched ahead is used so many floats later */
/* Processors with AVX-512 fetch by themselves what blocks read: on those measured, being told takes
 * depthwise layers 10 to 60 % longer. */
#define FETCHES (VECTOR_WIDTH < 16)
#define SAME_SETS 256 /* pixels so many floats apart fall into a few sets of the L1 cache */
/* Pairs of rows that are pooled have a loop of their own, so that the others' is faster. Narrow
 * vectors gain less by it than its code takes. */
#define POOLS_APART (VECTOR_WIDTH > 4)

/* Loads the weights of one tap. */
INLINE void load_weights(known k, const float *from, vector *out) {
    UNROLL for (size_t v = 0; v < k.vectors; v++) {
        out[v] = load(from + v * VECTOR_WIDTH);
    }
}

/* Adds one kernel row of a window of known size: each input is loaded once for all pixels under
 * whose windows it lies. */
INLINE void known_row(known k, const sliding_row *r, const block *b, const float *from,
                      const float *weights, vector *sums) {
    vector weight[MOST_COLUMNS * 2];
    UNROLL for (size_t x = 0; x < k.columns; x++) {
        load_weights(k, weights + x * r->tap_stride, weight + x * k.vectors);
    }
    uintptr_t at = (uintptr_t)from + b->left * r->pixel_stride * sizeof(float);
    UNROLL_LONG for (size_t j = 0; j < columns_of(k); j++) {
        UNROLL for (size_t v = 0; v < k.vectors; v++) {
            vector x = load((const float *)column_at(k, b, j, at) + v * VECTOR_WIDTH);
            UNROLL for (size_t p = 0; p < k.pixels; p++) {
                size_t column = j - p * k.stride, sum = p * k.vectors + v;
                if (column < k.columns) {
                    sums[sum] = accumulate(sums[sum], x, weight[column * k.vectors + v]);
                }
            }
        }
        at = opaque(at + r->pixel_stride * sizeof(float));
    }
}

/* Adds one kernel row of a window of any size. */
INLINE void any_row(known k, const sliding_row *r, const block *b, const float *from,
                    const float *weights, vector *sums) {
    size_t step = r->stride * r->pixel_stride * sizeof(float);
    for (size_t x = 0; x < r->kernel_columns; x++) {
        vector weight[2];
        load_weights(k, weights + x * r->tap_stride, weight);
        size_t left = b->left + x * r->dilation;
        uintptr_t at = (uintptr_t)from + left * r->pixel_stride * sizeof(float);
        UNROLL for (size_t p = 0; p < k.pixels; p++) {
            if (!k.part || (p < b->count && left + p * r->stride < r->width)) {
                UNROLL for (size_t v = 0; v < k.vectors; v++) {
                    vector x = load((const float *)at + v * VECTOR_WIDTH);
                    sums[p * k.vectors + v] = accumulate(sums[p * k.vectors + v], x, weight[v]);
                }
            }
            at = opaque(at + step);
        }
    }
}

/* Fetches what a later block reads of the lowest rows, which no row of outputs above has read yet,
 * and what it writes. Processors do not guess these addresses, as the inner loop goes over channels
 * and the outer over pixels. They may lie outside the image, so that no pointers are added to. */
APART void fetch_ahead(size_t pixels, const sliding_row *r, const block *b, size_t channel) {
    size_t ahead = r->channels < AHEAD / pixels ? AHEAD / r->channels : pixels;
    size_t step = r->pixel_stride * sizeof(float), to_step = r->to_stride * sizeof(float);
    uintptr_t from = (uintptr_t)(r->from + channel) + (b->left + ahead * r->stride) * step;
    for (size_t y = r->kernel_rows - r->fresh_rows; y < r->kernel_rows; y++) {
        for (size_t j = 0; j < pixels * r->stride; j++) {
            __builtin_prefetch((const void *)(from + y * r->row_stride * sizeof(float) + j * step));
        }
    }
    for (size_t o = 0; o < (r->rows == 2 ? 2 : 1); o++) {
        uintptr_t to = (uintptr_t)(b->to + o * r->to_row_stride + channel) + ahead * to_step;
        for (size_t p = 0; p < pixels; p++) {
            __builtin_prefetch((const void *)(to + p * to_step), 1);
        }
    }
}

/* Clamps and stores at most `channels` floats of each of some pixels. Rarer, so that it is compiled
 * once. */
APART void give_part(size_t vectors, size_t pixels, size_t channels, const sliding_row *r,
                     float *to, const vector *sums) {
    const vector low = all(r->min), high = all(r->max);
    for (size_t p = 0; p < pixels; p++) {
        for (size_t v = 0; v < vectors && v * VECTOR_WIDTH < channels; v++) {
            store_some(to + p * r->to_stride + v * VECTOR_WIDTH,
                       clamp(sums[p * vectors + v], low, high), channels - v * VECTOR_WIDTH);
        }
    }
}

/* Clamps whole vectors, and stores them. Most layers clamp on one side. */
INLINE void give_whole(known k, const sliding_row *r, const block *b, float *to, vector *sums) {
    if (r->min > -INFINITY) {
        vector low = all(r->min);
        UNROLL for (size_t i = 0; i < SUMS; i++) {
            sums[i] = larger(low, sums[i]);
        }
    }
    if (r->max < INFINITY) {
        vector high = all(r->max);
        UNROLL for (size_t i = 0; i < SUMS; i++) {
            sums[i] = smaller(high, sums[i]);
        }
    }
    UNROLL for (size_t v = 0; v < k.vectors; v++) {
        UNROLL for (size_t p = 0; p < k.pixels; p++) {
            if (k.columns == 0 || p + SPARE < k.pixels || p < b->count) {
                store(to + p * r->to_stride + v * VECTOR_WIDTH, sums[p * k.vectors + v]);
            }
        }
    }
}

/* Stores a row of outputs' channels from c on. `shared` is what r is a copy of. */
INLINE void give(known k, const sliding_row *r, const sliding_row *shared, const block *b, size_t c,
                 float *to, vector *sums) {
    if (!k.part && r->channels - c >= k.vectors * VECTOR_WIDTH) {
        give_whole(k, r, b, to + c, sums);
        return;
    }
    vector kept[SUMS]; /* the sums themselves are to stay in registers */
    UNROLL for (size_t i = 0; i < SUMS; i++) {
        kept[i] = sums[i];
    }
    give_part(k.vectors, b->count, r->channels - c, shared, to + c, kept);
}

/* Adds an input row to two rows of outputs whose windows of 3x3 lie k.stride rows apart: it is
 * kernel row y of the first. */
INLINE void shared_row(known k, const sliding_row *r, const block *b, const float *from, size_t y,
                       const vector *weights, vector (*sums)[SUMS]) {
    uintptr_t at = (uintptr_t)from + b->left * r->pixel_stride * sizeof(float);
    UNROLL_LONG for (size_t j = 0; j < columns_of(k); j++) {
        vector x = load((const float *)column_at(k, b, j, at));
        UNROLL for (size_t o = 0; o < 2; o++) {
            size_t kernel_row = y - o * k.stride; /* wraps below 0 */
            UNROLL for (size_t p = 0; p < k.pixels; p++) {
                size_t column = j - p * k.stride;
                if (kernel_row < 3 && column < k.columns) {
                    sums[o][p] =
                        accumulate(sums[o][p], x, weights[kernel_row * k.columns + column]);
                }
            }
        }
        at = opaque(at + r->pixel_stride * sizeof(float));
    }
}

/* Adds up a vector of channels of two rows of outputs, whose windows of 3x3 share rows of inputs:
 * each input is loaded once for both. All weights are in registers meanwhile. */
INLINE void slide_pair(known k, const sliding_row *r, const block *b, size_t c,
                       vector (*sums)[SUMS]) {
    vector weights[9];
    UNROLL for (size_t i = 0; i < SUMS; i++) {
        sums[0][i] = sums[1][i] = load(r->bias + c);
    }
    UNROLL for (size_t i = 0; i < 9; i++) {
        weights[i] = load(r->weights + i * r->tap_stride + c);
    }
    const float *from = r->from + c;
    UNROLL for (size_t y = 0; y < k.stride + 3; y++) {
        if (y - r->rows_above < r->kernel_rows) { /* wraps above the image */
            shared_row(k, r, b, from, y, weights, sums);
            from += r->row_stride;
        }
    }
}

/* Adds up a block's channels from c on, at most k.vectors vectors of them. */
INLINE void slide(known k, const sliding_row *r, const block *b, size_t c, vector *sums) {
    UNROLL for (size_t i = 0; i < SUMS; i++) {
        sums[i] = load(r->bias + c + i % k.vectors * VECTOR_WIDTH);
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
}

/* Stores at most `channels` floats of each of a block's pooled pixels. Rarer, so that it is
 * compiled once. */
APART void give_pooled_part(const sliding_row *r, float *to, size_t channels, vector *largest) {
    for (size_t p = 0; p < SUMS / 2; p++, to += r->to_stride) {
        vector v = r->joins ? larger(largest[p], load_first(to, channels)) : largest[p];
        store_some(to, clamp(v, all(r->min), all(r->max)), channels);
    }
}

/* Clamps and stores the largest of each 2x2: of two rows, or of a row and what has been stored of
 * the one above it. All pixels are results. */
INLINE void give_pooled(known k, const sliding_row *r, const sliding_row *shared, const block *b,
                        size_t c, vector (*sums)[SUMS]) {
    const vector low = all(r->min), high = all(r->max);
    float *to = b->to + c;
    vector largest[SUMS / 2];
    UNROLL for (size_t p = 0; p < SUMS / 2; p++) {
        largest[p] = larger(sums[0][2 * p], sums[0][2 * p + 1]);
        if (k.rows == 2) {
            largest[p] = larger(largest[p], larger(sums[1][2 * p], sums[1][2 * p + 1]));
        }
    }
    if (r->channels - c < VECTOR_WIDTH) {
        give_pooled_part(shared, to, r->channels - c, largest);
        return;
    }
    UNROLL for (size_t p = 0; p < SUMS / 2; p++) {
        vector v =
            k.rows == 1 && r->joins ? larger(largest[p], load(to + p * r->to_stride)) : largest[p];
        store(to + p * r->to_stride, clamp(v, low, high));
    }
}

/* It works on copies of its parameters, which stores cannot change as far as a compiler knows. No
 * function gets the address of a copy, so that these are registers. */
INLINE void slide_channels(known k, const sliding_row *shared, const block *from_block) {
    const sliding_row r = *shared;
    const block b = *from_block;
    for (size_t c = 0; c < r.channels; c += k.vectors * VECTOR_WIDTH) {
        vector sums[2][SUMS];
        if (FETCHES && r.fresh_rows > 0 && c % LINE == 0) {
            fetch_ahead(k.pixels, shared, from_block, c);
        }
        if (k.rows == 2) {
            slide_pair(k, &r, &b, c, sums);
        } else {
            slide(k, &r, &b, c, sums[0]);
        }
        if (k.pools && ((POOLS_APART && k.rows == 2) || r.pooled)) {
            give_pooled(k, &r, shared, &b, c, sums);
            continue;
        }
        if (k.rows == 2) {
            give(k, &r, shared, &b, c, b.to + r.to_row_stride, sums[1]);
        }
        give(k, &r, shared, &b, c, b.to, sums[0]);
    }
}

/* A block at an image's side, with any window. Rarer, so that it is compiled once. */
APART void slide_part(const sliding_row *r, const block *b) {
    slide_channels((known){1, SUMS, 1, 0, 0, true, false}, r, b);
}

INLINE void slide_row(size_t vectors, size_t columns, size_t stride, const sliding_row *r) {
    const known k = {
        vectors, SUMS / vectors, 1, columns, stride, false, .pools = columns == 3 && stride == 1};
    for (size_t x = 0; x < r->to_width; x = next_block(k, r, x)) {
        block b = place(k, r, x);
        if (b.whole) {
            slide_channels(k, r, &b);
        } else {
            slide_part(r, &b);
        }
    }
}

/* Two rows of outputs, but where blocks are not whole. */
INLINE bool slide_rows(size_t stride, bool pools, const sliding_row *r) {
    const known k = {1, SUMS, 2, 3, stride, false, pools};
    for (size_t x = 0; x < r->to_width; x = next_block(k, r, x)) {
        block b = place(k, r, x);
        if (!b.whole) {
            return false;
        }
        slide_channels(k, r, &b);
    }
    return true;
}

/* A window of one pixel, which scales and shifts each channel. */
static void scale_row(const sliding_row *r) {
    vector low = all(r->min), high = all(r->max);
    for (size_t x = 0; x < r->to_width; x++) {
        const float *from = r->from + x * r->pixel_stride;
        float *to = r->to + x * r->to_stride;
        size_t c = 0;
        for (; c + VECTOR_WIDTH <= r->channels; c += VECTOR_WIDTH) {
            vector v = load(from + c) * load(r->weights + c) + load(r->bias + c);
            store(to + c, clamp(v, low, high));
        }
        if (c < r->channels) {
            vector v = load(from + c) * load(r->weights + c) + load(r->bias + c);
            store_some(to + c, clamp(v, low, high), r->channels - c);
        }
    }
}

#define LINE_VECTORS (VECTOR_WIDTH < LINE ? 2 : 1)

/* Windows of the sizes that networks have. */
#define KNOWN(COLUMNS, STRIDE)                                                                     \
    if (r->kernel_columns == (COLUMNS) && r->stride == (STRIDE)) {                                 \
        slide_row(1, COLUMNS, STRIDE, r);                                                          \
        return;                                                                                    \
    }

/* Narrow vectors gain less by it than its code takes. */
#if VECTOR_WIDTH > 4
#define KNOWN_TO_WIDE(COLUMNS, STRIDE) KNOWN(COLUMNS, STRIDE)
#else
#define KNOWN_TO_WIDE(COLUMNS, STRIDE)
#endif

/* The row of outputs `index` of two, alone. */
static sliding_row row_of_two(const sliding_row *both, size_t index) {
    sliding_row r = *both;
    size_t top = index * r.stride, end = top + 3; /* its rows, counted from the first of both's */
    size_t begin = top > r.rows_above ? top : r.rows_above;
    size_t inside = r.rows_above + r.kernel_rows;
    r.kernel_rows = (end < inside ? end : inside) - begin;
    r.from += (begin - r.rows_above) * r.row_stride;
    r.weights += (begin - top) * 3 * r.tap_stride;
    r.to += r.pooled ? 0 : index * r.to_row_stride;
    r.rows = 1;
    r.joins = index == 1;
    r.fresh_rows = 0;
    return r;
}

static void slide_two(const sliding_row *r) {
    if (DEPTHWISE_ROWS == 2 && (r->stride == 2              ? slide_rows(2, false, r)
                                : POOLS_APART && !r->pooled ? slide_rows(1, false, r)
                                                            : slide_rows(1, true, r))) {
        return;
    }
    for (size_t row = 0; row < 2; row++) {
        sliding_row one = row_of_two(r, row);
        UKERNEL(depthwise)(&one);
    }
}

void UKERNEL(depthwise)(const sliding_row *r) {
    bool single = r->kernel_rows == 1 && r->kernel_columns == 1 && r->stride == 1;
    if (single && r->padding == 0 && r->to_width <= r->width) {
        scale_row(r);
        return;
    }
    if (r->rows == 2) {
        slide_two(r);
        return;
    }
    if (DEPTHWISE_ROWS == 1 && r->dilation == 1) { /* else few rows of 3x3 come alone */
        KNOWN(3, 1)
        KNOWN(3, 2)
    }
    if (!FEW_SHAPES && r->dilation == 1 &&
        (LINE_VECTORS == 1 || r->pixel_stride % SAME_SETS != 0)) {
        KNOWN(5, 1)
        KNOWN_TO_WIDE(5, 2)
        KNOWN(7, 1)
    }
    slide_row(LINE_VECTORS, 0, 0, r);
}
