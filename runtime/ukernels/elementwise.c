/* Functions of two elements. Nothing is read past an operand's end: it may be that of a file. */
#include "runtime/ukernels/wide.h"

#define WIDTH ((size_t)VECTOR_WIDTH)

/* A function of vectors. */
typedef vector of_two(vector a, vector b);

/* Rows of results. A single element is made a vector in memory that is read again and again, so
 * that there is one loop for all rows. */
INLINE void binary(of_two *function, const elementwise_rows *rows) {
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
            store(y + k, clamp(function(load(a), load(b)), low, high));
            a += a_next;
            b += b_next;
        }
        if (k < r.count) {
            vector v = function(load_first(a, r.count - k), load_first(b, r.count - k));
            store_first(y + k, clamp(v, low, high), r.count - k);
        }
    }
}

/* Those that networks have often are made whole of one piece each; the others are called from one.
 */
APART void binary_of(of_two *function, const elementwise_rows *rows) {
    binary(function, rows);
}

#define BINARY(name, by, result)                                                                   \
    INLINE vector name##_of(vector a, vector b) {                                                  \
        return result;                                                                             \
    }                                                                                              \
    static void name(const elementwise_rows *rows) {                                               \
        by(name##_of, rows);                                                                       \
    }
BINARY(add, binary, a + b)
BINARY(multiply, binary, a *b)
BINARY(with_slope, binary, choose(a < all(0), a *b, a))
BINARY(subtract, binary_of, a - b)
BINARY(divide, binary_of, a / b)
BINARY(least, binary_of, minimum(a, b))
BINARY(most, binary_of, maximum(a, b))
BINARY(power, binary_of, UKERNEL(power)(a, b))
BINARY(rest, binary_of, UKERNEL(remainder)(a, b))

void UKERNEL(prelu)(const elementwise_rows *rows) {
    with_slope(rows);
}

const elementwise_ukernels UKERNEL(elementwise) = {
    .binary = {add, subtract, multiply, divide, least, most, with_slope, power, rest},
};
