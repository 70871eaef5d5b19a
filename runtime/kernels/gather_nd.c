/* GATHER_ELEMENTS, GATHER_ND: see indexed.h for indices outside. */
#include "runtime/kernels/indexed.h"

#include <string.h>

/* ---- GATHER_ELEMENTS ----------------------------------------------------------------------- */

static const char *check_elements(const kernel_call *call) {
    const kiln_gather_params *p = call->params;
    const operand *x = &call->inputs[0], *i = &call->inputs[1], *y = &call->outputs[0];
    return index_fits(i, x, p->axis) && operand_same_dims(i, y) ? NULL : "the operands do not fit";
}

static void gather_elements(void *context, size_t begin, size_t end) {
    const kernel_call *call = context;
    const kiln_gather_params *p = call->params;
    const operand *x = &call->inputs[0], *i = &call->inputs[1], *y = &call->outputs[0];
    size_t size = kiln_dtype_size(x->dtype), step = 1;
    for (size_t k = begin; k < end; k++) {
        size_t base = index_base(i, x, p->axis, k, &step);
        size_t at = base + step * index_nearest(((const int64_t *)i->data)[k], x->dims[p->axis]);
        memcpy((uint8_t *)y->data + k * size, (const uint8_t *)x->data + at * size, size);
    }
}

static kiln_status run_elements(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *y = &call->outputs[0];
    kernel_parallel(call, operand_outer(y, call->run.batch) * y->inner, 2048, call,
                    gather_elements);
    return KILN_OK;
}

const kernel kernel_gather_elements = {
    KERNEL("gather_elements", kiln_gather_params, NULL, KERNEL_INPUTS(2, 2, 0, IS_I64),
           KERNEL_OUTPUTS(1, 1, IS_TYPED_LIKE_X)),
    .check = check_elements,
    .run = run_elements,
};

/* ---- GATHER_ND ----------------------------------------------------------------------------- */

static const char *check_nd(const kernel_call *call) {
    const kiln_gather_nd_params *p = call->params;
    const operand *x = &call->inputs[0], *i = &call->inputs[1], *y = &call->outputs[0];
    if (i->rank < 1 || p->batch_dims >= i->rank || p->batch_dims > x->rank ||
        i->dims[i->rank - 1] > x->rank - p->batch_dims) {
        return "the indices do not fit the input";
    }
    bool batches = x->batched == (i->batched && p->batch_dims > 0) && y->batched == i->batched &&
                   !(i->batched && i->rank == 1);
    return batches && index_tuples_fit(i, x, y, p->batch_dims)
               ? NULL
               : "the output does not fit the indices";
}

typedef struct nd_task {
    const kernel_call *call;
    size_t tuples;      /* tuples of indices for each index of the leading dims */
    size_t sample;      /* elements of x that such tuples choose from */
    size_t slice;       /* elements that one tuple addresses */
    const size_t *dims; /* x's dims that a tuple's indices belong to */
    size_t length;      /* indices in a tuple */
} nd_task;

static void gather_tuples(void *context, size_t begin, size_t end) {
    const nd_task *task = context;
    const operand *x = &task->call->inputs[0], *y = &task->call->outputs[0];
    const int64_t *indices = task->call->inputs[1].data;
    size_t bytes = task->slice * kiln_dtype_size(x->dtype);
    for (size_t k = begin; k < end; k++) {
        size_t at = 0;
        for (size_t d = 0; d < task->length; d++) {
            at = at * task->dims[d] + index_nearest(indices[k * task->length + d], task->dims[d]);
        }
        at = k / task->tuples * task->sample + at * task->slice;
        memcpy((uint8_t *)y->data + k * bytes,
               (const uint8_t *)x->data + at * kiln_dtype_size(x->dtype), bytes);
    }
}

static kiln_status run_nd(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_gather_nd_params *p = call->params;
    const operand *x = &call->inputs[0], *i = &call->inputs[1];
    nd_task task = {.call = call,
                    .tuples = 1,
                    .sample = 1,
                    .slice = 1,
                    .dims = x->dims + p->batch_dims,
                    .length = i->dims[i->rank - 1]};
    for (uint32_t k = p->batch_dims; k < x->rank; k++) {
        task.sample *= x->dims[k];
        task.slice *= k >= p->batch_dims + task.length ? x->dims[k] : 1;
    }
    for (uint32_t k = p->batch_dims; k + 1 < i->rank; k++) {
        task.tuples *= operand_dim(i, k, call->run.batch);
    }
    size_t count = operand_outer(i, call->run.batch);
    kernel_parallel(call, count, 1 + 2048 / task.slice, &task, gather_tuples);
    return KILN_OK;
}

const kernel kernel_gather_nd = {
    KERNEL("gather_nd", kiln_gather_nd_params, NULL, KERNEL_INPUTS(2, 2, 0, IS_I64),
           KERNEL_OUTPUTS(1, 1, IS_TYPED_LIKE_X)),
    .check = check_nd,
    .run = run_nd,
};
