/* People from training: see trained.h. */
#include "compiler/cli/people/trained.h"
#include "compiler/cli/cli.h"
#include "compiler/cli/paths.h"
#include "compiler/cli/people/known.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- Whether ------------------------------------------------------------------------------- */

bool people_are_wanted(const training *t) {
    if (t->people_choice != PEOPLE_AUTO || t->strangers_path != NULL) {
        return t->people_choice != PEOPLE_NO;
    }
    return t->backbone != NULL && t->data.pictures &&
           (kiln_people_are_in(t->backbone) || kiln_plan_is_embedding(t->backbone));
}

/* ---- Classes ------------------------------------------------------------------------------- */

/* The pictures of one class, side by side. */
typedef struct class_pictures {
    float *features;
    const char **names;
    size_t count;
} class_pictures;

static void add_picture(class_pictures *of, const float *features, size_t size,
                        const data_item *item) {
    memcpy(of->features + of->count * size, features, size * sizeof *features);
    of->names[of->count++] = item->path != NULL ? picture_name(item->path) : "";
}

/* The trainer's samples are the items in their order, those of each split by themselves, each item
 * that trains followed by its variants. */
static void gather(const training *t, uint32_t label, class_pictures *out) {
    const float *features[2];
    const uint32_t *labels;
    size_t at[2] = {0, 0}, size = kiln_trainer_feature_count(t->trainer);
    kiln_trainer_samples(t->trainer, KILN_TRAINING, &features[0], &labels);
    kiln_trainer_samples(t->trainer, KILN_VALIDATION, &features[1], &labels);
    out->count = 0;
    for (size_t k = 0; k < t->data.count; k++) {
        const data_item *item = &t->data.items[k];
        bool learnt = !item->validation || (t->refit && t->split.validation_path == NULL);
        if (item->label == label && learnt) {
            add_picture(out, features[item->validation] + at[item->validation] * size, size, item);
        }
        at[item->validation] += item->validation ? 1 : 1 + (size_t)t->source.variants;
    }
}

static kiln_status enrol_classes(training *t, kiln_error *error) {
    size_t size = kiln_trainer_feature_count(t->trainer);
    class_pictures of = {.features = malloc((t->data.count * size + 1) * sizeof(float)),
                         .names = malloc((t->data.count + 1) * sizeof *of.names)};
    kiln_status status = of.features != NULL && of.names != NULL
                             ? KILN_OK
                             : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    for (uint32_t c = 0; c < t->data.class_count && status == KILN_OK; c++) {
        kiln_error why;
        gather(t, c, &of);
        status = of.count == 0 ? KILN_OK
                               : kiln_people_enrol(t->people, t->data.classes[c], of.features,
                                                   of.count, of.names, &why);
        status = status == KILN_OK
                     ? KILN_OK
                     : kiln_fail(error, status, "%s: %s", t->data.classes[c], why.message);
    }
    free(of.features);
    free((void *)of.names);
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
                         : (uint32_t)XXH3_64bits(below, (size_t)(slash - below)) & 0x7fffffffu;
}

static kiln_status add_item(training *t, data_set *data, const char *path, kiln_error *error) {
    kiln_span bytes;
    data_item item = {.validation = true};
    kiln_status status = file_map(path, &bytes, error);
    if (status == KILN_OK) {
        item.content = XXH3_64bits(bytes.data, bytes.size);
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
        kiln_people_create(kiln_trainer_feature_count(t->trainer), &t->people, error);
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
    free(bytes);
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
