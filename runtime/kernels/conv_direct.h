/* The direct algorithm of CONV_2D, and DECONV_2D: XNNPACK's operators. */
#ifndef KILN_RUNTIME_CONV_DIRECT_H
#define KILN_RUNTIME_CONV_DIRECT_H

#include "runtime/kernels/kernel.h"

/* These are as a kernel's functions of their names; operands and parameters have been checked. */
kiln_status conv_direct_prepare(kernel_call *call, kiln_error *error);
kiln_status conv_direct_bind(kernel_call *call, kiln_error *error);
kiln_status conv_direct_run(kernel_call *call, kiln_error *error);
void conv_direct_release(kernel_call *call);

#endif
