/* Mixing vectors' elements. */
#ifndef KILN_UKERNELS_MIX_H
#define KILN_UKERNELS_MIX_H

#include "runtime/ukernels/vector.h"

/* PICK(a, b, F, v) has lane F(v, l) of a and b, one after the other, in lane l. */
#define EACH_4(F, V, L) F(V, L), F(V, (L) + 1), F(V, (L) + 2), F(V, (L) + 3)
#if VECTOR_WIDTH == 4
#define EACH_LANE(F, V) EACH_4(F, V, 0)
#elif VECTOR_WIDTH == 8
#define EACH_LANE(F, V) EACH_4(F, V, 0), EACH_4(F, V, 4)
#else
#define EACH_LANE(F, V) EACH_4(F, V, 0), EACH_4(F, V, 4), EACH_4(F, V, 8), EACH_4(F, V, 12)
#endif
#ifdef __clang__
#define PICK(A, B, F, V) __builtin_shufflevector(A, B, EACH_LANE(F, V))
#else
#define PICK(A, B, F, V) __builtin_shuffle(A, B, (mask){EACH_LANE(F, V)})
#endif

/* Element e = v * width + l of what is mixed of two, and of three: the third comes last. */
#define ELEMENT(V, L) ((V)*VECTOR_WIDTH + (L))
#define OF_TWO(V, L) (ELEMENT(V, L) % 2 * VECTOR_WIDTH + ELEMENT(V, L) / 2)
#define FIRST_OF_THREE(V, L) (ELEMENT(V, L) % 3 % 2 * VECTOR_WIDTH + ELEMENT(V, L) / 3)
#define LAST_OF_THREE(V, L) (ELEMENT(V, L) % 3 == 2 ? VECTOR_WIDTH + ELEMENT(V, L) / 3 : (L))

INLINE void mix_two(vector a, vector b, vector *out) {
    out[0] = PICK(a, b, OF_TWO, 0);
    out[1] = PICK(a, b, OF_TWO, 1);
}

/* Elements of 2, 3 or 4 vectors come to lie side by side. */
INLINE void mix(size_t outputs, const vector *in, vector *out) {
    if (outputs == 2) {
        mix_two(in[0], in[1], out);
    } else if (outputs == 3) {
        out[0] = PICK(PICK(in[0], in[1], FIRST_OF_THREE, 0), in[2], LAST_OF_THREE, 0);
        out[1] = PICK(PICK(in[0], in[1], FIRST_OF_THREE, 1), in[2], LAST_OF_THREE, 1);
        out[2] = PICK(PICK(in[0], in[1], FIRST_OF_THREE, 2), in[2], LAST_OF_THREE, 2);
    } else {
        vector even[2], odd[2];
        mix_two(in[0], in[2], even);
        mix_two(in[1], in[3], odd);
        mix_two(even[0], odd[0], out);
        mix_two(even[1], odd[1], out + 2);
    }
}

#endif
