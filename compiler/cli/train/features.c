/* Pictures through the frozen network. While a batch computes, the next one is decoded if a core is
 * left over for it; else all threads decode, then all compute. */
#include "compiler/cli/train/features.h"
#include "compiler/cli/cli.h"
#include "compiler/cli/elements.h"
#include "compiler/cli/train/augment.h"
#include "compiler/cli/train/cache.h"

#define XXH_INLINE_ALL
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define BATCH 16

/* ---- One sample ---------------------------------------------------------------------------- */

/* An array's sample as a gray or colour picture. */
static kiln_status picture_of_array(const data_set *data, const float *values, image *out_image,
                                    kiln_error *error) {
    uint32_t channels = data->dims[0];
    kiln_status status = image_allocate(out_image, data->dims[2], data->dims[1], error);
    size_t pixels = (size_t)data->dims[1] * data->dims[2];
    for (size_t k = 0; status == KILN_OK && k < pixels * 3; k++) {
        float value = values[(channels == 3 ? k % 3 : 0) * pixels + k / 3];
        out_image->rgb[k] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5f);
    }
    return status;
}

/* Arrays of pictures that lie as the input does need no detour over bytes. */
static bool lies_as_input(const feature_source *s, const data_set *data) {
    const kiln_tensor_info *info = &s->input;
    const kiln_preprocess *p = &s->preprocess;
    bool cropped = p->resize == KILN_RESIZE_CENTRE_CROP && p->crop_fraction < 1;
    return info->dtype == KILN_F32 && !p->bgr && !cropped &&
           element_count(info) == data->sample_size && info->rank >= data->rank &&
           memcmp(info->dims + info->rank - data->rank, data->dims,
                  data->rank * sizeof *data->dims) == 0;
}

static void scale_array(const feature_source *s, const data_set *data, const float *values,
                        float *out) {
    size_t plane = data->sample_size / data->dims[0];
    for (size_t k = 0; k < data->sample_size; k++) {
        size_t c = k / plane;
        out[k] = values[k] * s->preprocess.scale[c] + s->preprocess.bias[c];
    }
}

kiln_status features_check(const feature_source *s, const data_set *data, kiln_error *error) {
    if (data->pictures) {
        return KILN_OK;
    }
    if (element_count(&s->input) != data->sample_size) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "the network takes %zu numbers, the samples have %zu; as pictures would "
                         "count HxW, CxHxW or HxWxC with 1 or 3 channels, of bytes or of 0..1",
                         element_count(&s->input), data->sample_size);
    }
    return s->augment == 0 ? KILN_OK
                           : kiln_fail(error, KILN_ERROR_ARGUMENT,
                                       "--augment is for pictures; the arrays hold other numbers");
}

kiln_status features_input(const feature_source *s, const data_set *data, size_t item,
                           uint64_t variant, void *out_input, kiln_error *error) {
    const data_item *from = &data->items[item];
    const float *values =
        from->path == NULL ? data->values + from->index * data->sample_size : NULL;
    image picture = {0}, changed = {0};
    picture_layout layout;
    if (!data->pictures) {
        for (size_t k = 0; k < data->sample_size; k++) {
            element_set(out_input, s->input.dtype, k, (double)values[k]);
        }
        return KILN_OK;
    }
    if (values != NULL && variant == 0 && lies_as_input(s, data)) {
        scale_array(s, data, values, out_input);
        return KILN_OK;
    }
    kiln_status status = picture_layout_of(&s->input, &layout, error);
    if (status == KILN_OK) {
        status = values != NULL ? picture_of_array(data, values, &picture, error)
                                : image_load(from->path, &picture, error);
    }
    if (status == KILN_OK && variant != 0) {
        uint64_t seed = from->content ^ (variant * 0x9e3779b97f4a7c15u) ^ s->seed;
        status = augment_picture(&picture, s->augment, seed, &changed, error);
    }
    if (status == KILN_OK) {
        status = picture_to_tensor(variant != 0 ? &changed : &picture, &layout, &s->preprocess,
                                   s->input.dtype, 0, out_input, error);
    }
    image_free(&picture);
    image_free(&changed);
    return status;
}

/* ---- Batches ------------------------------------------------------------------------------- */

/* One item in one variant. */
typedef struct job {
    size_t item;
    uint64_t variant;
    float *features; /* where they go */
    bool failed;
} job;

#define MOST_LOADERS 64

typedef struct loading {
    const feature_source *source;
    const data_set *data;
    job **jobs;
    size_t count;
    atomic_size_t next;
    uint8_t *inputs;
    kiln_error errors[BATCH];
} loading;

static void *load_jobs(void *context) {
    loading *l = context;
    for (size_t k = 0; (k = atomic_fetch_add(&l->next, 1)) < l->count;) {
        job *j = l->jobs[k];
        j->failed =
            features_input(l->source, l->data, j->item, j->variant,
                           l->inputs + k * l->source->input.bytes, &l->errors[k]) != KILN_OK;
    }
    return NULL;
}

/* By as many threads as compute, this one among them. */
static void load_batch(loading *l) {
    pthread_t others[MOST_LOADERS];
    uint32_t started = 0,
             wanted = l->source->threads < MOST_LOADERS ? l->source->threads : MOST_LOADERS;
    while (started + 1 < wanted && pthread_create(&others[started], NULL, load_jobs, l) == 0) {
        started++;
    }
    (void)load_jobs(l);
    while (started > 0) {
        (void)pthread_join(others[--started], NULL);
    }
}

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

