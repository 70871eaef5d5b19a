/* AVX2 with FMA and F16C: 16 registers of 8 floats. */
#ifndef KILN_UKERNELS_AVX2_H
#define KILN_UKERNELS_AVX2_H

#define UKERNEL_SUFFIX avx2
#define UKERNEL_NAME "AVX2"
#define VECTOR_WIDTH 8
#define GEMM_MR 6
#define GEMM_NR_VECTORS 2
#define GEMM_TILES(TILE) TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#define GEMM_HALF_TILES(TILE) TILE(12)
#define PEAK_ROWS 6
#define FEW_SHAPES false

#define OWN_SOME
#include "runtime/ukernels/vector_fma.h"

INLINE vector smaller(vector a, vector b) {
    return (vector)_mm256_min_ps((__m256)a, (__m256)b);
}

INLINE vector larger(vector a, vector b) {
    return (vector)_mm256_max_ps((__m256)a, (__m256)b);
}

INLINE __m256i first_lanes(size_t count) {
    const mask lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return (__m256i)(lane < (int32_t)count);
}

INLINE void store_first(float *to, vector v, size_t count) {
    _mm256_maskstore_ps(to, first_lanes(count), (__m256)v);
}

INLINE vector load_first_over(vector v, const float *from, size_t count) {
    __m256i first = first_lanes(count);
    return choose((mask)first, (vector)_mm256_maskload_ps(from, first), v);
}

INLINE vector load_half(const uint16_t *from) {
    return (vector)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i_u *)(const void *)from));
}

#endif
