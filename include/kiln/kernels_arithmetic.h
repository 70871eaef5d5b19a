/* Kernels of the plan format: functions of elements, products, sums along dims, normalisation,
 * quantising. What each computes, and its parameters as they lie in a plan; to be read by
 * plan_kernels.h, which says what the words mean. A part of the specification in schemas/plan.md.
 */
#ifndef KILN_KERNELS_ARITHMETIC_H
#define KILN_KERNELS_ARITHMETIC_H

#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KILN_EACH_ARITHMETIC_KERNEL(KERNEL)                                                        \
    KERNEL(1, CAST, cast)                                                                          \
    KERNEL(4, FULLY_CONNECTED, fully_connected)                                                    \
    KERNEL(9, UNARY, unary)                                                                        \
    KERNEL(10, BINARY, binary)                                                                     \
    KERNEL(11, PRELU, prelu)                                                                       \
    KERNEL(12, SOFTMAX, softmax)                                                                   \
    KERNEL(13, WHERE, where)                                                                       \
    KERNEL(14, MATMUL, matmul)                                                                     \
    KERNEL(15, REDUCE, reduce)                                                                     \
    KERNEL(18, INSTANCE_NORM, instance_norm)                                                       \
    KERNEL(19, LAYER_NORM, layer_norm)                                                             \
    KERNEL(20, LP_NORM, lp_norm)                                                                   \
    KERNEL(21, LRN, lrn)                                                                           \
    KERNEL(27, QUANTIZE, quantize)                                                                 \
    KERNEL(28, QUANTIZE_RANGE, quantize_range)                                                     \
    KERNEL(29, CUMULATIVE_SUM, cumulative_sum)                                                     \
    KERNEL(36, GROUP_NORM, group_norm)                                                             \
    KERNEL(37, ATTENTION, attention)                                                               \
    KERNEL(38, RESPONSE_NORM, response_norm)                                                       \
    KERNEL(39, RMS_NORM, rms_norm)                                                                 \
    KERNEL(40, SQUEEZE_EXCITE, squeeze_excite)

/* CAST: y = (dtype of y) x, element by element, same dims and layout. Any pair of dtypes. To bool:
 * x != 0. Floats to i64 and i32: truncation, saturating; NaN gives 0. Floats to narrower integers:
 * truncated to i32, of which the lower bits are taken; 0 for what i32 cannot hold. Floats to u32
 * and u64: likewise through i64, saturating. Integers to integers: the lower bits. To f16 and bf16:
 * round to nearest even, f64 by way of f32. */
typedef struct kiln_cast_params {
    uint64_t reserved;
} kiln_cast_params;

/* UNARY: y = f(x), x and y of the same physical dims, and of one dtype where not said otherwise. */
typedef enum kiln_unary_op {
    KILN_UNARY_CLAMP = 0,      /* min(max(x, alpha), beta): Relu, Relu6, Clip */
    KILN_UNARY_LEAKY_RELU = 1, /* x < 0 ? alpha*x : x */
    KILN_UNARY_ELU = 2,        /* x < 0 ? alpha*(exp(x)-1) : x */
    KILN_UNARY_SELU = 3,       /* beta * (x < 0 ? alpha*(exp(x)-1) : x) */
    KILN_UNARY_CELU = 4,       /* max(0,x) + min(0, alpha*(exp(x/alpha)-1)) */
    KILN_UNARY_SIGMOID = 5,
    KILN_UNARY_HARD_SIGMOID = 6, /* max(0, min(1, alpha*x + beta)) */
    KILN_UNARY_HARD_SWISH = 7,   /* x * max(0, min(1, x/6 + 1/2)) */
    KILN_UNARY_MISH = 8,         /* x * tanh(log(1 + exp(x))) */
    KILN_UNARY_GELU_ERF = 9,     /* x/2 * (1 + erf(x/sqrt 2)) */
    KILN_UNARY_GELU_TANH = 10,
    KILN_UNARY_TANH = 11,
    KILN_UNARY_SOFTPLUS = 12,
    KILN_UNARY_SOFTSIGN = 13,
    KILN_UNARY_ERF = 14,
    KILN_UNARY_SQRT = 15,
    KILN_UNARY_EXP = 16,
    KILN_UNARY_LOG = 17,
    KILN_UNARY_ABS = 18, /* f32, i64 */
    KILN_UNARY_NEG = 19, /* f32, i64 */
    KILN_UNARY_RECIPROCAL = 20,
    KILN_UNARY_FLOOR = 21,
    KILN_UNARY_CEIL = 22,
    KILN_UNARY_ROUND = 23, /* half to even */
    KILN_UNARY_SIGN = 24,  /* f32, i64 */
    KILN_UNARY_NOT = 25,   /* bool */
    KILN_UNARY_SWISH = 26, /* x * sigmoid(alpha * x) */
    KILN_UNARY_SQUARE = 27,
    KILN_UNARY_SIN = 28,
    KILN_UNARY_COS = 29,
    KILN_UNARY_TAN = 30,
    KILN_UNARY_ASIN = 31,
    KILN_UNARY_ACOS = 32,
    KILN_UNARY_ATAN = 33,
    KILN_UNARY_SINH = 34,
    KILN_UNARY_COSH = 35,
    KILN_UNARY_ASINH = 36,
    KILN_UNARY_ACOSH = 37,
    KILN_UNARY_ATANH = 38,
    KILN_UNARY_THRESHOLDED_RELU = 39, /* x > alpha ? x : 0 */
    KILN_UNARY_SHRINK = 40,           /* x < -alpha ? x + beta : x > alpha ? x - beta : 0 */
    KILN_UNARY_IS_NAN = 41,           /* f32 -> bool */
    KILN_UNARY_IS_INF = 42,           /* f32 -> bool; alpha != 0: -inf counts, beta != 0: +inf */
    KILN_UNARY_STAR_RELU = 43,        /* alpha * max(0, x)^2 + beta */
    KILN_UNARY_RSQRT = 44,            /* 1 / sqrt(x) */
    KILN_UNARY_COUNT = 45
} kiln_unary_op;

