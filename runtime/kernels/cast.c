/* CAST between any two element types. */
#include "runtime/kernels/kernel.h"
#include <kiln/element.h>

typedef struct cast_task {
    const operand *x, *y;
} cast_task;

static void cast_range(void *context, size_t begin, size_t end) {
    const cast_task *task = context;
    const operand *x = task->x, *y = task->y;
    for (size_t k = begin; k < end; k++) {
        kiln_element_convert(x->dtype, x->data, y->dtype, y->data, k);
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *x = &call->inputs[0];
    cast_task task = {x, &call->outputs[0]};
    kernel_parallel(call, operand_outer(x, call->run.batch) * x->inner, 8192, &task, cast_range);
    return KILN_OK;
}

const kernel kernel_cast = {
    KERNEL("cast", kiln_cast_params, NULL, KERNEL_INPUTS(1, 1, 0),
           KERNEL_OUTPUTS(1, 1, IS_SHAPED_LIKE_X)),
    .run = run,
};
