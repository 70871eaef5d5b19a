/* What each kernel of the plan format computes, and its parameters as they lie in a plan. A part of
 * the specification in schemas/plan.md. */
#ifndef KILN_PLAN_PARAMS_H
#define KILN_PLAN_PARAMS_H

#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Parameters. Below, `x` is input 0, `y` output 0; "physical" dims are in physical order. Clamps
 * apply to f32 results; -INFINITY / INFINITY mean none; min < max. NaN passes through a clamp or
 * not, as the kernel pleases. Every struct's size is a multiple of 8. */

/* COPY: an n-dimensional strided copy between two tensors of one dtype. For each index (i0, i1, ..)
 * below dims: y[sum i*output_strides] = x[input_start + sum i*input_strides], where positions are
 * in dense physical elements of each tensor (row strides are applied by the kernel: a loop must
 * then stay in a row or step by whole rows). With batched = 1, loop 0 runs over dims[0] * batch,
 * and strides of loop 0 are whole samples (or 0). Every element of y is written. Transpose, slice,
 * expand, tile, layout conversion, depth-to-space. Transposed copies are worked in blocks. */
typedef struct kiln_copy_params {
    uint32_t rank; /* 1 .. 8 */
    uint32_t batched;
    uint32_t dims[KILN_MAX_RANK];
    int64_t input_strides[KILN_MAX_RANK]; /* may be negative (reversed slice) or 0 (expand) */
    int64_t output_strides[KILN_MAX_RANK];
    int64_t input_start;
    int64_t output_start;
} kiln_copy_params;

/* CAST: y = (dtype of y) x, element by element, same dims and layout. Any pair of dtypes. To bool:
 * x != 0. Floats to i64 and i32: truncation, saturating; NaN gives 0. Floats to narrower integers:
 * truncated to i32, of which the lower bits are taken; 0 for what i32 cannot hold. Floats to u32
 * and u64: likewise through i64, saturating. Integers to integers: the lower bits. To f16 and bf16:
 * round to nearest even, f64 by way of f32. */
typedef struct kiln_cast_params {
    uint64_t reserved;
} kiln_cast_params;

/* CONV_2D: x channels-last f32 of rank 3 (N,C,W: height 1) or 4; inputs x, weight
 * [O][KH][KW][C/groups] (constant, row-major, rank 4), optional bias [O] (constant), optional
 * addend of y's dims and layout: y = clamp(convolution + bias + addend). Zero padding. The addend
 * is for algorithms other than KILN_CONV_DIRECT; y may take its place in memory. DECONV_2D: the
 * same with weight [O][KH][KW][C/groups], O = all output channels, group-major; padding is taken
 * from the output; adjustment adds rows/columns at bottom/right; adjustment < stride. Output height
 * = stride*(H-1) + adjustment + dilation*(KH-1) + 1 - top - bottom, and at least the stride. */
/* Winograd's F(m x m, 3 x 3) is for kernels of 3x3 with stride and dilation 1 and one group; x is
 * not constant. The larger m, the fewer multiplications and the larger the rounding errors. */
typedef enum kiln_conv_algorithm {
    KILN_CONV_DIRECT = 0,
    KILN_CONV_WINOGRAD_2 = 1, /* m = 2 */
    KILN_CONV_WINOGRAD_4 = 2,
    KILN_CONV_WINOGRAD_6 = 3,
    KILN_CONV_GEMM = 4, /* one matrix product, of rows gathered for it; one group */
    /* One input and one output channel a group, more than one group; x is not constant. */
    KILN_CONV_DEPTHWISE = 5,
    KILN_CONV_ALGORITHM_COUNT = 6
} kiln_conv_algorithm;
/* "direct", "winograd4", ...; "?" for a value that is not a kiln_conv_algorithm. */
KILN_API const char *kiln_conv_algorithm_name(uint32_t algorithm);
typedef struct kiln_conv_params {
    uint32_t stride_height, stride_width;
    uint32_t dilation_height, dilation_width;
    uint32_t padding_top, padding_right, padding_bottom, padding_left;
    uint32_t adjustment_height, adjustment_width; /* DECONV_2D, else 0 */
    uint32_t groups;
    uint32_t algorithm; /* kiln_conv_algorithm; DECONV_2D: 0 */
    float min, max;
} kiln_conv_params;

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

