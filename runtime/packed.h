/* Packed weights: what kernels make of a plan's constants. They belong to the plan: made by the
 * first session that needs them, used by all, freed when the last session goes. Thread-safe. */
#ifndef KILN_RUNTIME_PACKED_H
#define KILN_RUNTIME_PACKED_H

#include "runtime/runtime.h"

#include <pthread.h>

/* One constant in one form. */
typedef struct packed {
    struct packed *next;
    uint64_t key; /* of constant and form */
    float *data;
    size_t bytes;
    bool ready; /* false: some session is filling it */
} packed;

typedef struct packed_store {
    pthread_mutex_t lock;
    pthread_cond_t settled; /* some entry became ready, or failed and went */
    size_t sessions;
    packed *entries;
    kiln_allocator allocator;
} packed_store;

/* For plan.c. On failure nothing is left behind. */
kiln_status packed_create(const kiln_allocator *allocator, packed_store **out_store,
                          kiln_error *error);
void packed_destroy(packed_store *store); /* NULL is allowed */

/* For session.c: around a session's life. */
void packed_enter(const kiln_plan *plan);
void packed_leave(const kiln_plan *plan);

#endif
