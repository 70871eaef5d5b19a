/* A tensor seen along one dim: [outer][size][inner]. */
#ifndef KILN_RUNTIME_AXIS_H
#define KILN_RUNTIME_AXIS_H

#include "runtime/kernels/kernel.h"

typedef struct axis_view {
    size_t outer, size, inner;
} axis_view;

/* Sets outer, size and inner; outer counts the samples of the run, too. */
static inline axis_view axis_of(const operand *o, uint32_t axis, uint32_t batch) {
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

/* What a kernel that computes column by column needs: a column is the `size` elements along the
 * dim, which lie `inner` apart. */
typedef struct axis_task {
    const kernel_call *call;
    axis_view view;
} axis_task;

/* Where a column begins. */
static inline size_t axis_start(const axis_view *v, size_t column) {
    return column / v->inner * v->size * v->inner + column % v->inner;
}

/* Runs `columns`, whose context is an axis_task, on all columns of input 0; `grain`: the fewest
 * elements that a thread is given. */
static inline void axis_run(const kernel_call *call, uint32_t axis, size_t grain,
                            void (*columns)(void *context, size_t begin, size_t end)) {
    axis_task task = {call, axis_of(&call->inputs[0], axis, call->run.batch)};
    kernel_parallel(call, task.view.outer * task.view.inner, 1 + grain / task.view.size, &task,
                    columns);
}

#endif
