/* Depthwise convolution: as many groups as input channels, of one to four outputs each. */
#ifndef KILN_KERNELS_DEPTHWISE_H
#define KILN_KERNELS_DEPTHWISE_H

#include "runtime/kernels/kernel.h"

const char *depthwise_check(const kernel_call *call);
const char *depthwise_lacks(const kernel_call *call);
kiln_status depthwise_prepare(kernel_call *call, kiln_error *error);
kiln_status depthwise_run(kernel_call *call, kiln_error *error);

#endif