/* CONV_ND: convolution over 1..3 spatial dims, x channels-last of rank 3..5, weight
 * [O][K...][C/groups] of x's rank, optional bias. Plain C. Arrays: entry s is spatial dim s.
 * Transposed: as DECONV_2D; what y has beyond stride*(size-1) + dilation*(kernel-1) + 1 - padding
 * is the adjustment, as large as it may be. */
typedef struct kiln_conv_nd_params {
    uint32_t stride[3], dilation[3], padding_begin[3], padding_end[3];
    uint32_t groups;
    uint32_t transposed; /* 0 or 1 */
    float min, max;
} kiln_conv_nd_params;

/* FULLY_CONNECTED: x [..., K] (row-major; rows = product of the other dims), weight [N][K]
 * constant, optional bias [N] constant, y [..., N]. */
typedef struct kiln_fully_connected_params {
    float min, max;
} kiln_fully_connected_params;

/* MAX_POOL_2D, AVERAGE_POOL_2D: x, y channels-last of rank 3 or 4; x is not constant. Padding never
 * wins a maximum and is not counted in an average; padding < kernel; output size = (H + top +
 * bottom
 * - dilation*(KH-1) - 1) / stride + 1 exactly as the dims say; kernel height * width > 1; average:
 * dilation 1. What NaNs in a window do to its maximum is not specified. */
typedef struct kiln_pool_params {
    uint32_t kernel_height, kernel_width;
    uint32_t stride_height, stride_width;
    uint32_t dilation_height, dilation_width;
    uint32_t padding_top, padding_right, padding_bottom, padding_left;
    float min, max;
} kiln_pool_params;

/* POOL_ND: what those two cannot: x channels-last of rank 3..5. Maximum with optional output 1, the
 * i64 index of each maximum in x's ONNX-ordered dense tensor (storage_order 1: spatial dims
 * column-major); average, p-norm-free. Windows are cut at the padded input's end; count_include_pad
 * counts padding inside [-padding_begin, size + padding_end). Output sizes are y's dims. */
typedef enum kiln_pool_kind { KILN_POOL_MAX = 0, KILN_POOL_AVERAGE = 1 } kiln_pool_kind;
typedef struct kiln_pool_nd_params {
    uint32_t kind; /* kiln_pool_kind */
    uint32_t count_include_pad;
    uint32_t storage_order;
    uint32_t reserved;
    uint32_t kernel[3], stride[3], dilation[3], padding_begin[3], padding_end[3];
    uint32_t reserved2;
    float min, max;
} kiln_pool_nd_params;

/* GLOBAL_AVERAGE_POOL: x channels-last, rank >= 3, not constant; y [N,C,1,...] (any layout) or
 * [N,C]. */
typedef struct kiln_global_pool_params {
    float min, max;
} kiln_global_pool_params;

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
    KILN_UNARY_COUNT = 43
} kiln_unary_op;
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

/* SOFTMAX along one physical dim of a dense f32 tensor; log = 1: its logarithm. */
typedef struct kiln_softmax_params {
    uint32_t axis; /* physical */
    uint32_t log;
} kiln_softmax_params;

/* WHERE: y = condition (bool) ? a : b, broadcasting as in BINARY; a, b, y of one dtype. */
typedef struct kiln_where_params {
    uint64_t reserved;
} kiln_where_params;

/* MATMUL: a [..., M, K] x b [..., K, N], f32, row-major, leading dims broadcast, both ranks >= 2. y
 * = clamp(a b); y's rank = max rank. Operands may be constants. */
