/* What operator rows share beyond ops.h: indices, strides, batches, lowering by axes. */
#ifndef KILN_COMPILER_OPS_SUPPORT_H
#define KILN_COMPILER_OPS_SUPPORT_H

#include "compiler/lower/lower.h"
#include "compiler/ops/ops.h"

#define MASK_F32 (1u << KILN_F32)
#define MASK_NUMBERS (1u << KILN_F32 | 1u << KILN_I64)
#define MASK_BOOL (1u << KILN_BOOL)
#define MASK_ALL (MASK_NUMBERS | MASK_BOOL)

/* Refuses inputs from `from` on that differ in dtype. */
kiln_status require_same_dtype(const graph *g, const node *n, size_t from);

/* Refuses inputs that are not f32. */
kiln_status require_floats(graph *g, node *n);
/* Refuses inputs 1 .. count unless each has one value a channel. */
kiln_status require_channel_values(graph *g, node *n, size_t count);

void index_of(const tensor *t, int64_t element, int64_t out_index[KILN_MAX_RANK]);
int64_t dot_index(uint32_t rank, const int64_t *index, const int64_t *strides);
void dense_strides(uint32_t rank, const int64_t *dims, int64_t strides[KILN_MAX_RANK]);

/* Returns KILN_ERROR_UNSUPPORTED when the axis is the batch: the compiler then fixes the batch. */
kiln_status refuse_batch(const graph *g, const node *n, const tensor *t, uint32_t axis);

/* Does so when the elements of constant input k, which do not shape anything, depend on it. */
kiln_status refuse_batch_values(const graph *g, const node *n, size_t k);

/* Mean and variance (of the population) of `count` numbers. */
void moments(const float *x, int64_t count, double *out_mean, double *out_variance);

/* A dim at a batch of one. */
int64_t sample_dim(const lowering *l, int64_t dim);
/* Strides of a tensor's dense physical elements by its logical axes. */
void physical_strides(const lowering *l, const tensor *t, int64_t out_by_axis[KILN_MAX_RANK]);
/* Does what lower_copy does, with strides given by y's logical axes. */
kiln_status lower_by_axes(lowering *l, const node *n, tensor *x, tensor *y,
                          const int64_t strides_by_axis[KILN_MAX_RANK], int64_t start);
/* The strides by a Transpose's output axes of an input that has these by its own. */
void transpose_strides(const node *n, const int64_t by_axis[KILN_MAX_RANK],
                       int64_t out[KILN_MAX_RANK]);
/* Does a Transpose leave the elements where they are? Then it is a view. */
bool transpose_keeps_order(const lowering *l, const node *n);
/* Where a Transpose finds the elements of its input: in it, or else in what a Slice cut it from,
 * when the Slice made no copy. Strides are by the input's logical axes (slice.c). */
tensor *strided_source(lowering *l, tensor *x, int64_t out_by_axis[KILN_MAX_RANK],
                       int64_t *out_start);
/* Refuses an operator that exists at compile time only, and was not folded. */
kiln_status lower_unfoldable(lowering *l, node *n);

/* Truncates as Cast does; what is out of range becomes the nearest (cast.c). */
int64_t integer_of_float(float value);
/* Lowers operand t of an operator whose operands broadcast to, or are parts of, `out` to the
 * physical order of `out` (binary.c). Constants are row-major in the graph,
 * whatever the layout of what they meet. */
uint32_t lower_broadcast(lowering *l, const node *n, tensor *t, const tensor *out);

#endif
