/* BINARY: micro-kernels for arithmetic of floats, else plain C, by broadcast rows. */
#include "runtime/kernels/broadcast.h"
#include "runtime/kernels/finish.h"

#include <math.h>

/* An entry is 1 + the micro-kernel's number, or 0 where there is none. */
static const uint8_t in_ukernels[KILN_BINARY_COUNT] = {
    [KILN_BINARY_ADD] = 1 + ELEMENTWISE_ADD,
    [KILN_BINARY_SUB] = 1 + ELEMENTWISE_SUB,
    [KILN_BINARY_MUL] = 1 + ELEMENTWISE_MUL,
    [KILN_BINARY_DIV] = 1 + ELEMENTWISE_DIV,
    [KILN_BINARY_MIN] = 1 + ELEMENTWISE_MIN,
    [KILN_BINARY_MAX] = 1 + ELEMENTWISE_MAX,
    [KILN_BINARY_PRELU] = 1 + ELEMENTWISE_PRELU,
    [KILN_BINARY_POW] = 1 + ELEMENTWISE_POW,
    [KILN_BINARY_REMAINDER] = 1 + ELEMENTWISE_REMAINDER,
};

static bool is_comparison(uint32_t op) {
    return op == KILN_BINARY_EQUAL || op == KILN_BINARY_LESS || op == KILN_BINARY_GREATER ||
           op == KILN_BINARY_LESS_OR_EQUAL || op == KILN_BINARY_GREATER_OR_EQUAL;
}

static bool takes_dtype(uint32_t op, kiln_dtype dtype) {
    switch (op) {
    case KILN_BINARY_PRELU:
        return dtype == KILN_F32;
    case KILN_BINARY_AND:
    case KILN_BINARY_OR:
    case KILN_BINARY_XOR:
        return dtype == KILN_BOOL;
    case KILN_BINARY_MODULO:
    case KILN_BINARY_SHIFT_LEFT:
    case KILN_BINARY_SHIFT_RIGHT:
    case KILN_BINARY_BIT_AND:
    case KILN_BINARY_BIT_OR:
    case KILN_BINARY_BIT_XOR:
        return dtype == KILN_I64;
    case KILN_BINARY_EQUAL:
        return dtype == KILN_F32 || dtype == KILN_I64 || dtype == KILN_BOOL;
    default:
        return dtype == KILN_F32 || dtype == KILN_I64;
    }
}

static const char *check(const kernel_call *call) {
    const kiln_binary_params *p = call->params;
    const operand *a = &call->inputs[0], *y = &call->outputs[0];
    bool plain = a->dtype != KILN_F32 || p->op >= KILN_BINARY_COUNT || in_ukernels[p->op] == 0;
    if (p->op >= KILN_BINARY_COUNT || !finish_is_sound(call, p->min, p->max) ||
        (plain && KILN_STEP_FUNCTION(call->step->flags) != KILN_UNARY_CLAMP)) {
        return "parameters out of range";
    }
    if (y->dtype != (is_comparison(p->op) ? KILN_BOOL : a->dtype) ||
        !takes_dtype(p->op, a->dtype)) {
        return "element types do not fit the function";
    }
    return broadcast_fits(call, 2) ? NULL : "the operands do not broadcast to the output";
}

/* Arithmetic of floats, as micro-kernels have it. */
typedef struct arithmetic {
    uint32_t op;
    finish finish;
} arithmetic;

static void vector_rows(const void *context, const broadcast_rows *rows) {
    const arithmetic *a = context;
    elementwise_rows of = {.a = rows->inputs[0],
                           .b = rows->inputs[1],
                           .a_single = rows->steps[0] == 0,
                           .b_single = rows->steps[1] == 0,
                           .a_step = rows->row_steps[0],
                           .b_step = rows->row_steps[1],
                           .min = a->finish.min,
                           .max = a->finish.max,
                           .y = rows->output,
                           .y_step = rows->output_row_step,
                           .rows = rows->rows,
                           .count = rows->count};
    ukernels_elementwise(ukernels_best())->binary[in_ukernels[a->op] - 1](&of);
    finish_rows(&a->finish, of.y, of.rows, of.y_step, of.count);
}

/* ---- Plain C ------------------------------------------------------------------------------- */

