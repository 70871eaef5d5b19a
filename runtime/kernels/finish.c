/* Bounds and functions of results. */
#include "runtime/kernels/finish.h"

#include <math.h>

/* An entry is 1 + the micro-kernels' number, or 0 where there is none. */
static const uint8_t in_ukernels[KILN_UNARY_COUNT] = {
    [KILN_UNARY_CLAMP] = 1 + UNARY_CLAMP,
    [KILN_UNARY_LEAKY_RELU] = 1 + UNARY_LEAKY_RELU,
    [KILN_UNARY_ELU] = 1 + UNARY_ELU,
    [KILN_UNARY_SELU] = 1 + UNARY_SELU,
    [KILN_UNARY_CELU] = 1 + UNARY_CELU,
    [KILN_UNARY_SIGMOID] = 1 + UNARY_SIGMOID,
    [KILN_UNARY_HARD_SIGMOID] = 1 + UNARY_HARD_SIGMOID,
    [KILN_UNARY_HARD_SWISH] = 1 + UNARY_HARD_SWISH,
    [KILN_UNARY_MISH] = 1 + UNARY_MISH,
    [KILN_UNARY_GELU_ERF] = 1 + UNARY_GELU_ERF,
    [KILN_UNARY_GELU_TANH] = 1 + UNARY_GELU_TANH,
    [KILN_UNARY_TANH] = 1 + UNARY_TANH,
    [KILN_UNARY_SOFTPLUS] = 1 + UNARY_SOFTPLUS,
    [KILN_UNARY_SOFTSIGN] = 1 + UNARY_SOFTSIGN,
    [KILN_UNARY_ERF] = 1 + UNARY_ERF,
    [KILN_UNARY_SQRT] = 1 + UNARY_SQRT,
    [KILN_UNARY_EXP] = 1 + UNARY_EXP,
    [KILN_UNARY_LOG] = 1 + UNARY_LOG,
    [KILN_UNARY_ABS] = 1 + UNARY_ABS,
    [KILN_UNARY_NEG] = 1 + UNARY_NEG,
    [KILN_UNARY_RECIPROCAL] = 1 + UNARY_RECIPROCAL,
    [KILN_UNARY_FLOOR] = 1 + UNARY_FLOOR,
    [KILN_UNARY_CEIL] = 1 + UNARY_CEIL,
    [KILN_UNARY_ROUND] = 1 + UNARY_ROUND,
    [KILN_UNARY_SIGN] = 1 + UNARY_SIGN,
    [KILN_UNARY_SWISH] = 1 + UNARY_SWISH,
    [KILN_UNARY_SQUARE] = 1 + UNARY_SQUARE,
    [KILN_UNARY_THRESHOLDED_RELU] = 1 + UNARY_THRESHOLDED_RELU,
    [KILN_UNARY_SHRINK] = 1 + UNARY_SHRINK,
    [KILN_UNARY_SIN] = 1 + UNARY_SIN,
    [KILN_UNARY_COS] = 1 + UNARY_COS,
    [KILN_UNARY_TAN] = 1 + UNARY_TAN,
    [KILN_UNARY_ASIN] = 1 + UNARY_ASIN,
    [KILN_UNARY_ACOS] = 1 + UNARY_ACOS,
    [KILN_UNARY_ATAN] = 1 + UNARY_ATAN,
    [KILN_UNARY_SINH] = 1 + UNARY_SINH,
    [KILN_UNARY_COSH] = 1 + UNARY_COSH,
    [KILN_UNARY_ASINH] = 1 + UNARY_ASINH,
    [KILN_UNARY_ACOSH] = 1 + UNARY_ACOSH,
    [KILN_UNARY_ATANH] = 1 + UNARY_ATANH,
    [KILN_UNARY_STAR_RELU] = 1 + UNARY_STAR_RELU,
    [KILN_UNARY_RSQRT] = 1 + UNARY_RSQRT,
};

#define IS(op) (1ull << KILN_UNARY_##op)
static const uint64_t of_two_parameters = IS(SELU) | IS(HARD_SIGMOID) | IS(STAR_RELU);
static const uint64_t of_less = IS(LEAKY_RELU) | IS(ELU) | IS(SIGMOID) | IS(HARD_SWISH) | IS(MISH) |
                                IS(GELU_ERF) | IS(GELU_TANH) | IS(TANH) | IS(SOFTPLUS) | IS(SWISH) |
                                IS(SQUARE) | IS(SQRT) | IS(RSQRT) | IS(RECIPROCAL) | IS(EXP) |
                                IS(ABS);
#undef IS

bool finish_takes(uint32_t op) {
    return op < KILN_UNARY_COUNT && ((of_less | of_two_parameters) >> op & 1) != 0;
}

bool finish_takes_beta(uint32_t op) {
    return op < KILN_UNARY_COUNT && (of_two_parameters >> op & 1) != 0;
}

unary_ukernel *finish_function(uint32_t op) {
    return in_ukernels[op] != 0 ? ukernels_unary(ukernels_best(), in_ukernels[op] - 1u) : NULL;
}

bool finish_is_missing(uint32_t op) {
    return in_ukernels[op] != 0 && finish_function(op) == NULL;
}

bool finish_is_sound(const kernel_call *call, float min, float max) {
    uint32_t op = KILN_STEP_FUNCTION(call->step->flags);
    if (op == KILN_UNARY_CLAMP) {
        return min < max;
    }
    return finish_takes(op) && isfinite(min) &&
           (finish_takes_beta(op) ? isfinite(max) : isnan(max));
}

finish finish_of(const kernel_call *call, float min, float max) {
    const kiln_unary_params function = {KILN_STEP_FUNCTION(call->step->flags), min, max, 0};
    return finish_by(&function);
}

finish finish_by(const kiln_unary_params *f) {
    float beta = finish_takes_beta(f->op) ? f->beta : 0;
    return f->op == KILN_UNARY_CLAMP
               ? (finish){f->alpha, f->beta, NULL, 0, 0}
               : (finish){-INFINITY, INFINITY, finish_function(f->op), f->alpha, beta};
}

void finish_rows(const finish *f, float *y, size_t rows, size_t stride, size_t count) {
    if (f->function == NULL) {
        return;
    }
    if (stride == count) {
        count *= rows;
        rows = 1;
    }
    for (size_t row = 0; row < rows; row++) {
        f->function(y + row * stride, count, f->alpha, f->beta, y + row * stride);
    }
}
