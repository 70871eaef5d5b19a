/* One rule a kernel: the ONNX nodes that say the same, or why there are none. */
#include "compiler/export/exporting.h"

/* There is no default: the compiler warns of a kernel that is forgotten. */
kiln_status export_step(exporting *x) {
    switch ((kiln_kernel)x->step->kernel) {
    case KILN_KERNEL_COPY:
        return export_copy(x);
    case KILN_KERNEL_CAST:
        return export_cast(x);
    case KILN_KERNEL_CONV_2D:
        return export_conv(x);
    case KILN_KERNEL_FULLY_CONNECTED:
        return export_dense(x);
    case KILN_KERNEL_MAX_POOL_2D:
    case KILN_KERNEL_AVERAGE_POOL_2D:
        return export_pool(x);
    case KILN_KERNEL_POOL_ND:
        return export_pool_nd(x);
    case KILN_KERNEL_GLOBAL_AVERAGE_POOL:
        return export_global_pool(x);
    case KILN_KERNEL_UNARY:
        return export_unary(x);
    case KILN_KERNEL_BINARY:
        return export_binary(x);
    case KILN_KERNEL_PRELU:
        return export_prelu(x);
    case KILN_KERNEL_SOFTMAX:
        return export_softmax(x);
    case KILN_KERNEL_WHERE:
        return export_where(x);
    case KILN_KERNEL_MATMUL:
        return export_matmul(x);
    case KILN_KERNEL_REDUCE:
        return export_reduce(x);
    case KILN_KERNEL_ARG_REDUCE:
        return export_arg_reduce(x);
    case KILN_KERNEL_INSTANCE_NORM:
        return export_instance_norm(x);
    case KILN_KERNEL_LP_NORM:
        return export_lp_norm(x);
    case KILN_KERNEL_LRN:
        return export_lrn(x);
    case KILN_KERNEL_GATHER:
    case KILN_KERNEL_GATHER_ELEMENTS:
        return export_gather(x);
    case KILN_KERNEL_QUANTIZE:
        return export_quantize(x);
    case KILN_KERNEL_QUANTIZE_RANGE:
        return export_quantize_range(x);
    case KILN_KERNEL_CUMULATIVE_SUM:
        return export_cumulative_sum(x);
    case KILN_KERNEL_GATHER_ND:
        return export_gather_nd(x);
    case KILN_KERNEL_SCATTER_ELEMENTS:
    case KILN_KERNEL_SCATTER_ND:
        return export_scatter(x);
    case KILN_KERNEL_GRID_SAMPLE:
        return export_grid_sample(x);
    case KILN_KERNEL_ROI_ALIGN:
        return export_roi_align(x);
    case KILN_KERNEL_DECONV_2D:
        return export_fail(x, "no rule is written for transposed convolutions");
    case KILN_KERNEL_TOP_K:
        return export_fail(x, "no rule is written for the largest elements along an axis");
    case KILN_KERNEL_LAYER_NORM:
        return export_fail(x, "no rule is written for layer normalization");
    case KILN_KERNEL_REMAP:
        return export_fail(x, "ONNX takes no table of indices for each dimension");
    case KILN_KERNEL_RESAMPLE:
        return export_fail(x, "ONNX takes no table of weights for each position");
    case KILN_KERNEL_RESIZE_BILINEAR:
        return export_fail(x, "no rule is written for resizing");
    case KILN_KERNEL_CONV_ND:
        return export_fail(x, "no rule is written for convolutions over volumes");
    case KILN_KERNEL_COUNT:
        break;
    }
    return export_fail(x, "there is no such kernel");
}
