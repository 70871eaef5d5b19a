/* The samples of a trainer: kept as added, standardised when gathered into a batch. */
#include "runtime/base/memory.h"
#include "runtime/train/trainer.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

enum { BLOCK_NUMBERS = 1 << 14 };

static kiln_status no_room(size_t samples, kiln_error *error) {
    return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for %zu samples", samples);
}

static kiln_status grow(const kiln_trainer *t, sample_set *set, kiln_error *error) {
    size_t capacity = set->capacity == 0 ? 64 : set->capacity * 2;
    if (capacity > UINT32_MAX) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "too many samples");
    }
    const float **rows = memory_grow(&t->allocator, (void *)set->rows, capacity * sizeof *rows);
    set->rows = rows != NULL ? rows : set->rows;
    uint32_t *labels = memory_grow(&t->allocator, set->labels, capacity * sizeof *labels);
    set->labels = labels != NULL ? labels : set->labels;
    if (rows == NULL || labels == NULL) {
        return no_room(capacity, error);
    }
    set->capacity = capacity;
    return KILN_OK;
}

/* Room for one more block, in a list whose room is a power of two. */
static bool block_room(const kiln_trainer *t, sample_set *set) {
    size_t count = set->block_count;
    if ((count & (count - 1)) != 0) {
        return true;
    }
    float **blocks = memory_grow(&t->allocator, (void *)set->blocks,
                                 (count > 0 ? 2 * count : 1) * sizeof *blocks);
    set->blocks = blocks != NULL ? blocks : set->blocks;
    return blocks != NULL;
}

/* Copies features to where they stay. A block is 64 KiB, or a single sample that is larger. */
static const float *copy_features(const kiln_trainer *t, sample_set *set, const float *features) {
    size_t size = t->feature_count;
    size_t each = BLOCK_NUMBERS / size > 0 ? BLOCK_NUMBERS / size : 1;
    if (set->copied == set->block_count * each) {
        float *block =
            block_room(t, set) ? memory_take(&t->allocator, each * size * sizeof(float)) : NULL;
        if (block == NULL) {
            return NULL;
        }
        set->blocks[set->block_count++] = block;
    }
    float *row = set->blocks[set->copied / each] + set->copied % each * size;
    memcpy(row, features, size * sizeof *row);
    set->copied++;
    return row;
}

void samples_free(sample_set *set) {
    for (size_t k = 0; k < set->block_count; k++) {
        memory_free(set->blocks[k]);
    }
    memory_free((void *)set->blocks);
    memory_free((void *)set->rows);
    memory_free(set->labels);
    *set = (sample_set){0};
}

static kiln_status add(kiln_trainer *t, kiln_split split, const float *features, uint32_t label,
                       bool copy, kiln_error *error) {
    sample_set *set = &t->samples[split == KILN_VALIDATION];
    if (label >= t->options.class_count) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "label %u of %u classes", label,
                         t->options.class_count);
    }
    for (size_t k = 0; k < t->feature_count; k++) {
        if (!isfinite(features[k])) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT, "feature %zu of a sample is not finite",
                             k);
        }
    }
    kiln_status status = set->count == set->capacity ? grow(t, set, error) : KILN_OK;
    if (status == KILN_OK && copy) {
        features = copy_features(t, set, features);
        status = features != NULL ? KILN_OK : no_room(set->count + 1, error);
    }
    if (status == KILN_OK) {
        set->rows[set->count] = features;
        set->labels[set->count++] = label;
        t->class_counts[label] += split != KILN_VALIDATION;
    }
    return status;
}

kiln_status kiln_trainer_add_features(kiln_trainer *t, kiln_split split, const float *features,
                                      uint32_t label, kiln_error *error) {
    return add(t, split, features, label, true, error);
}

kiln_status kiln_trainer_lend_features(kiln_trainer *t, kiln_split split, const float *features,
                                       uint32_t label, kiln_error *error) {
    return add(t, split, features, label, false, error);
}

size_t kiln_trainer_sample_count(const kiln_trainer *t, kiln_split split) {
    return t->samples[split == KILN_VALIDATION].count;
}

const float *kiln_trainer_sample(const kiln_trainer *t, kiln_split split, size_t index,
                                 uint32_t *out_label) {
    const sample_set *set = &t->samples[split == KILN_VALIDATION];
    if (index >= set->count) {
        return NULL;
    }
    if (out_label != NULL) {
        *out_label = set->labels[index];
    }
    return set->rows[index];
}

/* ---- By number ----------------------------------------------------------------------------- */

const float *sample_features(const kiln_trainer *t, uint32_t sample) {
    size_t training = t->samples[KILN_TRAINING].count;
    bool held = sample >= training;
    return t->samples[held].rows[sample - (held ? training : 0)];
}

uint32_t sample_label(const kiln_trainer *t, uint32_t sample) {
    size_t training = t->samples[KILN_TRAINING].count;
    return sample < training ? t->samples[KILN_TRAINING].labels[sample]
                             : t->samples[KILN_VALIDATION].labels[sample - training];
}

size_t variants_of(const kiln_trainer *t) {
    return t->options.variants > 1 ? t->options.variants : 1;
}

size_t sample_picture(const kiln_trainer *t, uint32_t sample) {
    size_t training = t->samples[KILN_TRAINING].count;
    return sample < training ? sample / variants_of(t) : sample; /* no training picture's */
}

bool sample_is_view(const kiln_trainer *t, uint32_t sample) {
    size_t views = t->options.views > 1 ? t->options.views : 1;
    return sample >= t->samples[KILN_TRAINING].count || sample % variants_of(t) < views;
}

