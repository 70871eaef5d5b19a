/* Faces of a data set. A picture passes the detector once: what was found is cached by the
 * picture's content and the detector, whichever faces count afterwards. */
#include "compiler/cli/faces/gallery.h"
#include "compiler/cli/data/cache.h"
#include "compiler/cli/faces/quality.h"
#include "compiler/cli/parallel.h"
#include "runtime/base/checksum.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of a picture of a data set; the others are counted, no more. */
enum { MOST_KEPT = 16 };

/* What is found in a picture, as the cache keeps it: floats, so that its records serve. */
typedef struct finding {
    float found; /* at most MOST_FACES */
    float blur[MOST_KEPT];
    kiln_face faces[MOST_KEPT]; /* the largest near the middle first */
} finding;
enum { FINDING_FLOATS = sizeof(finding) / sizeof(float) };
_Static_assert(sizeof(finding) % sizeof(float) == 0, "the cache keeps floats");

typedef struct search {
    const subject_source *source;
    const gallery_options *options;
    data_set *data;
    finding *findings; /* by item */
    char **problems;   /* by item: why it could not be decoded, or NULL */
    size_t *todo;      /* items that are not cached */
    size_t todo_count;
    feature_cache *cache;
} search;

/* ---- Finding ------------------------------------------------------------------------------- */

static uint64_t cache_key(const face_detector *d) {
    static const char what[] = "faces 1";
    uint64_t key = checksum(what, sizeof what);
    return checksum_with_seed(&d->record, sizeof d->record, key);
}

