#include "runtime/kernels/strided.h"

bool strided_stays_inside(const strided *s, uint32_t first, uint64_t elements) {
    int64_t low = s->start, high = s->start, room = (int64_t)elements;
    bool inside = low >= 0 && low < room;
    for (uint32_t k = first; k < s->rank && inside; k++) {
        int64_t stride = s->strides[k], steps = (int64_t)s->sizes[k] - 1;
        if (steps > 0 && (stride > room / steps || stride < -(room / steps))) {
            return false;
        }
        low += stride < 0 ? stride * steps : 0;
        high += stride > 0 ? stride * steps : 0;
        inside = low >= 0 && high < room;
    }
    return inside;
}

bool strided_takes_each(const strided *s, uint64_t elements) {
    strided left = *s;
    uint64_t product = 1;
    /* From the smallest stride on, each is the product of all sizes before. */
    for (uint32_t round = 0; round < s->rank && product <= elements; round++) {
        uint32_t k = 0;
        while (k < s->rank && (left.sizes[k] == 1 || left.strides[k] != (int64_t)product)) {
            k++;
        }
        if (k < s->rank) {
            product *= left.sizes[k];
            left.sizes[k] = 1;
        }
    }
    bool all = true;
    for (uint32_t k = 0; k < s->rank; k++) {
        all = all && left.sizes[k] == 1;
    }
    return all && s->start == 0 && product == elements;
}
