/* QUANTIZE, QUANTIZE_RANGE: between real numbers and the integers that stand for them, held in f32.
 */
#include "runtime/kernels/axis.h"
#include "runtime/ukernels/ukernels.h"

#include <math.h>

#define MOST 65536.0f /* the largest bound */

/* ---- QUANTIZE ------------------------------------------------------------------------------ */

static bool fits_axis(const operand *o, const operand *x, uint32_t axis) {
    return o->elements == 1 ||
           (o->elements > 0 && axis_is_sound(x, axis) && o->elements == x->dims[axis]);
}

static const char *check_quantize(const kernel_call *call) {
    const kiln_quantize_params *p = call->params;
    const operand *x = &call->inputs[0];
    if (p->kind >= KILN_QUANTIZE_KIND_COUNT ||
        !(p->low <= p->high && p->low >= -MOST && p->high <= MOST)) {
        return "parameters out of range";
    }
    bool sound = x->layout == call->outputs[0].layout && fits_axis(&call->inputs[1], x, p->axis) &&
                 (!has_input(call, 2) || fits_axis(&call->inputs[2], x, p->axis));
    return sound ? NULL : "the operands do not fit";
}

/* Where a row's scales, or zeros, begin, and how far one is from the next. */
static const float *of_row(const operand *o, const operand *x, uint32_t axis, size_t row,
                           size_t *out_step) {
    const float *all = o->data;
    *out_step = 0;
    if (o->elements == 1) {
        return all;
    }
    if (axis + 1 == x->rank) {
        *out_step = 1;
        return all;
    }
    for (uint32_t k = axis + 1; k + 1 < x->rank; k++) {
        row /= x->dims[k];
    }
    return all + row % o->elements;
}

static void quantize_range(void *context, size_t begin, size_t end) {
    static const float nothing = 0.0f;
    const kernel_call *call = context;
    const kiln_quantize_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0], *scale = &call->inputs[1];
    const operand *zero = has_input(call, 2) ? &call->inputs[2] : NULL;
    /* With one scale and one zero for all, dense rows are as one. */
    bool one = scale->elements == 1 && (zero == NULL || zero->elements == 1) &&
               operand_is_dense(x) && operand_is_dense(y);
    size_t step = one ? end - begin : 1;
    quantize_row r = {.zero = &nothing,
                      .count = x->inner * step,
                      .low = p->low,
                      .high = p->high,
                      .rounds = p->kind != KILN_DEQUANTIZE,
                      .divides = p->kind <= KILN_QUANTIZE_ROUND_TRIP,
                      .adds_zero =
                          p->kind == KILN_QUANTIZE_INTEGERS || p->kind == KILN_REQUANTIZE_INTEGERS,
                      .scales = p->kind == KILN_QUANTIZE_ROUND_TRIP};
    for (size_t row = begin; row < end; row += step) {
        r.x = (const float *)x->data + row * x->row_stride;
        r.y = (float *)y->data + row * y->row_stride;
        r.scale = of_row(scale, x, p->axis, row, &r.scale_step);
        if (zero != NULL) {
            r.zero = of_row(zero, x, p->axis, row, &r.zero_step);
        }
        ukernels_quantize(ukernels_best())(&r);
    }
}

static kiln_status run_quantize(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *x = &call->inputs[0];
    size_t grain = 1 + 8192 / (x->inner == 0 ? 1 : x->inner);
    kernel_parallel(call, operand_outer(x, call->run.batch), grain, call, quantize_range);
    return KILN_OK;
}

const kernel kernel_quantize = {
    KERNEL("quantize", kiln_quantize_params, NULL,
           KERNEL_INPUTS(2, 3, IS_F32, IS_F32 | IS_UNBATCHED, IS_F32 | IS_UNBATCHED),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_SHAPED_LIKE_X), KERNEL_STRIDED(1, 1),
           KERNEL_IN_PLACE(1)),
    .check = check_quantize,
    .run = run_quantize,
};

/* ---- QUANTIZE_RANGE ------------------------------------------------------------------------ */

static const char *check_range(const kernel_call *call) {
    bool sound =
        call->outputs[0].elements == 1 && (!has_output(call, 1) || call->outputs[1].elements == 1);
    return sound ? NULL : "the operands do not fit";
}

/* Several minima and maxima are kept at a time, so that they can be vectors. */
#define LANES 16

typedef struct extremes {
    float least[LANES], most[LANES];
} extremes;

static void look_at_row(extremes *e, const float *x, size_t count) {
    size_t k = 0;
    for (; k + LANES <= count; k += LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            float value = x[k + lane];
            e->least[lane] = value < e->least[lane] ? value : e->least[lane];
            e->most[lane] = value > e->most[lane] ? value : e->most[lane];
        }
    }
    for (; k < count; k++) {
        e->least[0] = x[k] < e->least[0] ? x[k] : e->least[0];
        e->most[0] = x[k] > e->most[0] ? x[k] : e->most[0];
    }
}

static kiln_status run_range(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *x = &call->inputs[0];
    extremes e = {{0}, {0}};
    for (size_t row = 0; row < operand_outer(x, call->run.batch); row++) {
        look_at_row(&e, (const float *)x->data + row * x->row_stride, x->inner);
    }
    float least = 0, most = 0;
    for (size_t lane = 0; lane < LANES; lane++) {
        least = e.least[lane] < least ? e.least[lane] : least;
        most = e.most[lane] > most ? e.most[lane] : most;
    }
    float scale = most > least ? (most - least) / 255.0f : 1.0f;
    float zero = fminf(fmaxf(-least / scale, 0.0f), 255.0f);
    *(float *)call->outputs[0].data = scale;
    if (has_output(call, 1)) {
        *(float *)call->outputs[1].data = rintf(zero);
    }
    return KILN_OK;
}

const kernel kernel_quantize_range = {
    KERNEL("quantize_range", kiln_quantize_range_params, NULL, KERNEL_INPUTS(1, 1, IS_F32),
           KERNEL_OUTPUTS(1, 2, IS_F32 | IS_UNBATCHED, IS_F32 | IS_UNBATCHED),
           KERNEL_STRIDED(1, 0)),
    .check = check_range,
    .run = run_range,
};
