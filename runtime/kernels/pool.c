/* MAX_POOL_2D and AVERAGE_POOL_2D. */
#include "runtime/kernels/sliding.h"

#define MAX_EXTENT 65536u

static bool sane_parameters(const kiln_pool_params *p, bool average) {
    const uint32_t positive[] = {p->kernel_height, p->kernel_width,    p->stride_height,
                                 p->stride_width,  p->dilation_height, p->dilation_width};
    for (size_t k = 0; k < sizeof positive / sizeof *positive; k++) {
        if (positive[k] == 0 || positive[k] > MAX_EXTENT) {
            return false;
        }
    }
    uint64_t tall = ((uint64_t)p->kernel_height - 1) * p->dilation_height + 1;
    uint64_t wide = ((uint64_t)p->kernel_width - 1) * p->dilation_width + 1;
    bool one = p->dilation_height == 1 && p->dilation_width == 1;
    return p->min < p->max && (uint64_t)p->kernel_height * p->kernel_width > 1 &&
           p->padding_top < tall && p->padding_bottom < tall && p->padding_left < wide &&
           p->padding_right < wide && (!average || one);
}

static uint64_t output_size(uint64_t input, uint64_t before, uint64_t after, uint64_t kernel,
                            uint64_t dilation, uint64_t stride) {
    uint64_t padded = input + before + after, extent = (kernel - 1) * dilation + 1;
    return padded < extent ? 0 : (padded - extent) / stride + 1;
}

static const char *check(const kernel_call *call, bool average) {
    const kiln_pool_params *p = call->params;
    image_dims in, out;
    if (!sane_parameters(p, average)) {
        return "parameters out of range";
    }
    (void)operand_image(&call->inputs[0], &in);
    (void)operand_image(&call->outputs[0], &out);
    if (call->inputs[0].rank != call->outputs[0].rank || in.c != out.c ||
        output_size(in.h, p->padding_top, p->padding_bottom, p->kernel_height, p->dilation_height,
                    p->stride_height) != out.h ||
        output_size(in.w, p->padding_left, p->padding_right, p->kernel_width, p->dilation_width,
                    p->stride_width) != out.w) {
        return "the output's size does not follow from the input's";
    }
    return NULL;
}

static const char *check_max(const kernel_call *call) {
    return check(call, false);
}

static const char *check_average(const kernel_call *call) {
    return check(call, true);
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
    .check = check_max,
    .run = run_max,
    .rows = rows,
};

const kernel kernel_average_pool_2d = {
    KERNEL("average_pool_2d", kiln_pool_params, NULL,
           KERNEL_INPUTS(1, 1, IS_F32 | IS_IMAGE | IS_VARIABLE),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_IMAGE | IS_BATCHED_LIKE_X), KERNEL_STRIDED(1, 1)),
    .check = check_average,
    .run = run_average,
    .rows = rows,
};
