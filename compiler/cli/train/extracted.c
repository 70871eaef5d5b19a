/* Features from parts: see extracted.h. */
#include "compiler/cli/train/extracted.h"
#include "compiler/cli/shards/labels.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NOTES = 1000 };

kiln_status extracted_open(char *const *words, size_t word_count, extracted *out_features,
                           kiln_error *error) {
    extracted *x = out_features;
    *x = (extracted){0};
    kiln_status status = part_set_open(words, word_count, &x->parts, error);
    for (size_t k = 0; k < x->parts.count; k++) {
        x->rows += x->parts.parts[k].about.rows;
    }
    if (status == KILN_OK && strstr(x->parts.parts[0].about.settings, "normalize=1") != NULL) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "%s: made with --normalize: a head is trained on features as they are",
                           x->parts.parts[0].path);
    }
    if (status != KILN_OK) {
        extracted_close(x);
    }
    return status;
}

void extracted_close(extracted *x) {
    part_set_close(&x->parts);
    *x = (extracted){0};
}

/* ---- Items --------------------------------------------------------------------------------- */

typedef struct collection {
    data_set *data;
    labels *labels;
    uint32_t *row_counts; /* by item */
    size_t capacity;
    uint64_t row; /* of all parts: the next */
    size_t unlabelled, failed;
    char example[200]; /* a picture without a label */
} collection;

