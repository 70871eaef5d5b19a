/* People from training: see trained.h. */
#include "compiler/cli/people/trained.h"
#include "compiler/cli/cli.h"
#include "compiler/cli/paths.h"
#include "compiler/cli/people/known.h"
#include "runtime/base/checksum.h"

#include <stdlib.h>
#include <string.h>

/* ---- Whether ------------------------------------------------------------------------------- */

bool people_are_wanted(const training *t) {
    if (t->people_choice != PEOPLE_AUTO || t->strangers_path != NULL) {
        return t->people_choice != PEOPLE_NO;
    }
    return t->backbone != NULL && t->data.pictures && t->extracted.rows <= EXTRACTED_MANY &&
           (kiln_people_are_in(t->backbone) || kiln_plan_is_embedding(t->backbone));
}

/* ---- Classes ------------------------------------------------------------------------------- */

/* What classes are learnt by: samples, class after class, in the order of the items. */
typedef struct class_samples {
    size_t *begins; /* by class, and one past the last */
    size_t *items;
    const float **rows;
} class_samples;

static void free_samples(class_samples *s) {
    free(s->begins);
    free(s->items);
    free((void *)s->rows);
}

static bool is_learnt(const training *t, const data_item *item) {
    return !item->validation || (t->refit && t->split.validation_path == NULL);
}

/* The trainer's samples are the items in their order, those of each split by themselves, each item
 * that trains followed by its variants. */
static void sort_samples(const training *t, class_samples *s) {
    size_t at[2] = {0, 0};
    for (size_t k = 0; k < t->data.count; k++) {
        s->begins[t->data.items[k].label + 1] += is_learnt(t, &t->data.items[k]);
    }
    for (size_t c = 0; c < t->data.class_count; c++) {
        s->begins[c + 1] += s->begins[c];
    }
    for (size_t k = 0; k < t->data.count; k++) {
        const data_item *item = &t->data.items[k];
        if (is_learnt(t, item)) {
            size_t place = s->begins[item->label]++;
            s->items[place] = k;
            s->rows[place] =
                kiln_trainer_sample(t->trainer, item->validation ? KILN_VALIDATION : KILN_TRAINING,
                                    at[item->validation], NULL);
        }
        at[item->validation] += item->validation ? 1 : 1 + (size_t)t->source.variants;
    }
    /* Each begin has moved on to the next class's. */
    memmove(s->begins + 1, s->begins, t->data.class_count * sizeof *s->begins);
    s->begins[0] = 0;
}

/* The pictures of one class, side by side. */
static kiln_status enrol_class(training *t, const class_samples *s, uint32_t c, kiln_error *error) {
    kiln_error why;
    size_t first = s->begins[c], count = s->begins[c + 1] - first;
    size_t size = kiln_trainer_feature_count(t->trainer);
    float *features = malloc((count * size + 1) * sizeof *features);
    const char **names = malloc((count + 1) * sizeof *names);
    kiln_status status = features != NULL && names != NULL
                             ? KILN_OK
                             : kiln_fail(&why, KILN_ERROR_MEMORY, "out of memory");
    for (size_t k = 0; k < count && status == KILN_OK; k++) {
        const char *path = t->data.items[s->items[first + k]].path;
        memcpy(features + k * size, s->rows[first + k], size * sizeof *features);
        names[k] = path != NULL ? picture_name(path) : "";
    }
    if (status == KILN_OK && count > 0) {
        status = kiln_people_enrol(t->people, t->data.classes[c], features, count, names, &why);
    }
    free(features);
    free((void *)names);
    return status == KILN_OK ? KILN_OK
                             : kiln_fail(error, status, "%s: %s", t->data.classes[c], why.message);
}

static kiln_status enrol_classes(training *t, kiln_error *error) {
    class_samples s = {.begins = calloc(t->data.class_count + 2, sizeof *s.begins),
                       .items = malloc((t->data.count + 1) * sizeof *s.items),
                       .rows = malloc((t->data.count + 1) * sizeof *s.rows)};
    kiln_status status = s.begins != NULL && s.items != NULL && s.rows != NULL
                             ? KILN_OK
                             : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    if (status == KILN_OK) {
        sort_samples(t, &s);
    }
    for (uint32_t c = 0; c < t->data.class_count && status == KILN_OK; c++) {
        status = enrol_class(t, &s, c, error);
    }
    free_samples(&s);
    return status;
}

/* ---- Strangers ----------------------------------------------------------------------------- */

