/* The one door to XNNPACK: its convolutions, which other modules know as these few functions. What
 * differs between its generations is in xnnpack.c; xnnpack.cmake finds out what is there. Not part
 * of a build without XNNPACK. */
#ifndef KILN_RUNTIME_XNNPACK_H
#define KILN_RUNTIME_XNNPACK_H

#include <kiln/kiln.h>
#include <pthreadpool.h>

/* Whether XNNPACK starts on this machine, which is tried once a process: it wants to know the
 * processor, and on Linux /proc. Any thread may ask. */
bool xnnpack_starts(void);

/* The API that the library was built with, by the year and month of a version that has it:
 * "XNNPACK 2022-02", "XNNPACK 2024-11" or "XNNPACK 2026-08". */
const char *xnnpack_generation(void);

/* A convolution of channels-last images of f32. */
typedef struct xnnpack_conv_shape {
    uint32_t padding_top, padding_right, padding_bottom, padding_left;
    uint32_t kernel_height, kernel_width, stride_height, stride_width;
    uint32_t dilation_height, dilation_width, groups;
    size_t group_inputs, group_outputs;
    size_t input_stride, output_stride; /* floats from one pixel to the next */
    float min, max;
    bool transposed;
    uint32_t adjustment_height, adjustment_width; /* of transposed ones */
} xnnpack_conv_shape;

typedef struct xnnpack_conv xnnpack_conv;

/* Packs weights [groups * group_outputs][kernel_height][kernel_width][group_inputs] and bias
 * [groups * group_outputs] (NULL: none), which need not stay. allocator: of what is not XNNPACK's
 * own; it is borrowed. */
kiln_status xnnpack_conv_create(const kiln_allocator *allocator, const xnnpack_conv_shape *shape,
                                const float *weights, const float *bias, xnnpack_conv **out_conv,
                                kiln_error *error);
/* Sizes and pointers of the runs that follow; may be called again, and allocates where images are
 * larger than before. Up to KILN_ARENA_MARGIN bytes past x's end are read. */
kiln_status xnnpack_conv_setup(xnnpack_conv *conv, size_t batch, size_t height, size_t width,
                               const float *x, float *y, pthreadpool_t pool, kiln_error *error);
kiln_status xnnpack_conv_run(xnnpack_conv *conv, pthreadpool_t pool, kiln_error *error);
void xnnpack_conv_destroy(xnnpack_conv *conv); /* NULL: does nothing */

#endif
