/* CONV_ND: what CONV_2D and DECONV_2D are not: three spatial dims, and transposed convolutions with
 * an adjustment of the stride and more, or an output smaller than it. */
#include "runtime/kernels/conv_direct.h"
#include "runtime/kernels/window.h"

static const char *check(const kernel_call *call) {
    const kiln_conv_nd_params *p = call->params;
    const operand *x = &call->inputs[0], *w = &call->inputs[1], *y = &call->outputs[0];
    window_axis axes[3];
    bool sound = x->rank >= 3 && x->rank <= 5 && x->rank == y->rank && w->rank == x->rank &&
                 p->groups > 0 && w->dims[0] == y->inner && y->inner % p->groups == 0 &&
                 x->inner % p->groups == 0 && w->dims[w->rank - 1] == x->inner / p->groups &&
                 !(has_input(call, 2) && call->inputs[2].elements != y->inner);
    if (!sound) {
        return "the operands do not fit";
    }
    window_axes_of(call, axes);
    return p->min < p->max && p->transposed <= 1 && window_is_sound(axes) &&
                   window_sizes_follow(axes, p->transposed != 0)
               ? NULL
               : "parameters out of range";
}

static uint64_t macs_of_conv(const kernel_call *call) {
    const kiln_conv_nd_params *p = call->params;
    return conv_macs(call, p->transposed != 0 ? &call->inputs[0] : &call->outputs[0]);
}

const kernel kernel_conv_nd = {
    KERNEL(
        "conv_nd", kiln_conv_nd_params, macs_of_conv,
        KERNEL_INPUTS(2, 3, IS_F32 | IS_CHANNELS_LAST, IS_F32 | IS_CONSTANT, IS_F32 | IS_CONSTANT),
        KERNEL_OUTPUTS(1, 1, IS_F32 | IS_CHANNELS_LAST | IS_BATCHED_LIKE_X), KERNEL_STRIDED(1, 1)),
    .check = check,
    .prepare = conv_direct_prepare,
    .run = conv_direct_run,
    .scratch = conv_direct_scratch,
    .packs_constants = true,
};
