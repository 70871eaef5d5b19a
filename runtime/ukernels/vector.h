/* Vectors of the compiler's. CMake compiles the other sources of this folder (ukernels.c apart)
 * once for each set of instructions, with its flags and these: UKERNEL_SUFFIX            what ends
 * the names of what is compiled: UKERNEL(gemm) UKERNEL_NAME              for people VECTOR_WIDTH
 * floats of a vector GEMM_MR, GEMM_NR_VECTORS  rows and vectors of a matrix product's tile: as many
 * accumulators as registers hold */
#ifndef KILN_UKERNELS_VECTOR_H
#define KILN_UKERNELS_VECTOR_H

#include "runtime/ukernels/ukernels.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

typedef float vector
    __attribute__((vector_size(VECTOR_WIDTH * sizeof(float)), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(VECTOR_WIDTH * sizeof(float))));

#define LINE 16 /* floats of a cache line */

#define UNROLL _Pragma("GCC unroll 16")
#define INLINE static inline __attribute__((always_inline))

INLINE vector load(const float *from) {
    return *(const vector *)from;
}

INLINE vector all(float value) {
    return value - (vector){0}; /* which compilers know to be value, even of -0 */
}

INLINE void store(float *to, vector v) {
    *(vector *)to = v;
}

/* At most `count` floats of it. */
INLINE void store_some(float *to, vector v, size_t count) {
    if (count >= VECTOR_WIDTH) {
        store(to, v);
    } else {
        memcpy(to, &v, count * sizeof(float));
    }
}

/* At most `count` floats, zeros after them. */
INLINE vector load_some(const float *from, size_t count) {
    vector v = {0};
    if (count >= VECTOR_WIDTH) {
        return load(from);
    }
    memcpy(&v, from, count * sizeof(float));
    return v;
}

INLINE vector choose(mask m, vector yes, vector no) {
    return (vector)((m & (mask)yes) | (~m & (mask)no));
}

/* The one thing that C's operators on vectors cannot say well. Where one operand is no number, the
 * result is the second (but NEON's, which is none then). */
#if defined(__AVX512F__)
#define SMALLER(a, b) (vector) _mm512_min_ps((__m512)(a), (__m512)(b))
#define LARGER(a, b) (vector) _mm512_max_ps((__m512)(a), (__m512)(b))
#elif defined(__AVX__)
#define SMALLER(a, b) (vector) _mm256_min_ps((__m256)(a), (__m256)(b))
#define LARGER(a, b) (vector) _mm256_max_ps((__m256)(a), (__m256)(b))
#elif defined(__SSE__)
#define SMALLER(a, b) (vector) _mm_min_ps((__m128)(a), (__m128)(b))
#define LARGER(a, b) (vector) _mm_max_ps((__m128)(a), (__m128)(b))
#elif defined(__ARM_NEON)
#define SMALLER(a, b) (vector) vminq_f32((float32x4_t)(a), (float32x4_t)(b))
#define LARGER(a, b) (vector) vmaxq_f32((float32x4_t)(a), (float32x4_t)(b))
#else
#define SMALLER(a, b) choose((a) < (b), a, b)
#define LARGER(a, b) choose((a) > (b), a, b)
#endif

/* sum + a * b, where sum is. Of the processor's forms compilers also take those that overwrite a
 * factor, and then move sums from register to register in an inner loop. */
INLINE vector accumulate(vector sum, vector a, vector b) {
#if defined(__FMA__)
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
#else
    return sum + a * b;
#endif
}

/* NaN stays. */
INLINE vector clamp(vector v, vector min, vector max) {
    return SMALLER(max, LARGER(min, v));
}

#define UKERNEL_JOIN(name, suffix) ukernel_##name##_##suffix
#define UKERNEL_EXPAND(name, suffix) UKERNEL_JOIN(name, suffix)
#define UKERNEL(name) UKERNEL_EXPAND(name, UKERNEL_SUFFIX)

/* What the table is made of. */
extern gemm_ukernel UKERNEL(gemm);
extern const winograd_ukernels UKERNEL(winograd);
extern sliding_ukernel UKERNEL(depthwise), UKERNEL(max_pool), UKERNEL(average_pool);
extern global_average_pool_ukernel UKERNEL(global_average_pool);
extern const peak_ukernels UKERNEL(peak);
extern const dense_ukernels UKERNEL(dense);
extern const elementwise_ukernels UKERNEL(elementwise);
extern unary_ukernel *const UKERNEL(unary)[UNARY_FUNCTIONS];

#endif
