/* SOFTMAX: XNNPACK along rows; plain C along other dims, for the logarithm, and where something is
 * NaN or infinite, which XNNPACK makes a number of. */
#include "runtime/kernels/xnnpack.h"
#include "runtime/ukernels/ukernels.h"

#include <math.h>
#include <stdatomic.h>

/* x as [outer][size][inner]. */
typedef struct softmax_view {
    const float *x;
    float *y;
    size_t size, inner;
    bool log;
} softmax_view;

static bool on_xnnpack(const kernel_call *call) {
    const kiln_softmax_params *p = call->params;
    return p->log == 0 && p->axis + 1 == call->inputs[0].rank;
}

static kiln_status check(const kernel_call *call, kiln_error *error) {
    const kiln_softmax_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    if (p->axis >= x->rank || p->log > 1 || (p->axis == 0 && x->batched)) {
        return kernel_fail(call, error, "parameters out of range");
    }
    if (x->dtype != KILN_F32 || y->dtype != KILN_F32 || !operand_same_dims(x, y)) {
        return kernel_fail(call, error, "input and output are not f32 of one shape");
    }
    return KILN_OK;
}

static kiln_status prepare(kernel_call *call, kiln_error *error) {
    return on_xnnpack(call) ? xnnpack_create_softmax(call, error) : KILN_OK;
}

static kiln_status bind(kernel_call *call, kiln_error *error) {
    return on_xnnpack(call) ? xnnpack_setup_rows(call, error) : KILN_OK;
}

/* The maximum is subtracted so that exp cannot overflow. */
static void softmax_columns(void *context, size_t begin, size_t end) {
    const softmax_view *v = context;
    for (size_t column = begin; column < end; column++) {
        size_t start = column / v->inner * v->size * v->inner + column % v->inner;
        const float *x = v->x + start;
        float *y = v->y + start, maximum = -INFINITY;
        double sum = 0.0;
        for (size_t k = 0; k < v->size; k++) {
            maximum = fmaxf(maximum, x[k * v->inner]);
        }
        for (size_t k = 0; k < v->size; k++) {
            float shifted = x[k * v->inner] - maximum;
            sum += exp((double)shifted);
        }
        float log_sum = (float)log(sum), scale = (float)(1.0 / sum);
        for (size_t k = 0; k < v->size; k++) {
            float shifted = x[k * v->inner] - maximum;
            y[k * v->inner] = v->log ? shifted - log_sum : expf(shifted) * scale;
        }
    }
}

typedef struct search {
    const float *x;
    atomic_bool found;
} search;

static void search_range(void *context, size_t begin, size_t end) {
    search *s = context;
    if (ukernels_best()->elementwise->wild(s->x + begin, end - begin)) {
        atomic_store(&s->found, true);
    }
}

static bool is_wild(const kernel_call *call) {
    const operand *x = &call->inputs[0];
    search s = {.x = x->data};
    kernel_parallel(call, operand_rows(x, call->run.batch) * x->row, 16384, &s, search_range);
    return atomic_load(&s.found);
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    if (on_xnnpack(call) && !is_wild(call)) {
        return xnnpack_run(call, error);
    }
    const kiln_softmax_params *p = call->params;
    const operand *x = &call->inputs[0];
    softmax_view view = {x->data, call->outputs[0].data, x->dims[p->axis], 1, p->log != 0};
    size_t outer = 1;
    for (uint32_t k = 0; k < x->rank; k++) {
        if (k < p->axis) {
            outer *= operand_dim(x, k, call->run.batch);
        } else if (k > p->axis) {
            view.inner *= x->dims[k];
        }
    }
    kernel_parallel(call, outer * view.inner, 1 + 4096 / view.size, &view, softmax_columns);
    return KILN_OK;
}

const kernel kernel_softmax = {
    .traits = {.name = "softmax",
               .runs_on = "XNNPACK/Kiln",
               .in_place_inputs = 1,
               .params_bytes = sizeof(kiln_softmax_params)},
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
