/* Functions of two elements. Nothing is read past an operand's end: it may be that of a file. */
#include "runtime/ukernels/wide.h"

#define WIDTH ((size_t)VECTOR_WIDTH)

/* Long, so that it is compiled once. */
APART vector power(vector a, vector b) {
    return v_pow(a, b);
}

APART vector remainder_of(vector a, vector b) {
    return v_remainder(a, b);
}

INLINE vector apply_binary(elementwise_binary op, vector a, vector b) {
    switch (op) {
    case ELEMENTWISE_ADD:
        return a + b;
    case ELEMENTWISE_SUB:
        return a - b;
    case ELEMENTWISE_MUL:
        return a * b;
    case ELEMENTWISE_DIV:
        return a / b;
    case ELEMENTWISE_MIN:
        return minimum(a, b);
    case ELEMENTWISE_MAX:
        return maximum(a, b);
    case ELEMENTWISE_POW:
        return power(a, b);
    case ELEMENTWISE_REMAINDER:
        return remainder_of(a, b);
    default:
        return choose(a < all(0), a * b, a);
    }
}

/* A single element is made a vector in memory that is read again and again, so that there is one
 * loop for all rows. */
INLINE void binary(elementwise_binary op, const elementwise_rows *rows) {
    const elementwise_rows r = *rows; /* a copy, which no store can change */
    const vector low = all(r.min), high = all(r.max);
    const size_t a_next = r.a_single ? 0 : WIDTH, b_next = r.b_single ? 0 : WIDTH;
    for (size_t row = 0; row < r.rows; row++) {
        const float *a = r.a + row * r.a_step, *b = r.b + row * r.b_step;
        float *y = r.y + row * r.y_step;
        vector singles[2];
        if (r.a_single) {
            singles[0] = all(*a);
            a = (const float *)&singles[0];
        }
        if (r.b_single) {
            singles[1] = all(*b);
            b = (const float *)&singles[1];
        }
        size_t k = 0;
        for (; k + WIDTH <= r.count; k += WIDTH) {
            store(y + k, clamp(apply_binary(op, load(a), load(b)), low, high));
            a += a_next;
            b += b_next;
        }
        if (k < r.count) {
            vector v = apply_binary(op, load_first(a, r.count - k), load_first(b, r.count - k));
            store_first(y + k, clamp(v, low, high), r.count - k);
        }
    }
}

#define BINARY(name, op)                                                                           \
    static void name(const elementwise_rows *rows) {                                               \
        binary(op, rows);                                                                          \
    }
BINARY(add, ELEMENTWISE_ADD)
BINARY(subtract, ELEMENTWISE_SUB)
BINARY(multiply, ELEMENTWISE_MUL)
BINARY(divide, ELEMENTWISE_DIV)
BINARY(least, ELEMENTWISE_MIN)
BINARY(most, ELEMENTWISE_MAX)
BINARY(with_slope, ELEMENTWISE_PRELU)
BINARY(to_power, ELEMENTWISE_POW)
BINARY(rest, ELEMENTWISE_REMAINDER)

void UKERNEL(prelu)(const elementwise_rows *rows) {
    with_slope(rows);
}

const elementwise_ukernels UKERNEL(elementwise) = {
    .binary = {add, subtract, multiply, divide, least, most, with_slope, to_power, rest},
};
