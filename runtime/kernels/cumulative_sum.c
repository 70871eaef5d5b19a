/* CUMULATIVE_SUM along one dim; f32 accumulates in double, i64 wraps. */
#include "runtime/kernels/axis.h"

static const char *check(const kernel_call *call) {
    const kiln_cumulative_sum_params *p = call->params;
    return axis_is_sound(&call->inputs[0], p->axis) && p->exclusive <= 1 && p->reverse <= 1
               ? NULL
               : "parameters out of range";
}

static void sum_columns(void *context, size_t begin, size_t end) {
    const axis_task *task = context;
    const kiln_cumulative_sum_params *p = task->call->params;
    const operand *x = &task->call->inputs[0], *y = &task->call->outputs[0];
    axis_view v = task->view;
    for (size_t column = begin; column < end; column++) {
        size_t start = axis_start(&v, column);
        double sum = 0.0;
        uint64_t integer = 0;
        for (size_t k = 0; k < v.size; k++) {
            size_t at = start + (p->reverse != 0 ? v.size - 1 - k : k) * v.inner;
            if (x->dtype == KILN_F32) {
                double value = (double)((const float *)x->data)[at];
                ((float *)y->data)[at] = (float)(p->exclusive != 0 ? sum : sum + value);
                sum += value;
            } else {
                uint64_t value = ((const uint64_t *)x->data)[at];
                ((uint64_t *)y->data)[at] = p->exclusive != 0 ? integer : integer + value;
                integer += value;
            }
        }
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_cumulative_sum_params *p = call->params;
    axis_run(call, p->axis, 4096, sum_columns);
    return KILN_OK;
}

const kernel kernel_cumulative_sum = {
    KERNEL("cumulative_sum", kiln_cumulative_sum_params, NULL, KERNEL_INPUTS(1, 1, IS_F32 | IS_I64),
           KERNEL_OUTPUTS(1, 1, IS_TYPED_LIKE_X | IS_SHAPED_LIKE_X)),
    .check = check,
    .run = run,
};