/* "hard_swish"; "?" when op is not a kiln_unary_op. */
KILN_API const char *kiln_unary_op_name(uint32_t op);
typedef struct kiln_unary_params {
    uint32_t op; /* kiln_unary_op; f32 unless said otherwise */
    float alpha, beta;
    uint32_t reserved;
} kiln_unary_params;

/* BINARY: y = clamp(f(a, b)), numpy broadcasting over physical dims aligned at the end. Operands
 * may be constants. a and b have one dtype; y has it too, or bool for comparisons. */
typedef enum kiln_binary_op {
    KILN_BINARY_ADD = 0, /* f32, i64 */
    KILN_BINARY_SUB = 1,
    KILN_BINARY_MUL = 2,
    KILN_BINARY_DIV = 3, /* i64: truncating; x/0 = 0 */
    KILN_BINARY_POW = 4, /* f32, i64 */
    KILN_BINARY_MIN = 5,
    KILN_BINARY_MAX = 6,
    KILN_BINARY_PRELU = 7, /* f32: a < 0 ? a*b : a */
    KILN_BINARY_EQUAL = 8, /* f32, i64, bool -> bool */
    KILN_BINARY_LESS = 9,  /* f32, i64 -> bool */
    KILN_BINARY_GREATER = 10,
    KILN_BINARY_AND = 11, /* bool -> bool */
    KILN_BINARY_OR = 12,
    KILN_BINARY_LESS_OR_EQUAL = 13, /* f32, i64 -> bool */
    KILN_BINARY_GREATER_OR_EQUAL = 14,
    KILN_BINARY_XOR = 15,         /* bool -> bool */
    KILN_BINARY_MODULO = 16,      /* i64: the remainder has b's sign; x mod 0 = 0 */
    KILN_BINARY_REMAINDER = 17,   /* f32, i64: the remainder has a's sign; i64: 0 where b is 0 */
    KILN_BINARY_SHIFT_LEFT = 18,  /* i64, taken as unsigned; shifted by 64 and more: 0 */
    KILN_BINARY_SHIFT_RIGHT = 19, /* likewise */
    KILN_BINARY_BIT_AND = 20,     /* i64 */
    KILN_BINARY_BIT_OR = 21,
    KILN_BINARY_BIT_XOR = 22,
    KILN_BINARY_COUNT = 23
} kiln_binary_op;
typedef struct kiln_binary_params {
    uint32_t op; /* kiln_binary_op */
    uint32_t reserved;
    float min, max; /* clamp, f32 results only */
} kiln_binary_params;

/* PRELU: x f32 with C the last physical dim, slope [C] (constant). */
typedef struct kiln_prelu_params {
    uint64_t reserved;
} kiln_prelu_params;

