#include "runtime/base/thread_pool.h"
#include "runtime/base/denormals.h"
#include "runtime/base/memory.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long a thread looks for work, or for the end of others', before it sleeps: longer than steps
 * of a run that one thread does alone, and than waking up takes. It must not keep the one that it
 * waits for from running: where there are more threads than cores it sleeps at once, and where both
 * are on one core, since others have the rest, it makes way while it looks. */
#define LOOK_NANOSECONDS 300000
#define LOOKS 32 /* between two looks at the clock */

/* The state of a job: its number above, whether it may be entered, how many threads are in it. */
#define JOB_NUMBER ((uint64_t)1 << 32)
#define JOB_OPEN ((uint64_t)1 << 31)
#define JOB_INSIDE (JOB_OPEN - 1)

/* Items [begin, end) are left of a stretch. Its thread takes them from the front and others from
 * the end, each once it has lowered `left`, so that the two ends cannot pass each other. */
typedef struct stretch {
    _Alignas(64) atomic_ptrdiff_t left;
    atomic_size_t end;
    size_t begin;
} stretch;

typedef struct worker {
    thread_pool *pool;
    pthread_t thread;
    size_t number;   /* from 1 */
    atomic_int core; /* where it was when it last began to work */
} worker;

struct thread_pool {
    kiln_allocator allocator;
    size_t threads;
    /* A lent pool: */
    thread_pool_share *share;
    void *other;
    /* The job, which stays as it is while a thread is inside. */
    thread_pool_item *task;
    void *context;
    stretch *stretches; /* by thread */
    _Alignas(64) _Atomic uint64_t state;
    /* Those who sleep. Counts are changed before, and asked after, what they wait for: so that one
     * of the two sees the other. */
    _Alignas(64) atomic_size_t sleepers;
    atomic_bool caller_sleeps, stops;
    atomic_int caller_core; /* where the caller was when it gave work */
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    worker *workers;   /* one less than threads */
    pid_t process;     /* which has them: a child of it has none */
    uint64_t patience; /* nanoseconds to look for something before sleeping */
};

/* ---- Waiting ------------------------------------------------------------------------------- */

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

static uint64_t now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* -1: not to be told. */
static int current_core(void) {
#ifdef __linux__
    return sched_getcpu();
#else
    return -1;
#endif
}

/* Whether the thread stands on the core of one whom it may wait for. */
static bool shares_core(thread_pool *p, bool is_caller) {
    int core = current_core();
    bool shares = core >= 0 && !is_caller && atomic_load(&p->caller_core) == core;
    for (size_t k = 0; core >= 0 && is_caller && k + 1 < p->threads && !shares; k++) {
        shares = atomic_load(&p->workers[k].core) == core;
    }
    return shares;
}

/* Whether there is a job that was not entered before, or nothing to wait for any more. */
static bool has_work(const thread_pool *p, uint64_t seen) {
    uint64_t state = atomic_load(&p->state);
    return atomic_load(&p->stops) ||
           ((state & JOB_OPEN) != 0 && state / JOB_NUMBER != seen / JOB_NUMBER);
}

static bool is_done(const thread_pool *p, uint64_t seen) {
    (void)seen;
    return (atomic_load(&p->state) & JOB_INSIDE) == 0;
}

/* Looks for a while; whether it has come. */
static bool look_for(thread_pool *p, bool is_caller, uint64_t seen) {
    bool (*come)(const thread_pool *, uint64_t) = is_caller ? is_done : has_work;
    uint64_t begin = p->patience > 0 ? now() : 0;
    do {
        for (int k = 0; k < LOOKS; k++) {
            if (come(p, seen)) {
                return true;
            }
            relax();
        }
        if (shares_core(p, is_caller)) {
            (void)sched_yield();
        }
    } while (p->patience > 0 && now() - begin < p->patience);
    return false;
}

static void wait_for_work(thread_pool *p, uint64_t seen) {
    if (look_for(p, false, seen)) {
        return;
    }
    (void)pthread_mutex_lock(&p->lock);
    (void)atomic_fetch_add(&p->sleepers, 1);
    while (!has_work(p, seen)) {
        (void)pthread_cond_wait(&p->work, &p->lock);
    }
    (void)atomic_fetch_sub(&p->sleepers, 1);
    (void)pthread_mutex_unlock(&p->lock);
}

