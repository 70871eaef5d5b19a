/* Memory of a graph: chunks that are freed all at once. */
#include "compiler/graph/pool.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)64 << 10)

typedef struct pool_chunk {
    struct pool_chunk *next;
    size_t used, size;
    alignas(max_align_t) uint8_t bytes[];
} pool_chunk;

pool *pool_create(void) {
    return calloc(1, sizeof(pool));
}

void pool_free(pool *p) {
    if (p == NULL) {
        return;
    }
    for (pool_chunk *chunk = p->chunks; chunk != NULL;) {
        pool_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    names_free(&p->names);
    free(p);
}

void *pool_allocate(pool *p, size_t size) {
    const size_t alignment = alignof(max_align_t);
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size = (size + alignment - 1) / alignment * alignment;
    pool_chunk *chunk = p->chunks;
    if (chunk == NULL || size > chunk->size - chunk->used) {
        /* A large block goes behind the newest chunk, whose room is not lost. */
        bool large = size > CHUNK_BYTES / 4;
        size_t bytes = large ? size : CHUNK_BYTES;
        pool_chunk **place = large && chunk != NULL ? &chunk->next : &p->chunks;
        chunk = calloc(1, sizeof *chunk + bytes);
        if (chunk == NULL) {
            return NULL;
        }
        chunk->next = *place;
        chunk->size = bytes;
        *place = chunk;
    }
    void *memory = chunk->bytes + chunk->used;
    chunk->used += size;
    return memory;
}

void *graph_allocate(graph *g, size_t size) {
    void *memory = pool_allocate(g->pool, size);
    if (memory == NULL) {
        graph_fail(g, KILN_ERROR_MEMORY, "out of memory");
    }
    return memory;
}

const char *graph_strdup(graph *g, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = graph_allocate(g, size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

const char *graph_printf(graph *g, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : graph_allocate(g, (size_t)length + 1);
    if (text != NULL) {
        vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    va_end(arguments);
    return text;
}

void *pool_grow(pool *p, void *items, size_t count, size_t *inout_capacity) {
    if (count < *inout_capacity) {
        return items;
    }
    size_t capacity = *inout_capacity == 0 ? 4 : 2 * *inout_capacity;
    void *grown = pool_allocate(p, capacity * sizeof(void *));
    if (grown == NULL) {
        return NULL;
    }
    if (count > 0) {
        memcpy(grown, items, count * sizeof(void *));
    }
    *inout_capacity = capacity;
    return grown;
}