/* WHERE: y = condition (bool) ? a : b, broadcasting as in BINARY; a, b, y of one dtype. */
typedef struct kiln_where_params {
    uint64_t reserved;
} kiln_where_params;

/* QUANTIZE: x, scale, optional zero to y of x's dims and layout; all f32. scale and zero have one
 * element, or one for each index of x's physical dim `axis` (not of a batched dim 0); zero is 0
 * where it is absent. With round() to the nearest integer, ties to even, and clamp() to low ..
 * high, which are integers of at most 65536; a NaN is clamped to low: */
typedef enum kiln_quantize_kind {
    KILN_QUANTIZE_INTEGERS = 0,   /* q = clamp(round(x / scale) + zero) */
    KILN_QUANTIZE_CENTRED = 1,    /* q - zero */
    KILN_QUANTIZE_ROUND_TRIP = 2, /* (q - zero) * scale */
    KILN_REQUANTIZE_INTEGERS = 3, /* r = clamp(round(x * scale) + zero) */
    KILN_REQUANTIZE_CENTRED = 4,  /* r - zero */
    KILN_DEQUANTIZE = 5,          /* (x - zero) * scale */
    KILN_QUANTIZE_KIND_COUNT = 6
} kiln_quantize_kind;
typedef struct kiln_quantize_params {
    uint32_t kind; /* kiln_quantize_kind */
    uint32_t axis;
    float low, high; /* low <= high */
} kiln_quantize_params;

/* QUANTIZE_RANGE: of all of x (f32, of all samples) the scalars scale = (max - min) / 255, or 1
 * where that is 0, and, optional, zero = clamp(round(-min / scale), 0, 255), with 0 counted among
 * x. */
typedef struct kiln_quantize_range_params {
    uint64_t reserved;
} kiln_quantize_range_params;

/* FULLY_CONNECTED: x [..., K] (row-major; rows = product of the other dims), weight [N][K]
 * constant, optional bias [N] constant, y [..., N]. */
typedef struct kiln_fully_connected_params {
    float min, max;
} kiln_fully_connected_params;

/* MATMUL: a [..., M, K] x b [..., K, N], f32, row-major, leading dims broadcast, both ranks >= 2. y
 * = clamp(a b); y's rank = max rank. Operands may be constants. */
typedef struct kiln_matmul_params {
    float min, max;
} kiln_matmul_params;

/* ATTENTION, scaled dot products (Vaswani et al., "Attention Is All You Need", 2017): inputs q, k,
 * v, optional bias, optional mask (with a bias only), all f32 and dense. For each index of the
 * `lead` dims (heads, windows) there are matrices Q [rows][depth], K [keys][depth], V
 * [keys][width], Y [rows][width], and B and M [rows][keys] of the bias and the mask:
 *     Y = softmax(scale Q K^T + B + M) V, softmax along each row.
 * A matrix's element lies in its operand, physical elements of one sample, at
 *     start + sum of index * lead + its row * row + its column * column;
 * operands may be one tensor, and matrices overlap, but those of y, which take each of its elements
 * once. Those of a batched operand are each sample's own; y is batched where any input is. column
 * is 1 for the bias and the mask. */
#define KILN_ATTENTION_LEADS 4
#define KILN_ATTENTION_OPERANDS 6
typedef struct kiln_attention_view {
    uint32_t start, lead[KILN_ATTENTION_LEADS], row, column;
} kiln_attention_view;
typedef struct kiln_attention_params {
    uint32_t lead[KILN_ATTENTION_LEADS]; /* sizes, the outermost first; 1 where there is none */
    uint32_t rows, depth, keys, width;
    float scale; /* finite */
    uint32_t reserved;
    kiln_attention_view views[KILN_ATTENTION_OPERANDS]; /* q, k, v, bias, mask, y; absent: zeros */
} kiln_attention_params;

/* REDUCE over the physical dims in the mask; y has the remaining dims' elements in order (its rank
 * is free: reduced dims kept as 1 or dropped). f32 or i64. */
