/* Convolutions whose clamps have lost NaN. */
#ifndef KILN_KERNELS_CONV_REPAIR_H
#define KILN_KERNELS_CONV_REPAIR_H

#include "runtime/kernels/kernel.h"

/* Whether some weight or some bias is not finite; they have not been given back yet. */
bool conv_has_wild_constants(const kernel_call *call);
/* Makes results right that inputs which are not finite reach; or all of them. */
void conv_repair(const kernel_call *call, bool all);

#endif
