/* Vectors of the instruction set that a source is compiled for. CMake compiles the sources of this
 * folder (ukernels.c apart) once for each set, with its flags and UKERNEL_ISA: the set's header,
 * one of avx512.h, avx2.h, sse.h, neon.h and portable.h. Each of them defines UKERNEL_SUFFIX what
 * ends the names of what is compiled: UKERNEL(gemm) UKERNEL_NAME              for people
 *   VECTOR_WIDTH              floats of a vector
 *   GEMM_MR, GEMM_NR_VECTORS  rows and vectors of a matrix product's tile: as many accumulators as
 *                             registers hold
 *   GEMM_TILES(TILE)          TILE(m) for each m from 1 to GEMM_MR
 *   GEMM_HALF_TILES(TILE)     TILE(m) for each m of a tile of half the columns, the most first
 *   PEAK_ROWS                 of two accumulators each, which keep the multipliers busy
 *   FEW_SHAPES                whether few processors run it: size comes before speed where it is
 *                             not that of most networks
 *   smaller, larger           minimum and maximum. Where one operand is NaN, the result is the
 *                             second (but NEON's, which is NaN then)
 *   accumulate                sum + a * b
 *   OWN_LEAVE                 defined where leave has something to do
 *   OWN_RESIDUAL              defined where the set has an instruction for residual
 *   OWN_SCALE                 defined where the set has an instruction for scale
 *   OWN_SOME                  defined where it has those for store_first and load_first_over, which
 *                             store and load the first of a vector's floats
 *   OWN_PICK                  defined where it has one for pick, which looks floats up in a table;
 *                             any_below is whether any float of a vector is less than another's
 *   load_half, load_half_quad numbers of f16, as f32 */
#ifndef KILN_UKERNELS_VECTOR_H
#define KILN_UKERNELS_VECTOR_H

#include UKERNEL_ISA
#include "runtime/ukernels/ukernels.h"

/* Two rows of 8 sums and a window's 9 weights take 26 registers. */
#define DEPTHWISE_ROWS ((size_t)(GEMM_MR * GEMM_NR_VECTORS >= 16 ? 2 : 1))

#define LINE 16 /* floats of a cache line */

/* Ends micro-kernels that are compiled for size. Until the registers' upper halves are zero again,
 * instructions of x86's baseline, as all other code has, wait for those; compilers see to that
 * themselves only where they do not optimise for size. */
#ifndef OWN_LEAVE
INLINE void leave(void) {
}
#endif

#ifndef OWN_SOME
/* Parts of vectors go through functions of their own, as they are rare, and the code for them long.
 */
APART void store_first(float *to, vector v, size_t count) {
    for (size_t k = 0; k < count; k++) {
        to[k] = v[k];
    }
}

APART vector load_first_over(vector v, const float *from, size_t count) {
    for (size_t k = 0; k < count; k++) {
        v[k] = from[k];
    }
    return v;
}

#endif

/* Stores at most `count` floats of a vector. Most vectors are whole, and a branch is cheaper than a
 * mask. */
INLINE void store_some(float *to, vector v, size_t count) {
    if (count >= VECTOR_WIDTH) {
        store(to, v);
    } else {
        store_first(to, v, count);
    }
}

/* Loads at most `count` floats in place of v's first. */
INLINE vector load_over(vector v, const float *from, size_t count) {
    return count >= VECTOR_WIDTH ? load(from) : load_first_over(v, from, count);
}

/* Loads `count` floats, less than a vector has, and zeros after them. */
INLINE vector load_first(const float *from, size_t count) {
    return load_first_over(all(0), from, count);
}

/* Loads at most `count` floats, and zeros after them. */
INLINE vector load_some(const float *from, size_t count) {
    return load_over(all(0), from, count);
}

#ifndef OWN_RESIDUAL
/* sum + a b, of a sum that is near -a b: the factors are taken by halves of their bits, whose
 * products are exact. */
INLINE vector residual(vector sum, vector a, vector b) {
    vector a_high = (vector)((mask)a & -4096), b_high = (vector)((mask)b & -4096);
    vector a_low = a - a_high, b_low = b - b_high;
    return ((sum + a_high * b_high) + (a_high * b_low + a_low * b_high)) + a_low * b_low;
}
#endif

INLINE mask is_number(vector v) {
    return v == v; /* NOLINT(misc-redundant-expression): not of NaN */
}

INLINE vector absolute(vector x) {
    return (vector)((mask)x & INT32_MAX);
}

/* The smaller and the larger of two, b where they are equal. A NaN of either stays. */
INLINE vector minimum(vector a, vector b) {
    return choose(is_number(a), smaller(a, b), a);
}

INLINE vector maximum(vector a, vector b) {
    return choose(is_number(a), larger(a, b), a);
}

/* Clamps; a NaN stays one. */
INLINE vector clamp(vector v, vector min, vector max) {
    return smaller(max, larger(min, v));
}

/* The sum of a vector's floats. */
INLINE float sum_of(vector v) {
    quad parts[VECTOR_WIDTH / 4];
    memcpy(parts, &v, sizeof v);
    UNROLL for (size_t half = VECTOR_WIDTH / 8; half > 0; half /= 2) {
        UNROLL for (size_t k = 0; k < half; k++) {
            parts[k] += parts[k + half];
        }
    }
    return (parts[0][0] + parts[0][2]) + (parts[0][1] + parts[0][3]);
}

#define UKERNEL_JOIN(name, suffix) ukernel_##name##_##suffix
#define UKERNEL_EXPAND(name, suffix) UKERNEL_JOIN(name, suffix)
#define UKERNEL(name) UKERNEL_EXPAND(name, UKERNEL_SUFFIX)

/* What the tables are made of. */
extern gemm_ukernel UKERNEL(gemm);
extern gemm_windows_ukernel UKERNEL(gemm_windows);
#define UKERNEL_DECLARE(family, type) extern type UKERNEL(family);
EACH_UKERNEL_FAMILY(UKERNEL_DECLARE)
#define UKERNEL_DECLARE_UNARY(NAME, name) extern unary_ukernel UKERNEL(unary_##name);
EACH_UNARY(UKERNEL_DECLARE_UNARY)

#endif
