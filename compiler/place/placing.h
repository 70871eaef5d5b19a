/* What the files of compiler/place/ share. */
#ifndef KILN_COMPILER_PLACING_H
#define KILN_COMPILER_PLACING_H

#include "compiler/place/place.h"

typedef struct order_key {
    uint64_t primary, secondary;
    uint32_t id;
} order_key;

/* order.c: downwards by primary, then secondary; upwards by id. */
void sort_keys(order_key *keys, size_t count);

/* in_time.c: the offset of each storage, and the arena's size. keys: room for twice as many. */
kiln_status place_in_time(const program *p, order_key *keys, uint64_t *out_offsets,
                          uint64_t *out_arena);

#endif
