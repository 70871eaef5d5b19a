/* What a convolution's algorithm does in the place of its kernel's functions. */
#ifndef KILN_RUNTIME_CONV_ALGORITHM_H
#define KILN_RUNTIME_CONV_ALGORITHM_H

#include "runtime/kernels/kernel.h"

typedef struct conv_algorithm {
    const char *(*check)(const kernel_call *call);
    const char *(*lacks)(const kernel_call *call);
    kiln_status (*prepare)(kernel_call *call, kiln_error *error);
    kiln_status (*bind)(kernel_call *call, kiln_error *error);
    kiln_status (*run)(kernel_call *call, kiln_error *error);
    void (*release)(kernel_call *call);
    size_t (*scratch)(const kernel_call *call);
    bool (*packs)(const kernel_call *call, packed_form *out_form);
} conv_algorithm;

extern const conv_algorithm conv_algorithm_direct, conv_algorithm_winograd, conv_algorithm_gemm,
    conv_algorithm_depthwise;

/* conv_table.c: by kiln_conv_algorithm. NULL when out of range, and where the algorithm is not
 * built in.
 */
const conv_algorithm *conv_algorithm_find(uint32_t algorithm);

#endif
