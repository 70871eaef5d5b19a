/* The operator table: one row an ONNX operator (ours too, for what passes make).
 *
 * A row's functions see the node's inputs and outputs as graph tensors in ONNX semantics:
 *   infer     sets every wanted output's dtype and shape from the inputs' (and from constants'
 *             values), checks attributes and input dtypes, and refuses what is not supported with
 *             node_fail(KILN_ERROR_UNSUPPORTED, "what was found; what is supported").
 *   evaluate  computes the outputs from constant inputs: plain loops, double accumulators, written
 *             to be obviously right. Outputs have shape and zeroed data. The fused clamp is the
 *             caller's business.
 *   lower     emits kernel calls (lower/lower.h). May assume infer succeeded and that inputs in
 *             constant_inputs are constant.
 *   expand    says the node in other operators (ops/expand.h), under the same assumptions. A node
 *             for which it builds nothing is lowered; without lower it must build.
 *   resolve   instead of the others, before anything is inferred, for operators that only give the
 *             graph its structure (control flow, sequences) or are others put together: appends
 *             nodes that make n's outputs, or asks for an operand (graph/settle.h).
 *
 * Only F32, I64 and BOOL tensors reach a row (i32 is imported as i64; f16, bf16, f64 data as f32);
 * Cast alone sees F16 and I32 at the graph's boundary. A dtype that the operator cannot take is
 * refused in infer with the type's name. */
#ifndef KILN_COMPILER_OPS_H
#define KILN_COMPILER_OPS_H

#include "compiler/graph/graph.h"

struct expansion;
struct lowering;

typedef enum op_layout {
    /* All inputs and outputs are row-major. */
    OP_ROW_MAJOR = 0,
    /* Input 0 and output 0 (rank >= 3) are channels-last, other runtime inputs row-major. */
    OP_CHANNELS_LAST,
    /* The output takes the layout of those runtime inputs that have its rank, all brought to the
     * same one. lower handles both layouts: it maps axes by physical_axis(). */
    OP_ANY,
    /* Elements in row-major order keep their order, as in Reshape and its kin. */
    OP_VIEW
} op_layout;

#define OP_ELEMENTWISE 1u /* output element i depends on input element i only (no broadcasting) */
#define OP_CLAMPS 2u      /* lowers a fused clamp (node min/max) into its kernel */
#define OP_NOT_ONNX 4u    /* made by passes; import refuses it */
#define OP_SHAPE_ONLY 8u  /* evaluate reads the inputs' shapes, not their data (Shape, Size) */
#define OP_UNKNOWN 16u    /* not in the table: import makes it; folding may yet remove it */
#define OP_BROADCASTS 32u /* elementwise, where all operands broadcast */

/* What op->resolve answers. */
typedef struct resolution {
    tensor *needed;        /* must be settled before; then resolve is called again */
    const char *otherwise; /* why the node is refused when `needed` is settled and not enough */
} resolution;

typedef struct op {
    const char *name;
    int min_opset; /* of the first version with these semantics that infer understands */
    uint8_t min_inputs, max_inputs, min_outputs, max_outputs; /* see OP_INPUTS, OP_OUTPUTS */
    uint32_t constant_inputs; /* bit k: input k, if present, must be known at compile time */
    op_layout layout;
    uint32_t flags;
    kiln_status (*infer)(graph *g, node *n);
    kiln_status (*evaluate)(graph *g, node *n);
    kiln_status (*lower)(struct lowering *l, node *n);
    kiln_status (*expand)(struct expansion *e, node *n);
    kiln_status (*resolve)(graph *g, node *n, resolution *out);
    double (*work)(const node *n); /* steps of evaluate; NULL: about one an element */
} op;

/* How many inputs and outputs a row has, at least and at most (255: any number). */
#define OP_INPUTS(least, most) .min_inputs = (least), .max_inputs = (most)
#define OP_OUTPUTS(least, most) .min_outputs = (least), .max_outputs = (most)

/* NULL: not in the table. */
const op *op_find(const char *name);

/* Groups of rows, one array a file of compiler/ops/, ended by a row with a NULL name: GROUP is
 * given ops_GROUP's suffix. A new file's line here enters it into the table. */
