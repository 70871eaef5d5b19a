/* Functions of two elements that are computed in double precision (wide.c). */
#ifndef KILN_UKERNELS_WIDE_H
#define KILN_UKERNELS_WIDE_H

#include "runtime/ukernels/vector.h"

/* a^b, as the C library defines it. */
vector UKERNEL(power)(vector a, vector b);
/* a less as many times b as leaves a's sign. */
vector UKERNEL(remainder)(vector a, vector b);

#endif
