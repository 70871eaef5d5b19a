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

/* Whether the dim exists and is not the batch, so that it may be treated alone. */
static inline bool axis_is_sound(const operand *o, uint32_t axis) {
    return axis < o->rank && !(axis == 0 && o->batched);
}

#endif
