/* Elements by indices that a run computes. */
#include "runtime/kernels/indexed.h"

size_t index_base(const operand *indices, const operand *x, uint32_t axis, size_t k,
                  size_t *out_step) {
    size_t base = 0, stride = 1;
    for (uint32_t d = x->rank; d-- > 0;) {
        size_t dim = d == 0 ? SIZE_MAX : indices->dims[d], at = k % dim;
        if (d == axis) {
            *out_step = stride;
        } else {
            base += at * stride;
        }
        k /= dim;
        stride *= x->dims[d];
    }
    return base;
}

bool index_fits(const operand *indices, const operand *x, uint32_t axis) {
    bool fits = indices->rank == x->rank && axis < x->rank && indices->batched == x->batched &&
                !(axis == 0 && x->batched);
    for (uint32_t d = 0; fits && d < x->rank; d++) {
        bool same = d == 0 && x->batched;
        fits =
            d == axis || (same ? indices->dims[d] == x->dims[d] : indices->dims[d] <= x->dims[d]);
    }
    return fits;
}

bool index_tuples_fit(const operand *indices, const operand *x, const operand *slices,
                      size_t batch_dims) {
    const operand *i = indices;
    size_t addressed = batch_dims + i->dims[i->rank - 1];
    bool fit = addressed <= x->rank && slices->rank == i->rank - 1 + x->rank - addressed;
    for (uint32_t k = 0; fit && k < batch_dims; k++) {
        fit = x->dims[k] == i->dims[k];
    }
    for (uint32_t k = 0; fit && k < slices->rank; k++) {
        fit = slices->dims[k] ==
              (k + 1 < i->rank ? i->dims[k] : x->dims[k + 1 + addressed - i->rank]);
    }
    return fit;
}
