/* The loops of COPY: the two innermost are worked in tiles, which makes transposes (NCHW to NHWC)
 * cache-friendly. */
#include "runtime/kernels/copy.h"
#include "runtime/ukernels/ukernels.h"

#include <string.h>

#define TILE 16

/* Elements of four bytes, tile by tile. Inlined, its loop would lack registers. */
__attribute__((noinline)) static void copy_tiles(const uint32_t *x, uint32_t *y, size_t rows,
                                                 copy_loop outer, copy_loop inner) {
    for (size_t r0 = 0; r0 < rows; r0 += TILE) {
        size_t r1 = r0 + TILE < rows ? r0 + TILE : rows;
        for (size_t c0 = 0; c0 < inner.count; c0 += TILE) {
            size_t c1 = c0 + TILE < inner.count ? c0 + TILE : inner.count;
            for (size_t r = r0; r < r1; r++) {
                const uint32_t *from = x + (ptrdiff_t)r * outer.in + (ptrdiff_t)c0 * inner.in;
                uint32_t *to = y + (ptrdiff_t)r * outer.out + (ptrdiff_t)c0 * inner.out;
                for (size_t c = c0; c < c1; c++, from += inner.in, to += inner.out) {
                    *to = *from;
                }
            }
        }
    }
}

/* Elements of any size, one after the other. Images of bytes come along here. */
static void copy_elements(const copy_plan *plan, const uint8_t *x, uint8_t *y, size_t rows) {
    copy_loop outer = plan->loops[plan->rank - 2], inner = plan->loops[plan->rank - 1];
    ptrdiff_t size = (ptrdiff_t)plan->size;
    for (size_t r = 0; r < rows; r++) {
        const uint8_t *from = x + (ptrdiff_t)r * outer.in * size;
        uint8_t *to = y + (ptrdiff_t)r * outer.out * size;
        for (size_t c = 0; c < inner.count; c++, from += inner.in * size, to += inner.out * size) {
            element_copy(to, from, plan->size);
        }
    }
}

/* Three planes to the pixels of a dense image, or two halves of channels that are shuffled. */
static bool interleaves(const copy_plan *plan, copy_loop outer, copy_loop inner) {
    return plan->size == sizeof(uint32_t) && outer.in == 1 && inner.out == 1 &&
           outer.out == (ptrdiff_t)inner.count && (inner.count == 2 || inner.count == 3);
}

static void copy_rows(const copy_plan *plan, const uint8_t *x, uint8_t *y, size_t rows) {
    copy_loop outer = plan->loops[plan->rank - 2], inner = plan->loops[plan->rank - 1];
    if (interleaves(plan, outer, inner)) {
        const uint32_t *first = (const void *)x;
        const uint32_t *third = inner.count == 3 ? first + 2 * inner.in : NULL;
        ukernels_interleave(ukernels_best())(first, first + inner.in, third, rows, (void *)y);
    } else if (inner.in == 1 && inner.out == 1) {
        for (size_t r = 0; r < rows; r++) {
            memcpy(y + (ptrdiff_t)r * outer.out * (ptrdiff_t)plan->size,
                   x + (ptrdiff_t)r * outer.in * (ptrdiff_t)plan->size, inner.count * plan->size);
        }
    } else if (plan->size == sizeof(uint32_t)) {
        copy_tiles((const void *)x, (void *)y, rows, outer, inner);
    } else {
        copy_elements(plan, x, y, rows);
    }
}

void copy_units(void *context, size_t begin, size_t end) {
    const copy_plan *plan = context;
    const copy_loop *row_loop = &plan->loops[plan->rank - 2];
    while (begin < end) {
        size_t first = begin % row_loop->count, rest = begin / row_loop->count;
        size_t rows = row_loop->count - first;
        rows = rows < end - begin ? rows : end - begin;
        ptrdiff_t in = (ptrdiff_t)first * row_loop->in, out = (ptrdiff_t)first * row_loop->out;
        for (uint32_t k = plan->rank - 2; k-- > 0;) {
            ptrdiff_t index = (ptrdiff_t)(rest % plan->loops[k].count);
            rest /= plan->loops[k].count;
            in += index * plan->loops[k].in;
            out += index * plan->loops[k].out;
        }
        copy_rows(plan, plan->x + in * (ptrdiff_t)plan->size, plan->y + out * (ptrdiff_t)plan->size,
                  rows);
        begin += rows;
    }
}
