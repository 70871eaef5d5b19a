/* The table of one set of instructions. */
#include "runtime/ukernels/vector.h"

extern const ukernels UKERNEL(table);
const ukernels UKERNEL(table) = {
    .name = UKERNEL_NAME,
    .width = VECTOR_WIDTH,
    .mr = GEMM_MR,
    .nr = (size_t)VECTOR_WIDTH * GEMM_NR_VECTORS,
    .gemm = UKERNEL(gemm),
    .gemm_windows = UKERNEL(gemm_windows),
    .winograd = &UKERNEL(winograd),
    .sliding = {UKERNEL(depthwise), UKERNEL(max_pool), UKERNEL(average_pool),
                UKERNEL(depthwise_multiplier)},
    .depthwise_rows = DEPTHWISE_ROWS,
    .global_average_pool = UKERNEL(global_average_pool),
    .peak = &UKERNEL(peak),
    .dense = &UKERNEL(dense),
    .elementwise = &UKERNEL(elementwise),
    .unary = UKERNEL(unary),
    .reduce = &UKERNEL(reduce),
    .softmax = &UKERNEL(softmax),
    .attention = &UKERNEL(attention),
    .image = &UKERNEL(image),
    .bilinear = UKERNEL(bilinear),
};
