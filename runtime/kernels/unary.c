/* UNARY: ukernels or XNNPACK where they have the function, else plain C. Rows that lie one after
 * the other are taken for one. */
#include "runtime/kernels/xnnpack.h"
#include "runtime/ukernels/ukernels.h"

#include <math.h>

typedef struct unary_task {
    const kernel_call *call;
    const kiln_unary_params *params;
} unary_task;

static bool takes_dtype(uint32_t op, kiln_dtype dtype) {
    if (op == KILN_UNARY_NOT) {
        return dtype == KILN_BOOL;
    }
    bool integer = op == KILN_UNARY_ABS || op == KILN_UNARY_NEG || op == KILN_UNARY_SIGN;
    return dtype == KILN_F32 || (integer && dtype == KILN_I64);
}

static bool is_test(uint32_t op) {
    return op == KILN_UNARY_IS_NAN || op == KILN_UNARY_IS_INF;
}

static bool on_xnnpack(const kernel_call *call) {
    return call->inputs[0].dtype == KILN_F32 && xnnpack_has_unary(call->params);
}

static kiln_status check(const kernel_call *call, kiln_error *error) {
    const kiln_unary_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    bool clamp = p->op == KILN_UNARY_CLAMP && !(p->alpha <= p->beta);
    if (p->op >= KILN_UNARY_COUNT || isnan(p->alpha) || isnan(p->beta) || clamp) {
        return kernel_fail(call, error, "parameters out of range");
    }
    kiln_dtype result = is_test(p->op) ? KILN_BOOL : x->dtype;
    if (y->dtype != result || !takes_dtype(p->op, x->dtype) || !operand_same_dims(x, y)) {
        return kernel_fail(call, error, "input and output do not fit the function");
    }
    return KILN_OK;
}

static kiln_status prepare(kernel_call *call, kiln_error *error) {
    return on_xnnpack(call) ? xnnpack_create_unary(call, call->params, error) : KILN_OK;
}

static kiln_status bind(kernel_call *call, kiln_error *error) {
    return on_xnnpack(call) ? xnnpack_setup_rows(call, error) : KILN_OK;
}

/* ---- Plain C ------------------------------------------------------------------------------- */

static float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

/* log(1 + e^x) without overflow. */
static float softplus(float x) {
    return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)));
}

