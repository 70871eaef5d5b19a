/* Vectors of the compiler's, of VECTOR_WIDTH floats, and what C's operators say of them. For the
 * headers of the instruction sets alone, which define the width; all others include vector.h. */
#ifndef KILN_UKERNELS_VECTOR_TYPE_H
#define KILN_UKERNELS_VECTOR_TYPE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef float vector
    __attribute__((vector_size(VECTOR_WIDTH * sizeof(float)), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(VECTOR_WIDTH * sizeof(float))));
/* Integers that wrap around. */
typedef uint32_t bits __attribute__((vector_size(VECTOR_WIDTH * sizeof(float))));
/* Four floats, whatever the width of a vector. */
typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));

/* Before a loop of few rounds, whose number is known once what it is in has been inlined: only then
 * do arrays of vectors that it indexes become registers. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#define UNROLL_LONG UNROLL
#else
#define UNROLL _Pragma("GCC unroll 16")
#define UNROLL_LONG _Pragma("GCC unroll 32") /* of more rounds than 16 */
#endif
/* Before a loop that is to stay one, as its speed matters less than its size. */
#ifdef __clang__
#define ROLLED _Pragma("clang loop unroll(disable) vectorize(disable)")
#else
#define ROLLED _Pragma("GCC unroll 1")
#endif
#define INLINE static inline __attribute__((always_inline))
/* What runs once a tile, or seldom, and is to be compiled once and short, not into each caller. */
#define APART static __attribute__((noinline, unused))
#define SELDOM static __attribute__((noinline, cold, unused))

/* Compilers would keep the addresses of all rows or pixels of a tile, more than there are
 * registers, and load each before what it points to: this one is to be added to instead. */
INLINE uintptr_t opaque(uintptr_t address) {
    __asm__("" : "+r"(address));
    return address;
}

INLINE vector load(const float *from) {
    return *(const vector *)from;
}

INLINE vector all(float value) {
    return value - (vector){0}; /* compilers know that this is the value itself, even of -0 */
}

INLINE void store(float *to, vector v) {
    *(vector *)to = v;
}

/* v 2^n, of a whole n from -252 to 254. The power comes in two factors, as the result, not they,
 * may be denormal. */
#ifndef OWN_SCALE
INLINE vector scale(vector v, vector n) {
    mask whole = __builtin_convertvector(n, mask), half = whole >> 1;
    return v * (vector)((half + 127) << 23) * (vector)((whole - half + 127) << 23);
}
#endif

INLINE vector choose(mask m, vector yes, vector no) {
    return (vector)((m & (mask)yes) | (~m & (mask)no));
}

#endif
