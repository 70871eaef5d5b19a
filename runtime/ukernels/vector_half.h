/* Numbers of f16 for instruction sets that have no such conversion; their vectors are quads. */
#ifndef KILN_UKERNELS_VECTOR_HALF_H
#define KILN_UKERNELS_VECTOR_HALF_H

#include "runtime/ukernels/vector_type.h"

typedef uint16_t halves __attribute__((vector_size(VECTOR_WIDTH * sizeof(uint16_t))));

/* Does what kiln_f32_from_f16 does. The smallest numbers, which have no leading 1, get one and lose
 * it again in a subtraction, so that no step has a denormal f32, which the processor may take for
 * 0. Long, so that it is compiled once. */
APART vector load_half(const uint16_t *from) {
    const mask top = (mask){0} + (0x7c00 << 13), rebias = (mask){0} + (112 << 23);
    const mask smallest = (mask){0} + (113 << 23);
    halves stored;
    memcpy(&stored, from, sizeof stored);
    mask half = __builtin_convertvector(stored, mask);
    mask bits = (half & 0x7fff) << 13, exponent = bits & top;
    mask normal = bits + rebias + ((exponent == top) & rebias);
    mask small = (mask)((vector)(bits + smallest) - (vector)smallest);
    mask is_small = exponent == 0;
    return (vector)((is_small & small) | (~is_small & normal) | (half & 0x8000) << 16);
}

INLINE quad load_half_quad(const uint16_t *from) {
    return (quad)load_half(from);
}

#endif