static float gelu_tanh(float x) {
    return 0.5f * x * (1.0f + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
}

static float sign(float x) {
    return isnan(x) ? x : (float)((x > 0.0f) - (x < 0.0f));
}

#define EACH(op, expression)                                                                       \
    case op:                                                                                       \
        for (size_t k = 0; k < count; k++) {                                                       \
            float v = x[k];                                                                        \
            y[k] = (expression);                                                                   \
        }                                                                                          \
        break;

static void float_row(const kiln_unary_params *p, const float *x, float *y, size_t count) {
    const elementwise_ukernels *ukernels = ukernels_best()->elementwise;
    float a = p->alpha, b = p->beta;
    switch ((kiln_unary_op)p->op) {
    case KILN_UNARY_CLAMP:
        ukernels->unary[ELEMENTWISE_CLAMP](x, count, a, b, y);
        break;
    case KILN_UNARY_LEAKY_RELU:
        ukernels->unary[ELEMENTWISE_LEAKY_RELU](x, count, a, b, y);
        break;
    case KILN_UNARY_HARD_SIGMOID:
        ukernels->unary[ELEMENTWISE_HARD_SIGMOID](x, count, a, b, y);
        break;
    case KILN_UNARY_HARD_SWISH:
        ukernels->unary[ELEMENTWISE_HARD_SWISH](x, count, a, b, y);
        break;
        EACH(KILN_UNARY_ELU, v < 0.0f ? a * expm1f(v) : v)
        EACH(KILN_UNARY_SELU, b * (v < 0.0f ? a * expm1f(v) : v))
        EACH(KILN_UNARY_CELU, v > 0.0f ? v : a * expm1f(v / a))
        EACH(KILN_UNARY_SIGMOID, sigmoid(v))
        EACH(KILN_UNARY_MISH, v * tanhf(softplus(v)))
        EACH(KILN_UNARY_GELU_ERF, 0.5f * v * (1.0f + erff(v * 0.70710678f)))
        EACH(KILN_UNARY_GELU_TANH, gelu_tanh(v))
        EACH(KILN_UNARY_TANH, tanhf(v))
        EACH(KILN_UNARY_SOFTPLUS, softplus(v))
        EACH(KILN_UNARY_SOFTSIGN, v / (1.0f + fabsf(v)))
        EACH(KILN_UNARY_ERF, erff(v))
        EACH(KILN_UNARY_SQRT, sqrtf(v))
        EACH(KILN_UNARY_EXP, expf(v))
        EACH(KILN_UNARY_LOG, logf(v))
        EACH(KILN_UNARY_ABS, fabsf(v))
        EACH(KILN_UNARY_NEG, -v)
        EACH(KILN_UNARY_RECIPROCAL, 1.0f / v)
        EACH(KILN_UNARY_FLOOR, floorf(v))
        EACH(KILN_UNARY_CEIL, ceilf(v))
        EACH(KILN_UNARY_ROUND, rintf(v))
        EACH(KILN_UNARY_SIGN, sign(v))
        EACH(KILN_UNARY_SWISH, v * sigmoid(a * v))
        EACH(KILN_UNARY_SQUARE, v * v)
        EACH(KILN_UNARY_SIN, sinf(v))
        EACH(KILN_UNARY_COS, cosf(v))
        EACH(KILN_UNARY_TAN, tanf(v))
        EACH(KILN_UNARY_ASIN, asinf(v))
        EACH(KILN_UNARY_ACOS, acosf(v))
        EACH(KILN_UNARY_ATAN, atanf(v))
        EACH(KILN_UNARY_SINH, sinhf(v))
        EACH(KILN_UNARY_COSH, coshf(v))
        EACH(KILN_UNARY_ASINH, asinhf(v))
        EACH(KILN_UNARY_ACOSH, acoshf(v))
        EACH(KILN_UNARY_ATANH, atanhf(v))
        EACH(KILN_UNARY_THRESHOLDED_RELU, v > a ? v : 0.0f)
        EACH(KILN_UNARY_SHRINK, v < -a ? v + b : v > a ? v - b : 0.0f)
    case KILN_UNARY_IS_NAN:
    case KILN_UNARY_IS_INF:
    case KILN_UNARY_NOT:
    case KILN_UNARY_COUNT:
        break;
    }
}

static void test_row(const kiln_unary_params *p, const float *x, uint8_t *y, size_t count) {
    bool nan = p->op == KILN_UNARY_IS_NAN, negative = p->alpha != 0, positive = p->beta != 0;
    for (size_t k = 0; k < count; k++) {
        bool counts = x[k] < 0 ? negative : positive;
        bool infinite = isinf(x[k]) && counts;
        y[k] = nan ? x[k] != x[k] : infinite;
    }
}

static void integer_row(uint32_t op, const int64_t *x, int64_t *y, size_t count) {
    for (size_t k = 0; k < count; k++) {
        int64_t v = x[k], negated = (int64_t)(0 - (uint64_t)v);
        if (op == KILN_UNARY_NEG) {
            y[k] = negated;
        } else if (op == KILN_UNARY_ABS) {
            y[k] = v < 0 ? negated : v;
        } else {
            y[k] = (v > 0) - (v < 0);
        }
    }
}

static void unary_row(const unary_task *task, size_t in, size_t out, size_t count) {
    const operand *x = &task->call->inputs[0], *y = &task->call->outputs[0];
    if (is_test(task->params->op)) {
        test_row(task->params, (const float *)x->data + in, (uint8_t *)y->data + out, count);
    } else if (x->dtype == KILN_F32) {
        float_row(task->params, (const float *)x->data + in, (float *)y->data + out, count);
    } else if (x->dtype == KILN_I64) {
        integer_row(task->params->op, (const int64_t *)x->data + in, (int64_t *)y->data + out,
                    count);
    } else {
        for (size_t k = 0; k < count; k++) {
            ((uint8_t *)y->data)[out + k] = ((const uint8_t *)x->data)[in + k] == 0;
        }
    }
}

static void unary_rows(void *context, size_t begin, size_t end) {
    const unary_task *task = context;
    const operand *x = &task->call->inputs[0], *y = &task->call->outputs[0];
    for (size_t r = begin; r < end; r++) {
        unary_row(task, r * x->row_stride, r * y->row_stride, x->row);
    }
}

static void unary_elements(void *context, size_t begin, size_t end) {
    unary_row(context, begin, begin, end - begin);
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    if (on_xnnpack(call)) {
        return xnnpack_run(call, error);
    }
    unary_task task = {call, call->params};
    const operand *x = &call->inputs[0];
    size_t rows = operand_rows(x, call->batch);
    if (operand_is_dense(x) && operand_is_dense(&call->outputs[0])) {
        kernel_parallel(call, rows * x->row, 2048, &task, unary_elements);
    } else {
        kernel_parallel(call, rows, 1 + 2048 / x->row, &task, unary_rows);
    }
    return KILN_OK;
}

const kernel kernel_unary = {
    .traits = {.name = "unary",
               .runs_on = "XNNPACK/Kiln",
               .strided_inputs = 1,
               .strided_outputs = 1,
               .in_place_inputs = 1,
               .params_bytes = sizeof(kiln_unary_params)},
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .check = check,
    .prepare = prepare,
    .bind = bind,
    .run = run,
    .release = xnnpack_release,
};
