/* Kernels of the plan format: copies, gathering, scattering, searching. What each computes, and its
 * parameters as they lie in a plan; to be read by plan_kernels.h, which says what the words mean. A
 * part of the specification in schemas/plan.md. */
#ifndef KILN_KERNELS_POSITIONS_H
#define KILN_KERNELS_POSITIONS_H

#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KILN_EACH_POSITION_KERNEL(KERNEL)                                                          \
    KERNEL(0, COPY, copy)                                                                          \
    KERNEL(16, ARG_REDUCE, arg_reduce)                                                             \
    KERNEL(17, TOP_K, top_k)                                                                       \
    KERNEL(22, GATHER, gather)                                                                     \
    KERNEL(23, REMAP, remap)                                                                       \
    KERNEL(24, RESAMPLE, resample)                                                                 \
    KERNEL(30, GATHER_ELEMENTS, gather_elements)                                                   \
    KERNEL(31, GATHER_ND, gather_nd)                                                               \
    KERNEL(32, SCATTER_ELEMENTS, scatter_elements)                                                 \
    KERNEL(33, SCATTER_ND, scatter_nd)

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

/* GATHER along physical dim `axis` of a dense x by i64 indices (runtime; negative counts from the
 * end; out of range is clamped). y's physical dims: x[:axis] + indices + x[axis+1:]. Element size
 * is any. axis is not a batched dim 0. */
typedef struct kiln_gather_params {
    uint32_t axis;
    uint32_t reserved;
} kiln_gather_params;

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

/* Sizes of the parameters are part of the format. */
KILN_STATIC_ASSERT(sizeof(kiln_copy_params) == 184, "plan format");

#ifdef __cplusplus
}
#endif
#endif
