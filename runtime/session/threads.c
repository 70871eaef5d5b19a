/* Pools of pthreadpool's that start or fail. pthreadpool_create ignores the errors of
 * pthread_create and then waits for ever for threads that never started. So it is called only when
 * as many threads have been seen to start; and on a thread of its own that can be given up, should
 * one fail all the same. */
#include "runtime/session/threads.h"
#include "runtime/base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
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

/* Starts at once as many threads as a pool of `threads` starts, and ends them again. */
static kiln_status try_threads(const kiln_allocator *allocator, uint32_t threads,
                               kiln_error *error) {
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    uint32_t workers = threads - 1, started = 0;
    trial *trials = memory_zeros(allocator, workers, sizeof *trials);
    int reason = 0;
    if (trials == NULL) {
        return memory_fail(error);
    }
    pthread_mutex_lock(&gate);
    for (; started < workers && reason == 0; started += reason == 0) {
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
    memory_free(trials);
    pthread_mutex_destroy(&gate);
    return reason == 0 ? KILN_OK : cannot_start(threads, started + 1, reason, error);
}

/* ---- Starting ------------------------------------------------------------------------------ */

/* Freed by whoever is last to need it. */
typedef struct threads_start {
    kiln_allocator allocator;
    uint32_t threads;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done, given_up;
    pthreadpool_t pool; /* NULL, when done: status and error say why */
    kiln_status status;
    kiln_error error;
} threads_start;

static void start_free(threads_start *s) {
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    memory_free(s);
}

static void *start_pool(void *context) {
    threads_start *s = context;
    kiln_error error = {0};
    pthreadpool_t pool = NULL;
    kiln_status status = try_threads(&s->allocator, s->threads, &error);
    if (status == KILN_OK) {
        pool = pthreadpool_create(s->threads);
        status = pool != NULL ? KILN_OK : memory_fail(&error);
    }
    pthread_mutex_lock(&s->lock);
    s->pool = pool;
    s->status = status;
    s->error = error;
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

static bool wait_for_pool(threads_start *s) {
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

kiln_status threads_create_pthreadpool(const kiln_allocator *allocator, uint32_t threads,
                                       pthreadpool_t *out_pool, kiln_error *error) {
    *out_pool = NULL;
    threads_start *s = memory_zeros(allocator, 1, sizeof *s);
    if (s == NULL) {
        return memory_fail(error);
    }
    s->allocator = *allocator;
    s->threads = threads;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    pthread_t starter;
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
    kiln_status status = s->status;
    if (status != KILN_OK && error != NULL) {
        *error = s->error;
    }
    start_free(s);
    return status;
}

/* ---- Lending ------------------------------------------------------------------------------- */

static void share(void *other, thread_pool_item *task, void *context, size_t count) {
    pthreadpool_parallelize_1d(other, task, context, count, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
}

kiln_status threads_lend(const kiln_allocator *allocator, pthreadpool_t theirs,
                         thread_pool **out_pool, kiln_error *error) {
    return thread_pool_lend(allocator, theirs, pthreadpool_get_threads_count(theirs), share,
                            out_pool, error);
}
