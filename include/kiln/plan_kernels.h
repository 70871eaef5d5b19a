/* The kernels of the plan format: their numbers, and what each can do beyond dense tensors. What
 * each computes is told beside its parameters, in plan_params.h. */
#ifndef KILN_PLAN_KERNELS_H
#define KILN_PLAN_KERNELS_H

#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All kernels: number, kiln_kernel's name, and the runtime's (kernel_NAME). Numbers stay as they
 * are; a new kernel comes last. */
#define KILN_EACH_KERNEL(KERNEL)                                                                   \
    KERNEL(0, COPY, copy)                                                                          \
    KERNEL(1, CAST, cast)                                                                          \
    KERNEL(2, CONV_2D, conv_2d)                                                                    \
    KERNEL(3, DECONV_2D, deconv_2d)                                                                \
    KERNEL(4, FULLY_CONNECTED, fully_connected)                                                    \
    KERNEL(5, MAX_POOL_2D, max_pool_2d)                                                            \
    KERNEL(6, AVERAGE_POOL_2D, average_pool_2d)                                                    \
    KERNEL(7, POOL_ND, pool_nd)                                                                    \
    KERNEL(8, GLOBAL_AVERAGE_POOL, global_average_pool)                                            \
    KERNEL(9, UNARY, unary)                                                                        \
    KERNEL(10, BINARY, binary)                                                                     \
    KERNEL(11, PRELU, prelu)                                                                       \
    KERNEL(12, SOFTMAX, softmax)                                                                   \
    KERNEL(13, WHERE, where)                                                                       \
    KERNEL(14, MATMUL, matmul)                                                                     \
    KERNEL(15, REDUCE, reduce)                                                                     \
    KERNEL(16, ARG_REDUCE, arg_reduce)                                                             \
    KERNEL(17, TOP_K, top_k)                                                                       \
    KERNEL(18, INSTANCE_NORM, instance_norm)                                                       \
    KERNEL(19, LAYER_NORM, layer_norm)                                                             \
    KERNEL(20, LP_NORM, lp_norm)                                                                   \
    KERNEL(21, LRN, lrn)                                                                           \
    KERNEL(22, GATHER, gather)                                                                     \
    KERNEL(23, REMAP, remap)                                                                       \
    KERNEL(24, RESAMPLE, resample)                                                                 \
    KERNEL(25, RESIZE_BILINEAR, resize_bilinear)                                                   \
    KERNEL(26, CONV_ND, conv_nd)                                                                   \
    KERNEL(27, QUANTIZE, quantize)                                                                 \
    KERNEL(28, QUANTIZE_RANGE, quantize_range)                                                     \
    KERNEL(29, CUMULATIVE_SUM, cumulative_sum)                                                     \
    KERNEL(30, GATHER_ELEMENTS, gather_elements)                                                   \
    KERNEL(31, GATHER_ND, gather_nd)                                                               \
    KERNEL(32, SCATTER_ELEMENTS, scatter_elements)                                                 \
    KERNEL(33, SCATTER_ND, scatter_nd)                                                             \
    KERNEL(34, GRID_SAMPLE, grid_sample)                                                           \
    KERNEL(35, ROI_ALIGN, roi_align)                                                               \
    KERNEL(36, GROUP_NORM, group_norm)

typedef enum kiln_kernel {
#define KILN_KERNEL_NUMBER(number, NAME, name) KILN_KERNEL_##NAME = (number),
    KILN_EACH_KERNEL(KILN_KERNEL_NUMBER)
#undef KILN_KERNEL_NUMBER
        KILN_KERNEL_COUNT
} kiln_kernel;

/* What a kernel can do beyond dense tensors; the compiler decides copies by it, the runtime's
 * validator holds plans to it. Bit k of a mask stands for input / output k. Rows may be strided
 * (row_stride > row length) only where the mask says so. In place: output 0 may be the same memory
 * (same storage, offset, row_stride) as that input, whose physical dims are then the same. */
typedef struct kiln_kernel_traits {
    const char *name;    /* "conv_2d" */
    const char *runs_on; /* "XNNPACK", "Kiln" (C of ours) or "XNNPACK/Kiln" */
    uint8_t strided_inputs;
    uint8_t strided_outputs;
    uint8_t in_place_inputs;
    uint32_t params_bytes; /* size of its parameter struct */
} kiln_kernel_traits;

/* NULL when kernel is not a kiln_kernel. */
KILN_API const kiln_kernel_traits *kiln_kernel_describe(uint32_t kernel);

#ifdef __cplusplus
}
#endif
#endif
