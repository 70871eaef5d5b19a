/* What AVX2 and AVX-512 have in common: FMA and F16C. */
#ifndef KILN_UKERNELS_VECTOR_FMA_H
#define KILN_UKERNELS_VECTOR_FMA_H

#include "runtime/ukernels/vector_type.h"

#include <immintrin.h>

/* The sum stays where it is. Of the processor's forms compilers also take those that overwrite a
 * factor, and then move sums from register to register in an inner loop. */
INLINE vector accumulate(vector sum, vector a, vector b) {
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}

#define OWN_LEAVE
INLINE void leave(void) {
    _mm256_zeroupper();
}

#define OWN_RESIDUAL
INLINE vector residual(vector sum, vector a, vector b) {
    return accumulate(sum, a, b);
}

INLINE quad load_half_quad(const uint16_t *from) {
    return (quad)_mm_cvtph_ps(_mm_loadl_epi64((const __m128i_u *)(const void *)from));
}

#endif
