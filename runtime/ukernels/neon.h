/* NEON of ARM's processors: 32 registers of 4 floats in 64-bit programs, 16 in those of 32 bits. */
#ifndef KILN_UKERNELS_NEON_H
#define KILN_UKERNELS_NEON_H

#include <arm_neon.h>

#define VECTOR_WIDTH 4
#define GEMM_NR_VECTORS 2
#ifdef __aarch64__
#define UKERNEL_SUFFIX base
#define UKERNEL_NAME "NEON"
#define GEMM_MR 8
#define GEMM_TILES(TILE) TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8)
#define GEMM_HALF_TILES(TILE) TILE(16)
#define PEAK_ROWS 12
#else
#ifndef UKERNEL_SUFFIX /* base, where the compiler is told that all processors have it */
#define UKERNEL_SUFFIX neon
#endif
#define UKERNEL_NAME "ARMv7 NEON" /* other times than in 64 bits, of the same processor */
#define GEMM_MR 4
#define GEMM_TILES(TILE) TILE(1) TILE(2) TILE(3) TILE(4)
#define GEMM_HALF_TILES(TILE) TILE(8)
#define PEAK_ROWS 6
#endif
#define FEW_SHAPES false

#include "runtime/ukernels/vector_type.h"

INLINE vector smaller(vector a, vector b) {
    return (vector)vminq_f32((float32x4_t)a, (float32x4_t)b);
}

INLINE vector larger(vector a, vector b) {
    return (vector)vmaxq_f32((float32x4_t)a, (float32x4_t)b);
}

INLINE vector accumulate(vector sum, vector a, vector b) {
    return sum + a * b;
}

#define OWN_RESIDUAL
INLINE vector residual(vector sum, vector a, vector b) {
    return (vector)vfmaq_f32((float32x4_t)sum, (float32x4_t)a, (float32x4_t)b);
}

INLINE vector load_half(const uint16_t *from) {
    return (vector)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
}

INLINE quad load_half_quad(const uint16_t *from) {
    return (quad)load_half(from);
}

#endif
