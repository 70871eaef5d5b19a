/* An arena of chunks: see arena.h. */
#include "compiler/graph/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)64 << 10)

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    alignas(max_align_t) uint8_t bytes[];
} chunk;

struct arena {
    chunk *chunks; /* newest first; only the newest has room */
};

arena *arena_create(void) {
    return calloc(1, sizeof(arena));
}

void arena_free(arena *a) {
    if (a == NULL) {
        return;
    }
    for (chunk *c = a->chunks; c != NULL;) {
        chunk *next = c->next;
        free(c);
        c = next;
    }
    free(a);
}

void *arena_allocate(arena *a, size_t size) {
    const size_t alignment = alignof(max_align_t);
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size = (size + alignment - 1) / alignment * alignment;
    chunk *c = a->chunks;
    if (c == NULL || size > c->size - c->used) {
        /* A large block goes behind the newest chunk, whose room is not lost. */
        bool large = size > CHUNK_BYTES / 4;
        size_t bytes = large ? size : CHUNK_BYTES;
        chunk **place = large && c != NULL ? &c->next : &a->chunks;
        c = calloc(1, sizeof *c + bytes);
        if (c == NULL) {
            return NULL;
        }
        c->next = *place;
        c->size = bytes;
        *place = c;
    }
    void *memory = c->bytes + c->used;
    c->used += size;
    return memory;
}

void *arena_grow(arena *a, void *items, size_t count, size_t *inout_capacity) {
    if (count < *inout_capacity) {
        return items;
    }
    size_t capacity = *inout_capacity == 0 ? 4 : 2 * *inout_capacity;
    void *grown = arena_allocate(a, capacity * sizeof(void *));
    if (grown == NULL) {
        return NULL;
    }
    if (count > 0) {
        memcpy(grown, items, count * sizeof(void *));
    }
    *inout_capacity = capacity;
    return grown;
}
