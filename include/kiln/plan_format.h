/* The plan file's records, as they lie in the file: little-endian, naturally aligned, no implicit
 * padding. schemas/plan.md is the specification; this header is its transcription in C, shared by
 * the compiler (which writes) and the runtime (which reads), and open to tools.
 *
 * Physical order. A tensor's `dims` are in ONNX order. Its elements lie in physical order:
 *   KILN_ROW_MAJOR      as dims say
 *   KILN_CHANNELS_LAST  dims[1] (channels) moved to the end: N,C,H,W is stored N,H,W,C (rank >= 3)
 * The last physical dimension is a row. Rows lie `row_stride` elements apart; a tensor is dense
 * when row_stride equals the row's length. A slice of channels of a wider tensor is thus a tensor
 * with a row_stride: concatenation and split along channels need no copy.
 *
 * Batch. A tensor with batched = 1 has dims[0] for a batch of one. In a session with maximum batch
 * B a storage is B times as large and lies at B times its offset; slice_offset does not scale.
 */
#ifndef KILN_PLAN_FORMAT_H
#define KILN_PLAN_FORMAT_H

#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KILN_PLAN_MAGIC "KILNPLAN" /* 8 bytes, no terminator */
#define KILN_PLAN_VERSION 2u
#define KILN_PLAN_NONE UINT32_MAX /* an absent operand */
#define KILN_PLAN_ALIGNMENT 4u    /* of a plan inside a file or in memory */
#define KILN_PLAN_WEIGHT_ALIGNMENT 64u
#define KILN_PLAN_SECTION_ALIGNMENT 64u
#define KILN_PLAN_PAGE_ALIGNMENT 16384u /* of the weights section: the largest page size in use */
#define KILN_ARENA_ALIGNMENT 64u
/* Bytes past the end of the arena that kernels may read (XNN_EXTRA_BYTES is 16, 128 on Hexagon). */
#define KILN_ARENA_MARGIN 128u

typedef enum kiln_plan_section_kind {
    KILN_SECTION_STRINGS = 0,  /* zero-terminated UTF-8, addressed by byte offset; begins with "" */
    KILN_SECTION_STORAGES = 1, /* kiln_plan_storage[] */
    KILN_SECTION_TENSORS = 2,  /* kiln_plan_tensor_record[] */
    KILN_SECTION_OPERANDS = 3, /* uint32_t[]: tensor indices, addressed by steps */
    KILN_SECTION_PARAMS = 4,   /* parameter blocks of steps, 8-byte aligned */
    KILN_SECTION_STEPS = 5,    /* kiln_plan_step[] in order of execution */
    KILN_SECTION_INPUTS = 6,   /* uint32_t[]: tensors with place INPUT */
    KILN_SECTION_OUTPUTS = 7,  /* uint32_t[]: tensors with place OUTPUT */
    KILN_SECTION_METADATA = 8, /* kiln_plan_pair[] */
    KILN_SECTION_LABELS = 9,   /* uint32_t[]: strings */
    KILN_SECTION_PREPROCESS = 10, /* one kiln_plan_preprocess_record, or empty */
    KILN_SECTION_BANDS = 11,      /* kiln_plan_band[] in order of their steps */
    KILN_SECTION_WEIGHTS = 12,    /* bytes of constants; last in the file */
    KILN_SECTION_COUNT = 13
} kiln_plan_section_kind;

typedef struct kiln_plan_section {
    uint64_t offset; /* from the file's start, aligned to 64 (weights: 16384) */
    uint64_t bytes;
    uint64_t checksum; /* XXH3-64 of the bytes; for WEIGHTS 0: each constant has its own */
} kiln_plan_section;

typedef struct kiln_plan_header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes; /* sizeof(kiln_plan_header) */
    uint64_t file_bytes;
    uint64_t arena_bytes; /* batch 1, margin not included */
    uint64_t lower_bound_bytes;
    uint64_t no_reuse_bytes;
    uint32_t batchable; /* 1: the batch is the session's choice */
    uint32_t reserved;
    kiln_plan_section sections[KILN_SECTION_COUNT];
    uint64_t checksum; /* XXH3-64 of all header bytes before this field */
} kiln_plan_header;

/* A block of the arena and the steps (inclusive) during which it is in use. Two storages whose step
 * ranges intersect do not overlap. */
typedef struct kiln_plan_storage {
    uint64_t offset; /* multiple of 64 */
    uint64_t bytes;  /* multiple of 64 */
    uint32_t first_step;
    uint32_t last_step;
} kiln_plan_storage;

