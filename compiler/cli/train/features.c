/* Pictures through the frozen network. Each thread decodes a few and runs them on a session of one
 * thread of its own. */
#include "compiler/cli/train/features.h"
#include "compiler/cli/cli.h"
#include "compiler/cli/data/augment.h"
#include "compiler/cli/data/cache.h"
#include "compiler/cli/parallel.h"
#include "runtime/base/checksum.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 16

/* ---- Work ---------------------------------------------------------------------------------- */

/* One item in one variant. */
typedef struct job {
    size_t item;
    uint32_t number; /* of the variant; 0: the item as it is */
    uint64_t variant;
    uint64_t key;    /* of the cache: the variant, and the face */
    float *features; /* where they go */
} job;

typedef struct extraction {
    const feature_source *source;
    data_set *data;
    job *jobs;
    size_t count;
    float *features; /* [count][feature_count] */
    job **todo;      /* jobs whose features are not cached */
    size_t todo_count;
    feature_cache *cache;
    char **problems; /* by item: why it could not be decoded, or NULL */
} extraction;

typedef struct worker {
    kiln_session *session; /* NULL: the inputs are the features */
    input_picture picture;
    uint8_t *inputs;
    float *features;
    kiln_error errors[BATCH]; /* of decoding, by job; an empty message: none */
} worker;

static size_t batch_of(const feature_source *s) {
    return kiln_trainer_is_batchable(s->trainer) ? BATCH : 1;
}

static kiln_status worker_open(void *context, void **out_own, kiln_error *error) {
    const feature_source *s = ((extraction *)context)->source;
    kiln_session_options options;
    kiln_session_options_init(&options);
    worker *w = *out_own = calloc(1, sizeof *w);
    size_t batch = batch_of(s);
    options.max_batch = (uint32_t)batch;
    if (w != NULL) {
        w->inputs = calloc(batch, s->input.bytes);
        w->features = calloc(batch, kiln_trainer_feature_count(s->trainer) * sizeof(float));
    }
    if (w == NULL || w->inputs == NULL || w->features == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    return s->backbone == NULL
               ? KILN_OK
               : kiln_trainer_open_session(s->trainer, &options, &w->session, error);
}

static void worker_close(void *context, void *own) {
    worker *w = own;
    (void)context;
    if (w != NULL) {
        kiln_session_destroy(w->session);
        input_release(&w->picture);
        free(w->inputs);
        free(w->features);
        free(w);
    }
}

/* Damaged pictures are told in w->errors. */
static kiln_status decode(const extraction *x, worker *w, job *const *jobs, size_t count,
                          kiln_error *error) {
    const feature_source *s = x->source;
    for (size_t k = 0; k < count; k++) {
        w->errors[k] = (kiln_error){.status = KILN_OK};
        kiln_status status =
            features_input(s, x->data, jobs[k]->item, jobs[k]->variant, &w->picture,
                           w->inputs + k * s->input.bytes, &w->errors[k]);
        if (status != KILN_OK && !data_may_skip(status)) {
            return kiln_fail(error, status, "%s", w->errors[k].message);
        }
    }
    return KILN_OK;
}

static kiln_status compute(void *context, void *own, size_t first, size_t count,
                           kiln_error *error) {
    const extraction *x = context;
    const feature_source *s = x->source;
    worker *w = own;
    size_t input_bytes = count * s->input.bytes;
    size_t feature_bytes = count * kiln_trainer_feature_count(s->trainer) * sizeof(float);
    kiln_status status = decode(x, w, x->todo + first, count, error);
    if (status != KILN_OK) {
        return status;
    }
    if (w->session == NULL) {
        return kiln_trainer_extract(s->trainer, count, (kiln_span){w->inputs, input_bytes},
                                    w->features, error);
    }
    kiln_buffer in = {w->inputs, input_bytes}, out = {w->features, feature_bytes};
    return kiln_session_run(w->session, (uint32_t)count, &in, 1, &out, 1, error);
}

static kiln_status keep(void *context, void *own, size_t first, size_t count, kiln_error *error) {
    extraction *x = context;
    const worker *w = own;
    size_t size = kiln_trainer_feature_count(x->source->trainer);
    for (size_t k = 0; k < count; k++) {
        const job *j = x->todo[first + k];
        char **problem = &x->problems[j->item];
        if (w->errors[k].status == KILN_OK) {
            memcpy(j->features, w->features + k * size, size * sizeof(float));
            cache_add(x->cache, x->data->items[j->item].content, j->key, j->features);
        } else if (*problem == NULL) {
            *problem = strdup(w->errors[k].message);
            if (*problem == NULL) {
                return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
            }
        }
    }
    return KILN_OK;
}

static kiln_status run_todo(extraction *x, kiln_error *error) {
    parallel_work work = {.context = x,
                          .count = x->todo_count,
                          .most = batch_of(x->source),
                          .open = worker_open,
                          .work = compute,
                          .keep = keep,
                          .close = worker_close,
                          .progress = x->source->quiet ? NULL : "features"};
    return parallel_run(&work, x->source->threads, error);
}

/* ---- All ----------------------------------------------------------------------------------- */

/* What decides about features, other than the picture. */
static uint64_t cache_key(const feature_source *s) {
    kiln_plan_view view;
    kiln_plan_inspect(s->backbone, &view);
    const char *cut = kiln_trainer_cut(s->trainer);
    uint64_t key = checksum_with_seed(cut, strlen(cut), view.header->checksum);
    const kiln_preprocess *p = &s->preprocess;
    float numbers[11] = {(float)p->bgr, (float)p->resize, p->crop_fraction};
    memcpy(numbers + 3, p->scale, sizeof p->scale);
    memcpy(numbers + 7, p->bias, sizeof p->bias);
    return checksum_with_seed(numbers, sizeof numbers, key);
}

static uint64_t variant_key(const feature_source *s, uint32_t variant) {
    uint64_t parts[3] = {s->augment, s->seed, variant};
    if (variant == 1 && (s->augment & AUGMENT_MIRROR) != 0) {
        return FEATURES_MIRRORED;
    }
    return variant == 0 ? 0 : checksum(parts, sizeof parts) | 1;
}

/* A face is told by where it was found: another detector, or another rule of choice, finds its
 * features where they are of the same face. */
static uint64_t subject_key(const subject *which, uint64_t variant) {
    return which->is_face ? checksum_with_seed(&which->face, sizeof which->face, variant) : variant;
}

static kiln_status list_jobs(extraction *x, kiln_error *error) {
    const feature_source *s = x->source;
    size_t size = kiln_trainer_feature_count(s->trainer), most = 0;
    for (size_t k = 0; k < x->data->count; k++) {
        most += x->data->items[k].validation ? 1 : 1 + s->variants;
    }
    x->jobs = calloc(most + 1, sizeof *x->jobs);
    x->todo = calloc(most + 1, sizeof *x->todo);
    x->features = calloc(most * size + 1, sizeof *x->features);
    x->problems = calloc(x->data->count + 1, sizeof *x->problems);
    if (x->jobs == NULL || x->todo == NULL || x->features == NULL || x->problems == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for the features of %zu pictures",
                         most);
    }
    for (size_t k = 0; k < x->data->count; k++) {
        uint32_t variants = x->data->items[k].validation ? 0 : s->variants;
        for (uint32_t v = 0; v <= variants; v++) {
            job *j = &x->jobs[x->count];
            uint64_t variant = variant_key(s, v);
            *j = (job){k, v, variant, subject_key(&x->data->items[k].subject, variant),
                       x->features + x->count * size};
            x->count++;
            if (!cache_find(x->cache, x->data->items[k].content, j->key, j->features)) {
                x->todo[x->todo_count++] = j;
            }
        }
    }
    return KILN_OK;
}

