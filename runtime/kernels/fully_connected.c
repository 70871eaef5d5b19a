/* FULLY_CONNECTED on XNNPACK. */
#include "runtime/kernels/xnnpack.h"

static kiln_status check(const kernel_call *call, kiln_error *error) {
    const kiln_fully_connected_params *p = call->params;
    const operand *x = &call->inputs[0], *w = &call->inputs[1], *y = &call->outputs[0];
    const operand *b = call->input_count > 2 ? &call->inputs[2] : NULL;
    bool bias = b != NULL && operand_present(b);
    if (!(p->min < p->max)) {
        return kernel_fail(call, error, "parameters out of range");
    }
    if (x->dtype != KILN_F32 || y->dtype != KILN_F32 || x->rank == 0 || y->rank == 0 ||
        x->batched != y->batched || x->rows != y->rows ||
        (x->batched && (x->rank < 2 || y->rank < 2))) {
        return kernel_fail(call, error, "input and output have different rows");
    }
    if (!w->constant || w->dtype != KILN_F32 || w->rank != 2 || w->dims[0] != y->row ||
        w->dims[1] != x->row) {
        return kernel_fail(call, error, "the weights do not fit input and output");
    }
    if (bias && (!b->constant || b->dtype != KILN_F32 || b->rank != 1 || b->dims[0] != y->row)) {
        return kernel_fail(call, error, "the bias does not fit the output");
    }
    return KILN_OK;
}

static kiln_status prepare(kernel_call *call, kiln_error *error) {
    const kiln_fully_connected_params *p = call->params;
    return xnnpack_create_fully_connected(call, p->min, p->max, error);
}

const kernel kernel_fully_connected = {
    .traits = {.name = "fully_connected",
               .runs_on = "XNNPACK",
               .strided_inputs = 1,
               .strided_outputs = 1,
               .params_bytes = sizeof(kiln_fully_connected_params)},
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .check = check,
    .prepare = prepare,
    .bind = xnnpack_setup_rows,
    .run = xnnpack_run,
    .release = xnnpack_release,
    .packs_constants = true,
};
