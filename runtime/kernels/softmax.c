/* SOFTMAX along any dim, and its logarithm: micro-kernels. */
#include "runtime/kernels/kernel.h"
#include "runtime/ukernels/ukernels.h"

/* What all tasks share: x is seen as [outer][size][inner]. */
typedef struct softmax_view {
    const float *x;
    float *y;
    size_t size, inner, together; /* columns are shared out by so many */
    bool log;
} softmax_view;

static kiln_status check(const kernel_call *call, kiln_error *error) {
    const kiln_softmax_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    if (p->axis >= x->rank || p->log > 1 || (p->axis == 0 && x->batched)) {
        return kernel_fail(call, error, "parameters out of range");
    }
    if (x->dtype != KILN_F32 || y->dtype != KILN_F32 || !operand_same_dims(x, y)) {
        return kernel_fail(call, error, "input and output are not f32 of one shape");
    }
    return KILN_OK;
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
    const operand *x = &call->inputs[0];
    softmax_view view = {x->data, call->outputs[0].data, x->dims[p->axis], 1, 1, p->log != 0};
    size_t outer = 1;
    for (uint32_t k = 0; k < x->rank; k++) {
        if (k < p->axis) {
            outer *= operand_dim(x, k, call->run.batch);
        } else if (k > p->axis) {
            view.inner *= x->dims[k];
        }
    }
    if (view.inner <= VECTOR_MAX) {
        view.together = view.inner; /* narrow matrices stay whole */
    }
    kernel_parallel(call, outer * view.inner / view.together, 1 + 4096 / view.size / view.together,
                    &view, view.inner == 1 ? softmax_rows : softmax_columns);
    return KILN_OK;
}

const kernel kernel_softmax = {
    KERNEL("softmax", kiln_softmax_params, NULL, KERNEL_INPUTS(1, 1), KERNEL_OUTPUTS(1, 1),
           KERNEL_IN_PLACE(1)),
    .check = check,
    .run = run,
};
