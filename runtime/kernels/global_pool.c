/* GLOBAL_AVERAGE_POOL on XNNPACK. */
#include "runtime/kernels/xnnpack.h"

static kiln_status check(const kernel_call *call, kiln_error *error) {
    const kiln_global_pool_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    if (!(p->min < p->max)) {
        return kernel_fail(call, error, "parameters out of range");
    }
    if (x->dtype != KILN_F32 || y->dtype != KILN_F32 || x->layout != KILN_CHANNELS_LAST ||
        x->batched != y->batched || y->rank < 2 || y->dims[0] != x->dims[0] ||
        y->elements != x->dims[0] * x->row) {
        return kernel_fail(call, error, "the output is not one value a channel of the input");
    }
    return KILN_OK;
}

static kiln_status prepare(kernel_call *call, kiln_error *error) {
    const kiln_global_pool_params *p = call->params;
    return xnnpack_create_global_average_pool(call, p->min, p->max, error);
}

const kernel kernel_global_average_pool = {
    .traits = {.name = "global_average_pool",
               .runs_on = "XNNPACK",
               .strided_inputs = 1,
               .params_bytes = sizeof(kiln_global_pool_params)},
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .check = check,
    .prepare = prepare,
    .bind = xnnpack_setup_global_average_pool,
    .run = xnnpack_run,
    .release = xnnpack_release,
};
