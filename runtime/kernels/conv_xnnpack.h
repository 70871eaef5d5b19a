/* CONV_2D and DECONV_2D by XNNPACK. Not part of a build without it. */
#ifndef KILN_RUNTIME_CONV_XNNPACK_H
#define KILN_RUNTIME_CONV_XNNPACK_H

#include "runtime/kernels/kernel.h"

/* These are as a kernel's functions of their names; operands and parameters have been checked. */
kiln_status conv_xnnpack_prepare(kernel_call *call, kiln_error *error);
kiln_status conv_xnnpack_bind(kernel_call *call, kiln_error *error);
kiln_status conv_xnnpack_run(kernel_call *call, kiln_error *error);
void conv_xnnpack_release(kernel_call *call);

#endif
