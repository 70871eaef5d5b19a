/* Dense layers with their weights where they lie. */
#ifndef KILN_KERNELS_FULLY_CONNECTED_H
#define KILN_KERNELS_FULLY_CONNECTED_H

#include "runtime/kernels/finish.h"

/* y = f(x weights^T + bias) by the call's threads. Of `whole`, weights and bounds are set here;
 * `weights` is a constant of [n][k], as f32 or as it is stored in f16. */
void dense_run(const kernel_call *call, const dense_piece *whole, const operand *weights,
               const finish *finish);

#endif
