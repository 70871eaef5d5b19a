/* The kernels of the plan format: their numbers, and what each can do beyond dense tensors. What
 * each computes is told beside its parameters, in plan_params.h. */
#ifndef KILN_PLAN_KERNELS_H
#define KILN_PLAN_KERNELS_H

#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kiln_kernel {
    KILN_KERNEL_COPY = 0,
    KILN_KERNEL_CAST = 1,
    KILN_KERNEL_CONV_2D = 2,
    KILN_KERNEL_DECONV_2D = 3,
    KILN_KERNEL_FULLY_CONNECTED = 4,
    KILN_KERNEL_MAX_POOL_2D = 5,
    KILN_KERNEL_AVERAGE_POOL_2D = 6,
    KILN_KERNEL_POOL_ND = 7,
    KILN_KERNEL_GLOBAL_AVERAGE_POOL = 8,
    KILN_KERNEL_UNARY = 9,
    KILN_KERNEL_BINARY = 10,
    KILN_KERNEL_PRELU = 11,
    KILN_KERNEL_SOFTMAX = 12,
    KILN_KERNEL_WHERE = 13,
    KILN_KERNEL_MATMUL = 14,
    KILN_KERNEL_REDUCE = 15,
    KILN_KERNEL_ARG_REDUCE = 16,
    KILN_KERNEL_TOP_K = 17,
    KILN_KERNEL_INSTANCE_NORM = 18,
    KILN_KERNEL_LAYER_NORM = 19,
    KILN_KERNEL_LP_NORM = 20,
    KILN_KERNEL_LRN = 21,
    KILN_KERNEL_GATHER = 22,
    KILN_KERNEL_REMAP = 23,
    KILN_KERNEL_RESAMPLE = 24,
    KILN_KERNEL_RESIZE_BILINEAR = 25,
    KILN_KERNEL_CONV_ND = 26,
    KILN_KERNEL_QUANTIZE = 27,
    KILN_KERNEL_QUANTIZE_RANGE = 28,
    KILN_KERNEL_CUMULATIVE_SUM = 29,
    KILN_KERNEL_GATHER_ELEMENTS = 30,
    KILN_KERNEL_GATHER_ND = 31,
    KILN_KERNEL_SCATTER_ELEMENTS = 32,
    KILN_KERNEL_SCATTER_ND = 33,
    KILN_KERNEL_GRID_SAMPLE = 34,
    KILN_KERNEL_ROI_ALIGN = 35,
    KILN_KERNEL_COUNT = 36
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