typedef enum kiln_plan_place {
    KILN_PLACE_ARENA = 0,
    KILN_PLACE_CONSTANT = 1,
    KILN_PLACE_INPUT =
        2, /* the caller's buffer: row-major, dense; read by COPY and CAST steps only */
    KILN_PLACE_OUTPUT = 3 /* the caller's buffer: row-major, dense; written by COPY and CAST only */
} kiln_plan_place;

typedef enum kiln_plan_layout { KILN_ROW_MAJOR = 0, KILN_CHANNELS_LAST = 1 } kiln_plan_layout;

typedef struct kiln_plan_tensor_record {
    uint32_t name;        /* string; the ONNX tensor's name where it is one */
    uint8_t dtype;        /* kiln_dtype that kernels see */
    uint8_t stored_dtype; /* constants: dtype in the file (f32 as F16, U8 or I8), else = dtype */
    uint8_t rank;         /* 0 .. 8; rank 0 is a scalar */
    uint8_t layout;       /* kiln_plan_layout */
    uint8_t place;        /* kiln_plan_place */
    uint8_t batched;
    /* Constants stored as U8 or I8, value = (integer - zero) * scale in f32: 0: one scale and zero;
     * else one for each index of dims[stored_axis - 1]. Stored are the scales, then the zeros, both
     * as f32, then the integers. 0 for all others. */
    uint16_t stored_axis;
    uint32_t storage;    /* ARENA: index of the storage, else KILN_PLAN_NONE */
    uint32_t row_stride; /* elements */
    /* Written and read in one band: so many rows of the picture are in the storage at a time, and
     * they move to its start when others are not needed any more. 0: all of it. */
    uint32_t window_rows;
    uint32_t dims[KILN_MAX_RANK]; /* ONNX order; 0 past rank; none is 0 */
    uint64_t offset;              /* ARENA: slice_offset in bytes within the storage, at any batch;
                                     CONSTANT: in the weights section, multiple of 64; else 0 */
    uint64_t checksum;            /* CONSTANT: XXH3-64 of the stored bytes; else 0 */
} kiln_plan_tensor_record;

typedef struct kiln_plan_pair {
    uint32_t key, value; /* strings */
} kiln_plan_pair;

typedef struct kiln_plan_preprocess_record {
    uint32_t bgr;
    uint32_t resize;
    float crop_fraction;
    uint32_t reserved;
    float scale[4];
    float bias[4];
} kiln_plan_preprocess_record;

/* One kernel call. operands[first_operand ...] are input_count inputs, then output_count outputs.
 */
typedef struct kiln_plan_step {
    uint16_t kernel; /* kiln_kernel */
    uint8_t input_count;
    uint8_t output_count;
    uint32_t flags;  /* KILN_STEP_* */
    uint32_t name;   /* string: layer name */
    uint32_t origin; /* string: ONNX operators it stands for, "Conv + BatchNormalization" */
    uint32_t first_operand;
    uint32_t params_offset; /* multiple of 8, in the params section */
    uint32_t params_bytes;  /* exactly the size of the kernel's parameter struct */
    uint32_t reserved;
} kiln_plan_step;

/* Steps that are run together, some rows of their pictures at a time, so that what lies between
 * them need never be in memory whole: see kiln_band_turn. */
typedef struct kiln_plan_band {
    uint32_t first_step, last_step; /* inclusive, at least two, at most KILN_BAND_STEPS */
    uint32_t rows;                  /* of the last step's output, in each turn */
    uint32_t reserved;
} kiln_plan_band;

#define KILN_STEP_FINAL_DENSE 1u /* one of the network's own final dense layers */
/* Of a quantised network: rounding is to be that of a plain sum, so never Winograd's algorithm. */
#define KILN_STEP_EXACT 2u

