/* A tensor seen along one dim: [outer][size][inner]. */
#ifndef KILN_RUNTIME_AXIS_H
#define KILN_RUNTIME_AXIS_H

#include "runtime/kernels/kernel.h"

typedef struct axis_view {
    size_t outer, size, inner;
} axis_view;

/* Sets outer, size and inner; outer counts the samples of the run, too. */
axis_view axis_of(const operand *o, uint32_t axis, uint32_t batch);

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
void axis_run(const kernel_call *call, uint32_t axis, size_t grain,
              void (*columns)(void *context, size_t begin, size_t end));

#endif
