/* ARG_REDUCE: position of the largest or smallest value along one dim. */
#include "runtime/kernels/axis.h"

static const char *check(const kernel_call *call) {
    const kiln_arg_reduce_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    if (!axis_is_sound(x, p->axis) || p->minimum > 1 || p->select_last > 1) {
        return "parameters out of range";
    }
    bool fits = x->batched == y->batched && y->elements == x->elements / x->dims[p->axis] &&
                !(x->batched && y->dims[0] != x->dims[0]);
    return fits ? NULL : "the output does not fit the input";
}

#define FIND_BEST(type)                                                                            \
    do {                                                                                           \
        const type *x = (const type *)task->call->inputs[0].data + start;                          \
        for (size_t k = 1; k < v.size; k++) {                                                      \
            type value = x[k * v.inner], found = x[best * v.inner];                                \
            bool better = p->minimum ? value < found : value > found;                              \
            best = better || (p->select_last && value == found) ? k : best;                        \
        }                                                                                          \
    } while (0)

static void arg_range(void *context, size_t begin, size_t end) {
    const axis_task *task = context;
    const kiln_arg_reduce_params *p = task->call->params;
    axis_view v = task->view;
    for (size_t column = begin; column < end; column++) {
        size_t start = axis_start(&v, column), best = 0;
        if (task->call->inputs[0].dtype == KILN_F32) {
            FIND_BEST(float);
        } else {
            FIND_BEST(int64_t);
        }
        ((int64_t *)task->call->outputs[0].data)[column] = (int64_t)best;
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_arg_reduce_params *p = call->params;
    axis_run(call, p->axis, 4096, arg_range);
    return KILN_OK;
}

const kernel kernel_arg_reduce = {
    KERNEL("arg_reduce", kiln_arg_reduce_params, NULL, KERNEL_INPUTS(1, 1, IS_F32 | IS_I64),
           KERNEL_OUTPUTS(1, 1, IS_I64)),
    .check = check,
    .run = run,
};
