/* A tensor seen along one dim. */
#include "runtime/kernels/axis.h"

axis_view axis_of(const operand *o, uint32_t axis, uint32_t batch) {
    axis_view view = {1, o->dims[axis], 1};
    for (uint32_t k = 0; k < o->rank; k++) {
        if (k < axis) {
            view.outer *= operand_dim(o, k, batch);
        } else if (k > axis) {
            view.inner *= o->dims[k];
        }
    }
    return view;
}

void axis_run(const kernel_call *call, uint32_t axis, size_t grain,
              void (*columns)(void *context, size_t begin, size_t end)) {
    axis_task task = {call, axis_of(&call->inputs[0], axis, call->run.batch)};
    kernel_parallel(call, task.view.outer * task.view.inner, 1 + grain / task.view.size, &task,
                    columns);
}
