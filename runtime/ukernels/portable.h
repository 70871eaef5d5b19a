/* C alone, for processors that no other header is made for. */
#ifndef KILN_UKERNELS_PORTABLE_H
#define KILN_UKERNELS_PORTABLE_H

#define UKERNEL_SUFFIX base
#define UKERNEL_NAME "C"
#define VECTOR_WIDTH 4
#define GEMM_MR 4
#define GEMM_NR_VECTORS 2
#define GEMM_TILES(TILE) TILE(1) TILE(2) TILE(3) TILE(4)
#define GEMM_HALF_TILES(TILE) TILE(8)
#define PEAK_ROWS 6
#define FEW_SHAPES true

#include "runtime/ukernels/vector_half.h"

INLINE vector smaller(vector a, vector b) {
    return choose(a < b, a, b);
}

INLINE vector larger(vector a, vector b) {
    return choose(a > b, a, b);
}

INLINE vector accumulate(vector sum, vector a, vector b) {
    return sum + a * b;
}

#endif
