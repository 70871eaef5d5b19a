/* Convolution as one matrix product whose rows, the inputs under the kernel, are read where they
 * lie, a kernel row at a time: nothing is gathered. */
#ifndef KILN_KERNELS_GEMM_WINDOWS_H
#define KILN_KERNELS_GEMM_WINDOWS_H

#include "runtime/kernels/finish.h"

/* What the product's other factor is. */
typedef struct gemm_panels {
    const ukernels *ukernels;
    const finish *finish;
    const float *bias; /* [count * nr] */
    size_t count, outputs;
    bool far; /* where results go is in no near cache */
} gemm_panels;

/* Whether the inputs under each kernel row lie side by side, and this takes less time than
 * gathering them. It depends on the layer alone. */
bool gemm_windows_pay(const kernel_call *call);

/* Computes the call's rows of output 0. */
void gemm_windows_run(kernel_call *call, const gemm_panels *panels);

#endif
