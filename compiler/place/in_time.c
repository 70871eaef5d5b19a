/* Placement of very many storages: in the order of time, as a memory allocator would, so that the
 * work grows with their number alone. Free blocks are kept by size class, neighbours by address
 * (Knuth, The Art of Computer Programming 1, 2.5: boundary tags). */
#include "compiler/place/placing.h"

#include <stdlib.h>

#define CLASSES 64
#define TRIED 16 /* blocks of the smallest class that may do */
#define NONE UINT32_MAX

typedef struct block {
    uint64_t offset, bytes;
    uint32_t before, after;            /* by address */
    uint32_t previous_free, next_free; /* of the class */
    bool is_free;
} block;

typedef struct blocks {
    block *all;
    uint32_t count, last; /* last: the highest */
    uint32_t unused;      /* records to use again, by next_free */
    uint32_t classes[CLASSES];
} blocks;

static unsigned class_of(uint64_t bytes) {
    unsigned class = 0;
    while (bytes >>= 1) {
        class ++;
    }
    return class;
}

static uint32_t new_record(blocks *b, block value) {
    uint32_t id = b->unused;
    if (id != NONE) {
        b->unused = b->all[id].next_free;
    } else {
        id = b->count++;
    }
    b->all[id] = value;
    return id;
}

static void enter_class(blocks *b, uint32_t id) {
    uint32_t *head = &b->classes[class_of(b->all[id].bytes)];
    b->all[id].is_free = true;
    b->all[id].previous_free = NONE;
    b->all[id].next_free = *head;
    if (*head != NONE) {
        b->all[*head].previous_free = id;
    }
    *head = id;
}

static void leave_class(blocks *b, uint32_t id) {
    block *freed = &b->all[id];
    if (freed->previous_free != NONE) {
        b->all[freed->previous_free].next_free = freed->next_free;
    } else {
        b->classes[class_of(freed->bytes)] = freed->next_free;
    }
    if (freed->next_free != NONE) {
        b->all[freed->next_free].previous_free = freed->previous_free;
    }
    freed->is_free = false;
}

static uint32_t find_free(const blocks *b, uint64_t bytes) {
    unsigned class = class_of(bytes);
    uint32_t id = b->classes[class];
    for (int tried = 0; id != NONE && tried < TRIED; tried++, id = b->all[id].next_free) {
        if (b->all[id].bytes >= bytes) {
            return id;
        }
    }
    while (++class < CLASSES) {
        if (b->classes[class] != NONE) {
            return b->classes[class];
        }
    }
    return NONE;
}

/* What is left of a block above its first `bytes` becomes a free block. */
static void split(blocks *b, uint32_t id, uint64_t bytes) {
    block *whole = &b->all[id];
    if (whole->bytes == bytes) {
        return;
    }
    uint32_t rest = new_record(b, (block){.offset = whole->offset + bytes,
                                          .bytes = whole->bytes - bytes,
                                          .before = id,
                                          .after = whole->after});
    if (whole->after != NONE) {
        b->all[whole->after].before = rest;
    } else {
        b->last = rest;
    }
    whole->after = rest;
    whole->bytes = bytes;
    enter_class(b, rest);
}

static uint32_t take(blocks *b, uint64_t bytes) {
    uint32_t id = find_free(b, bytes);
    if (id != NONE) {
        leave_class(b, id);
        split(b, id, bytes);
        return id;
    }
    if (b->last != NONE && b->all[b->last].is_free) {
        leave_class(b, b->last);
        b->all[b->last].bytes = bytes;
        return b->last;
    }
    uint64_t end = b->last == NONE ? 0 : b->all[b->last].offset + b->all[b->last].bytes;
    id = new_record(b, (block){.offset = end, .bytes = bytes, .before = b->last, .after = NONE});
    if (b->last != NONE) {
        b->all[b->last].after = id;
    }
    return b->last = id;
}

/* Makes the free block after this one part of it. */
static void join(blocks *b, uint32_t id) {
    uint32_t after = b->all[id].after;
    leave_class(b, after);
    b->all[id].bytes += b->all[after].bytes;
    b->all[id].after = b->all[after].after;
    if (b->all[id].after != NONE) {
        b->all[b->all[id].after].before = id;
    } else {
        b->last = id;
    }
    b->all[after].next_free = b->unused;
    b->unused = after;
}

static void give_back(blocks *b, uint32_t id) {
    uint32_t before = b->all[id].before, after = b->all[id].after;
    if (after != NONE && b->all[after].is_free) {
        join(b, id);
    }
    enter_class(b, id);
    if (before != NONE && b->all[before].is_free) {
        leave_class(b, before);
        join(b, before);
        enter_class(b, before);
    }
}

kiln_status place_in_time(const program *p, order_key *keys, uint64_t *offsets,
                          uint64_t *out_arena) {
    size_t count = p->storage_count, ended = 0;
    blocks b = {.all = calloc(2 * count + 1, sizeof *b.all), .last = NONE, .unused = NONE};
    uint32_t *held = calloc(count + 1, sizeof *held); /* by storage: its block */
    order_key *ends = keys + count;
    if (b.all == NULL || held == NULL) {
        free(b.all);
        free(held);
        return KILN_ERROR_MEMORY;
    }
    for (int k = 0; k < CLASSES; k++) {
        b.classes[k] = NONE;
    }
    for (uint32_t id = 0; id < count; id++) { /* keys sort downwards */
        const program_storage *s = &p->storages[id];
        keys[id] = (order_key){UINT32_MAX - s->first_step, s->bytes, id};
        ends[id] = (order_key){UINT32_MAX - s->last_step, s->bytes, id};
    }
    sort_keys(keys, count);
    sort_keys(ends, count);
    *out_arena = 0;
    for (size_t k = 0; k < count; k++) {
        const program_storage *s = &p->storages[keys[k].id];
        for (; p->storages[ends[ended].id].last_step < s->first_step; ended++) {
            give_back(&b, held[ends[ended].id]);
        }
        uint32_t id = held[keys[k].id] = take(&b, s->bytes);
        uint64_t end = b.all[id].offset + s->bytes;
        offsets[keys[k].id] = b.all[id].offset;
        *out_arena = end > *out_arena ? end : *out_arena;
    }
    free(b.all);
    free(held);
    return KILN_OK;
}
