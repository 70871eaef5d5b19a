/* Means of an image's channels. */
#ifndef KILN_KERNELS_GLOBAL_POOL_H
#define KILN_KERNELS_GLOBAL_POOL_H

#include "runtime/kernels/kernel.h"

/* Averages each channel of each of a run's samples, and clamps: to[sample][channel]. x is f32,
 * channels-last and no constant; a few floats behind its last one are read. */
void global_means(const kernel_call *call, const operand *x, float min, float max, float *to);

#endif