static uint64_t variant_key(const feature_source *s, uint32_t variant) {
    uint64_t parts[3] = {s->augment, s->seed, variant};
    return variant == 0 ? 0 : XXH3_64bits(parts, sizeof parts) | 1;
}

static void note_problems(extraction *x, const loading *l) {
    for (size_t k = 0; k < l->count; k++) {
        char **problem = &x->problems[l->jobs[k]->item];
        if (l->jobs[k]->failed && *problem == NULL) {
            *problem = strdup(l->errors[k].message);
        }
    }
}

static kiln_status run_batch(extraction *x, const loading *l, kiln_error *error) {
    size_t size = kiln_trainer_feature_count(x->source->trainer);
    float *features = malloc(BATCH * size * sizeof *features);
    if (features == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    kiln_status status = kiln_trainer_extract(
        x->source->trainer, l->count, (kiln_span){l->inputs, l->count * x->source->input.bytes},
        features, error);
    for (size_t k = 0; k < l->count && status == KILN_OK; k++) {
        const job *j = l->jobs[k];
        memcpy(j->features, features + k * size, size * sizeof *features);
        if (!j->failed) {
            cache_add(x->cache, x->data->items[j->item].content, j->variant, j->features);
        }
    }
    free(features);
    return status;
}

static void take_jobs(const extraction *x, loading *l, size_t at) {
    l->jobs = x->todo + at;
    l->count = x->todo_count - at < BATCH ? x->todo_count - at : BATCH;
    atomic_store(&l->next, 0);
}

static kiln_status run_todo(extraction *x, kiln_error *error) {
    loading batches[2];
    size_t bytes = BATCH * x->source->input.bytes;
    kiln_status status = KILN_OK;
    for (int k = 0; k < 2; k++) {
        batches[k] =
            (loading){.source = x->source, .data = x->data, .inputs = calloc(1, bytes + 1)};
        if (batches[k].inputs == NULL) {
            status = kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        }
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    bool spare_core = cores > (long)x->source->threads, loading_ahead = false;
    pthread_t loader;
    for (size_t at = 0, b = 0; at < x->todo_count && status == KILN_OK; at += BATCH, b++) {
        loading *now = &batches[b % 2], *next = &batches[(b + 1) % 2];
        if (loading_ahead) {
            (void)pthread_join(loader, NULL);
        } else {
            take_jobs(x, now, at);
            load_batch(now);
        }
        size_t after = at + BATCH < x->todo_count ? at + BATCH : x->todo_count;
        take_jobs(x, next, after);
        loading_ahead =
            spare_core && next->count > 0 && pthread_create(&loader, NULL, load_jobs, next) == 0;
        note_problems(x, now);
        status = run_batch(x, now, error);
        if (!x->source->quiet) {
            progress_show("features", after, x->todo_count);
        }
    }
    if (loading_ahead && status != KILN_OK) {
        (void)pthread_join(loader, NULL);
    }
    progress_clear();
    free(batches[0].inputs);
    free(batches[1].inputs);
    return status;
}

/* ---- All ----------------------------------------------------------------------------------- */

/* What decides about features, other than the picture. */
static uint64_t cache_key(const feature_source *s) {
    kiln_plan_view view;
    kiln_plan_inspect(s->backbone, &view);
    const char *cut = kiln_trainer_cut(s->trainer);
    uint64_t key = XXH3_64bits_withSeed(cut, strlen(cut), view.header->checksum);
    const kiln_preprocess *p = &s->preprocess;
    float numbers[11] = {(float)p->bgr, (float)p->resize, p->crop_fraction};
    memcpy(numbers + 3, p->scale, sizeof p->scale);
    memcpy(numbers + 7, p->bias, sizeof p->bias);
    return XXH3_64bits_withSeed(numbers, sizeof numbers, key);
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
            *j = (job){k, variant_key(s, v), x->features + x->count * size, false};
            x->count++;
            if (!cache_find(x->cache, x->data->items[k].content, j->variant, j->features)) {
                x->todo[x->todo_count++] = j;
            }
        }
    }
    return KILN_OK;
}

static kiln_status add_features(extraction *x, kiln_error *error) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < x->count && status == KILN_OK; k++) {
        const job *j = &x->jobs[k];
        const data_item *item = &x->data->items[j->item];
        if (x->problems[j->item] == NULL) {
            status = kiln_trainer_add_features(x->source->trainer,
                                               item->validation ? KILN_VALIDATION : KILN_TRAINING,
                                               j->features, item->label, error);
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

kiln_status features_add(const feature_source *source, data_set *data, feature_report *out_report,
                         kiln_error *error) {
    extraction x = {.source = source, .data = data};
    size_t items = data->count;
    if (source->backbone != NULL && source->use_cache) {
        cache_open(source->cache_folder, cache_key(source),
                   kiln_trainer_feature_count(source->trainer), &x.cache);
    }
    kiln_status status = list_jobs(&x, error);
    double start = seconds_now();
    if (status == KILN_OK) {
        status = run_todo(&x, error);
    }
    *out_report = (feature_report){x.todo_count, x.count - x.todo_count, seconds_now() - start};
    if (status == KILN_OK) {
        status = add_features(&x, error);
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
