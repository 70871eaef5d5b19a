/* What a set of vector instructions makes of numbers too small to be normal. */
#ifndef KILN_TESTS_FLUSHED_H
#define KILN_TESTS_FLUSHED_H

#include "runtime/ukernels/ukernels.h"

#include <math.h>
#include <string.h>

/* A number as a set reads it, or gives it: with NEON in 32 bits they are zeros, whatever the
 * processor's mode is. */
static inline double flushed(const ukernels *set, double x) {
    bool flushes = strcmp(set->name, "ARMv7 NEON") == 0;
    return flushes && fabs(x) < 0x1p-126 ? copysign(0, x) : x;
}

#endif
