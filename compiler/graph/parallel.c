/* Threads are started for one call and joined at its end: beside the work that is worth them they
 * cost nothing, and nothing has to be kept. */
#include "compiler/graph/parallel.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MAX_THREADS = 64, RANGES_PER_THREAD = 8 };
#define WORTH_A_THREAD ((int64_t)1 << 20) /* simple operations, about a millisecond */

typedef struct shared_work {
    parallel_task task;
    const void *context;
    int64_t count, range;
    atomic_llong next;
} shared_work;

static void *take_ranges(void *argument) {
    shared_work *w = argument;
    for (int64_t begin; (begin = atomic_fetch_add(&w->next, w->range)) < w->count;) {
        int64_t left = w->count - begin;
        w->task(w->context, begin, begin + (left < w->range ? left : w->range));
    }
    return NULL;
}

void graph_parallel(const graph *g, int64_t count, int64_t cost, parallel_task task,
                    const void *context) {
    int64_t each = cost > 0 && cost < WORTH_A_THREAD ? WORTH_A_THREAD / cost : 1;
    int64_t worth = count / each; /* threads */
    int64_t threads = g->threads < MAX_THREADS ? g->threads : MAX_THREADS;
    threads = threads < worth ? threads : worth;
    if (threads < 2) {
        if (count > 0) {
            task(context, 0, count);
        }
        return;
    }
    shared_work w = {.task = task, .context = context, .count = count};
    w.range = count / (threads * RANGES_PER_THREAD) + 1;
    atomic_init(&w.next, 0);
    pthread_t others[MAX_THREADS];
    int64_t started = 0;
    while (started + 1 < threads && pthread_create(&others[started], NULL, take_ranges, &w) == 0) {
        started++;
    }
    (void)take_ranges(&w);
    for (int64_t k = 0; k < started; k++) {
        (void)pthread_join(others[k], NULL);
    }
}
