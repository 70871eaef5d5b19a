/* A call to each thread of a pool. */
#include "runtime/base/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

typedef struct greeting {
    void (*greet)(void *context, uint32_t thread);
    void *context;
    pthread_t caller;
    size_t threads;
    atomic_size_t arrived;
    atomic_uint greeted;
} greeting;

/* Nobody leaves before all have arrived, so that each thread takes one item. */
static void meet(void *context, size_t item) {
    greeting *g = context;
    (void)item;
    if (!pthread_equal(pthread_self(), g->caller)) {
        g->greet(g->context, atomic_fetch_add(&g->greeted, 1) + 1);
    }
    (void)atomic_fetch_add(&g->arrived, 1);
    while (atomic_load(&g->arrived) < g->threads) {
        (void)sched_yield();
    }
}

void thread_pool_greet(thread_pool *p, void (*greet)(void *context, uint32_t thread),
                       void *context) {
    greeting g = {.greet = greet,
                  .context = context,
                  .caller = pthread_self(),
                  .threads = thread_pool_threads(p)};
    thread_pool_each(p, meet, &g, g.threads);
}
