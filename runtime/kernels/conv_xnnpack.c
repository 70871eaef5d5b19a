/* CONV_2D and DECONV_2D by XNNPACK. */
#include "runtime/kernels/conv_xnnpack.h"
#include "runtime/kernels/conv_repair.h"
#include "runtime/xnnpack/xnnpack.h"

/* XNNPACK's clamps turn what is not a number into a bound where the processor's minimum and maximum
 * give their second operand then, as x86's do. ARM's give NaN. */
#ifdef __ARM_NEON
static const bool loses_nan = false;
#else
static const bool loses_nan = true;
#endif

typedef struct conv {
    xnnpack_conv *xnnpack;
    bool wild; /* some weight or some bias is not finite */
} conv;

static kiln_status create(const kernel_call *call, xnnpack_conv **out_conv, kiln_error *error) {
    const kiln_conv_params *p = call->params;
    const operand *x = &call->inputs[0], *w = &call->inputs[1], *y = &call->outputs[0];
    xnnpack_conv_shape shape = {.padding_top = p->padding_top,
                                .padding_right = p->padding_right,
                                .padding_bottom = p->padding_bottom,
                                .padding_left = p->padding_left,
                                .kernel_height = (uint32_t)w->dims[1],
                                .kernel_width = (uint32_t)w->dims[2],
                                .stride_height = p->stride_height,
                                .stride_width = p->stride_width,
                                .dilation_height = p->dilation_height,
                                .dilation_width = p->dilation_width,
                                .groups = p->groups,
                                .group_inputs = w->dims[3],
                                .group_outputs = w->dims[0] / p->groups,
                                .input_stride = x->row_stride,
                                .output_stride = y->row_stride,
                                .min = p->min,
                                .max = p->max,
                                .transposed = call->step->kernel == KILN_KERNEL_DECONV_2D,
                                .adjustment_height = p->adjustment_height,
                                .adjustment_width = p->adjustment_width};
    return xnnpack_conv_create(call->host->allocator, &shape, w->data, optional_input(call, 2),
                               out_conv, error);
}

kiln_status conv_xnnpack_prepare(kernel_call *call, kiln_error *error) {
    conv *c = call->state = kernel_allocate(call, sizeof *c, error);
    if (c == NULL) {
        return KILN_ERROR_MEMORY;
    }
    c->wild = loses_nan && conv_has_wild_constants(call);
    return create(call, &c->xnnpack, error);
}

kiln_status conv_xnnpack_bind(kernel_call *call, kiln_error *error) {
    const conv *c = call->state;
    const operand *x = &call->inputs[0];
    image_dims image;
    (void)operand_image(x, &image);
    return xnnpack_conv_setup(c->xnnpack, operand_dim(x, 0, call->run.batch), image.h, image.w,
                              x->data, call->outputs[0].data, call->host->pthreadpool, error);
}

kiln_status conv_xnnpack_run(kernel_call *call, kiln_error *error) {
    const conv *c = call->state;
    kiln_status status = xnnpack_conv_run(c->xnnpack, call->host->pthreadpool, error);
    if (status == KILN_OK && loses_nan) {
        conv_repair(call, c->wild);
    }
    return status;
}

void conv_xnnpack_release(kernel_call *call) {
    const conv *c = call->state;
    xnnpack_conv_destroy(c->xnnpack);
}
