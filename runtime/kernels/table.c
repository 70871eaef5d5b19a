/* All kernels, by their number in the plan format. */
#include "runtime/kernels/kernel.h"

#include <stddef.h>

static const kernel *const kernels[KILN_KERNEL_COUNT] = {
    [KILN_KERNEL_COPY] = &kernel_copy,
    [KILN_KERNEL_CAST] = &kernel_cast,
    [KILN_KERNEL_CONV_2D] = &kernel_conv_2d,
    [KILN_KERNEL_DECONV_2D] = &kernel_deconv_2d,
    [KILN_KERNEL_FULLY_CONNECTED] = &kernel_fully_connected,
    [KILN_KERNEL_MAX_POOL_2D] = &kernel_max_pool_2d,
    [KILN_KERNEL_AVERAGE_POOL_2D] = &kernel_average_pool_2d,
    [KILN_KERNEL_POOL_ND] = &kernel_pool_nd,
    [KILN_KERNEL_GLOBAL_AVERAGE_POOL] = &kernel_global_average_pool,
    [KILN_KERNEL_UNARY] = &kernel_unary,
    [KILN_KERNEL_BINARY] = &kernel_binary,
    [KILN_KERNEL_PRELU] = &kernel_prelu,
    [KILN_KERNEL_SOFTMAX] = &kernel_softmax,
    [KILN_KERNEL_WHERE] = &kernel_where,
    [KILN_KERNEL_MATMUL] = &kernel_matmul,
    [KILN_KERNEL_REDUCE] = &kernel_reduce,
    [KILN_KERNEL_ARG_REDUCE] = &kernel_arg_reduce,
    [KILN_KERNEL_TOP_K] = &kernel_top_k,
    [KILN_KERNEL_INSTANCE_NORM] = &kernel_instance_norm,
    [KILN_KERNEL_LAYER_NORM] = &kernel_layer_norm,
    [KILN_KERNEL_LP_NORM] = &kernel_lp_norm,
    [KILN_KERNEL_LRN] = &kernel_lrn,
    [KILN_KERNEL_GATHER] = &kernel_gather,
    [KILN_KERNEL_REMAP] = &kernel_remap,
    [KILN_KERNEL_RESAMPLE] = &kernel_resample,
    [KILN_KERNEL_RESIZE_BILINEAR] = &kernel_resize_bilinear,
    [KILN_KERNEL_CONV_ND] = &kernel_conv_nd,
    [KILN_KERNEL_QUANTIZE] = &kernel_quantize,
    [KILN_KERNEL_QUANTIZE_RANGE] = &kernel_quantize_range,
    [KILN_KERNEL_CUMULATIVE_SUM] = &kernel_cumulative_sum,
    [KILN_KERNEL_GATHER_ELEMENTS] = &kernel_gather_elements,
    [KILN_KERNEL_GATHER_ND] = &kernel_gather_nd,
    [KILN_KERNEL_SCATTER_ELEMENTS] = &kernel_scatter_elements,
    [KILN_KERNEL_SCATTER_ND] = &kernel_scatter_nd,
    [KILN_KERNEL_GRID_SAMPLE] = &kernel_grid_sample,
    [KILN_KERNEL_ROI_ALIGN] = &kernel_roi_align,
};

const kernel *kernel_find(uint32_t kernel_id) {
    return kernel_id < KILN_KERNEL_COUNT ? kernels[kernel_id] : NULL;
}
