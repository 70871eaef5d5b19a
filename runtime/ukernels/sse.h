/* What every x86 of 64 bits has: 16 registers of 4 floats. */
#ifndef KILN_UKERNELS_SSE_H
#define KILN_UKERNELS_SSE_H

#include <xmmintrin.h>

#define UKERNEL_SUFFIX base
#define UKERNEL_NAME "SSE"
#define VECTOR_WIDTH 4
#define GEMM_MR 4
#define GEMM_NR_VECTORS 2
#define GEMM_TILES(TILE) TILE(1) TILE(2) TILE(3) TILE(4)
#define GEMM_HALF_TILES(TILE) TILE(8)
#define PEAK_ROWS 6
#define FEW_SHAPES true

#include "runtime/ukernels/vector_half.h"

INLINE vector smaller(vector a, vector b) {
    return (vector)_mm_min_ps((__m128)a, (__m128)b);
}

INLINE vector larger(vector a, vector b) {
    return (vector)_mm_max_ps((__m128)a, (__m128)b);
}

INLINE vector accumulate(vector sum, vector a, vector b) {
    return sum + a * b;
}

#endif
