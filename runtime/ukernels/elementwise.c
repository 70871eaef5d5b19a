/* Functions of two elements. Nothing is read past an operand's end: it may be that of a file. */
#include "runtime/ukernels/wide.h"

#define WIDTH ((size_t)VECTOR_WIDTH)

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
        return v_pow(a, b);
    case ELEMENTWISE_REMAINDER:
        return v_remainder(a, b);
    default:
        return choose(a < all(0), a * b, a);
    }
}

INLINE void binary(elementwise_binary op, bool a_single, bool b_single,
                   const elementwise_rows *rows) {
    const elementwise_rows r = *rows; /* a copy, which no store can change */
    const vector low = all(r.min), high = all(r.max);
    for (size_t row = 0; row < r.rows; row++) {
        const float *from_a = r.a + row * r.a_step, *from_b = r.b + row * r.b_step;
        float *y = r.y + row * r.y_step;
        const vector a_all = all(from_a[0]), b_all = all(from_b[0]);
        size_t k = 0;
        for (; k + 2 * WIDTH <= r.count; k += 2 * WIDTH) {
            vector results[2];
            UNROLL for (size_t v = 0; v < 2; v++) {
                vector a = a_single ? a_all : load(from_a + k + v * WIDTH);
                vector b = b_single ? b_all : load(from_b + k + v * WIDTH);
                results[v] = clamp(apply_binary(op, a, b), low, high);
            }
            store(y + k, results[0]);
            store(y + k + WIDTH, results[1]);
        }
        for (; k < r.count; k += WIDTH) {
            size_t left = r.count - k;
            vector a = a_single ? a_all : load_some(from_a + k, left);
            vector b = b_single ? b_all : load_some(from_b + k, left);
            store_some(y + k, clamp(apply_binary(op, a, b), low, high), left);
        }
    }
}

/* The steps are known when this is compiled, so that they cost no branch in the loop. */
#define BINARY(storage, name, op)                                                                  \
    storage void name(const elementwise_rows *r) {                                                 \
        if (r->a_single) {                                                                         \
            binary(op, true, false, r);                                                            \
        } else if (r->b_single) {                                                                  \
            binary(op, false, true, r);                                                            \
        } else {                                                                                   \
            binary(op, false, false, r);                                                           \
        }                                                                                          \
    }
BINARY(static, add_row, ELEMENTWISE_ADD)
BINARY(static, subtract_row, ELEMENTWISE_SUB)
BINARY(static, multiply_row, ELEMENTWISE_MUL)
BINARY(static, divide_row, ELEMENTWISE_DIV)
BINARY(static, minimum_row, ELEMENTWISE_MIN)
BINARY(static, maximum_row, ELEMENTWISE_MAX)
BINARY(, UKERNEL(prelu), ELEMENTWISE_PRELU)
BINARY(static, power_row, ELEMENTWISE_POW)
BINARY(static, remainder_row, ELEMENTWISE_REMAINDER)

const elementwise_ukernels UKERNEL(elementwise) = {
    .binary = {add_row, subtract_row, multiply_row, divide_row, minimum_row, maximum_row,
               UKERNEL(prelu), power_row, remainder_row},
};
