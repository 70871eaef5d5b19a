/* Nested loops over an operand's elements, as untrusted plans describe them: sizes, and the
 * elements from one step to the next. */
#ifndef KILN_KERNELS_STRIDED_H
#define KILN_KERNELS_STRIDED_H

#include "runtime/kernels/kernel.h"

typedef struct strided {
    uint32_t rank;
    size_t sizes[KILN_MAX_RANK]; /* at least 1 */
    int64_t strides[KILN_MAX_RANK], start;
} strided;

/* Whether all positions from loop `first` on lie in `elements`. */
bool strided_stays_inside(const strided *s, uint32_t first, uint64_t elements);
/* Whether the loops take each of so many elements once: by stride they are a dense numbering. */
bool strided_takes_each(const strided *s, uint64_t elements);

#endif