/* A stranger is a folder's worth of pictures; pictures beside the folders are each another. */
static uint32_t who_is(const char *root, const char *path, uint32_t index) {
    size_t length = strlen(root);
    while (length > 0 && root[length - 1] == '/') {
        length--;
    }
    const char *below = path + (strlen(path) > length ? length + 1 : 0);
    const char *slash = strchr(below, '/');
    return slash == NULL ? index | 0x80000000u
                         : (uint32_t)checksum(below, (size_t)(slash - below)) & 0x7fffffffu;
}

static kiln_status add_item(training *t, data_set *data, const char *path, kiln_error *error) {
    kiln_span bytes;
    data_item item = {.validation = true};
    kiln_status status = file_map(path, &bytes, error);
    if (status == KILN_OK) {
        item.content = checksum(bytes.data, bytes.size);
        item.label = who_is(t->strangers_path, path, (uint32_t)data->count);
        item.path = strdup(path);
        status = item.path != NULL ? data_add(data, &item, error)
                                   : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    file_unmap(bytes);
    return status;
}

static kiln_status take_stranger(void *context, const data_item *item, uint32_t variant,
                                 const float *features, kiln_error *error) {
    (void)variant;
    return kiln_people_add_stranger(context, features, item->label, error);
}

static kiln_status add_strangers(training *t, kiln_error *error) {
    path_list files = {0};
    size_t passed_over = 0;
    char *folder = (char *)(uintptr_t)t->strangers_path;
    data_set data = {.pictures = true};
    gallery faces = {0};
    feature_report report;
    const gallery_options options = {.threads = t->source.threads,
                                     .use_cache = t->source.use_cache,
                                     .cache_folder = t->source.cache_folder,
                                     .quiet = t->source.quiet};
    kiln_status status = paths_expand(&folder, 1, NULL, &files, &passed_over, error);
    for (size_t k = 0; k < files.count && status == KILN_OK; k++) {
        status = add_item(t, &data, files.paths[k], error);
    }
    if (status == KILN_OK) {
        status = gallery_find(&t->subjects, &options, &data, &faces, error);
    }
    if (status == KILN_OK) {
        status = features_compute(&t->source, &data, take_stranger, t->people, &report, error);
    }
    if (!t->quiet) {
        console_notes(&data);
    }
    gallery_free(&faces);
    data_free(&data);
    path_list_free(&files);
    return status;
}

/* ---- All ----------------------------------------------------------------------------------- */

kiln_status trained_people(training *t, kiln_error *error) {
    void *bytes = NULL;
    size_t size = 0;
    if (!people_are_wanted(t)) { /* nor those of the backbone, who are others */
        return kiln_trainer_attach(t->trainer, "PEOPLE", (kiln_span){NULL, 0}, error);
    }
    kiln_status status =
        kiln_people_create(kiln_trainer_feature_count(t->trainer), NULL, &t->people, error);
    if (status == KILN_OK) {
        status = enrol_classes(t, error);
    }
    if (status == KILN_OK && t->strangers_path != NULL) {
        status = add_strangers(t, error);
    }
    if (status == KILN_OK && kiln_people_feature_count(t->people) <= KILN_PEOPLE_LEARNT) {
        status = kiln_people_learn(t->people, error);
    }
    if (status == KILN_OK) {
        status = kiln_people_section(t->people, &bytes, &size, error);
    }
    if (status == KILN_OK) {
        status = kiln_trainer_attach(t->trainer, "PEOPLE", (kiln_span){bytes, size}, error);
    }
    kiln_free(bytes);
    return status;
}

void trained_people_print(const training *t) {
    kiln_people_threshold found;
    if (t->people != NULL && kiln_people_decide(t->people, 0, &found, NULL) == KILN_OK) {
        printf("%zu people; strangers are refused below similarity %.3f, so that at most %.3g %% "
               "pass (%zu impostor scores of %zu people)\n",
               kiln_people_count(t->people), (double)found.similarity, 100 * found.rate,
               found.scores, found.groups);
    }
}

void trained_people_json(const training *t) {
    kiln_people_threshold found;
    if (t->people == NULL || kiln_people_decide(t->people, 0, &found, NULL) != KILN_OK) {
        printf("null");
        return;
    }
    printf("{\"count\": %zu, \"strangers\": %zu, \"similarity\": ", kiln_people_count(t->people),
           kiln_people_stranger_count(t->people));
    json_number(stdout, (double)found.similarity);
    printf(", \"rate\": ");
    json_number(stdout, found.rate);
    printf(", \"scores\": %zu, \"groups\": %zu}", found.scores, found.groups);
}
