/* An arena: memory that grows piece by piece and is freed all at once. */
#ifndef KILN_COMPILER_GRAPH_ARENA_H
#define KILN_COMPILER_GRAPH_ARENA_H

#include <stddef.h>

typedef struct arena arena;

arena *arena_create(void); /* NULL: out of memory */
void arena_free(arena *a); /* NULL is allowed */
/* Zeroed memory, aligned for any type, that lives as long as the arena. NULL: out of memory. */
void *arena_allocate(arena *a, size_t size);
/* Room for one more pointer in an array that lies in the arena: the array itself while `count` is
 * below its capacity, else a copy twice as large. NULL: out of memory; the array is as it was. */
void *arena_grow(arena *a, void *items, size_t count, size_t *inout_capacity);

#endif
