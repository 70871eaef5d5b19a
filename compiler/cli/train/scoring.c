/* Scoring on several threads: see scoring.h. */
#include "compiler/cli/train/scoring.h"
#include "runtime/base/checksum.h"
#include "runtime/base/files.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Threads, and how many pictures each may be ahead of the one that is told next. */
enum { MOST_WORKERS = 256, MOST_AHEAD = 32 };

/* ---- Workers ------------------------------------------------------------------------------- */

static kiln_status judge_worker(scoring *s, scoring_worker *w, kiln_error *error) {
    return s->options.judged ? judge_open(&w->scorer, s->options.far, &w->judge, error) : KILN_OK;
}

kiln_status scoring_open(const char *plan, const scoring_options *options, size_t pictures,
                         scoring *out_scoring, kiln_error *error) {
    scoring *s = out_scoring;
    size_t threads =
        options->scorer.threads < MOST_WORKERS ? options->scorer.threads : MOST_WORKERS;
    *s = (scoring){.options = *options, .worker_count = pictures < threads ? pictures : threads};
    s->worker_count = s->worker_count > 0 ? s->worker_count : 1;
    s->options.scorer.threads = options->scorer.threads / (uint32_t)s->worker_count;
    s->workers = calloc(s->worker_count, sizeof *s->workers);
    kiln_status status = s->workers != NULL
                             ? scorer_open(plan, &s->options.scorer, &s->workers[0].scorer, error)
                             : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    if (status == KILN_OK) {
        s->open_count = 1;
        status = judge_worker(s, &s->workers[0], error);
    }
    if (status != KILN_OK) {
        scoring_close(s);
        return status;
    }
    const kiln_people *people = s->workers[0].judge.people;
    size_t count = people != NULL ? kiln_people_count(people) : 0;
    s->ranked = options->ranked < count ? options->ranked : count;
    return status;
}

static kiln_status open_workers(scoring *s, kiln_error *error) {
    kiln_status status = KILN_OK;
    while (s->open_count < s->worker_count && status == KILN_OK) {
        scoring_worker *w = &s->workers[s->open_count];
        status = scorer_open_beside(&s->workers[0].scorer, &w->scorer, error);
        if (status == KILN_OK) {
            s->open_count++;
            status = judge_worker(s, w, error);
        }
    }
    return status;
}

void scoring_close(scoring *s) {
    while (s->open_count > 0) { /* the first, which the others stand on, last */
        scoring_worker *w = &s->workers[--s->open_count];
        judge_close(&w->judge);
        scorer_close(&w->scorer);
    }
    free(s->workers);
    *s = (scoring){0};
}

/* ---- One picture --------------------------------------------------------------------------- */

/* A picture on its way to being told. */
typedef struct waiting {
    struct waiting *next;
    size_t number;
    scored_picture picture;
} waiting;

static void free_waiting(waiting *w) {
    if (w != NULL) {
        scored_picture *p = &w->picture;
        picture_free(&p->picture);
        free(p->path);
        free(p->subjects);
        free(p->rows);
        free(p->verdicts);
        free(p->ranks);
        free(w);
    }
}

static kiln_status score_subjects(const scoring *s, scoring_worker *w, const rgb_picture *picture,
                                  scored_picture *p) {
    const subject_finder *f = &w->scorer.finder;
    size_t size = w->scorer.count;
    kiln_status status = KILN_OK;
    p->subjects = calloc(f->count + 1, sizeof *p->subjects);
    p->rows = malloc((f->count * size + 1) * sizeof *p->rows);
    p->verdicts = calloc(f->count + 1, sizeof *p->verdicts);
    p->ranks = calloc(f->count * s->ranked + 1, sizeof *p->ranks);
    if (p->subjects == NULL || p->rows == NULL || p->verdicts == NULL || p->ranks == NULL) {
        return kiln_fail(&p->why, KILN_ERROR_MEMORY, "%s: out of memory", p->path);
    }
    p->found = f->found;
    for (size_t k = 0; k < f->count && status == KILN_OK; k++) {
        float *row = p->rows + k * size;
        p->subjects[k] = f->subjects[k];
        status = scorer_run(&w->scorer, picture, &p->subjects[k], row, &p->why);
        if (status == KILN_OK && w->judge.people != NULL) {
            status = judge_decide(&w->judge, row, &p->verdicts[k], &p->why);
        }
        if (status == KILN_OK && s->ranked > 0) {
            status = judge_rank(&w->judge, row, p->ranks + k * s->ranked, s->ranked, &p->why);
        }
    }
    p->count = status == KILN_OK ? f->count : 0;
    return status;
}

static uint64_t content_of(const char *path) {
    kiln_span bytes;
    if (file_map(path, &bytes, NULL) != KILN_OK) {
        return 0;
    }
    uint64_t content = checksum(bytes.data, bytes.size);
    file_unmap(bytes);
    return content;
}

static void score(const scoring *s, scoring_worker *w, scored_picture *p) {
    rgb_picture picture = {0};
    if (p->why.status != KILN_OK) {
        return;
    }
    p->content = s->options.contents ? content_of(p->path) : 0;
    kiln_status status = scorer_load(&w->scorer, p->path, &picture, &p->why);
    if (status == KILN_OK) {
        status = score_subjects(s, w, &picture, p);
    }
    if (s->options.keep_pictures) {
        p->picture = picture;
    } else {
        picture_free(&picture);
    }
    p->why.status = status;
}

/* ---- All ----------------------------------------------------------------------------------- */

typedef struct run_state {
    const scoring *scoring;
    const scoring_run *run;
    pthread_mutex_t source; /* of what is read */
    size_t read;
    bool ended;
    pthread_mutex_t sink; /* of what is told */
    pthread_cond_t moved; /* `told` or `status` has changed */
    size_t told;
    waiting *first; /* by number */
    kiln_status status;
    kiln_error error;
} run_state;

