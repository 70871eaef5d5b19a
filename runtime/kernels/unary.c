/* UNARY: micro-kernels. Rows that lie one after the other are
 * taken for one. */
#include "runtime/kernels/finish.h"

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

static const char *check(const kernel_call *call) {
    const kiln_unary_params *p = call->params;
    kiln_dtype x = call->inputs[0].dtype, y = call->outputs[0].dtype;
    bool clamp = p->op == KILN_UNARY_CLAMP && !(p->alpha <= p->beta);
    if (p->op >= KILN_UNARY_COUNT || isnan(p->alpha) || isnan(p->beta) || clamp) {
        return "parameters out of range";
    }
    return takes_dtype(p->op, x) && y == (is_test(p->op) ? KILN_BOOL : x)
               ? NULL
               : "element types do not fit the function";
}

static const char *lacks(const kernel_call *call) {
    const kiln_unary_params *p = call->params;
    return finish_is_missing(p->op) ? kiln_unary_op_name(p->op) : NULL;
}

/* ---- f32 ------------------------------------------------------------------------------------ */

static void float_row(const kiln_unary_params *p, const float *x, float *y, size_t count) {
    finish_function(p->op)(x, count, p->alpha, p->beta, y);
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

#define THIN 8       /* floats: of shorter rows several make a call of the micro-kernel */
#define TOGETHER 256 /* floats of such rows */

/* Rows [begin, end) of few floats, which are brought together. */
static void thin_rows(const unary_task *task, size_t begin, size_t end) {
    const operand *x = &task->call->inputs[0], *y = &task->call->outputs[0];
    const float *from = (const float *)x->data + begin * x->row_stride;
    float together[TOGETHER] = {0}, *to = (float *)y->data + begin * y->row_stride;
    size_t rows = end - begin;
    for (size_t r = 0; r < rows; r++) {
        for (size_t k = 0; k < x->inner; k++) {
            together[r * x->inner + k] = from[r * x->row_stride + k];
        }
    }
    float_row(task->params, together, together, rows * x->inner);
    for (size_t r = 0; r < rows; r++) {
        for (size_t k = 0; k < x->inner; k++) {
            to[r * y->row_stride + k] = together[r * x->inner + k];
        }
    }
}

static void unary_rows(void *context, size_t begin, size_t end) {
    const unary_task *task = context;
    const operand *x = &task->call->inputs[0], *y = &task->call->outputs[0];
    bool thin = x->inner < THIN && x->dtype == KILN_F32 && y->dtype == KILN_F32;
    size_t rows = TOGETHER / x->inner;
    for (; thin && begin < end; begin += rows) {
        thin_rows(task, begin, rows < end - begin ? begin + rows : end);
    }
    for (size_t r = begin; r < end; r++) { /* none is left of thin ones */
        unary_row(task, r * x->row_stride, r * y->row_stride, x->inner);
    }
}

static void unary_elements(void *context, size_t begin, size_t end) {
    unary_row(context, begin, begin, end - begin);
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    unary_task task = {call, call->params};
    const operand *x = &call->inputs[0];
    size_t rows = operand_outer(x, call->run.batch);
    if (operand_is_dense(x) && operand_is_dense(&call->outputs[0])) {
        kernel_parallel(call, rows * x->inner, 2048, &task, unary_elements);
    } else {
        kernel_parallel(call, rows, 1 + 2048 / x->inner, &task, unary_rows);
    }
    return KILN_OK;
}

const kernel kernel_unary = {
    KERNEL("unary", kiln_unary_params, NULL, KERNEL_INPUTS(1, 1, 0),
           KERNEL_OUTPUTS(1, 1, IS_SHAPED_LIKE_X), KERNEL_STRIDED(1, 1), KERNEL_IN_PLACE(1)),
    .check = check,
    .lacks = lacks,
    .run = run,
};