typedef struct kiln_matmul_params {
    float min, max;
} kiln_matmul_params;

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

/* ARG_REDUCE along one physical dim of x (f32 or i64); y i64. */
typedef struct kiln_arg_reduce_params {
    uint32_t axis;
    uint32_t minimum;     /* 1: ArgMin */
    uint32_t select_last; /* 1: the last of equal values */
    uint32_t reserved;
} kiln_arg_reduce_params;

/* TOP_K along one physical dim of x (f32 or i64): y values, optional output 1 i64 indices. Equal
 * values: the lower index first. Always sorted. */
typedef struct kiln_top_k_params {
    uint32_t axis;
    uint32_t k;
    uint32_t largest; /* 0: smallest first */
    uint32_t reserved;
} kiln_top_k_params;

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

/* LAYER_NORM: x dense row-major, normalised over its last `axes` dims; inputs x, scale (those dims'
 * elements; may be runtime), optional bias; outputs y, optional mean, optional 1/sqrt(var + eps),
 * one value a row. */
typedef struct kiln_layer_norm_params {
    uint32_t axes;
    float epsilon;
} kiln_layer_norm_params;

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

/* GATHER along physical dim `axis` of a dense x by i64 indices (runtime; negative counts from the
 * end; out of range is clamped). y's physical dims: x[:axis] + indices + x[axis+1:]. Element size
 * is any. axis is not a batched dim 0. */
typedef struct kiln_gather_params {
    uint32_t axis;
    uint32_t reserved;
} kiln_gather_params;

/* CUMULATIVE_SUM along one physical dim, f32 or i64: of the elements up to each, of those before it
 * (exclusive = 1), or from the end (reverse = 1). */
typedef struct kiln_cumulative_sum_params {
    uint32_t axis;
    uint32_t exclusive, reverse;
    uint32_t reserved;
} kiln_cumulative_sum_params;

/* Elements by i64 indices (runtime; negative counts from the end). All operands are dense, of the
 * same physical dims as in ONNX. An index that lies outside reads the nearest element; one that
 * would write outside writes nothing.
 *
 * GATHER_ELEMENTS, with the parameters of GATHER: y[i0,i1,..] = x[i0,..,index[i0,i1,..],..], the
 * index in the place of i_axis. y has the indices' dims, none larger than x's but along the axis.
 *
 * GATHER_ND: the last dim of the indices holds tuples, each of which addresses a slice of x after
 * the leading batch_dims dims, in which x and the indices agree. y: the indices' dims but the last,
 * then the slice's.
 *
 * SCATTER_ELEMENTS, SCATTER_ND: inputs data, indices, updates; y = data, then, in the order of the
 * indices, y[..] = reduction(y[..], update); axis is SCATTER_ELEMENTS's (SCATTER_ND: 0, and no
 * operand is batched). The reductions but SET are for f32 and i64. */
typedef struct kiln_gather_nd_params {
    uint32_t batch_dims;
    uint32_t reserved;
} kiln_gather_nd_params;
typedef enum kiln_scatter_reduction {
    KILN_SCATTER_SET = 0,
    KILN_SCATTER_ADD = 1,
    KILN_SCATTER_MUL = 2,
    KILN_SCATTER_MAX = 3,
    KILN_SCATTER_MIN = 4,
    KILN_SCATTER_COUNT = 5
} kiln_scatter_reduction;
typedef struct kiln_scatter_params {
    uint32_t axis;
    uint32_t reduction; /* kiln_scatter_reduction */
} kiln_scatter_params;

/* GRID_SAMPLE: x, y channels-last f32 of rank 4; input 1 the grid [N, y's height, y's width, 2],
 * f32: where in x each pixel of y is taken from, (column, row) from -1 to 1, from the first to the
 * last pixel's middle (align_corners = 1) or edge. Coordinates are computed in f32, halves round to
 * even; cubic with a = -3/4. A coordinate that is no number lies far to the left or top. */