static void wake(thread_pool *p) {
    (void)pthread_mutex_lock(&p->lock);
    (void)pthread_cond_broadcast(&p->work);
    (void)pthread_mutex_unlock(&p->lock);
}

static void wait_until_done(thread_pool *p) {
    if (look_for(p, true, 0)) {
        return;
    }
    (void)pthread_mutex_lock(&p->lock);
    atomic_store(&p->caller_sleeps, true);
    while (!is_done(p, 0)) {
        (void)pthread_cond_wait(&p->done, &p->lock);
    }
    atomic_store(&p->caller_sleeps, false);
    (void)pthread_mutex_unlock(&p->lock);
}

/* ---- Working ------------------------------------------------------------------------------- */

static bool takes_one(stretch *s) {
    return atomic_load_explicit(&s->left, memory_order_relaxed) > 0 &&
           atomic_fetch_sub_explicit(&s->left, 1, memory_order_relaxed) > 0;
}

static void work(thread_pool *p, size_t thread) {
    stretch *own = &p->stretches[thread];
    while (takes_one(own)) {
        p->task(p->context, own->begin++);
    }
    for (size_t k = 1; k < p->threads; k++) {
        stretch *theirs = &p->stretches[(thread + k) % p->threads];
        while (takes_one(theirs)) {
            p->task(p->context,
                    atomic_fetch_sub_explicit(&theirs->end, 1, memory_order_relaxed) - 1);
        }
    }
}

/* Enters the job, if it may still be entered; its number is then that of *inout_seen. */
static bool enter(thread_pool *p, uint64_t *inout_seen) {
    uint64_t state = atomic_load(&p->state);
    while ((state & JOB_OPEN) != 0 && state / JOB_NUMBER != *inout_seen / JOB_NUMBER) {
        if (atomic_compare_exchange_weak(&p->state, &state, state + 1)) {
            *inout_seen = state;
            return true;
        }
    }
    return false;
}

static void leave(thread_pool *p) {
    uint64_t before = atomic_fetch_sub(&p->state, 1);
    if ((before & (JOB_OPEN | JOB_INSIDE)) == 1 && atomic_load(&p->caller_sleeps)) {
        (void)pthread_mutex_lock(&p->lock);
        (void)pthread_cond_signal(&p->done);
        (void)pthread_mutex_unlock(&p->lock);
    }
}

static void *run_worker(void *context) {
    worker *w = context;
    thread_pool *p = w->pool;
    uint64_t seen = 0;
    (void)denormals_flush();
    while (!atomic_load(&p->stops)) {
        wait_for_work(p, seen);
        if (enter(p, &seen)) {
            atomic_store(&w->core, current_core());
            work(p, w->number);
            leave(p);
        }
    }
    return NULL;
}

static void open_job(thread_pool *p) {
    (void)atomic_store(&p->state,
                       (atomic_load(&p->state) / JOB_NUMBER + 1) * JOB_NUMBER | JOB_OPEN);
    if (atomic_load(&p->sleepers) > 0) {
        wake(p);
    }
}

static void close_job(thread_pool *p) {
    if ((atomic_fetch_and(&p->state, ~JOB_OPEN) & JOB_INSIDE) != 0) {
        wait_until_done(p);
    }
}

/* ---- Starting and ending ------------------------------------------------------------------- */

static void *allocate(const kiln_allocator *allocator, size_t size) {
    void *pointer = allocator->allocate(allocator->context, size, 64);
    if (pointer != NULL) {
        memset(pointer, 0, size);
    }
    return pointer;
}

static void release(const kiln_allocator *allocator, void *pointer, size_t size) {
    if (pointer != NULL) {
        allocator->release(allocator->context, pointer, size);
    }
}

static void end_workers(thread_pool *p, size_t started) {
    atomic_store(&p->stops, true);
    wake(p);
    for (size_t k = 0; k < started; k++) {
        (void)pthread_join(p->workers[k].thread, NULL);
    }
}

