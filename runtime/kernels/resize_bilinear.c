/* RESIZE_BILINEAR on XNNPACK. */
#include "runtime/kernels/xnnpack.h"

#define MAX_SIZE ((size_t)1 << 23) /* sizes are floats inside XNNPACK: exact up to 2^24 */

static kiln_status check(const kernel_call *call, kiln_error *error) {
    const kiln_resize_bilinear_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    image_dims in, out;
    if (p->mode > KILN_RESIZE_ASYMMETRIC) {
        return kernel_fail(call, error, "parameters out of range");
    }
    if (x->rank != 4 || y->rank != 4 || !operand_image(x, &in) || !operand_image(y, &out) ||
        x->dtype != KILN_F32 || y->dtype != KILN_F32 || x->batched != y->batched || in.n != out.n ||
        in.c != out.c || in.h > MAX_SIZE || in.w > MAX_SIZE || out.h > MAX_SIZE ||
        out.w > MAX_SIZE) {
        return kernel_fail(call, error, "input and output are not f32 images of one batch");
    }
    return KILN_OK;
}

static kiln_status prepare(kernel_call *call, kiln_error *error) {
    const kiln_resize_bilinear_params *p = call->params;
    return xnnpack_create_resize_bilinear(call, (kiln_resize_mode)p->mode, error);
}

/* XNNPACK keeps four pointers and two weights for each output pixel. */
static size_t heap(const kernel_call *call) {
    return call->outputs[0].outer * (4 * sizeof(void *) + 2 * sizeof(float));
}

const kernel kernel_resize_bilinear = {
    KERNEL("resize_bilinear", "XNNPACK", kiln_resize_bilinear_params, NULL, KERNEL_INPUTS(1, 1),
           KERNEL_OUTPUTS(1, 1), KERNEL_STRIDED(1, 1)),
    .check = check,
    .prepare = prepare,
    .bind = xnnpack_setup_resize_bilinear,
    .run = xnnpack_run,
    .release = xnnpack_release,
    .heap = heap,
};