static kiln_status hand_over(extraction *x, feature_taker take, void *context, kiln_error *error) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < x->count && status == KILN_OK; k++) {
        const job *j = &x->jobs[k];
        if (x->problems[j->item] == NULL) {
            status = take(context, &x->data->items[j->item], j->number, j->features, error);
        }
    }
    for (size_t k = x->data->count; k-- > 0 && status == KILN_OK;) {
        if (x->problems[k] != NULL) {
            status = data_skip(x->data, k, x->problems[k], x->source->strict, error);
        }
    }
    return status;
}

static double seconds_now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

kiln_status features_compute(const feature_source *source, data_set *data, feature_taker take,
                             void *context, feature_report *out_report, kiln_error *error) {
    extraction x = {.source = source, .data = data};
    size_t items = data->count;
    if (source->backbone != NULL && source->use_cache) {
        cache_open(source->cache_folder, cache_key(source),
                   kiln_trainer_feature_count(source->trainer), &x.cache);
    }
    kiln_status status = list_jobs(&x, error);
    double start = seconds_now();
    if (status == KILN_OK) {
        status = x.todo_count > 0 ? run_todo(&x, error) : KILN_OK;
    }
    *out_report = (feature_report){x.todo_count, x.count - x.todo_count, seconds_now() - start};
    if (status == KILN_OK) {
        status = hand_over(&x, take, context, error);
    }
    for (size_t k = 0; x.problems != NULL && k < items; k++) {
        free(x.problems[k]);
    }
    cache_close(x.cache);
    free(x.jobs);
    free(x.todo);
    free(x.features);
    free(x.problems);
    return status;
}

static kiln_status add_sample(void *context, const data_item *item, uint32_t variant,
                              const float *features, kiln_error *error) {
    (void)variant;
    return kiln_trainer_add_features(context, item->validation ? KILN_VALIDATION : KILN_TRAINING,
                                     features, item->label, error);
}

kiln_status features_add(const feature_source *source, data_set *data, feature_report *out_report,
                         kiln_error *error) {
    return features_compute(source, data, add_sample, source->trainer, out_report, error);
}
