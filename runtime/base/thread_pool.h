/* Threads that share the work of one caller. The caller never waits for a thread that has not come:
 * it does the others' work meanwhile, and waits only for what they have begun. So threads cost
 * nothing while they start, and little where the system gives them no core.
 *
 * Work is a number of items. Each thread begins with a stretch of them of its own, the same one
 * each time, so that it finds in its cache what it left there; done with it, it takes items from
 * the ends of the others'. */
#ifndef KILN_RUNTIME_BASE_THREAD_POOL_H
#define KILN_RUNTIME_BASE_THREAD_POOL_H

#include <kiln/kiln.h>

typedef struct thread_pool
    thread_pool; /* NULL, wherever one is taken, is the caller's thread alone */

typedef void thread_pool_item(void *context, size_t item);
typedef void thread_pool_range(void *context, size_t begin, size_t count);
typedef void thread_pool_cell(void *context, size_t row, size_t column);
typedef void thread_pool_cells(void *context, size_t row, size_t begin, size_t count);

/* Starts threads - 1 threads, and does not wait for them; NULL, and KILN_OK, for one. An error when
 * they cannot all be started. The allocator is copied. */
kiln_status thread_pool_create(const kiln_allocator *allocator, uint32_t threads,
                               thread_pool **out_pool, kiln_error *error);

/* A pool that has others do the work: `share` calls the task for each item, and returns when all
 * are done. `other` must outlive it. */
typedef void thread_pool_share(void *other, thread_pool_item *task, void *context, size_t count);
kiln_status thread_pool_lend(const kiln_allocator *allocator, void *other, size_t threads,
                             thread_pool_share *share, thread_pool **out_pool, kiln_error *error);

/* In a child of the process that has created it, a pool has lost its threads: the caller does all
 * the work. */
void thread_pool_destroy(thread_pool *pool);
size_t thread_pool_threads(const thread_pool *pool);

/* Calls `greet` once on each of the threads but the caller's, numbered from 1, and waits for them.
 * Not for a lent pool. */
void thread_pool_greet(thread_pool *pool, void (*greet)(void *context, uint32_t thread),
                       void *context);

/* Each calls the task for all items, in any order and on any threads of the pool, and returns when
 * all are done. A pool works for one caller at a time; a task gives it no work. Numbers too small
 * to be normal count as zeros meanwhile: they would take processors many times as long. */
void thread_pool_each(thread_pool *pool, thread_pool_item *task, void *context, size_t count);
/* Ranges of `most` items, the last one of what is left. */
void thread_pool_ranges(thread_pool *pool, thread_pool_range *task, void *context, size_t count,
                        size_t most);
void thread_pool_grid(thread_pool *pool, thread_pool_cell *task, void *context, size_t rows,
                      size_t columns);
/* Each row in ranges of `most` columns. */
void thread_pool_grid_ranges(thread_pool *pool, thread_pool_cells *task, void *context, size_t rows,
                             size_t columns, size_t most);

#endif