#define OP_GROUPS(GROUP)                                                                           \
    GROUP(convolution)   /* conv.c: Conv, ConvTranspose */                                         \
    GROUP(gemm)          /* gemm.c: Gemm */                                                        \
    GROUP(matmul)        /* matmul.c: MatMul */                                                    \
    GROUP(pool)          /* pool.c: MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool */      \
    GROUP(lp_pool)       /* lp_pool.c: LpPool, GlobalLpPool */                                     \
    GROUP(batch_norm)    /* batch_norm.c: BatchNormalization */                                    \
    GROUP(normalization) /* normalization.c: *Normalization, LRN,                                  \
                            LpNormalization */                                                     \
    GROUP(group_norm)    /* group_norm.c: GroupNormalization, GroupNorm (ours),                    \
                            MeanVarianceNormalization */                                           \
    GROUP(response_norm) /* response_norm.c: ResponseNorm (ours) */                                \
    GROUP(excitation)    /* squeeze_excite.c: SqueezeExcite (ours) */                              \
    GROUP(unary)         /* unary.c: Relu .. Shrink, Not */                                        \
    GROUP(clip)          /* clip.c: Clip */                                                        \
    GROUP(identity)      /* identity.c: Identity, Dropout */                                       \
    GROUP(cast)          /* cast.c: Cast */                                                        \
    GROUP(cast_like)     /* cast_like.c: CastLike */                                               \
    GROUP(float_test)    /* float_test.c: IsNaN, IsInf */                                          \
    GROUP(bitwise_not)   /* bitwise_not.c: BitwiseNot */                                           \
    GROUP(binary)        /* binary.c: Add .. BitShift, Pow, PRelu, Min/Max/Sum/Mean */             \
    GROUP(where)         /* where.c: Where */                                                      \
    GROUP(softmax)       /* softmax.c: Softmax, LogSoftmax */                                      \
    GROUP(attention)     /* attention.c: DotProductAttention (ours) */                             \
    GROUP(reduce)        /* reduce.c: Reduce* */                                                   \
    GROUP(select)        /* select.c: ArgMax, ArgMin, TopK */                                      \
    GROUP(one_hot)       /* one_hot.c: OneHot, Hardmax */                                          \
    GROUP(mask)          /* mask.c: Trilu, EyeLike, Compress, NonZero */                           \
    GROUP(unique)        /* unique.c: Unique */                                                    \
    GROUP(einsum)        /* einsum*.c: Einsum */                                                   \
    GROUP(concat)        /* concat.c: Concat, Split */                                             \
    GROUP(slice)         /* slice.c: Slice */                                                      \
    GROUP(pad)           /* pad.c: Pad */                                                          \
    GROUP(rearrange)     /* rearrange.c: Transpose, Expand, Tile, DepthToSpace, SpaceToDepth,      \
                            ChannelShuffle (ours) */                                               \
    GROUP(gather)        /* gather.c: Gather */                                                    \
    GROUP(indexed)       /* indexed.c: GatherElements, GatherND, Scatter* */                       \
    GROUP(cumulative)    /* cumulative.c: CumSum */                                                \
    GROUP(grid_sample)   /* grid_sample.c: GridSample */                                           \
    GROUP(roi_align)     /* roi_align.c: RoiAlign */                                               \
    GROUP(unpool)        /* unpool.c: MaxUnpool */                                                 \
    GROUP(view)          /* view.c: Reshape, Flatten, Squeeze, Unsqueeze */                        \
    GROUP(shape)         /* shape.c: Shape, Size, Range, ConstantOfShape, Constant */              \
    GROUP(resize)        /* resize.c: Resize, Upsample */                                          \
    GROUP(refused)       /* refused.c: NonMaxSuppression */                                        \
    GROUP(quantize)      /* quantize.c: QuantizeLinear, DequantizeLinear, ours of the kind */      \
    GROUP(quantized)     /* quantized.c: QLinear*, *Integer */                                     \
    GROUP(layout)        /* layout.c: Layout, FlattenChannelsLast (ours) */                        \
    GROUP(structure)     /* structure.c: If, Sequence* */                                          \
    GROUP(fused)         /* fused.c: com.microsoft.FusedConv and others of the kind */

#define DECLARE_GROUP(name) extern const op ops_##name[];
OP_GROUPS(DECLARE_GROUP)
#undef DECLARE_GROUP

/* ---- Shared by rows (support.c) ------------------------------------------------------------ */

/* Broadcasts all present inputs' shapes, in both directions, into out_dims. A dim that is
 * GRAPH_BATCH broadcasts with 1 or itself only. */
kiln_status infer_broadcast(graph *g, node *n, uint32_t *out_rank, int64_t out_dims[KILN_MAX_RANK]);
/* Refuses input k unless its dtype is one of the mask's (1u << KILN_F32 | ...). Absent is fine. */
kiln_status require_dtype(const graph *g, const node *n, size_t k, uint32_t mask);
/* Strides of a broadcast operand by out's dims: 0 where the operand's dim is 1 or missing. */
void broadcast_strides(const tensor *operand, const tensor *out, int64_t strides[KILN_MAX_RANK]);
/* Gives output 0 input 0's dtype and shape. */
kiln_status infer_same(graph *g, node *n);

/* Window geometry of Conv, ConvTranspose and pools with auto_pad, ceil_mode and defaults resolved.
 * Index s runs over spatial dims (0 .. spatial-1). */
#define WINDOW_MOST ((int64_t)65535) /* kernel, stride, dilation, padding: what kernels take */
typedef struct window {
    uint32_t spatial; /* 1 .. 3 */
    int64_t kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3];
    int64_t output_padding[3]; /* ConvTranspose */
    int64_t input[3], output[3];
} window;
/* kernel_dims: spatial dims of a weight, or NULL to read kernel_shape. */
kiln_status window_of_node(graph *g, node *n, const int64_t *kernel_dims, bool transposed,
                           window *out_window);
/* Finds those k of [0, count) for which origin + k * step lies in [0, size): the taps of a kernel
 * that lie in the image, for one. */
void window_inside(int64_t origin, int64_t step, int64_t count, int64_t size, int64_t *out_begin,
                   int64_t *out_end);
/* The same window with three spatial dims: the missing ones, in front, are of size 1. */
window window_volume(const window *w);

#endif
