/* Element-wise activations, shared by layers and losses. */
#ifndef KILN_RUNTIME_ACTIVATION_H
#define KILN_RUNTIME_ACTIVATION_H

#include "runtime/train/network.h"

void activate_all(kiln_activation activation, real *z, size_t size);
/* d y / d z, from y. */
real activation_slope(kiln_activation activation, real y);

#endif
