/* Work on several threads: see parallel.h. */
#include "compiler/cli/parallel.h"
#include "compiler/cli/cli.h"

#include <pthread.h>
#include <stdlib.h>

#define MOST_THREADS_AT_WORK 64

typedef struct parallel_run_state {
    const parallel_work *work;
    pthread_mutex_t lock;
    size_t next, done;  /* under the lock, as all below */
    kiln_status status; /* of the first thread that failed, which says why in `error` */
    kiln_error error;
} run_state;

/* The next items; 0: there are none, or all is lost. */
static size_t take(run_state *r, size_t *out_first) {
    (void)pthread_mutex_lock(&r->lock);
    size_t left = r->status == KILN_OK ? r->work->count - r->next : 0;
    size_t count = left < r->work->most ? left : r->work->most;
    *out_first = r->next;
    r->next += count;
    (void)pthread_mutex_unlock(&r->lock);
    return count;
}

static kiln_status keep(run_state *r, void *own, size_t first, size_t count, kiln_error *error) {
    (void)pthread_mutex_lock(&r->lock);
    kiln_status status = r->work->keep(r->work->context, own, first, count, error);
    r->done += count;
    if (r->work->progress != NULL) {
        progress_show(r->work->progress, r->done, r->work->count);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return status;
}

static void *thread(void *context) {
    run_state *r = context;
    const parallel_work *w = r->work;
    void *own = NULL;
    kiln_error error;
    size_t first;
    kiln_status status = w->open(w->context, &own, &error);
    for (size_t count; status == KILN_OK && (count = take(r, &first)) > 0;) {
        status = w->work(w->context, own, first, count, &error);
        if (status == KILN_OK) {
            status = keep(r, own, first, count, &error);
        }
    }
    (void)pthread_mutex_lock(&r->lock);
    if (status != KILN_OK && r->status == KILN_OK) {
        r->status = status;
        r->error = error;
    }
    (void)pthread_mutex_unlock(&r->lock);
    w->close(w->context, own);
    return NULL;
}

kiln_status parallel_run(const parallel_work *work, uint32_t threads, kiln_error *error) {
    run_state r = {.work = work, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t started[MOST_THREADS_AT_WORK];
    size_t wanted = threads < MOST_THREADS_AT_WORK ? threads : MOST_THREADS_AT_WORK, count = 0;
    while (count + 1 < wanted && pthread_create(&started[count], NULL, thread, &r) == 0) {
        count++;
    }
    (void)thread(&r);
    while (count > 0) {
        (void)pthread_join(started[--count], NULL);
    }
    progress_clear();
    return r.status == KILN_OK ? KILN_OK : kiln_fail(error, r.status, "%s", r.error.message);
}
