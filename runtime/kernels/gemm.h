/* Convolution as one matrix product: for layers whose weights do not fit a cache, and for few input
 * channels. */
#ifndef KILN_KERNELS_GEMM_H
#define KILN_KERNELS_GEMM_H

#include "runtime/kernels/kernel.h"

const char *gemm_check(const kernel_call *call);
kiln_status gemm_prepare(kernel_call *call, kiln_error *error);
bool gemm_packs(const kernel_call *call, packed_form *out_form);
size_t gemm_scratch(const kernel_call *call);
kiln_status gemm_bind(kernel_call *call, kiln_error *error);
kiln_status gemm_run(kernel_call *call, kiln_error *error);

#endif