static int64_t divide(int64_t a, int64_t b) {
    if (b == 0) {
        return 0;
    }
    return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

static int64_t remainder_of(int64_t a, int64_t b) {
    return b == 0 || b == -1 ? 0 : a % b;
}

static int64_t modulo(int64_t a, int64_t b) {
    int64_t rest = remainder_of(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static uint64_t shifted_left(uint64_t a, uint64_t by) {
    return by < 64 ? a << by : 0;
}

static uint64_t shifted_right(uint64_t a, uint64_t by) {
    return by < 64 ? a >> by : 0;
}

/* The power of integers, which wraps around; that of a negative exponent is truncated towards zero.
 */
static int64_t power(int64_t a, int64_t b) {
    if (b < 0) {
        return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    }
    uint64_t result = 1, base = (uint64_t)a;
    for (uint64_t bits = (uint64_t)b; bits != 0; bits >>= 1) {
        result *= (bits & 1) != 0 ? base : 1;
        base *= base;
    }
    return (int64_t)result;
}

/* A function of integers; truths are 0 and 1. */
static int64_t integer_of(uint32_t op, int64_t a, int64_t b) {
    switch (op) {
    case KILN_BINARY_ADD:
        return (int64_t)((uint64_t)a + (uint64_t)b);
    case KILN_BINARY_SUB:
        return (int64_t)((uint64_t)a - (uint64_t)b);
    case KILN_BINARY_MUL:
        return (int64_t)((uint64_t)a * (uint64_t)b);
    case KILN_BINARY_DIV:
        return divide(a, b);
    case KILN_BINARY_POW:
        return power(a, b);
    case KILN_BINARY_MIN:
        return a < b ? a : b;
    case KILN_BINARY_MAX:
        return a > b ? a : b;
    case KILN_BINARY_MODULO:
        return modulo(a, b);
    case KILN_BINARY_REMAINDER:
        return remainder_of(a, b);
    case KILN_BINARY_SHIFT_LEFT:
        return (int64_t)shifted_left((uint64_t)a, (uint64_t)b);
    case KILN_BINARY_SHIFT_RIGHT:
        return (int64_t)shifted_right((uint64_t)a, (uint64_t)b);
    case KILN_BINARY_AND:
    case KILN_BINARY_BIT_AND:
        return a & b;
    case KILN_BINARY_OR:
    case KILN_BINARY_BIT_OR:
        return a | b;
    default: /* XOR */
        return a ^ b;
    }
}

/* What a comparison asks for. */
static bool compares(uint32_t op, bool less, bool equal, bool greater) {
    bool or_equal = op == KILN_BINARY_LESS_OR_EQUAL || op == KILN_BINARY_GREATER_OR_EQUAL;
    bool lesser = op == KILN_BINARY_LESS || op == KILN_BINARY_LESS_OR_EQUAL;
    return op == KILN_BINARY_EQUAL ? equal : (or_equal && equal) || (lesser ? less : greater);
}

static int64_t integer_at(const void *data, kiln_dtype dtype, size_t k) {
    return dtype == KILN_I64 ? ((const int64_t *)data)[k] : ((const uint8_t *)data)[k] != 0;
}

static void plain_row(const void *context, const void *const *inputs, const size_t *steps,
                      void *output, size_t count) {
    const kernel_call *call = context;
    uint32_t op = ((const kiln_binary_params *)call->params)->op;
    kiln_dtype dtype = call->inputs[0].dtype, to = call->outputs[0].dtype;
    for (size_t k = 0; k < count; k++) {
        int64_t result;
        if (dtype == KILN_F32) { /* others are micro-kernels' */
            float a = ((const float *)inputs[0])[k * steps[0]];
            float b = ((const float *)inputs[1])[k * steps[1]];
            result = compares(op, a<b, a == b, a> b);
        } else {
            int64_t a = integer_at(inputs[0], dtype, k * steps[0]);
            int64_t b = integer_at(inputs[1], dtype, k * steps[1]);
            result = is_comparison(op) ? compares(op, a<b, a == b, a> b) : integer_of(op, a, b);
        }
        if (to == KILN_I64) {
            ((int64_t *)output)[k] = result;
        } else {
            ((uint8_t *)output)[k] = (uint8_t)result;
        }
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_binary_params *p = call->params;
    if (call->inputs[0].dtype == KILN_F32 && in_ukernels[p->op] != 0) {
        arithmetic a = {p->op, finish_of(call, p->min, p->max)};
        broadcast_run(call, 2, &a, vector_rows);
    } else {
        broadcast_run_by_row(call, 2, call, plain_row);
    }
    return KILN_OK;
}

const kernel kernel_binary = {
    KERNEL("binary", kiln_binary_params, NULL,
           KERNEL_INPUTS(2, 2, IS_F32 | IS_I64 | IS_BOOL, IS_TYPED_LIKE_X), KERNEL_OUTPUTS(1, 1, 0),
           KERNEL_STRIDED(3, 1), KERNEL_IN_PLACE(3)),
    .check = check,
    .run = run,
    .finishes = true,
};
