/* What scaling and reducing images have in common: filters along an axis, and means of squares. */
#ifndef KILN_RUNTIME_IMAGE_FILTER_H
#define KILN_RUNTIME_IMAGE_FILTER_H

#include "runtime/image/view.h"

/* ---- Triangles (filter.c) -------------------------------------------------------------------- */

/* For each target position: `taps` source positions from first[k] on, with their weights, whose sum
 * is 1. */
typedef struct image_filter {
    size_t taps;
    size_t *first;
    float *weights;
} image_filter;

/* Positions less than `half` away from a triangle's middle, of `source` ones. */
size_t image_filter_taps(double half, size_t source);
/* Triangles of half width `half` about target positions offset .. offset + count, each of which is
 * `step` source positions wide. f->taps is to be known, and room for the rest. */
void image_filter_fill(image_filter *f, size_t source, double step, double half, size_t offset,
                       size_t count);

/* ---- Means of squares (reduce.c) ------------------------------------------------------------- */

enum { IMAGE_REDUCE_CHUNK = 1024 }; /* pixels of a row that are worked at a time */

/* A part of an image, reduced by a whole number: each pixel becomes the mean of factor * factor
 * ones, to the nearest. The last squares of a row and a column end where the part does. */
typedef struct image_reduction {
    const image_view *view;
    uint32_t left, top, width, height; /* of the part, before */
    uint32_t factor;
} image_reduction;

typedef struct image_reduction_work {
    uint16_t shorts[IMAGE_REDUCE_CHUNK * 3]; /* sums of rows */
    float sums[IMAGE_REDUCE_CHUNK * 3 + 1];
    uint8_t pixels[IMAGE_REDUCE_CHUNK * 3];
} image_reduction_work;

static inline uint32_t image_reduced(uint32_t size, uint32_t factor) {
    return size / factor + (size % factor > 0);
}

/* Row y of the reduced part: in `buffer`, or where the image has it. totals: room for 3 numbers a
 * pixel of the row. */
const uint8_t *image_reduced_row(const image_reduction *r, uint32_t y, image_reduction_work *work,
                                 float *totals, uint8_t *buffer);

#endif
