/* Nested loops that copy elements. */
#ifndef KILN_KERNELS_COPY_H
#define KILN_KERNELS_COPY_H

#include "runtime/kernels/kernel.h"

typedef struct copy_loop {
    size_t count;
    ptrdiff_t in, out; /* elements */
} copy_loop;

typedef struct copy_plan {
    const uint8_t *x;
    uint8_t *y;
    size_t size; /* bytes of an element */
    uint32_t rank;
    copy_loop loops[KILN_MAX_RANK + 2]; /* the last two run inside a tile */
} copy_plan;

/* Copies the units [begin, end) of the copy_plan, each of which is one step of all loops but the
 * last. */
void copy_units(void *plan, size_t begin, size_t end);

#endif
