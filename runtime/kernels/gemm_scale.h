/* A product whose inputs are scaled, as those behind squeeze-and-excitation are. It is the weights
 * that are multiplied, once a sample: there are fewer of them than of the map's elements, which
 * would have to be read and written once more. */
#ifndef KILN_KERNELS_GEMM_SCALE_H
#define KILN_KERNELS_GEMM_SCALE_H

#include "runtime/kernels/kernel.h"

/* Packed weights, [panels][k][nr]. */
typedef struct gemm_weights {
    size_t panels, k, nr, bytes;
} gemm_weights;

/* Of scratch, where the scaled weights lie before what `run` takes. */
size_t gemm_scaled_bytes(size_t weight_bytes);
/* Calls `run` for each sample, on the packed weights scaled by the call's scale. */
void gemm_run_scaled(kernel_call *call, gemm_weights weights, void (*run)(kernel_call *call));

#endif