static kiln_status search_open(void *context, void **out_own, kiln_error *error) {
    subject_finder *finder = *out_own = calloc(1, sizeof *finder);
    return finder != NULL ? finder_open(((search *)context)->source, 1, finder, error)
                          : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

static void search_close(void *context, void *own) {
    (void)context;
    if (own != NULL) {
        finder_close(own);
        free(own);
    }
}

static kiln_status find_in(subject_finder *f, const rgb_picture *picture, finding *out,
                           kiln_error *error) {
    kiln_image image = picture_image(picture);
    kiln_status status = finder_find(f, picture, error);
    memset(out, 0, sizeof *out);
    out->found = (float)f->found;
    for (size_t k = 0; k < f->found && k < MOST_KEPT && status == KILN_OK; k++) {
        face_quality quality;
        out->faces[k] = f->faces[k];
        status = face_quality_of(&image, &f->faces[k], &quality, error);
        out->blur[k] = (float)quality.blur;
    }
    return status;
}

static kiln_status search_work(void *context, void *own, size_t first, size_t count,
                               kiln_error *error) {
    search *s = context;
    for (size_t k = first; k < first + count; k++) {
        size_t item = s->todo[k];
        rgb_picture picture = {0};
        kiln_error why;
        kiln_status status = data_picture(s->data, item, &picture, &why);
        if (status == KILN_OK) {
            status = find_in(own, &picture, &s->findings[item], &why);
        }
        picture_free(&picture);
        if (status != KILN_OK && !data_may_skip(status)) {
            return kiln_fail(error, status, "%s", why.message);
        }
        s->problems[item] = status == KILN_OK ? NULL : strdup(why.message);
        if (status != KILN_OK && s->problems[item] == NULL) {
            return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        }
    }
    return KILN_OK;
}

static kiln_status search_keep(void *context, void *own, size_t first, size_t count,
                               kiln_error *error) {
    search *s = context;
    (void)own;
    (void)error;
    for (size_t k = first; k < first + count; k++) {
        size_t item = s->todo[k];
        if (s->problems[item] == NULL) {
            float record[FINDING_FLOATS];
            memcpy(record, &s->findings[item], sizeof record);
            cache_add(s->cache, s->data->items[item].content, 0, record);
        }
    }
    return KILN_OK;
}

static kiln_status search_run(search *s, kiln_error *error) {
    for (size_t k = 0; k < s->data->count; k++) {
        float record[FINDING_FLOATS];
        bool cached = cache_find(s->cache, s->data->items[k].content, 0, record);
        if (cached && record[0] >= 0 && record[0] <= MOST_FACES) {
            memcpy(&s->findings[k], record, sizeof record);
        } else {
            s->todo[s->todo_count++] = k;
        }
    }
    parallel_work work = {.context = s,
                          .count = s->todo_count,
                          .most = 1,
                          .open = search_open,
                          .work = search_work,
                          .keep = search_keep,
                          .close = search_close,
                          .progress = s->options->quiet ? NULL : "faces"};
    return s->todo_count > 0 ? parallel_run(&work, s->options->threads, error) : KILN_OK;
}

/* ---- Items --------------------------------------------------------------------------------- */

static kiln_status add_note(gallery *g, const data_item *item, const gallery_note *like,
                            kiln_error *error) {
    if (g->count == g->capacity) {
        size_t capacity = g->capacity == 0 ? 16 : g->capacity * 2;
        gallery_note *grown = realloc(g->notes, capacity * sizeof *grown);
        if (grown == NULL) {
            return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        }
        g->notes = grown;
        g->capacity = capacity;
    }
    gallery_note note = *like;
    note.item = *item;
    note.item.path = item->path != NULL ? strdup(item->path) : NULL;
    if (item->path != NULL && note.item.path == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    g->notes[g->count++] = note;
    return KILN_OK;
}

/* The first face becomes the item's; the others, where they count, items of their own at the end of
 * the set, which `items` counts without them. */
static kiln_status take_face(const search *s, size_t item, size_t which, size_t taken, gallery *g,
                             kiln_error *error) {
    const finding *f = &s->findings[item];
    size_t found = (size_t)f->found;
    const data_item *at = &s->data->items[item];
    data_item face = *at;
    face.subject = (subject){.is_face = true, .face = f->faces[which]};
    gallery_note note = {.found = found, .taken = taken, .blur = (double)f->blur[which]};
    note.eyes = face_eye_distance(&f->faces[which]);
    note.marks = (which == 0 && found > taken ? GALLERY_SEVERAL : 0U) |
                 (note.eyes < FACE_SMALL ? GALLERY_SMALL : 0U) |
                 (note.blur > FACE_BLURRED ? GALLERY_BLURRED : 0U);
    kiln_status status = note.marks != 0 ? add_note(g, &face, &note, error) : KILN_OK;
    if (which == 0) {
        s->data->items[item] = face;
        return status;
    }
    face.path = at->path != NULL ? strdup(at->path) : NULL;
    if (at->path != NULL && face.path == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    return status == KILN_OK ? data_add(s->data, &face, error) : status;
}

static kiln_status take_faces(const search *s, size_t item, gallery *g, kiln_error *error) {
    finding *f = &s->findings[item];
    size_t found = (size_t)f->found, kept = found < MOST_KEPT ? found : MOST_KEPT;
    size_t count = s->source->faces == FACES_ALL    ? kept
                   : s->source->faces == FACES_ONLY ? found == 1
                                                    : found > 0;
    kiln_status status = KILN_OK;
    if (count == 0) {
        gallery_note note = {.marks = GALLERY_NO_FACE, .found = found};
        return add_note(g, &s->data->items[item], &note, error);
    }
    for (size_t k = 0; k < count && status == KILN_OK; k++) {
        status = take_face(s, item, k, count, g, error);
    }
    return status;
}

/* Takes out what has no face, from the last on. */
static kiln_status drop_items(const search *s, size_t items, kiln_error *error) {
    kiln_status status = KILN_OK;
    for (size_t k = items; k-- > 0 && status == KILN_OK;) {
        const data_item *item = &s->data->items[k];
        char why[4300], reason[64];
        if (s->problems[k] != NULL) {
            status = data_skip(s->data, k, s->problems[k], s->options->strict, error);
        } else if (!item->subject.is_face) {
            snprintf(why, sizeof why, "%s: %s", item->path != NULL ? item->path : "a sample",
                     subjects_why((size_t)s->findings[k].found, reason, sizeof reason));
            status = data_skip(s->data, k, why, s->options->strict, error);
        }
    }
    return status;
}

static double seconds_now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

kiln_status gallery_find(const subject_source *source, const gallery_options *options,
                         data_set *inout_data, gallery *out_gallery, kiln_error *error) {
    size_t items = inout_data->count;
    search s = {.source = source, .options = options, .data = inout_data};
    *out_gallery = (gallery){0};
    if (!subjects_are_faces(source)) {
        return KILN_OK;
    }
    out_gallery->pictures = items;
    s.findings = calloc(items + 1, sizeof *s.findings);
    s.problems = calloc(items + 1, sizeof *s.problems);
    s.todo = calloc(items + 1, sizeof *s.todo);
    kiln_status status = s.findings != NULL && s.problems != NULL && s.todo != NULL
                             ? KILN_OK
                             : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    if (status == KILN_OK && !inout_data->pictures) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "--detector is for pictures; the arrays hold other numbers");
    }
    if (status == KILN_OK && options->use_cache) {
        cache_open(options->cache_folder, cache_key(&source->detector), FINDING_FLOATS, &s.cache);
    }
    double start = seconds_now();
    status = status == KILN_OK ? search_run(&s, error) : status;
    out_gallery->computed = s.todo_count;
    out_gallery->seconds = seconds_now() - start;
    for (size_t k = 0; k < items && status == KILN_OK; k++) {
        status = s.problems[k] == NULL ? take_faces(&s, k, out_gallery, error) : KILN_OK;
    }
    status = status == KILN_OK ? drop_items(&s, items, error) : status;
    for (size_t k = 0; s.problems != NULL && k < items; k++) {
        free(s.problems[k]);
    }
    cache_close(s.cache);
    free(s.findings);
    free(s.problems);
    free(s.todo);
    return status;
}

void gallery_free(gallery *g) {
    for (size_t k = 0; k < g->count; k++) {
        free(g->notes[k].item.path);
    }
    free(g->notes);
    *g = (gallery){0};
}
