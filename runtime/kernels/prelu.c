/* PRELU on XNNPACK. */
#include "runtime/kernels/xnnpack.h"

static kiln_status check(const kernel_call *call, kiln_error *error) {
    const operand *x = &call->inputs[0], *slope = &call->inputs[1], *y = &call->outputs[0];
    if (x->dtype != KILN_F32 || y->dtype != KILN_F32 || x->rank == 0 || !operand_same_dims(x, y)) {
        return kernel_fail(call, error, "input and output are not f32 of one shape");
    }
    if (!slope->constant || slope->dtype != KILN_F32 || slope->elements != x->inner ||
        (x->batched && x->rank < 2)) {
        return kernel_fail(call, error, "the slopes do not fit the channels");
    }
    return KILN_OK;
}

const kernel kernel_prelu = {
    KERNEL("prelu", "XNNPACK", kiln_prelu_params, NULL, KERNEL_INPUTS(2, 2), KERNEL_OUTPUTS(1, 1),
           KERNEL_STRIDED(1, 1), KERNEL_IN_PLACE(1)),
    .check = check,
    .prepare = xnnpack_create_prelu,
    .bind = xnnpack_setup_rows,
    .run = xnnpack_run,
    .release = xnnpack_release,
    .packs_constants = true,
};
