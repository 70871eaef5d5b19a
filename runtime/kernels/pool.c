/* MAX_POOL_2D and AVERAGE_POOL_2D. */
#include "runtime/kernels/sliding.h"
#include "runtime/kernels/window.h"

static const char *check(const kernel_call *call) {
    const kiln_pool_params *p = call->params;
    window_axis axes[3];
    window_axes_of(call, axes);
    bool average = call->step->kernel == KILN_KERNEL_AVERAGE_POOL_2D;
    bool sound = window_is_sound(axes) && p->min < p->max && axes[1].kernel * axes[2].kernel > 1 &&
                 !(average && (p->dilation_height > 1 || p->dilation_width > 1));
    for (uint32_t k = 1; k < 3 && sound; k++) {
        uint64_t reach = (uint64_t)(axes[k].kernel - 1) * axes[k].dilation;
        sound = axes[k].pad_begin <= reach && axes[k].pad_end <= reach;
    }
    if (!sound) {
        return "parameters out of range";
    }
    return call->inputs[0].rank == call->outputs[0].rank &&
                   call->inputs[0].inner == call->outputs[0].inner &&
                   window_sizes_follow(axes, false)
               ? NULL
               : "the output's size does not follow from the input's";
}

static kiln_status run(const kernel_call *call, sliding_op op, sliding_ukernel *ukernel) {
    const kiln_pool_params *p = call->params;
    sliding_shape shape = {.op = op,
                           .ukernel = ukernel,
                           .kernel_height = p->kernel_height,
                           .kernel_width = p->kernel_width,
                           .stride_height = p->stride_height,
                           .stride_width = p->stride_width,
                           .dilation_height = p->dilation_height,
                           .dilation_width = p->dilation_width,
                           .padding_top = p->padding_top,
                           .padding_left = p->padding_left,
                           .pool = 1,
                           .finish = {.min = p->min, .max = p->max}};
    sliding_run(call, ukernels_best(), &shape);
    return KILN_OK;
}

static kiln_status run_max(kernel_call *call, kiln_error *error) {
    (void)error;
    return run(call, SLIDING_MAX_POOL, ukernels_max_pool(ukernels_best()));
}

static kiln_status run_average(kernel_call *call, kiln_error *error) {
    (void)error;
    return run(call, SLIDING_AVERAGE_POOL, ukernels_average_pool(ukernels_best()));
}

static uint32_t rows(const kernel_call *call, uint32_t input, row_rule *out_rule) {
    const kiln_pool_params *p = call->params;
    uint64_t extent = ((uint64_t)p->kernel_height - 1) * p->dilation_height + 1;
    (void)input;
    *out_rule = (row_rule){p->stride_height, p->padding_top, (uint32_t)extent};
    return extent > INT32_MAX ? 0 : 1;
}

const kernel kernel_max_pool_2d = {
    KERNEL("max_pool_2d", kiln_pool_params, NULL,
           KERNEL_INPUTS(1, 1, IS_F32 | IS_IMAGE | IS_VARIABLE),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_IMAGE | IS_BATCHED_LIKE_X), KERNEL_STRIDED(1, 1)),
    .check = check,
    .run = run_max,
    .rows = rows,
};

const kernel kernel_average_pool_2d = {
    KERNEL("average_pool_2d", kiln_pool_params, NULL,
           KERNEL_INPUTS(1, 1, IS_F32 | IS_IMAGE | IS_VARIABLE),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_IMAGE | IS_BATCHED_LIKE_X), KERNEL_STRIDED(1, 1)),
    .check = check,
    .run = run_average,
    .rows = rows,
};
