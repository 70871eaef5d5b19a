/* GATHER along one dim by indices known at run time. */
#include "runtime/kernels/axis.h"

#include <string.h>

typedef struct gather_task {
    const kernel_call *call;
    axis_view view;
    size_t indices; /* how many indices there are */
} gather_task;

static const char *check(const kernel_call *call) {
    const kiln_gather_params *p = call->params;
    const operand *x = &call->inputs[0], *i = &call->inputs[1], *y = &call->outputs[0];
    if (!axis_is_sound(x, p->axis)) {
        return "parameters out of range";
    }
    bool sound = y->rank == x->rank - 1 + i->rank && !(p->axis > 0 && i->batched) &&
                 y->batched == (p->axis == 0 ? i->batched : x->batched) &&
                 !(p->axis == 0 && i->batched && i->rank == 0) && !(p->axis == 0 && x->batched);
    for (uint32_t k = 0; k < y->rank && sound; k++) {
        size_t wanted = k < p->axis             ? x->dims[k]
                        : k < p->axis + i->rank ? i->dims[k - p->axis]
                                                : x->dims[k - i->rank + 1];
        sound = y->dims[k] == wanted;
    }
    return sound ? NULL : "the output does not fit the indices";
}

/* Copies the units [begin, end), each of which is a run of `inner` elements. */
static void gather_range(void *context, size_t begin, size_t end) {
    const gather_task *task = context;
    axis_view v = task->view;
    size_t bytes = v.inner * kiln_dtype_size(task->call->inputs[0].dtype);
    const int64_t *indices = task->call->inputs[1].data;
    for (size_t unit = begin; unit < end; unit++) {
        size_t outer = unit / task->indices;
        int64_t size = (int64_t)v.size, index = indices[unit % task->indices];
        index = index < -size ? -size : index >= size ? size - 1 : index;
        index += index < 0 ? size : 0;
        memcpy((uint8_t *)task->call->outputs[0].data + unit * bytes,
               (const uint8_t *)task->call->inputs[0].data +
                   (outer * v.size + (size_t)index) * bytes,
               bytes);
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_gather_params *p = call->params;
    const operand *i = &call->inputs[1];
    gather_task task = {call, axis_of(&call->inputs[0], p->axis, call->run.batch),
                        operand_outer(i, call->run.batch) * i->inner};
    kernel_parallel(call, task.view.outer * task.indices, 1 + 4096 / task.view.inner, &task,
                    gather_range);
    return KILN_OK;
}

const kernel kernel_gather = {
    KERNEL("gather", kiln_gather_params, NULL, KERNEL_INPUTS(2, 2, 0, IS_I64),
           KERNEL_OUTPUTS(1, 1, IS_TYPED_LIKE_X)),
    .check = check,
    .run = run,
};
