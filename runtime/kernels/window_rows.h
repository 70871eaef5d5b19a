/* Depthwise convolution and pooling: a window that slides over the rows of a picture, each channel
 * apart. Nothing is gathered and nothing allocated. */
#ifndef KILN_KERNELS_WINDOW_ROWS_H
#define KILN_KERNELS_WINDOW_ROWS_H

#include "runtime/kernels/kernel.h"
#include "runtime/lanes/lanes.h"

typedef struct window_shape {
    window_op op;
    size_t kernel_height, kernel_width, stride_height, stride_width;
    size_t dilation_height, dilation_width, padding_top, padding_left;
    /* MULTIPLY: [kernel_height][kernel_width][channels], tap_stride apart, and [channels], both in
     * whole vectors. */
    const float *weights, *bias;
    size_t tap_stride;
    float min, max;
} window_shape;

/* The call's rows of output 0 from input 0, images of the same channels. Reads up to LANES_MAX - 1
 * floats past a pixel, which the arena's margin allows. */
void window_run(const kernel_call *call, const lanes *lanes, const window_shape *shape);

#endif
