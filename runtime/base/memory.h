/* Blocks of memory that know whom they came from, so that whoever frees one need know neither its
 * allocator nor its size. All memory of the runtime that is not of a plan's or a session's own
 * accounting comes from here: tests/links sees that nothing else calls malloc. */
#ifndef KILN_RUNTIME_BASE_MEMORY_H
#define KILN_RUNTIME_BASE_MEMORY_H

#include <kiln/kiln.h>

/* `allocator` is copied into the block, and NULL is the default one (malloc). Blocks are aligned as
 * malloc's are. NULL: there is no memory. */
void *memory_take(const kiln_allocator *allocator, size_t size);
/* The same, aligned for vectors of any processor. */
#define MEMORY_ALIGNMENT 64u
void *memory_aligned(const kiln_allocator *allocator, size_t size);
/* count * size bytes, cleared; NULL where that is too large for a size, too. */
void *memory_zeros(const kiln_allocator *allocator, size_t count, size_t size);
/* A block (NULL: none yet) with its content in a larger or smaller one. NULL: there is no memory,
 * and the block is as it was. */
void *memory_grow(const kiln_allocator *allocator, void *block, size_t size);
char *memory_text(const kiln_allocator *allocator, const char *text);
void memory_free(void *block); /* NULL is allowed */
/* Says that there is no memory: KILN_ERROR_MEMORY (status.c, since texts take memory). */
kiln_status memory_fail(kiln_error *error);

#endif
