/* Depthwise convolution and pooling: a window that slides over the rows of an image, each channel
 * apart. Nothing is gathered and nothing allocated. */
#ifndef KILN_KERNELS_SLIDING_H
#define KILN_KERNELS_SLIDING_H

#include "runtime/kernels/finish.h"

typedef struct sliding_shape {
    sliding_op op;
    sliding_ukernel *ukernel; /* that of op */
    size_t kernel_height, kernel_width, stride_height, stride_width;
    size_t dilation_height, dilation_width, padding_top, padding_left;
    /* DEPTHWISE, MULTIPLIER: [kernel_height][kernel_width][outputs][channels], the channels
     * tap_stride apart, and [outputs][channels] likewise, in whole vectors. NULL for pooling. */
    const float *weights, *bias;
    size_t tap_stride;
    size_t pool; /* DEPTHWISE: 2 where results are pooled (KILN_STEP_POOLED), else 1 */
    finish finish;
} sliding_shape;

/* Computes the call's rows of output 0 from input 0, which are images of the same channels, or for
 * MULTIPLIER of some outputs of each. It reads up to VECTOR_MAX - 1 floats past a pixel, which the
 * arena's margin allows. */
void sliding_run(const kernel_call *call, const ukernels *ukernels, const sliding_shape *shape);

#endif