static uint32_t *grow_list(const kiln_trainer *t, uint32_t **list, size_t count) {
    uint32_t *grown = memory_grow(&t->allocator, *list, (count + 1) * sizeof *grown);
    *list = grown != NULL ? grown : *list;
    return grown;
}

kiln_status samples_reserve(kiln_trainer *t, kiln_error *error) {
    size_t count = t->samples[KILN_TRAINING].count + t->samples[KILN_VALIDATION].count;
    bool good = count <= UINT32_MAX && grow_list(t, &t->train, count) != NULL &&
                grow_list(t, &t->held, count) != NULL && grow_list(t, &t->order, count) != NULL;
    return good ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "no memory for %zu samples", count);
}

static size_t list_range(uint32_t *list, size_t first, size_t count) {
    for (size_t k = 0; k < count; k++) {
        list[k] = (uint32_t)(first + k);
    }
    return count;
}

void samples_take_split(kiln_trainer *t) {
    size_t training = t->samples[KILN_TRAINING].count;
    t->train_count = list_range(t->train, 0, training);
    t->held_count = list_range(t->held, training, t->samples[KILN_VALIDATION].count);
}

void samples_take_all(kiln_trainer *t) {
    size_t count = t->samples[KILN_TRAINING].count + t->samples[KILN_VALIDATION].count;
    t->train_count = list_range(t->train, 0, count);
    t->held_count = 0;
}

/* ---- Before training ----------------------------------------------------------------------- */

/* Both are summed up in one pass over the samples, in double, since features can be many and
 * samples few. */
static kiln_status measure_features(kiln_trainer *t, kiln_error *error) {
    size_t features = t->feature_count;
    double *sums = memory_zeros(&t->allocator, features * 2, sizeof *sums), variance = 0;
    if (sums == NULL) {
        return memory_fail(error);
    }
    for (size_t n = 0; n < t->train_count; n++) {
        const float *from = sample_features(t, t->train[n]);
        for (size_t k = 0; k < features; k++) {
            double x = (double)from[k];
            sums[k] += x;
            sums[features + k] += x * x;
        }
    }
    double count = (double)t->train_count;
    for (size_t k = 0; k < features; k++) {
        sums[k] /= count;
        sums[features + k] = fmax(0, sums[features + k] / count - sums[k] * sums[k]);
        variance += sums[features + k] / (double)features;
    }
    /* A feature that hardly varies stays small instead of becoming noise. */
    double floor = variance > 0 ? variance * 1e-2 : 1;
    for (size_t k = 0; k < features; k++) {
        t->shift[k] = (real)-sums[k];
        t->scale[k] = (real)(1 / sqrt(sums[features + k] + floor));
    }
    memory_free(sums);
    return KILN_OK;
}

static kiln_status weigh_classes(kiln_trainer *t, kiln_error *error) {
    size_t classes = t->options.class_count;
    size_t *counts = memory_zeros(&t->allocator, classes, sizeof *counts);
    t->class_weights = t->class_weights != NULL
                           ? t->class_weights
                           : memory_zeros(&t->allocator, classes, sizeof(real));
    if (counts == NULL || t->class_weights == NULL) {
        memory_free(counts);
        return memory_fail(error);
    }
    for (size_t n = 0; n < t->train_count; n++) {
        counts[sample_label(t, t->train[n])]++;
    }
    for (size_t c = 0; c < classes; c++) {
        t->class_weights[c] =
            counts[c] == 0 ? 0 : (real)t->train_count / (real)(classes * counts[c]);
    }
    memory_free(counts);
    return KILN_OK;
}

static void weigh_prior(kiln_trainer *t) {
    size_t pictures = (t->train_count + variants_of(t) - 1) / variants_of(t);
    for (size_t k = 0; k < t->net.count; k++) {
        if (t->options.head.layers[k].l2 == KILN_L2_PRIOR) {
            t->net.layers[k].l2 = (real)(0.5 / (double)pictures);
        }
    }
}

kiln_status samples_prepare(kiln_trainer *t, kiln_error *error) {
    if (t->train_count == 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "there are no training samples");
    }
    for (size_t k = 0; k < t->train_count; k++) {
        t->order[k] = (uint32_t)k;
    }
    weigh_prior(t);
    kiln_status status = t->shift != NULL ? measure_features(t, error) : KILN_OK;
    return status == KILN_OK && t->options.balance_classes ? weigh_classes(t, error) : status;
}

static void gather_row(const kiln_trainer *t, const float *x, real *out) {
    size_t size = t->feature_count;
    for (size_t k = 0; t->shift == NULL && k < size; k++) {
        out[k] = (real)x[k];
    }
    for (size_t k = 0; t->shift != NULL && k < size; k++) {
        out[k] = ((real)x[k] + t->shift[k]) * t->scale[k];
    }
}

void samples_put(kiln_trainer *t, size_t n, const float *features, uint32_t label) {
    gather_row(t, features, t->batch + n * t->feature_count);
    t->batch_labels[n] = label;
}

void samples_gather(kiln_trainer *t, const uint32_t *samples, const uint32_t *order, size_t count) {
    for (size_t n = 0; n < count; n++) {
        uint32_t sample = samples[order != NULL ? order[n] : n];
        samples_put(t, n, sample_features(t, sample), sample_label(t, sample));
    }
}

void samples_gather_rows(kiln_trainer *t, const float *features, size_t count) {
    for (size_t n = 0; n < count; n++) {
        gather_row(t, features + n * t->feature_count, t->batch + n * t->feature_count);
    }
}
