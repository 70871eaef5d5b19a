/* The table of one set of instructions. */
#include "runtime/ukernels/vector.h"

#define SET_JOIN(suffix) SET_##suffix
#define SET_NUMBER(suffix) SET_JOIN(suffix)

extern const ukernels UKERNEL(table);
const ukernels UKERNEL(table) = {
    .name = UKERNEL_NAME,
    .set = SET_NUMBER(UKERNEL_SUFFIX),
    .width = VECTOR_WIDTH,
    .mr = GEMM_MR,
    .nr = (size_t)VECTOR_WIDTH * GEMM_NR_VECTORS,
    .depthwise_rows = DEPTHWISE_ROWS,
    .gemm = UKERNEL(gemm),
    .gemm_windows = UKERNEL(gemm_windows),
};