typedef struct run_thread {
    run_state *state;
    scoring_worker *worker;
    pthread_t thread;
} run_thread;

static void stop(run_state *r, kiln_status status, const kiln_error *error) {
    (void)pthread_mutex_lock(&r->sink);
    if (r->status == KILN_OK) {
        r->status = status;
        r->error = *error;
    }
    (void)pthread_cond_broadcast(&r->moved);
    (void)pthread_mutex_unlock(&r->sink);
}

/* Waits until the pictures that are read are not too far ahead of those that are told; false: all
 * is lost. */
static bool may_read(run_state *r) {
    (void)pthread_mutex_lock(&r->source);
    size_t read = r->read;
    (void)pthread_mutex_unlock(&r->source);
    (void)pthread_mutex_lock(&r->sink);
    while (r->status == KILN_OK && read > r->told + MOST_AHEAD * r->scoring->worker_count) {
        (void)pthread_cond_wait(&r->moved, &r->sink);
    }
    bool good = r->status == KILN_OK;
    (void)pthread_mutex_unlock(&r->sink);
    return good;
}

/* The rest of a line that is no path is passed over, so that the next one is a line again. */
static kiln_status read_line(FILE *in, scored_picture *p, kiln_error *error) {
    char line[LONGEST_PATH];
    bool sound;
    if (!path_line_read(in, line, &sound)) {
        return ferror(in) == 0
                   ? KILN_OK
                   : kiln_fail(error, KILN_ERROR_IO, "standard input: %s", strerror(errno));
    }
    for (int c = 0; !sound && c != EOF && c != '\n';) {
        c = getc(in);
    }
    if (!sound || line[0] == '\0') {
        (void)kiln_fail(&p->why, KILN_ERROR_ARGUMENT, sound ? "an empty line" : "no path");
    }
    p->path = strdup(line);
    return p->path != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

/* Sets the path, or what is wrong with it, too; NULL: there are no more. */
static kiln_status read_source(scoring_source *s, scored_picture *p, kiln_error *error) {
    if (s->stream != NULL) {
        return read_line(s->stream, p, error);
    }
    if (s->next == s->end) {
        return KILN_OK;
    }
    p->path = strdup(s->list->paths[s->next++]);
    return p->path != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

/* *out_next NULL: there are no more. */
static kiln_status read_next(run_state *r, waiting **out_next, kiln_error *error) {
    waiting *w = calloc(1, sizeof *w);
    *out_next = NULL;
    if (w == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    kiln_status status = KILN_OK;
    (void)pthread_mutex_lock(&r->source);
    if (!r->ended) {
        status = read_source(r->run->source, &w->picture, error);
    }
    r->ended = w->picture.path == NULL;
    w->number = r->read;
    r->read += !r->ended;
    bool any = status == KILN_OK && !r->ended;
    (void)pthread_mutex_unlock(&r->source);
    if (any) {
        *out_next = w;
    } else {
        free_waiting(w);
    }
    return status;
}

/* Tells the picture when it is its turn, and those that have waited for it. */
static kiln_status tell(run_state *r, waiting *w, kiln_error *error) {
    kiln_status status = KILN_OK;
    (void)pthread_mutex_lock(&r->sink);
    waiting **at = &r->first;
    while (*at != NULL && (*at)->number < w->number) {
        at = &(*at)->next;
    }
    w->next = *at;
    *at = w;
    while (r->status == KILN_OK && status == KILN_OK && r->first != NULL &&
           r->first->number == r->told) {
        waiting *first = r->first;
        status = r->run->take(r->run->context, &first->picture, error);
        r->first = first->next;
        r->told++;
        free_waiting(first);
    }
    (void)pthread_cond_broadcast(&r->moved);
    (void)pthread_mutex_unlock(&r->sink);
    return status;
}

static void *work(void *context) {
    const run_thread *t = context;
    run_state *r = t->state;
    kiln_error error = {0};
    kiln_status status = KILN_OK;
    while (status == KILN_OK && may_read(r)) {
        waiting *w;
        status = read_next(r, &w, &error);
        if (w == NULL) {
            break;
        }
        score(r->scoring, t->worker, &w->picture);
        status = tell(r, w, &error);
    }
    if (status != KILN_OK) {
        stop(r, status, &error);
    }
    return NULL;
}

kiln_status scoring_run_all(scoring *s, const scoring_run *run, kiln_error *error) {
    run_state r = {.scoring = s,
                   .run = run,
                   .source = PTHREAD_MUTEX_INITIALIZER,
                   .sink = PTHREAD_MUTEX_INITIALIZER,
                   .moved = PTHREAD_COND_INITIALIZER};
    kiln_status status = open_workers(s, error);
    run_thread *threads = calloc(s->worker_count, sizeof *threads);
    if (status != KILN_OK || threads == NULL) {
        free(threads);
        return status != KILN_OK ? status : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    size_t started = 1;
    for (size_t k = 0; k < s->worker_count; k++) {
        threads[k] = (run_thread){.state = &r, .worker = &s->workers[k]};
    }
    while (started < s->worker_count &&
           pthread_create(&threads[started].thread, NULL, work, &threads[started]) == 0) {
        started++;
    }
    (void)work(&threads[0]);
    while (started > 1) {
        (void)pthread_join(threads[--started].thread, NULL);
    }
    free(threads);
    while (r.first != NULL) { /* of a run that failed */
        waiting *first = r.first;
        r.first = first->next;
        free_waiting(first);
    }
    return r.status == KILN_OK ? KILN_OK : kiln_fail(error, r.status, "%s", r.error.message);
}
