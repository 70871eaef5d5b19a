/* What tells how good a trained head is: pictures that it has not seen. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/scorer.h"
#include "compiler/cli/train/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS = 5 };

void held_out_choose(training *t) {
    kiln_train_options *o = &t->options;
    bool asked = !isnan(t->split.validation) || t->split.validation_path != NULL || t->split.last ||
                 t->split.train_per_class > 0;
    bool at_once = o->head.rule != KILN_RULE_DESCENT && t->extracted.rows <= EXTRACTED_MANY;
    if (t->folds_given ? o->folds > 1 : !asked && at_once) {
        t->split.validation = 0;
        o->folds = t->folds_given ? o->folds : FOLDS;
    } else if (!t->folds_given && !asked && !t->scratch) {
        t->split.spare_few = true;
        o->folds = FOLDS; /* of no effect where there are validation samples */
    }
    t->split.validation = isnan(t->split.validation) ? 0.2 : t->split.validation;
    o->refit = t->refit && !t->scratch && t->split.validation_path == NULL;
}

bool held_out_in_folds(const training *t) {
    return t->options.folds > 1 && kiln_trainer_sample_count(t->trainer, KILN_VALIDATION) == 0;
}

/* The items of the samples held out: samples were added in the order of items, a training one with
 * its variants behind it. */
static kiln_status find_items(training *t, kiln_split split, const uint32_t *samples,
                              kiln_error *error) {
    size_t per_item = split == KILN_TRAINING ? t->options.variants : 1, found = 0;
    size_t *items = malloc((t->data.count + 1) * sizeof *items);
    t->held_items = malloc((t->held_count + 1) * sizeof *t->held_items);
    if (items == NULL || t->held_items == NULL) {
        free(items);
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < t->data.count; k++) {
        if (t->data.items[k].validation == (split == KILN_VALIDATION)) {
            items[found++] = k;
        }
    }
    for (size_t k = 0; k < t->held_count; k++) {
        t->held_items[k] = items[samples[k] / per_item];
    }
    free(items);
    return KILN_OK;
}

/* A threshold for kiln compare, from pictures that the head was not chosen by, where there are
 * some. */
static kiln_status find_threshold(training *t, kiln_split split, const uint32_t *samples,
                                  kiln_error *error) {
    size_t size = kiln_trainer_feature_count(t->trainer);
    size_t count = t->held_count < THRESHOLD_SAMPLES ? t->held_count : THRESHOLD_SAMPLES;
    float *rows = malloc((count * size + 1) * sizeof *rows);
    uint32_t *own = malloc((count + 1) * sizeof *own);
    bool good = rows != NULL && own != NULL;
    for (size_t k = 0; good && k < count; k++) {
        memcpy(rows + k * size, kiln_trainer_sample(t->trainer, split, samples[k], &own[k]),
               size * sizeof *rows);
    }
    double accuracy;
    t->has_threshold =
        good && choose_threshold(rows, count, size, own, &t->same_threshold, &accuracy);
    free(rows);
    free(own);
    return good ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

kiln_status held_out_measure(training *t, kiln_error *error) {
    kiln_split split;
    const uint32_t *samples;
    size_t classes = t->data.class_count;
    t->held_count = kiln_trainer_held_out(t->trainer, &split, &samples, &t->scores);
    kiln_status status = metrics_create(classes, &t->results, error);
    if (status == KILN_OK) {
        status = find_items(t, split, samples, error);
    }
    for (size_t k = 0; k < t->held_count && status == KILN_OK; k++) {
        metrics_add(&t->results, t->scores + k * classes, t->data.items[t->held_items[k]].label);
    }
    return status == KILN_OK ? find_threshold(t, split, samples, error) : status;
}
