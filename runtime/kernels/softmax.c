/* SOFTMAX along any dim, and its logarithm: micro-kernels. */
#include "runtime/kernels/axis.h"
#include "runtime/ukernels/ukernels.h"

/* What all tasks share: x is seen as [outer][size][inner]. */
typedef struct softmax_view {
    const float *x;
    float *y;
    size_t size, inner, together; /* columns are shared out by so many */
    bool log;
} softmax_view;

static const char *check(const kernel_call *call) {
    const kiln_softmax_params *p = call->params;
    return axis_is_sound(&call->inputs[0], p->axis) && p->log <= 1 ? NULL
                                                                   : "parameters out of range";
}

static void softmax_rows(void *context, size_t begin, size_t end) {
    const softmax_view *v = context;
    for (size_t row = begin; row < end; row++) {
        ukernels_softmax(ukernels_best())
            ->row[v->log](v->x + row * v->size, v->size, v->y + row * v->size);
    }
}

/* Computes the columns [begin, end), counted through one matrix after the other. */
static void softmax_columns(void *context, size_t begin, size_t end) {
    const softmax_view *v = context;
    const softmax_ukernels *ukernels = ukernels_softmax(ukernels_best());
    begin *= v->together;
    end *= v->together;
    while (begin < end) {
        size_t column = begin % v->inner, left = v->inner - column;
        size_t columns = end - begin < left ? end - begin : left;
        size_t start = begin / v->inner * v->size * v->inner + column;
        ukernels->columns[v->log](v->x + start, v->size, v->inner, columns, v->y + start);
        begin += columns;
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_softmax_params *p = call->params;
    axis_view axis = axis_of(&call->inputs[0], p->axis, call->run.batch);
    softmax_view view = {.x = call->inputs[0].data,
                         .y = call->outputs[0].data,
                         .size = axis.size,
                         .inner = axis.inner,
                         .together = axis.inner <= VECTOR_MAX ? axis.inner : 1, /* narrow: whole */
                         .log = p->log != 0};
    kernel_parallel(call, axis.outer * axis.inner / view.together,
                    1 + 4096 / view.size / view.together, &view,
                    view.inner == 1 ? softmax_rows : softmax_columns);
    return KILN_OK;
}

const kernel kernel_softmax = {
    KERNEL("softmax", kiln_softmax_params, NULL, KERNEL_INPUTS(1, 1, IS_F32),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_SHAPED_LIKE_X), KERNEL_IN_PLACE(1)),
    .check = check,
    .run = run,
};
