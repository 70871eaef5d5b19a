/* The algorithms of convolutions; or those of them that KILN_KERNELS selects: then CMake's
 * built_in.h has EACH_BUILT_IN_ALGORITHM. */
#include "runtime/kernels/conv_algorithm.h"
#include "runtime/kernels/conv_direct.h"
#include "runtime/kernels/depthwise.h"
#include "runtime/kernels/gemm.h"
#include "runtime/kernels/winograd.h"

#include <built_in.h>
#ifndef EACH_BUILT_IN_ALGORITHM
#define EACH_BUILT_IN_ALGORITHM(ALGORITHM)                                                         \
    ALGORITHM(DIRECT, direct)                                                                      \
    ALGORITHM(WINOGRAD_2, winograd)                                                                \
    ALGORITHM(WINOGRAD_4, winograd)                                                                \
    ALGORITHM(WINOGRAD_6, winograd)                                                                \
    ALGORITHM(GEMM, gemm)                                                                          \
    ALGORITHM(DEPTHWISE, depthwise)
#endif

static kiln_status bind_nothing(kernel_call *call, kiln_error *error) {
    (void)call;
    (void)error;
    return KILN_OK;
}

const conv_algorithm conv_algorithm_direct = {.check = conv_direct_check,
                                              .prepare = conv_direct_prepare,
                                              .bind = bind_nothing,
                                              .run = conv_direct_run,
                                              .scratch = conv_direct_scratch};
const conv_algorithm conv_algorithm_winograd = {.check = winograd_check,
                                                .prepare = winograd_prepare,
                                                .bind = winograd_bind,
                                                .run = winograd_run,
                                                .scratch = winograd_scratch,
                                                .packs = winograd_packs};
const conv_algorithm conv_algorithm_gemm = {.check = gemm_check,
                                            .prepare = gemm_prepare,
                                            .bind = gemm_bind,
                                            .run = gemm_run,
                                            .scratch = gemm_scratch,
                                            .packs = gemm_packs};
const conv_algorithm conv_algorithm_depthwise = {.check = depthwise_check,
                                                 .lacks = depthwise_lacks,
                                                 .prepare = depthwise_prepare,
                                                 .bind = bind_nothing,
                                                 .run = depthwise_run};

#define ALGORITHM(NAME, name) [KILN_CONV_##NAME] = &conv_algorithm_##name,
static const conv_algorithm *const algorithms[KILN_CONV_ALGORITHM_COUNT] = {
    EACH_BUILT_IN_ALGORITHM(ALGORITHM)};

const conv_algorithm *conv_algorithm_find(uint32_t algorithm) {
    return algorithm < KILN_CONV_ALGORITHM_COUNT ? algorithms[algorithm] : NULL;
}
