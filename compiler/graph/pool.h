/* Inside compiler/graph only: the graph's memory pool and its index of tensor names. */
#ifndef KILN_COMPILER_GRAPH_POOL_H
#define KILN_COMPILER_GRAPH_POOL_H

#include "compiler/graph/graph.h"
#include "compiler/graph/names.h"

struct pool_chunk;

typedef struct pool {
    struct pool_chunk *chunks; /* newest first; only the newest has room */
    name_table names;          /* of tensors */
    size_t fresh;              /* counts made-up names */
} pool;

pool *pool_create(void); /* NULL: out of memory */
void pool_free(pool *p); /* NULL is allowed */
void *pool_allocate(pool *p, size_t size);

/* Room for one more pointer in a pool array: the array itself, or a copy twice as large. NULL: out
 * of memory. */
void *pool_grow(pool *p, void *items, size_t count, size_t *inout_capacity);

/* One more use of t by n. */
bool tensor_add_consumer(pool *p, tensor *t, node *n);

#endif