typedef enum kiln_reduce_op {
    KILN_REDUCE_MEAN = 0,
    KILN_REDUCE_SUM = 1,
    KILN_REDUCE_MAX = 2,
    KILN_REDUCE_MIN = 3,
    KILN_REDUCE_PROD = 4,
    KILN_REDUCE_L1 = 5,
    KILN_REDUCE_L2 = 6,
    KILN_REDUCE_SUM_SQUARE = 7,
    KILN_REDUCE_LOG_SUM = 8,     /* f32 */
    KILN_REDUCE_LOG_SUM_EXP = 9, /* f32; does not overflow */
    KILN_REDUCE_COUNT = 10
} kiln_reduce_op;
typedef struct kiln_reduce_params {
    uint32_t op;   /* kiln_reduce_op */
    uint32_t mask; /* bit k: physical dim k of x is reduced; never a batched dim 0 */
    float min, max;
} kiln_reduce_params;

/* CUMULATIVE_SUM along one physical dim, f32 or i64: of the elements up to each, of those before it
 * (exclusive = 1), or from the end (reverse = 1). */
typedef struct kiln_cumulative_sum_params {
    uint32_t axis;
    uint32_t exclusive, reverse;
    uint32_t reserved;
} kiln_cumulative_sum_params;

/* SOFTMAX along one physical dim of a dense f32 tensor; log = 1: its logarithm. */
typedef struct kiln_softmax_params {
    uint32_t axis; /* physical */
    uint32_t log;
} kiln_softmax_params;

/* INSTANCE_NORM: x channels-last; inputs x, scale [C], bias [C]: per sample and channel over all
 * spatial positions, (x - mean) / sqrt(variance + epsilon) * scale + bias. */
typedef struct kiln_instance_norm_params {
    float epsilon;
    uint32_t reserved;
} kiln_instance_norm_params;

/* GROUP_NORM: x channels-last; inputs x, scale [C], bias [C]: per sample and group of neighbouring
 * channels over all its positions, (x - mean) / sqrt(variance + epsilon) * scale + bias. */
typedef struct kiln_group_norm_params {
    float epsilon;
    uint32_t group_channels; /* a divisor of C */
} kiln_group_norm_params;

/* RESPONSE_NORM: x channels-last; inputs x, scale [C], bias [C]. With g the 2-norm of a sample's
 * channel over all its positions, and m the mean of its channels' g: x + x scale g / (m + epsilon)
 * + bias (Woo et al., "ConvNeXt V2", 2023). */
typedef struct kiln_response_norm_params {
    float epsilon;
    uint32_t reserved;
} kiln_response_norm_params;

/* SQUEEZE_EXCITE (Hu et al., "Squeeze-and-Excitation Networks", 2018): inputs squeezed, weight
 * [C][H], bias [C], hidden_weight [H][S], hidden_bias [H], x, addend, of which all but the first
 * may be absent; f32; weights and biases constant, the others not. m: the means of each sample's S
 * channels of `squeezed` over its positions; it is channels-last, or dense with one position.
 * Gates: s = gate(weight h + bias), h = hidden(hidden_weight m + hidden_bias); without
 * hidden_weight h = m; without either weight s = gate(m). Functions are CLAMP and those of results
 * (KILN_STEP_FUNCTION). y = clamp(x s + addend), x channels-last (mostly `squeezed` again), addend
 * of its dims; or, where x is absent, y = s, dense, with C elements a sample, no addend and no
 * bounds. y may take the place of `squeezed`, x or addend in memory. */
typedef struct kiln_squeeze_excite_params {
    kiln_unary_params hidden, gate;
    float min, max;
} kiln_squeeze_excite_params;

/* LAYER_NORM: x dense row-major, normalised over its last `axes` dims; inputs x, scale (those dims'
 * elements; may be runtime), optional bias; outputs y, optional mean, optional 1/sqrt(var + eps),
 * one value a row. */
typedef struct kiln_layer_norm_params {
    uint32_t axes;
    float epsilon;
} kiln_layer_norm_params;

/* RMS_NORM: likewise x scale / sqrt(mean of squares + eps), with LAYER_NORM's operands but no bias
 * and no outputs but y (Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019). */
typedef kiln_layer_norm_params kiln_rms_norm_params;

/* LP_NORM: x / (p-norm along one physical dim); 0/0 = 0. */
typedef struct kiln_lp_norm_params {
    uint32_t axis;
    uint32_t p; /* 1 or 2 */
} kiln_lp_norm_params;

/* LRN: x channels-last: x / (bias + alpha/size * sum of squares over `size` channels)^beta; the
 * window of channel c is [c - floor((size-1)/2), c + ceil((size-1)/2)]. */
typedef struct kiln_lrn_params {
    uint32_t size;
    float alpha, beta, bias;
} kiln_lrn_params;

#ifdef __cplusplus
}
#endif
#endif
