/* SCATTER_ELEMENTS, SCATTER_ND: a copy of the data, into which updates are written one after the
 * other; see indexed.h for indices outside. */
#include "runtime/kernels/indexed.h"

#include <math.h>
#include <string.h>

static bool reduces(const kernel_call *call, uint32_t reduction) {
    kiln_dtype dtype = call->inputs[0].dtype;
    return reduction == KILN_SCATTER_SET ||
           (reduction < KILN_SCATTER_COUNT && (dtype == KILN_F32 || dtype == KILN_I64));
}

/* ---- Writing ------------------------------------------------------------------------------- */

static float reduced_float(uint32_t reduction, float a, float b) {
    switch (reduction) {
    case KILN_SCATTER_ADD:
        return a + b;
    case KILN_SCATTER_MUL:
        return a * b;
    case KILN_SCATTER_MAX:
        return isnan(a) || a > b ? a : b;
    default:
        return isnan(a) || a < b ? a : b;
    }
}

static int64_t reduced_integer(uint32_t reduction, int64_t a, int64_t b) {
    switch (reduction) {
    case KILN_SCATTER_ADD:
        return (int64_t)((uint64_t)a + (uint64_t)b);
    case KILN_SCATTER_MUL:
        return (int64_t)((uint64_t)a * (uint64_t)b);
    case KILN_SCATTER_MAX:
        return a > b ? a : b;
    default:
        return a < b ? a : b;
    }
}

/* Joins `count` elements of the updates, from `from` on, to those of y from `to` on. */
static void update(const kernel_call *call, uint32_t reduction, size_t from, size_t to,
                   size_t count) {
    const operand *u = &call->inputs[2], *y = &call->outputs[0];
    size_t size = kiln_dtype_size(y->dtype);
    if (reduction == KILN_SCATTER_SET) {
        memcpy((uint8_t *)y->data + to * size, (const uint8_t *)u->data + from * size,
               count * size);
        return;
    }
    for (size_t k = 0; k < count; k++) {
        if (y->dtype == KILN_F32) {
            float *old = (float *)y->data + to + k;
            *old = reduced_float(reduction, *old, ((const float *)u->data)[from + k]);
        } else {
            int64_t *old = (int64_t *)y->data + to + k;
            *old = reduced_integer(reduction, *old, ((const int64_t *)u->data)[from + k]);
        }
    }
}

static void copy_data(const kernel_call *call) {
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    if (x->data != y->data) {
        memcpy(y->data, x->data,
               operand_outer(x, call->run.batch) * x->inner * kiln_dtype_size(x->dtype));
    }
}

/* ---- SCATTER_ELEMENTS ---------------------------------------------------------------------- */

static const char *check_elements(const kernel_call *call) {
    const kiln_scatter_params *p = call->params;
    const operand *i = &call->inputs[1];
    return index_fits(i, &call->inputs[0], p->axis) && operand_same_dims(i, &call->inputs[2]) &&
                   reduces(call, p->reduction)
               ? NULL
               : "the operands do not fit";
}

static kiln_status run_elements(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_scatter_params *p = call->params;
    const operand *i = &call->inputs[1], *y = &call->outputs[0];
    size_t count = operand_outer(i, call->run.batch) * i->inner, step = 1, index;
    copy_data(call);
    for (size_t k = 0; k < count; k++) {
        size_t base = index_base(i, y, p->axis, k, &step);
        if (index_inside(((const int64_t *)i->data)[k], y->dims[p->axis], &index)) {
            update(call, p->reduction, k, base + step * index, 1);
        }
    }
    return KILN_OK;
}

const kernel kernel_scatter_elements = {
    KERNEL("scatter_elements", kiln_scatter_params, NULL,
           KERNEL_INPUTS(3, 3, 0, IS_I64, IS_TYPED_LIKE_X),
           KERNEL_OUTPUTS(1, 1, IS_TYPED_LIKE_X | IS_SHAPED_LIKE_X), KERNEL_IN_PLACE(1)),
    .check = check_elements,
    .run = run_elements,
};

/* ---- SCATTER_ND ---------------------------------------------------------------------------- */

static const char *check_nd(const kernel_call *call) {
    const kiln_scatter_params *p = call->params;
    const operand *i = &call->inputs[1];
    return p->axis == 0 && i->rank >= 1 &&
                   index_tuples_fit(i, &call->inputs[0], &call->inputs[2], 0) &&
                   reduces(call, p->reduction)
               ? NULL
               : "the operands do not fit";
}

static kiln_status run_nd(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_scatter_params *p = call->params;
    const operand *i = &call->inputs[1], *y = &call->outputs[0];
    size_t length = i->dims[i->rank - 1], slice = 1, index = 0;
    for (size_t k = length; k < y->rank; k++) {
        slice *= y->dims[k];
    }
    copy_data(call);
    for (size_t k = 0; k < i->outer; k++) {
        size_t at = 0;
        bool inside = true;
        for (size_t d = 0; d < length && inside; d++) {
            inside = index_inside(((const int64_t *)i->data)[k * length + d], y->dims[d], &index);
            at = at * y->dims[d] + index;
        }
        if (inside) {
            update(call, p->reduction, k * slice, at * slice, slice);
        }
    }
    return KILN_OK;
}

const kernel kernel_scatter_nd = {
    KERNEL("scatter_nd", kiln_scatter_params, NULL,
           KERNEL_INPUTS(3, 3, IS_UNBATCHED, IS_I64 | IS_UNBATCHED, IS_TYPED_LIKE_X | IS_UNBATCHED),
           KERNEL_OUTPUTS(1, 1, IS_TYPED_LIKE_X | IS_SHAPED_LIKE_X), KERNEL_IN_PLACE(1)),
    .check = check_nd,
    .run = run_nd,
};
