/* Thread pools that start or fail. */
#ifndef KILN_RUNTIME_THREADS_H
#define KILN_RUNTIME_THREADS_H

#include <kiln/kiln.h>
#include <pthreadpool.h>

/* A pool of `threads` (at least 1) threads, the caller's included; NULL, and KILN_OK, for one. An
 * error when they cannot all be started. allocator: of what it takes to start them. */
kiln_status threads_create_pool(const kiln_allocator *allocator, uint32_t threads,
                                pthreadpool_t *out_pool, kiln_error *error);

/* The same in two parts, so that other work can be done while the threads start. Every start is to
 * be taken, once, which waits for the threads; that of one thread is NULL, and so is its pool. */
typedef struct threads_start threads_start;
kiln_status threads_begin(const kiln_allocator *allocator, uint32_t threads,
                          threads_start **out_start, kiln_error *error);
bool threads_are_ready(threads_start *start); /* taking it would not wait; start is not NULL */
kiln_status threads_take(threads_start *start, pthreadpool_t *out_pool, kiln_error *error);

/* Calls `greet` once on each of the pool's threads but the caller's, which it numbers from 1. */
void threads_greet(pthreadpool_t pool, void (*greet)(void *context, uint32_t thread),
                   void *context);

#endif
