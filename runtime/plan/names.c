/* The names of what a plan's steps call, for people. */
#include "runtime/kernels/kernel.h"

const char *kiln_conv_algorithm_name(uint32_t algorithm) {
    static const char *const names[KILN_CONV_CHOICES] = {[KILN_CONV_DIRECT] = "direct",
                                                         [KILN_CONV_WINOGRAD_2] = "winograd2",
                                                         [KILN_CONV_WINOGRAD_4] = "winograd4",
                                                         [KILN_CONV_WINOGRAD_6] = "winograd6",
                                                         [KILN_CONV_GEMM] = "gemm",
                                                         [KILN_CONV_DEPTHWISE] = "depthwise",
                                                         [KILN_CONV_BY_XNNPACK] = "xnnpack"};
    return algorithm < KILN_CONV_CHOICES ? names[algorithm] : "?";
}

const char *kiln_unary_op_name(uint32_t op) {
    static const char *const names[KILN_UNARY_COUNT] = {
        [KILN_UNARY_CLAMP] = "clamp",
        [KILN_UNARY_LEAKY_RELU] = "leaky_relu",
        [KILN_UNARY_ELU] = "elu",
        [KILN_UNARY_SELU] = "selu",
        [KILN_UNARY_CELU] = "celu",
        [KILN_UNARY_SIGMOID] = "sigmoid",
        [KILN_UNARY_HARD_SIGMOID] = "hard_sigmoid",
        [KILN_UNARY_HARD_SWISH] = "hard_swish",
        [KILN_UNARY_MISH] = "mish",
        [KILN_UNARY_GELU_ERF] = "gelu_erf",
        [KILN_UNARY_GELU_TANH] = "gelu_tanh",
        [KILN_UNARY_TANH] = "tanh",
        [KILN_UNARY_SOFTPLUS] = "softplus",
        [KILN_UNARY_SOFTSIGN] = "softsign",
        [KILN_UNARY_ERF] = "erf",
        [KILN_UNARY_SQRT] = "sqrt",
        [KILN_UNARY_EXP] = "exp",
        [KILN_UNARY_LOG] = "log",
        [KILN_UNARY_ABS] = "abs",
        [KILN_UNARY_NEG] = "neg",
        [KILN_UNARY_RECIPROCAL] = "reciprocal",
        [KILN_UNARY_FLOOR] = "floor",
        [KILN_UNARY_CEIL] = "ceil",
        [KILN_UNARY_ROUND] = "round",
        [KILN_UNARY_SIGN] = "sign",
        [KILN_UNARY_NOT] = "not",
        [KILN_UNARY_SWISH] = "swish",
        [KILN_UNARY_SQUARE] = "square",
        [KILN_UNARY_SIN] = "sin",
        [KILN_UNARY_COS] = "cos",
        [KILN_UNARY_TAN] = "tan",
        [KILN_UNARY_ASIN] = "asin",
        [KILN_UNARY_ACOS] = "acos",
        [KILN_UNARY_ATAN] = "atan",
        [KILN_UNARY_SINH] = "sinh",
        [KILN_UNARY_COSH] = "cosh",
        [KILN_UNARY_ASINH] = "asinh",
        [KILN_UNARY_ACOSH] = "acosh",
        [KILN_UNARY_ATANH] = "atanh",
        [KILN_UNARY_THRESHOLDED_RELU] = "thresholded_relu",
        [KILN_UNARY_SHRINK] = "shrink",
        [KILN_UNARY_IS_NAN] = "is_nan",
        [KILN_UNARY_IS_INF] = "is_inf",
        [KILN_UNARY_STAR_RELU] = "star_relu",
        [KILN_UNARY_RSQRT] = "rsqrt",
    };
    return op < KILN_UNARY_COUNT ? names[op] : "?";
}

const char *kernel_name(uint32_t kernel_id) {
    static const char *const names[KILN_KERNEL_COUNT] = {
#define ENTRY(number, NAME, name) [number] = #name,
        KILN_EACH_KERNEL(ENTRY)};
    return kernel_id < KILN_KERNEL_COUNT ? names[kernel_id] : NULL;
}
