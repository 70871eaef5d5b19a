/* The kernels of the plan format: their numbers, and what each can do beyond dense tensors. What
 * each computes is told beside its parameters, in the headers read here.
 *
 * There, `x` is input 0, `y` output 0; "physical" dims are in physical order. Clamps apply to f32
 * results; -INFINITY and INFINITY mean none; min < max. NaN passes through a clamp or not, as the
 * kernel pleases. The size of every struct of parameters is a multiple of 8. */
#ifndef KILN_PLAN_KERNELS_H
#define KILN_PLAN_KERNELS_H

#include <kiln/kernels_arithmetic.h>
#include <kiln/kernels_images.h>
#include <kiln/kernels_positions.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All kernels: number, kiln_kernel's name, and the runtime's (kernel_NAME). Numbers stay as they
 * are, and none is left out: a new kernel takes the next one. */
#define KILN_EACH_KERNEL(KERNEL)                                                                   \
    KILN_EACH_ARITHMETIC_KERNEL(KERNEL)                                                            \
    KILN_EACH_IMAGE_KERNEL(KERNEL)                                                                 \
    KILN_EACH_POSITION_KERNEL(KERNEL)

typedef enum kiln_kernel {
#define KILN_KERNEL_NUMBER(number, NAME, name) KILN_KERNEL_##NAME = (number),
    KILN_EACH_KERNEL(KILN_KERNEL_NUMBER)
#undef KILN_KERNEL_NUMBER
#define KILN_KERNEL_ONE(number, NAME, name) +1
        KILN_KERNEL_COUNT = KILN_EACH_KERNEL(KILN_KERNEL_ONE)
#undef KILN_KERNEL_ONE
} kiln_kernel;

/* What a kernel can do beyond dense tensors; the compiler decides copies by it, the runtime's
 * validator holds plans to it. Bit k of a mask stands for input / output k. Rows may be strided
 * (row_stride > row length) only where the mask says so. In place: output 0 may be the same memory
 * (same storage, offset, row_stride) as that input, whose physical dims are then the same. */
typedef struct kiln_kernel_traits {
    const char *name; /* "conv_2d" */
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
