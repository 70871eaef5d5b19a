/* Blocks of outputs along a row, and the columns of the image under them. */
#ifndef KILN_UKERNELS_DEPTHWISE_BLOCKS_H
#define KILN_UKERNELS_DEPTHWISE_BLOCKS_H

#include "runtime/ukernels/vector.h"

/* A block of outputs is so many vectors: one of each of so many pixels, or two of each of half as
 * many. */
#define SUMS 8         /* KILN_STEP_POOLED_WIDTH: pooled rows have whole blocks alone */
#define MOST_COLUMNS 7 /* of windows of known size */
#define SPARE 2        /* pixels of a block that is nearly whole may be no results */

typedef struct block {
    /* All pixels, but for the last SPARE under windows of known size, are results, and the columns
     * under them lie in the image, but for those at the sides under which such a window's center
     * does not come. Of other blocks nothing is known. */
    bool whole;
    size_t left;     /* column of the image under the first pixel's window; wraps below 0 */
    size_t count;    /* the number of pixels that are results */
    uint32_t inside; /* bit j: column left + j lies in the image, and under the window of a pixel
                        that is a result */
    float *to;
} block;

/* What is known of a window when the code for it is compiled. With two vectors of 8 floats, a block
 * takes whole cache lines of its pixels. That matters where the channels are a power of two: all
 * pixels then fall into a few sets of the L1 cache, and the other halves of the lines would not be
 * found there again. */
typedef struct known {
    size_t vectors, pixels; /* vectors of a pixel, pixels of a block; their product is SUMS */
    size_t rows;            /* of outputs: 1, or 2 of windows of 3x3 */
    size_t columns, stride; /* the size of a window that is not dilated; 0 for any window */
    bool part;              /* of a block that is not whole */
    bool pools;             /* may store the largest of each 2x2 */
} known;

/* What stands for a pixel beside the image. */
static const float zeros[VECTOR_WIDTH] = {0};

/* The columns under a block. */
INLINE size_t columns_of(known k) {
    return (k.pixels - 1) * k.stride + k.columns;
}

/* Where column j of the block is read, which lies at `at` if it is in the image. Those that may lie
 * outside are read all the same, without a branch. */
INLINE uintptr_t column_at(known k, const block *b, size_t j, uintptr_t at) {
    size_t side = k.columns / 2;
    bool certain = j >= side && j < columns_of(k) - side - SPARE * k.stride;
    return certain || (b->inside >> j & 1) != 0 ? at : (uintptr_t)zeros;
}

/* Finds the block's columns. */
APART block place(known k, const sliding_row *r, size_t x) {
    block b = {.left = x * r->stride - r->padding,
               .count = r->to_width - x < k.pixels ? r->to_width - x : k.pixels,
               .to = r->to + (r->pooled ? x / 2 : x) * r->to_stride};
    size_t last = (b.count - 1) * r->stride + (r->kernel_columns - 1) * r->dilation;
    if (b.count == k.pixels && b.left < r->width && last < r->width - b.left) {
        b.inside = UINT32_MAX;
        b.whole = true;
        return b;
    }
    for (size_t j = 0; k.columns != 0 && j < (b.count - 1) * k.stride + k.columns; j++) {
        b.inside |= (uint32_t)(b.left + j < r->width) << j;
    }
    size_t side = k.columns / 2, end = columns_of(k) - side - SPARE * k.stride;
    uint32_t center = (1u << end) - (1u << side);
    b.whole = k.columns != 0 && b.count + SPARE >= k.pixels && (b.inside & center) == center;
    return b;
}

/* Where the block after the one at x begins. The last one is moved to the left, where it computes
 * some pixels anew, if it is then whole. */
INLINE size_t next_block(known k, const sliding_row *r, size_t x) {
    x += k.pixels;
    bool moves = k.columns != 0 && x < r->to_width && r->to_width - x < k.pixels;
    return moves ? r->to_width - k.pixels : x;
}

#endif
