/* Convolutions of any number of groups, and transposed ones: a kernel of ours, for what the
 * algorithms made for one group or for one channel a group do not take. */
#ifndef KILN_RUNTIME_CONV_DIRECT_H
#define KILN_RUNTIME_CONV_DIRECT_H

#include "runtime/kernels/kernel.h"

/* These are as a kernel's functions of their names; operands and parameters have been checked. */
const char *conv_direct_check(const kernel_call *call);
size_t conv_direct_scratch(const kernel_call *call);
kiln_status conv_direct_prepare(kernel_call *call, kiln_error *error);
kiln_status conv_direct_run(kernel_call *call, kiln_error *error);

#endif
