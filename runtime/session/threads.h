/* pthreadpool's pools, for layers that XNNPACK computes: it knows no others. */
#ifndef KILN_RUNTIME_THREADS_H
#define KILN_RUNTIME_THREADS_H

#include "runtime/base/thread_pool.h"
#include <pthreadpool.h>

/* A pool of `threads` (at least 2) threads, the caller's included. An error when they cannot all be
 * started, where pthreadpool would wait for ever. allocator: of what it takes to start them. */
kiln_status threads_create_pthreadpool(const kiln_allocator *allocator, uint32_t threads,
                                       pthreadpool_t *out_pool, kiln_error *error);

/* One of ours that has such a pool do the work: two that spin would take each other's cores. */
kiln_status threads_lend(const kiln_allocator *allocator, pthreadpool_t theirs,
                         thread_pool **out_pool, kiln_error *error);

#endif
