/* Where the elements of a tensor lie in another that it was made of by views, transposes, cuts,
 * repetition and multiplication by numbers. */
#ifndef KILN_COMPILER_STRIDED_VIEW_H
#define KILN_COMPILER_STRIDED_VIEW_H

#include "compiler/graph/graph.h"

#define VIEW_FACTORS 32

/* A loop: `size` elements, `stride` elements of the base apart. */
typedef struct view_factor {
    int64_t size, stride;
} view_factor;

/* Each axis is some loops, the outermost first; an axis of one element has none. */
typedef struct strided_view {
    tensor *base;
    int64_t start;
    float scale; /* the elements are the base's, times this */
    uint32_t rank;
    int64_t dims[KILN_MAX_RANK];
    uint32_t first[KILN_MAX_RANK + 1]; /* the loops of axis k: first[k] .. first[k + 1] */
    view_factor factors[VIEW_FACTORS];
} strided_view;

/* The tensor itself as it lies, row-major. */
void view_identity(tensor *t, strided_view *out_view);
/* The view of t on the farthest tensor for which there is one that `fits`, else on t itself. */
void view_trace(tensor *t, bool (*fits)(const strided_view *view), strided_view *out_view);
/* The view of t on x, which t is made of by views and transposes alone; false: it is not. */
bool view_on(tensor *t, tensor *x, strided_view *out_view);
/* Turns a view that has each element of x once into that of x on its tensor. */
bool view_invert(const strided_view *view, tensor *t, tensor *x, strided_view *out_view);
/* An axis as one loop, of size 1 and stride 0 where it is one element; false: it takes more. */
bool view_axis(const strided_view *view, uint32_t axis, view_factor *out_factor);
/* The same elements with the base's axis 1 moved behind the others; false: a loop runs through
 * both. */
bool view_channels_last(strided_view *inout_view);

#endif
