/* Real numbers to the integers that stand for them, and back. */
#include "runtime/ukernels/vector.h"

/* Rounds to the nearest integer, ties to even, as long as |v| < 2^22: adding 1.5 * 2^23 leaves no
 * bits for a fraction. */
INLINE vector round_small(vector v) {
    const vector magic = all(0x1.8p23f);
    return (v + magic) - magic;
}

/* Bounds are integers, so that a value that is clamped first rounds to one between them. A NaN
 * becomes the lower bound. */
INLINE vector rounded(const quantize_row *r, vector v, vector scale, vector zero) {
    const vector low = all(r->low) - zero, high = all(r->high) - zero;
    v = round_small(smaller(high, choose(v > low, v, low)));
    if (r->adds_zero) {
        v = v + zero;
    }
    if (r->scales) {
        v = v * scale;
    }
    return v;
}

void UKERNEL(quantize)(const quantize_row *row) {
    const quantize_row r = *row; /* a copy, which no store can change */
    vector scale = all(*r.scale), zero = all(*r.zero);
    for (size_t k = 0; k < r.count; k += VECTOR_WIDTH) {
        size_t left = r.count - k;
        vector v = load_some(r.x + k, left);
        if (r.scale_step != 0) {
            scale = load_some(r.scale + k, left);
        }
        if (r.zero_step != 0) {
            zero = load_some(r.zero + k, left);
        }
        if (!r.rounds) {
            v = (v - zero) * scale;
        } else if (r.divides) {
            v = rounded(&r, v / scale, scale, zero);
        } else {
            v = rounded(&r, v * scale, scale, zero);
        }
        store_some(r.y + k, v, left);
    }
    leave();
}
