/* What is known of the kernels and algorithms that a plan names. */
#include "runtime/kernels/kernel.h"

const kiln_kernel_traits *kiln_kernel_describe(uint32_t kernel_id) {
    const kernel *kernel = kernel_find(kernel_id);
    return kernel != NULL ? &kernel->traits : NULL;
}

const char *kiln_conv_algorithm_name(uint32_t algorithm) {
    static const char *const names[KILN_CONV_ALGORITHM_COUNT] = {
        [KILN_CONV_DIRECT] = "direct",
        [KILN_CONV_WINOGRAD_2] = "winograd2",
        [KILN_CONV_WINOGRAD_4] = "winograd4",
        [KILN_CONV_WINOGRAD_6] = "winograd6",
        [KILN_CONV_GEMM] = "gemm",
        [KILN_CONV_DEPTHWISE] = "depthwise"};
    return algorithm < KILN_CONV_ALGORITHM_COUNT ? names[algorithm] : "?";
}