typedef enum kiln_grid_mode {
    KILN_GRID_LINEAR = 0,
    KILN_GRID_NEAREST = 1,
    KILN_GRID_CUBIC = 2,
    KILN_GRID_MODE_COUNT = 3
} kiln_grid_mode;
typedef enum kiln_grid_padding {
    KILN_GRID_ZEROS = 0,
    KILN_GRID_BORDER = 1,
    KILN_GRID_REFLECTION = 2,
    KILN_GRID_PADDING_COUNT = 3
} kiln_grid_padding;
typedef struct kiln_grid_sample_params {
    uint32_t mode;    /* kiln_grid_mode */
    uint32_t padding; /* kiln_grid_padding */
    uint32_t align_corners;
    uint32_t reserved;
} kiln_grid_sample_params;

/* ROI_ALIGN: x, y channels-last f32 of rank 4, none batched; inputs x, regions [R, 4] f32 (x1, y1,
 * x2, y2), samples [R] i64: of which image; y [R, C, height, width]. Each bin of a region is the
 * average of sampling_ratio^2 bilinear samples, or the maximum of their weighted terms, four a
 * sample; with ratio 0 there are as many, each way, as the bin is pixels long, at most
 * 4 * (x's size + 2) / bins, rounded up. An image that is not there gives zeros. */
typedef enum kiln_roi_mode { KILN_ROI_AVERAGE = 0, KILN_ROI_MAX = 1 } kiln_roi_mode;
#define KILN_ROI_SAMPLES 256u /* sampling_ratio at most */
typedef struct kiln_roi_align_params {
    uint32_t mode;       /* kiln_roi_mode */
    uint32_t half_pixel; /* 1: coordinates are of edges of pixels; 0: at least one pixel a region */
    uint32_t sampling_ratio;
    float spatial_scale; /* of the regions' coordinates to x's */
} kiln_roi_align_params;

/* REMAP: each physical dim of y takes its index into x from a table: y[i0,i1,..] =
 * x[t0[i0],t1[i1],..]; an entry of -1 gives `fill`. Input 1: the tables, one after the other for
 * physical dims 0..rank-1, constant i64; a batched dim 0 has no table (identity). x and y have one
 * dtype and rank. Pad (all modes), nearest Resize, Tile, Gather with constant indices. */
typedef struct kiln_remap_params {
    uint32_t rank;
    uint32_t batched;
    double fill; /* converted to the dtype */
} kiln_remap_params;

/* RESAMPLE along one physical dim: y[o,j,i] = sum over t < taps of weight[j,t] * x[o,index[j,t],i].
 * Input 1: indices [size of y along axis, taps] constant i64; input 2: weights, the same shape,
 * constant f32. An index of -1 in tap 0 gives `extrapolation`. f32, dense. */
typedef struct kiln_resample_params {
    uint32_t axis;
    uint32_t taps;
    float extrapolation;
    uint32_t reserved;
} kiln_resample_params;

/* RESIZE_BILINEAR: x, y channels-last rank 4. */
typedef enum kiln_resize_mode {
    KILN_RESIZE_HALF_PIXEL = 0,
    KILN_RESIZE_ALIGN_CORNERS = 1,
    KILN_RESIZE_ASYMMETRIC = 2
} kiln_resize_mode;
typedef struct kiln_resize_bilinear_params {
    uint32_t mode; /* kiln_resize_mode */
    uint32_t reserved;
} kiln_resize_bilinear_params;

/* Sizes of the parameters are part of the format. */
KILN_STATIC_ASSERT(sizeof(kiln_copy_params) == 184, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_conv_params) == 56, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_conv_nd_params) == 64, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_pool_params) == 48, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_pool_nd_params) == 88, "plan format");

#ifdef __cplusplus
}
#endif
#endif
