/* Elements by indices that a run computes: GATHER_ELEMENTS, GATHER_ND, SCATTER_ELEMENTS,
 * SCATTER_ND. An index counts from the end when negative. One that lies outside reads the nearest
 * element, and writes nothing. */
#ifndef KILN_RUNTIME_INDEXED_H
#define KILN_RUNTIME_INDEXED_H

#include "runtime/kernels/kernel.h"

static inline size_t index_nearest(int64_t index, size_t size) {
    int64_t count = (int64_t)size;
    index += index < 0 ? count : 0;
    return index < 0 ? 0 : index >= count ? size - 1 : (size_t)index;
}

/* Makes a position of an index; false where the index lies outside. */
static inline bool index_inside(int64_t index, size_t size, size_t *out) {
    int64_t count = (int64_t)size;
    index += index < 0 ? count : 0;
    *out = (size_t)index;
    return index >= 0 && index < count;
}

/* Where element k of `indices` lies in a tensor of the same rank, but for the axis: the position
 * with index 0 along it, and the step from one to the next. */
size_t index_base(const operand *indices, const operand *x, uint32_t axis, size_t k,
                  size_t *out_step);
/* May indices address a tensor along the axis? Other dims are not larger than its own; the batch is
 * the same. */
bool index_fits(const operand *indices, const operand *x, uint32_t axis);
/* Are the dims of `slices` those of tuples of indices but the last, then x's after those that are
 * addressed? The first dims, `batch_dims`, belong to both. */
bool index_tuples_fit(const operand *indices, const operand *x, const operand *slices,
                      size_t batch_dims);

#endif
