/* AVX-512F with FMA and F16C: 32 registers of 16 floats. */
#ifndef KILN_UKERNELS_AVX512_H
#define KILN_UKERNELS_AVX512_H

#define UKERNEL_SUFFIX avx512
#define UKERNEL_NAME "AVX-512"
#define VECTOR_WIDTH 16
#define GEMM_MR 12
#define GEMM_NR_VECTORS 2
#define GEMM_TILES(TILE)                                                                           \
    TILE(1)                                                                                        \
    TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#define GEMM_HALF_TILES(TILE) TILE(24) TILE(12) TILE(8)
#define PEAK_ROWS 12
#define FEW_SHAPES false

#define OWN_SCALE
#define OWN_SOME
#define OWN_HALVES
#define OWN_PICK
#include "runtime/ukernels/vector_fma.h"

INLINE vector smaller(vector a, vector b) {
    return (vector)_mm512_min_ps((__m512)a, (__m512)b);
}

INLINE vector larger(vector a, vector b) {
    return (vector)_mm512_max_ps((__m512)a, (__m512)b);
}

INLINE vector scale(vector v, vector n) {
    return (vector)_mm512_scalef_ps((__m512)v, (__m512)n);
}

/* Of 16 floats those of a number's last four bits. */
INLINE vector pick(const float *from, bits numbers) {
    return (vector)_mm512_permutexvar_ps((__m512i)numbers, _mm512_loadu_ps(from));
}

INLINE bool any_below(vector a, vector b) {
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ) != 0;
}

INLINE __mmask16 first_lanes(size_t count) {
    return (__mmask16)((1u << count) - 1);
}

INLINE void store_first(float *to, vector v, size_t count) {
    _mm512_mask_storeu_ps(to, first_lanes(count), (__m512)v);
}

INLINE vector load_first_over(vector v, const float *from, size_t count) {
    return (vector)_mm512_mask_loadu_ps((__m512)v, first_lanes(count), from);
}

/* The first half of one vector and the second of another. */
INLINE vector halves(vector first, vector second) {
    return (vector)_mm512_mask_blend_ps(0xff00, (__m512)first, (__m512)second);
}

/* Both halves are the same. */
INLINE vector load_twice(const float *from) {
    return (vector)_mm512_castpd_ps(
        _mm512_broadcast_f64x4(_mm256_castps_pd(_mm256_loadu_ps(from))));
}

/* Stores at most `count` floats of each half. */
INLINE void store_halves(float *to_first, float *to_second, vector v, size_t count) {
    __mmask16 some = first_lanes(count < VECTOR_WIDTH / 2 ? count : VECTOR_WIDTH / 2);
    _mm512_mask_storeu_ps(to_first, some, (__m512)v);
    _mm512_mask_storeu_ps(to_second - VECTOR_WIDTH / 2, (__mmask16)(some << VECTOR_WIDTH / 2),
                          (__m512)v);
}

INLINE vector load_half(const uint16_t *from) {
    return (vector)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i_u *)(const void *)from));
}

#endif
