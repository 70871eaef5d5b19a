/* The order in which storages are placed. */
#include "compiler/place/placing.h"

#include <stdlib.h>

static int compare_keys(const void *a, const void *b) {
    const order_key *x = a, *y = b;
    if (x->primary != y->primary) {
        return x->primary > y->primary ? -1 : 1;
    }
    if (x->secondary != y->secondary) {
        return x->secondary > y->secondary ? -1 : 1;
    }
    return x->id < y->id ? -1 : 1;
}

void sort_keys(order_key *keys, size_t count) {
    qsort(keys, count, sizeof *keys, compare_keys);
}