/* ---- Kernels ------------------------------------------------------------------------------- */

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
 * x2, y2), samples [R] i64: of which picture; y [R, C, height, width]. Each bin of a region is the
 * average of sampling_ratio^2 bilinear samples, or the maximum of their weighted terms, four a
 * sample; with ratio 0 there are as many, each way, as the bin is pixels long, at most
 * 4 * (x's size + 2) / bins, rounded up. A picture that is not there gives zeros. */
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

/* ---- Bands --------------------------------------------------------------------------------- */

#define KILN_BAND_STEPS 32u
#define KILN_BAND_TURNS (1u << 20) /* of all bands of a plan, at most */

/* Row r of an output image is computed from the rows [r*stride - padding, r*stride - padding +
 * extent) of an input image, as far as they exist. */
typedef struct kiln_row_rule {
    uint32_t stride, padding;
    uint32_t extent; /* 0: the kernel needs the whole input */
} kiln_row_rule;

/* Can a kernel compute some rows of its output image alone? 0: it cannot. Else the rows must be
 * asked for in multiples of what is returned (but for the last ones), and out_rule is how they
 * follow from those of input `input`. operands are the step's inputs, then outputs; NULL: absent.
 */
KILN_API uint32_t kiln_step_rows(uint32_t kernel, const void *params, uint32_t input_count,
                                 uint32_t output_count,
                                 const kiln_plan_tensor_record *const *operands, uint32_t input,
                                 kiln_row_rule *out_rule);

/* A step of a band, as the schedule sees it. */
typedef struct kiln_band_step {
    uint32_t height;   /* of its output image */
    uint32_t multiple; /* kiln_step_rows */
    uint32_t source_count;
    struct {
        uint32_t step; /* an earlier one of the band, which writes the input; counted from 0 */
        kiln_row_rule rule;
    } sources[2];
} kiln_band_step;

/* Rows of a step's output in one turn: [begin, end) are computed; of the earlier ones, those from
 * `keep` on are still needed, in this turn or later ones. */
typedef struct kiln_band_rows {
    uint32_t keep, begin, end;
} kiln_band_rows;

/* The next turn of a band: `rows` more rows of the last step's output, or what is left, and of each
 * other step's output what they need. All zeros before the first turn; false after the last one.
 * In a turn the steps run one after the other. */
KILN_API bool kiln_band_turn(const kiln_band_step *steps, size_t count, uint32_t rows,
                             kiln_band_rows *inout_rows);
/* Plays a band through: by step, the most rows computed in a turn (out_most) and held at a time
 * (out_held). Returns the number of turns. */
KILN_API uint32_t kiln_band_measure(const kiln_band_step *steps, size_t count, uint32_t rows,
                                    uint32_t *out_most, uint32_t *out_held);

/* ---- Reading an open plan's records -------------------------------------------------------- */

/* The validated records of an open plan, owned by it. strings is the whole string section: the name
 * of tensor t is strings + tensors[t].name. */
typedef struct kiln_plan_view {
    const kiln_plan_header *header;
    const char *strings;
    const kiln_plan_storage *storages;
    const kiln_plan_tensor_record *tensors;
    const uint32_t *operands;
    const uint8_t *params;
    const kiln_plan_step *steps;
    const uint32_t *inputs, *outputs;
    const kiln_plan_pair *metadata;
    const uint32_t *labels;
    const kiln_plan_band *bands;
    const uint8_t *weights; /* of a plan that lies at a multiple of 4, so do constants of 8-byte
                             * numbers: copy them before they are read */
    size_t band_count, storage_count, tensor_count, operand_count, step_count, input_count,
        output_count, metadata_count, label_count;
} kiln_plan_view;

KILN_API void kiln_plan_inspect(const kiln_plan *plan, kiln_plan_view *out_view);
/* Multiply-accumulates of one step for a batch of one; 0 for kernels that do none. */
KILN_API uint64_t kiln_plan_step_macs(const kiln_plan *plan, size_t step);
/* Dense size in bytes of the elements of a tensor as stored (constants) or for a batch of one. */
KILN_API uint64_t kiln_plan_tensor_bytes(const kiln_plan_tensor_record *tensor);
KILN_API uint64_t kiln_plan_tensor_elements(const kiln_plan_tensor_record *tensor);
/* Elements [begin, begin + count) of a constant as f32, in the order in which they are stored, from
 * whatever they are stored as. */
KILN_API void kiln_plan_widen(const kiln_plan_view *view, const kiln_plan_tensor_record *tensor,
                              size_t begin, size_t count, float *out);

/* Sizes of the records are part of the format. */
_Static_assert(sizeof(kiln_plan_section) == 24, "plan format");
_Static_assert(sizeof(kiln_plan_header) == 56 + 24 * KILN_SECTION_COUNT + 8, "plan format");
_Static_assert(sizeof(kiln_plan_storage) == 24, "plan format");
_Static_assert(sizeof(kiln_plan_tensor_record) == 72, "plan format");
_Static_assert(sizeof(kiln_plan_step) == 32, "plan format");
_Static_assert(sizeof(kiln_plan_band) == 16, "plan format");
_Static_assert(sizeof(kiln_plan_preprocess_record) == 48, "plan format");
_Static_assert(sizeof(kiln_copy_params) == 184, "plan format");
_Static_assert(sizeof(kiln_conv_params) == 56, "plan format");
_Static_assert(sizeof(kiln_conv_nd_params) == 64, "plan format");
_Static_assert(sizeof(kiln_pool_params) == 48, "plan format");
_Static_assert(sizeof(kiln_pool_nd_params) == 88, "plan format");

#ifdef __cplusplus
}
#endif
#endif
