/* The rows of a convolution's matrix product: for each output pixel the inputs under the kernel,
 * side by side. */
#ifndef KILN_KERNELS_GEMM_GATHER_H
#define KILN_KERNELS_GEMM_GATHER_H

#include "runtime/kernels/kernel.h"

/* Gathers `count` rows from `first` on, counted from the run's first output pixel, `row` floats
 * apart. `zeros` stands for a pixel outside the image. */
void gemm_gather(const kernel_call *call, size_t row, const float *zeros, size_t first,
                 size_t count, float *to);

#endif