static void free_pool(thread_pool *p) {
    kiln_allocator a = p->allocator;
    if (p->share == NULL && p->process == getpid()) {
        (void)pthread_cond_destroy(&p->done);
        (void)pthread_cond_destroy(&p->work);
        (void)pthread_mutex_destroy(&p->lock);
    }
    release(&a, p->stretches, p->threads * sizeof *p->stretches);
    release(&a, p->workers, (p->threads - 1) * sizeof *p->workers);
    release(&a, p, sizeof *p);
}

/* Makes one without any threads, with room for them unless it is lent. */
static thread_pool *make_pool(const kiln_allocator *a, size_t threads, bool lent) {
    thread_pool *p = allocate(a, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    p->allocator = *a;
    p->threads = threads;
    if (lent) {
        return p;
    }
    p->stretches = allocate(a, threads * sizeof *p->stretches);
    p->workers = allocate(a, (threads - 1) * sizeof *p->workers);
    if (p->stretches == NULL || p->workers == NULL) {
        free_pool(p);
        return NULL;
    }
    return p;
}

static size_t count_cores(void) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? (size_t)cores : 1;
}

static kiln_status start_workers(thread_pool *p, kiln_error *error) {
    for (size_t k = 0; k + 1 < p->threads; k++) {
        worker *w = &p->workers[k];
        w->pool = p;
        w->number = k + 1;
        atomic_init(&w->core, -1);
        int reason = pthread_create(&w->thread, NULL, run_worker, w);
        if (reason != 0) {
            end_workers(p, k);
            return kiln_fail(error, KILN_ERROR_MEMORY,
                             "cannot start %zu threads (%zu could be: %s)", p->threads, k + 1,
                             strerror(reason));
        }
    }
    return KILN_OK;
}

kiln_status thread_pool_create(const kiln_allocator *allocator, uint32_t threads,
                               thread_pool **out_pool, kiln_error *error) {
    *out_pool = NULL;
    if (threads <= 1) {
        return KILN_OK;
    }
    thread_pool *p = make_pool(allocator, threads, false);
    if (p == NULL) {
        return memory_fail(error);
    }
    p->process = getpid();
    p->patience = threads <= count_cores() ? LOOK_NANOSECONDS : 0;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->work, NULL);
    (void)pthread_cond_init(&p->done, NULL);
    kiln_status status = start_workers(p, error);
    if (status != KILN_OK) {
        free_pool(p);
        return status;
    }
    *out_pool = p;
    return KILN_OK;
}

kiln_status thread_pool_lend(const kiln_allocator *allocator, void *other, size_t threads,
                             thread_pool_share *share, thread_pool **out_pool, kiln_error *error) {
    thread_pool *p = make_pool(allocator, threads, true);
    *out_pool = p;
    if (p == NULL) {
        return memory_fail(error);
    }
    p->other = other;
    p->share = share;
    return KILN_OK;
}

void thread_pool_destroy(thread_pool *p) {
    if (p != NULL) {
        if (p->share == NULL && p->process == getpid()) {
            end_workers(p, p->threads - 1);
        }
        free_pool(p);
    }
}

size_t thread_pool_threads(const thread_pool *p) {
    return p != NULL ? p->threads : 1;
}

/* ---- Sharing out --------------------------------------------------------------------------- */

static void share_out(thread_pool *p, thread_pool_item *task, void *context, size_t count) {
    p->task = task;
    p->context = context;
    for (size_t t = 0; t < p->threads; t++) {
        /* count * t / threads, which might overflow */
        size_t begin = count / p->threads * t + count % p->threads * t / p->threads;
        size_t end = count / p->threads * (t + 1) + count % p->threads * (t + 1) / p->threads;
        p->stretches[t].begin = begin;
        atomic_store_explicit(&p->stretches[t].end, end, memory_order_relaxed);
        atomic_store_explicit(&p->stretches[t].left, (ptrdiff_t)(end - begin),
                              memory_order_relaxed);
    }
    atomic_store(&p->caller_core, current_core());
    open_job(p);
    work(p, 0);
    close_job(p);
}

void thread_pool_each(thread_pool *p, thread_pool_item *task, void *context, size_t count) {
    uint64_t before = denormals_flush();
    if (p != NULL && p->share != NULL) {
        p->share(p->other, task, context, count);
    } else if (p != NULL && count > 1) {
        share_out(p, task, context, count);
    } else {
        for (size_t k = 0; k < count; k++) {
            task(context, k);
        }
    }
    denormals_set(before);
}
