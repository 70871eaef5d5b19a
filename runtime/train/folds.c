/* Cross-validation: each part of the training samples is left out once, and the head trained on the
 * others says how it scores them. For sets too small to hold some out for good. */
#include "runtime/base/memory.h"
#include "runtime/train/trainer.h"

#include <math.h>
#include <string.h>

#define STAYS UINT32_MAX /* a sample in no fold, which is always learned from */

bool folds_wanted(const kiln_trainer *t) {
    return t->options.folds > 1 && t->samples[KILN_VALIDATION].count == 0;
}

/* Folds are of pictures, not of samples, so that variants of one picture stay together. */
static size_t picture_count(const kiln_trainer *t) {
    size_t variants = variants_of(t);
    return (t->samples[KILN_TRAINING].count + variants - 1) / variants;
}

static uint32_t picture_label(const kiln_trainer *t, size_t picture) {
    return t->samples[KILN_TRAINING].labels[picture * variants_of(t)];
}

bool folds_possible(const kiln_trainer *t) {
    size_t variants = variants_of(t);
    bool found = false;
    for (uint32_t c = 0; c < t->options.class_count && !found; c++) {
        found = t->class_counts[c] > variants;
    }
    return found;
}

/* Folds by picture, dealt out class by class, so that two of a class next to each other are in
 * different ones and every class keeps one to learn from. NULL: no memory. */
static uint32_t *deal_folds(const kiln_trainer *t) {
    size_t pictures = picture_count(t), classes = t->options.class_count, dealt = 0;
    uint32_t *folds = memory_zeros(&t->allocator, pictures + 1, sizeof *folds);
    size_t *counts = memory_zeros(&t->allocator, classes + 1, sizeof *counts);
    for (size_t k = 0; folds != NULL && counts != NULL && k < pictures; k++) {
        counts[picture_label(t, k)]++;
    }
    /* Finds where each class's pictures begin in an order by class. */
    for (size_t c = 0; counts != NULL && c < classes; c++) {
        size_t count = counts[c];
        counts[c] = count > 1 ? dealt : SIZE_MAX;
        dealt += count > 1 ? count : 0;
    }
    for (size_t k = 0; folds != NULL && counts != NULL && k < pictures; k++) {
        size_t *next = &counts[picture_label(t, k)];
        folds[k] = *next == SIZE_MAX ? STAYS : (uint32_t)((*next)++ % t->options.folds);
    }
    if (counts == NULL) {
        memory_free(folds);
        folds = NULL;
    }
    memory_free(counts);
    return folds;
}

/* Learns from all samples but those of fold `f`, of which the pictures themselves are scored. */
static void take_fold(kiln_trainer *t, const uint32_t *folds, uint32_t f) {
    size_t variants = variants_of(t);
    t->train_count = t->held_count = 0;
    for (uint32_t k = 0; k < t->samples[KILN_TRAINING].count; k++) {
        if (folds[k / variants] != f) {
            t->train[t->train_count++] = k;
        } else if (k % variants == 0) {
            t->held[t->held_count++] = k;
        }
    }
}

/* Adds to means over the folds: of what was learned from by samples, and so of what was held out.
 */
static void add_record(kiln_epoch *sum, const kiln_epoch *e, double share, double held_share) {
    sum->epoch = e->epoch;
    sum->loss += (float)((double)e->loss * share);
    sum->accuracy += (float)((double)e->accuracy * share);
    sum->learning_rate += (float)((double)e->learning_rate * share);
    sum->seconds += e->seconds;
    sum->validation_loss += (float)((double)e->validation_loss * held_share);
    sum->validation_accuracy += (float)((double)e->validation_accuracy * held_share);
}

/* The number of samples in all folds together: learned from, and held out. */
typedef struct fold_totals {
    double train, held;
} fold_totals;

static kiln_status run_fold(kiln_trainer *t, uint32_t epochs, const fold_totals *totals,
                            kiln_error *error) {
    bool stop = false;
    t->progress = (progress){.rate_factor = 1};
    kiln_status status = samples_prepare(t, error);
    if (status == KILN_OK) {
        status = start_head(t, true, error);
    }
    while (status == KILN_OK && t->progress.recorded <= epochs) {
        kiln_epoch record;
        status = epoch_run(t, NULL, &record, &stop, error);
        if (status != KILN_OK) {
            break;
        }
        (void)schedule_epoch(t, record.validation_loss);
        if (totals != NULL) {
            add_record(&t->history[t->progress.recorded], &record,
                       (double)t->train_count / totals->train,
                       (double)t->held_count / totals->held);
        }
        t->progress.recorded++;
    }
    return status;
}

/* All folds to `epochs`: into the history (totals), or for the scores of what is held out. */
static kiln_status run_folds(kiln_trainer *t, const uint32_t *folds, uint32_t epochs,
                             const fold_totals *totals, bool scores, kiln_error *error) {
    kiln_status status = KILN_OK;
    for (uint32_t f = 0; f < t->options.folds && status == KILN_OK; f++) {
        take_fold(t, folds, f);
        if (t->held_count > 0) {
            status = run_fold(t, epochs, totals, error);
        }
        if (status == KILN_OK && scores && t->held_count > 0) {
            status = epoch_keep_scores(t, error);
        }
    }
    return status;
}

/* Goes through the means as a run goes through its epochs. */
static void tell_history(kiln_trainer *t, const kiln_train_callbacks *callbacks) {
    bool stop = false;
    t->progress = (progress){.rate_factor = 1};
    for (uint32_t k = 0; k <= t->options.epochs && !stop && t->progress.stopped == 0; k++) {
        t->progress.epochs = k;
        (void)schedule_epoch(t, t->history[k].validation_loss);
        t->progress.recorded++;
        stop = callbacks != NULL && callbacks->epoch != NULL &&
               callbacks->epoch(callbacks->context, &t->history[k]) != 0;
    }
}

kiln_status folds_fit(kiln_trainer *t, const kiln_train_callbacks *callbacks, kiln_error *error) {
    uint32_t *folds = deal_folds(t), epochs = t->options.epochs;
    fold_totals totals = {0, 0};
    if (folds == NULL) {
        return memory_fail(error);
    }
    for (uint32_t f = 0; f < t->options.folds; f++) {
        take_fold(t, folds, f);
        totals.train += t->held_count > 0 ? (double)t->train_count : 0;
        totals.held += (double)t->held_count;
    }
    memset(t->history, 0, ((size_t)epochs + 1) * sizeof *t->history);
    kiln_status status = run_folds(t, folds, epochs, &totals, epochs == 0, error);
    if (status == KILN_OK) {
        tell_history(t, callbacks);
        progress told = t->progress;
        if (epochs > 0) {
            status = run_folds(t, folds, kiln_trainer_best_epoch(t), NULL, true, error);
        }
        t->progress = told;
    }
    memory_free(folds);
    return status;
}
