/* Thread pools that start or fail. pthreadpool_create ignores the errors of pthread_create and then
 * waits for ever for threads that never started. So it is called only when as many threads have
 * been seen to start; and on a thread of its own that can be given up, should one fail all the
 * same. */
#include "runtime/session/threads.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <signal.h>
#include <sys/syscall.h>
#endif

#define PATIENCE_WAITS 100 /* of 50 ms, counted one by one: a process may be stopped meanwhile */
#define WAIT_NANOSECONDS 50000000

static kiln_status cannot_start(uint32_t threads, uint32_t started, int reason, kiln_error *error) {
    return kiln_fail(error, KILN_ERROR_MEMORY, "cannot start %u threads (%u could be: %s)", threads,
                     started, strerror(reason));
}

/* ---- Trying -------------------------------------------------------------------------------- */

typedef struct trial {
    pthread_mutex_t *gate; /* locked until all have started */
    pthread_t thread;
    long id; /* of the system; 0: unknown */
} trial;

static void *wait_at_gate(void *context) {
    trial *t = context;
#ifdef __linux__
    t->id = syscall(SYS_gettid);
#endif
    pthread_mutex_lock(t->gate);
    pthread_mutex_unlock(t->gate);
    return NULL;
}

/* A thread that has been joined counts against limits for some microseconds more. */
static void wait_until_gone(long id) {
#ifdef __linux__
    for (int waits = 0; id > 0 && waits < 100000; waits++) {
        if (syscall(SYS_tgkill, (long)getpid(), id, 0) != 0) {
            return;
        }
        sched_yield();
    }
#else
    (void)id;
#endif
}

/* Starts `threads` threads at once, and ends them again. */
static kiln_status try_threads(uint32_t threads, kiln_error *error) {
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    trial *trials = calloc(threads, sizeof *trials);
    uint32_t started = 0;
    int reason = 0;
    if (trials == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    pthread_mutex_lock(&gate);
    for (; started < threads && reason == 0; started += reason == 0) {
        trials[started].gate = &gate;
        reason = pthread_create(&trials[started].thread, NULL, wait_at_gate, &trials[started]);
    }
    pthread_mutex_unlock(&gate);
    for (uint32_t k = 0; k < started; k++) {
        pthread_join(trials[k].thread, NULL);
    }
    for (uint32_t k = 0; k < started; k++) {
        wait_until_gone(trials[k].id);
    }
    free(trials);
    pthread_mutex_destroy(&gate);
    return reason == 0 ? KILN_OK : cannot_start(threads, started, reason, error);
}

/* ---- Starting ------------------------------------------------------------------------------ */

/* Freed by whoever is last to need it. */
typedef struct start {
    uint32_t threads;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done, given_up;
    pthreadpool_t pool;
} start;

static void start_free(start *s) {
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}

static void *start_pool(void *context) {
    start *s = context;
    pthreadpool_t pool = pthreadpool_create(s->threads);
    pthread_mutex_lock(&s->lock);
    s->pool = pool;
    s->done = true;
    bool given_up = s->given_up;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (given_up) {
        pthreadpool_destroy(pool);
        start_free(s);
    }
    return NULL;
}

static bool wait_for_pool(start *s) {
    pthread_mutex_lock(&s->lock);
    for (int waits = 0; waits < PATIENCE_WAITS && !s->done; waits++) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += WAIT_NANOSECONDS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&s->changed, &s->lock, &until);
    }
    s->given_up = !s->done;
    bool done = s->done;
    pthread_mutex_unlock(&s->lock);
    return done;
}

kiln_status threads_create_pool(uint32_t threads, pthreadpool_t *out_pool, kiln_error *error) {
    pthread_t starter;
    *out_pool = NULL;
    /* One more than the pool starts: the starter. */
    kiln_status status = threads > 1 ? try_threads(threads, error) : KILN_OK;
    if (status != KILN_OK || threads <= 1) {
        return status;
    }
    start *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    s->threads = threads;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    int reason = pthread_create(&starter, NULL, start_pool, s);
    if (reason != 0) {
        start_free(s);
        return cannot_start(threads, 0, reason, error);
    }
    if (!wait_for_pool(s)) {
        pthread_detach(
            starter); /* it, and the threads that did start, sleep until the process ends */
        return cannot_start(threads, threads - 1, EAGAIN, error);
    }
    pthread_join(starter, NULL);
    *out_pool = s->pool;
    start_free(s);
    return *out_pool != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

/* ---- Greeting ------------------------------------------------------------------------------ */

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
    atomic_fetch_add(&g->arrived, 1);
    while (atomic_load(&g->arrived) < g->threads) {
        sched_yield();
    }
}

void threads_greet(pthreadpool_t pool, void (*greet)(void *context, uint32_t thread),
                   void *context) {
    greeting g = {.greet = greet, .context = context, .caller = pthread_self()};
    g.threads = pthreadpool_get_threads_count(pool);
    pthreadpool_parallelize_1d(pool, meet, &g, g.threads, 0);
}