static kiln_status out_of_memory(kiln_error *error) {
    return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

static bool note_rows(collection *c, uint32_t rows) {
    if (c->data->count == c->capacity) {
        size_t capacity = c->capacity == 0 ? 256 : c->capacity * 2;
        uint32_t *grown = realloc(c->row_counts, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        c->row_counts = grown;
        c->capacity = capacity;
    }
    c->row_counts[c->data->count] = rows;
    return true;
}

/* A picture that failed counts in the split, as it does where pictures are decoded after it. */
static kiln_status take_line(void *context, const part_line *line, kiln_error *error) {
    collection *c = context;
    data_item item = {.index = (size_t)c->row, .content = line->content};
    bool full;
    c->row += line->rows;
    if (!labels_find(c->labels, line->image, &item.label, &full)) {
        c->unlabelled++;
        snprintf(c->example, sizeof c->example, "%s", line->image);
        return full ? out_of_memory(error) : KILN_OK;
    }
    if (line->error != NULL) {
        c->failed++;
        if (c->data->skipped_count < MOST_NOTES) {
            data_note_skipped(c->data, item.label, line->image, line->error);
        }
        if (line->content == 0) {
            return KILN_OK;
        }
    }
    item.path = strdup(line->image);
    return item.path != NULL && note_rows(c, (uint32_t)line->rows) ? data_add(c->data, &item, error)
                                                                   : out_of_memory(error);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Classes that have pictures, in the order of their names, as folders have. */
static kiln_status sort_classes(collection *c, kiln_error *error) {
    data_set *d = c->data;
    size_t count = labels_class_count(c->labels), present = 0;
    uint32_t *places = calloc(count + 1, sizeof *places);
    const char **names = calloc(count + 1, sizeof *names);
    kiln_status status = places != NULL && names != NULL ? KILN_OK : out_of_memory(error);
    for (size_t k = 0; status == KILN_OK && k < d->count; k++) {
        places[d->items[k].label] = 1;
    }
    for (size_t k = 0; status == KILN_OK && k < d->skipped_count; k++) {
        places[d->skipped[k].label] = 1;
    }
    for (size_t k = 0; status == KILN_OK && k < count; k++) {
        if (places[k] != 0) {
            names[present++] = labels_class(c->labels, k);
        }
    }
    if (present > 0) {
        qsort((void *)names, present, sizeof *names, by_name);
    }
    for (size_t k = 0; status == KILN_OK && k < present; k++) {
        status = data_add_class(d, names[k], error);
    }
    for (size_t k = 0; status == KILN_OK && k < count; k++) {
        const char *name = labels_class(c->labels, k);
        const char **at = present > 0 ? bsearch((const void *)&name, (const void *)names, present,
                                                sizeof *names, by_name)
                                      : NULL;
        places[k] = at != NULL ? (uint32_t)(at - names) : 0;
    }
    for (size_t k = 0; status == KILN_OK && k < d->count; k++) {
        d->items[k].label = places[d->items[k].label];
    }
    for (size_t k = 0; status == KILN_OK && k < d->skipped_count; k++) {
        d->skipped[k].label = places[d->skipped[k].label];
    }
    free(places);
    free((void *)names);
    return status;
}

/* Items without rows go; of several faces each becomes one, in the order of the rows. */
static kiln_status expand_rows(collection *c, kiln_error *error) {
    data_set *d = c->data;
    data_set expanded = {0};
    kiln_status status = KILN_OK;
    size_t kept = 0;
    bool several = false;
    for (size_t k = 0; k < d->count; k++) {
        several = several || c->row_counts[k] > 1;
    }
    for (size_t k = 0; !several && k < d->count; k++) { /* in place: there may be many */
        if (c->row_counts[k] == 1) {
            d->items[kept++] = d->items[k];
        } else {
            free(d->items[k].path);
        }
    }
    for (size_t k = 0; several && k < d->count; k++) {
        data_item *item = &d->items[k];
        for (uint32_t n = 0; n < c->row_counts[k] && status == KILN_OK; n++) {
            data_item one = *item;
            one.index += n;
            one.path = strdup(item->path);
            status = one.path != NULL ? data_add(&expanded, &one, error) : out_of_memory(error);
        }
        free(item->path);
        item->path = NULL;
    }
    if (several) {
        free(d->items);
        d->items = expanded.items;
        d->capacity = expanded.capacity;
        kept = expanded.count;
    }
    d->count = kept;
    return status;
}

static kiln_status check_labels(const collection *c, const char *labels, kiln_error *error) {
    if (c->data->count > 0) {
        return KILN_OK;
    }
    return c->unlabelled > 0
               ? kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "%s: none of the pictures has a label there, as '%s'",
                           labels != NULL ? labels : "the folders of the pictures", c->example)
               : kiln_fail(error, KILN_ERROR_ARGUMENT, "the parts have no rows");
}

/* What is not as it might be expected. */
static void warn(const extracted *x, const collection *c) {
    data_set *d = c->data;
    const part_about *a = &x->parts.parts[0].about;
    size_t same = 0;
    for (size_t k = 0; k < x->parts.count; k++) {
        const part_about *b = &x->parts.parts[k].about;
        same += a->parts == b->parts && strcmp(a->list, b->list) == 0;
    }
    if (same < a->parts) {
        data_note_add(&d->warnings, &d->warning_count, "%zu of %" PRIu64 " parts are given", same,
                      a->parts);
    }
    if (c->unlabelled > 0) {
        data_note_add(&d->warnings, &d->warning_count,
                      "%zu pictures without a label are left out, as '%s'", c->unlabelled,
                      c->example);
    }
    if (c->failed > d->skipped_count) {
        data_note_add(&d->warnings, &d->warning_count, "%zu pictures failed in all", c->failed);
    }
}

kiln_status extracted_data(const extracted *x, const char *labels, const data_options *options,
                           data_set *out_data, kiln_error *error) {
    *out_data = (data_set){.pictures = true};
    collection c = {.data = out_data};
    kiln_status status = labels_open(labels, &c.labels, error);
    if (status == KILN_OK) {
        status = part_set_read(&x->parts, take_line, &c, error);
    }
    if (status == KILN_OK) {
        status = check_labels(&c, labels, error);
    }
    if (status == KILN_OK) {
        status = sort_classes(&c, error);
    }
    labels_close(c.labels);
    if (status == KILN_OK) {
        warn(x, &c);
        status = data_split(out_data, options, error);
    }
    if (status == KILN_OK) {
        status = expand_rows(&c, error);
    }
    free(c.row_counts);
    if (status != KILN_OK) {
        data_free(out_data);
    }
    return status;
}

/* ---- The trainer --------------------------------------------------------------------------- */

kiln_status extracted_check(const extracted *x, const kiln_trainer *trainer, uint64_t network,
                            uint64_t detector_key, kiln_error *error) {
    const read_part *p = &x->parts.parts[0];
    const part_about *a = &p->about;
    bool found = a->detector[0] != '\0';
    if (a->columns != kiln_trainer_feature_count(trainer)) {
        return kiln_fail(
            error, KILN_ERROR_ARGUMENT, "%s: %" PRIu64 " features, the network has %zu at '%s'",
            p->path, a->columns, kiln_trainer_feature_count(trainer), kiln_trainer_cut(trainer));
    }
    if (strtoull(a->network, NULL, 16) != network) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "%s: features of another network, cut or normalisation of pictures than "
                         "this one's at '%s'",
                         p->path, kiln_trainer_cut(trainer));
    }
    if (!found && detector_key != 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "%s: features of whole pictures, not of faces: leave out --detector",
                         p->path);
    }
    return !found || strtoull(a->detector_key, NULL, 16) == detector_key
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "%s: features of faces that %s found: give it with --detector", p->path,
                           a->detector);
}

kiln_status extracted_add(const extracted *x, const data_set *data, kiln_trainer *trainer,
                          kiln_error *error) {
    const read_part *part = x->parts.parts;
    uint64_t before = 0; /* rows of the parts before this one */
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < data->count && status == KILN_OK; k++) {
        const data_item *item = &data->items[k];
        while (item->index - before >= part->about.rows) {
            before += part->about.rows;
            part++;
        }
        const float *row = part->rows + (item->index - before) * part->about.columns;
        kiln_error why;
        status = kiln_trainer_lend_features(
            trainer, item->validation ? KILN_VALIDATION : KILN_TRAINING, row, item->label, &why);
        status = status == KILN_OK ? KILN_OK
                                   : kiln_fail(error, status, "%s: row %zu: %s", part->path,
                                               (size_t)(item->index - before), why.message);
    }
    return status;
}
