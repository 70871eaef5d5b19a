/* BINARY's functions of two elements, as the naive evaluator computes them. */
#include "compiler/ops/scalar.h"

#include <math.h>

float scalar_float(kiln_binary_op op, double a, double b) {
    switch (op) {
    case KILN_BINARY_ADD:
        return (float)(a + b);
    case KILN_BINARY_SUB:
        return (float)(a - b);
    case KILN_BINARY_MUL:
        return (float)(a * b);
    case KILN_BINARY_DIV:
        return (float)(a / b);
    case KILN_BINARY_POW:
        return (float)pow(a, b);
    case KILN_BINARY_MIN:
        return (float)(isnan(a) || a < b ? a : b);
    case KILN_BINARY_MAX:
        return (float)(isnan(a) || a > b ? a : b);
    case KILN_BINARY_REMAINDER:
        return (float)fmod(a, b);
    default:
        return (float)(a < 0 ? a * b : a);
    }
}

static int64_t integer_power(int64_t a, int64_t b) {
    if (b < 0) {
        return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    }
    uint64_t result = 1;
    for (uint64_t base = (uint64_t)a, bits = (uint64_t)b; bits != 0; bits >>= 1, base *= base) {
        result *= (bits & 1) != 0 ? base : 1;
    }
    return (int64_t)result;
}

static int64_t integer_remainder(int64_t a, int64_t b) {
    return b == 0 || b == -1 ? 0 : a % b;
}

static int64_t integer_modulo(int64_t a, int64_t b) {
    int64_t rest = integer_remainder(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

int64_t scalar_integer(kiln_binary_op op, int64_t a, int64_t b) {
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    switch (op) {
    case KILN_BINARY_ADD:
        return (int64_t)(x + y);
    case KILN_BINARY_SUB:
        return (int64_t)(x - y);
    case KILN_BINARY_MUL:
        return (int64_t)(x * y);
    case KILN_BINARY_DIV:
        return b == 0 ? 0 : b == -1 ? (int64_t)(0 - x) : a / b;
    case KILN_BINARY_POW:
        return integer_power(a, b);
    case KILN_BINARY_MIN:
        return a < b ? a : b;
    case KILN_BINARY_MODULO:
        return integer_modulo(a, b);
    case KILN_BINARY_REMAINDER:
        return integer_remainder(a, b);
    case KILN_BINARY_SHIFT_LEFT:
        return y < 64 ? (int64_t)(x << y) : 0;
    case KILN_BINARY_BIT_AND:
        return a & b;
    case KILN_BINARY_BIT_OR:
        return a | b;
    case KILN_BINARY_BIT_XOR:
        return a ^ b;
    case KILN_BINARY_SHIFT_RIGHT:
        return y < 64 ? (int64_t)(x >> y) : 0;
    default:
        return a > b ? a : b;
    }
}

bool scalar_comparison(kiln_binary_op op, bool less, bool equal, bool greater) {
    switch (op) {
    case KILN_BINARY_EQUAL:
        return equal;
    case KILN_BINARY_LESS:
        return less;
    case KILN_BINARY_GREATER:
        return greater;
    case KILN_BINARY_LESS_OR_EQUAL:
        return less || equal;
    default:
        return greater || equal;
    }
}

bool scalar_logic(kiln_binary_op op, bool a, bool b) {
    switch (op) {
    case KILN_BINARY_AND:
        return a && b;
    case KILN_BINARY_OR:
        return a || b;
    case KILN_BINARY_XOR:
        return a != b;
    default:
        return a == b;
    }
}
