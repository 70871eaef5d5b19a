/* A tensor in ONNX order seen along one axis: [outer][size][inner]. */
#ifndef KILN_COMPILER_OPS_AXES_H
#define KILN_COMPILER_OPS_AXES_H

#include "compiler/graph/graph.h"

typedef struct axis_span {
    int64_t outer, size, inner;
} axis_span;

static inline axis_span axis_span_of(const tensor *t, uint32_t axis) {
    axis_span span = {1, t->dims[axis], 1};
    for (uint32_t k = 0; k < t->rank; k++) {
        span.outer *= k < axis ? t->dims[k] : 1;
        span.inner *= k > axis ? t->dims[k] : 1;
    }
    return span;
}

#endif
