/* Convolution by Winograd's minimal filtering: 3x3, stride 1, dilation 1, one group. */
#ifndef KILN_KERNELS_WINOGRAD_H
#define KILN_KERNELS_WINOGRAD_H

#include "runtime/kernels/kernel.h"

/* Checks that the parameters' algorithm can be used on the operands; where it cannot, returns what
 * kernel_fail does. */
kiln_status winograd_check(const kernel_call *call, kiln_error *error);
kiln_status winograd_prepare(kernel_call *call, kiln_error *error);
size_t winograd_scratch(const kernel_call *call);
kiln_status winograd_bind(kernel_call *call, kiln_error *error);
kiln_status winograd_run(kernel_call *call, kiln_error *error);
void winograd_release(kernel_call *call);

/* winograd_pack.c: the transformed weights, as kernel.h tells of packs; and their size. */
bool winograd_packs(const kernel_call *call, packed_form *out_form);
size_t winograd_weight_bytes(const kernel_call *call);

#endif
