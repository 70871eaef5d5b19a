/* RESAMPLE: a weighted sum of a few taps along one dim. */
#include "runtime/kernels/axis.h"

#include <math.h>

typedef struct resample_task {
    const kernel_call *call;
    axis_view in, out;
} resample_task;

static const char *check(const kernel_call *call) {
    const kiln_resample_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    size_t taps = call->inputs[1].elements;
    if (!axis_is_sound(x, p->axis) || p->taps == 0 || p->taps > 65536 || isnan(p->extrapolation)) {
        return "parameters out of range";
    }
    return operand_same_dims_but(x, y, p->axis) && taps == y->dims[p->axis] * p->taps &&
                   taps == call->inputs[2].elements
               ? NULL
               : "the operands do not fit";
}

static kiln_status prepare(kernel_call *call, kiln_error *error) {
    const kiln_resample_params *p = call->params;
    const int64_t *index = call->inputs[1].data;
    for (size_t k = 0; k < call->inputs[1].elements; k++) {
        bool outside = index[k] == -1 && k % p->taps == 0;
        if (!outside && (index[k] < 0 || index[k] >= (int64_t)call->inputs[0].dims[p->axis])) {
            return kernel_fail(call, error, "an index lies outside the input");
        }
    }
    return KILN_OK;
}

/* Computes the units [begin, end): each is a run of `inner` elements, at one position along the
 * axis in one outer slice. */
static void resample_range(void *context, size_t begin, size_t end) {
    const resample_task *task = context;
    const kiln_resample_params *p = task->call->params;
    size_t inner = task->in.inner;
    for (size_t unit = begin; unit < end; unit++) {
        size_t outer = unit / task->out.size, j = unit % task->out.size;
        const int64_t *index = (const int64_t *)task->call->inputs[1].data + j * p->taps;
        const float *weight = (const float *)task->call->inputs[2].data + j * p->taps;
        const float *x = (const float *)task->call->inputs[0].data + outer * task->in.size * inner;
        float *y = (float *)task->call->outputs[0].data + unit * inner;
        bool outside = index[0] < 0;
        for (size_t k = 0; k < inner; k++) {
            y[k] = outside ? p->extrapolation : x[(size_t)index[0] * inner + k] * weight[0];
        }
        for (size_t t = 1; t < p->taps && !outside; t++) {
            const float *from = x + (size_t)index[t] * inner;
            for (size_t k = 0; k < inner; k++) {
                y[k] += from[k] * weight[t];
            }
        }
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_resample_params *p = call->params;
    resample_task task = {call, axis_of(&call->inputs[0], p->axis, call->run.batch),
                          axis_of(&call->outputs[0], p->axis, call->run.batch)};
    kernel_parallel(call, task.out.outer * task.out.size, 1 + 4096 / task.in.inner, &task,
                    resample_range);
    return KILN_OK;
}

const kernel kernel_resample = {
    KERNEL("resample", kiln_resample_params, NULL,
           KERNEL_INPUTS(3, 3, IS_F32, IS_I64 | IS_CONSTANT, IS_F32 | IS_CONSTANT),
           KERNEL_OUTPUTS(1, 1, IS_F32)),
    .check = check,
    .prepare = prepare,
    .run = run,
};
