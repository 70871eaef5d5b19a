/* The training loop, and training anew on all samples for as long as the best epoch took. Dividing
 * the samples into folds is folds.c. */
#include "runtime/base/memory.h"
#include "runtime/base/options.h"
#include "runtime/train/trainer.h"

enum { STREAM_REFIT = 2 };

/* An epoch of few samples is a few steps only, so there are at least so many steps, and at least so
 * many epochs. */
#define LEAST_STEPS 2000
#define LEAST_EPOCHS 100

uint32_t kiln_trainer_epochs(const kiln_trainer *t) {
    bool single = t->options.head.count == 1 && t->options.fine_tune == 0;
    if (t->options.head.rule != KILN_RULE_DESCENT ||
        (single && t->options.start == KILN_START_MEANS && folds_wanted(t) && !folds_possible(t))) {
        return 0;
    }
    if (t->asked_epochs > 0) {
        return t->asked_epochs;
    }
    size_t batches = epoch_batches(t, t->samples[KILN_TRAINING].count);
    size_t wanted = batches > 0 ? (LEAST_STEPS + batches - 1) / batches : 0;
    return (uint32_t)(wanted > LEAST_EPOCHS ? wanted : LEAST_EPOCHS);
}

/* ---- An epoch ------------------------------------------------------------------------------ */

static kiln_status one_epoch(kiln_trainer *t, const kiln_train_callbacks *callbacks, bool *out_stop,
                             kiln_error *error) {
    kiln_epoch record;
    kiln_status status = epoch_run(t, callbacks, &record, out_stop, error);
    if (status != KILN_OK) {
        return status;
    }
    t->history[t->progress.recorded] = record;
    bool best = schedule_epoch(t, t->held_count > 0 ? record.validation_loss : record.loss);
    t->progress.recorded++;
    if (best) {
        weights_keep(t);
    }
    if (callbacks != NULL && callbacks->epoch != NULL) {
        *out_stop = callbacks->epoch(callbacks->context, &record) != 0 || *out_stop;
    }
    return KILN_OK;
}

/* ---- On all samples ------------------------------------------------------------------------ */

/* The rate of a step of the run that chose the epoch. A schedule that waits for validation says
 * what it was by its history. */
static real rate_of_step(const kiln_trainer *t, uint64_t step, size_t batches) {
    uint32_t epoch = (uint32_t)(step / batches);
    return schedule_of(t->options.schedule)->waits
               ? (real)t->history[epoch + 1].learning_rate
               : schedule_rate(t, epoch, (size_t)(step % batches), batches);
}

/* `batches` is how many there were in an epoch of the run that chose the epoch. */
static kiln_status refit(kiln_trainer *t, size_t batches, kiln_error *error) {
    progress kept = t->progress;
    epoch_sums sums = {0};
    uint64_t steps = (uint64_t)kiln_trainer_best_epoch(t) * batches;
    samples_take_all(t);
    kiln_status status = samples_prepare(t, error);
    if (status == KILN_OK) {
        status = start_head(t, true, error);
    }
    size_t size = t->net.batch, samples = t->train_count, own = epoch_batches(t, samples);
    t->progress.steps = 0;
    for (uint64_t step = 0; step < steps && status == KILN_OK; step++) {
        size_t first = (size_t)(step % own) * size;
        if (first == 0 && t->options.shuffle) {
            status = shuffle_samples(t, ((step / own) << 16) + STREAM_REFIT, error);
        }
        size_t count = samples - first < size ? samples - first : size;
        t->progress.epochs = (uint32_t)(step / own);
        if (status == KILN_OK) {
            status =
                epoch_train_batch(t, first, count, rate_of_step(t, step, batches), &sums, error);
        }
    }
    t->progress = kept;
    t->refitted = status == KILN_OK ? samples : 0;
    return status;
}

size_t kiln_trainer_refitted(const kiln_trainer *t) {
    return t->refitted;
}

/* ---- All ----------------------------------------------------------------------------------- */

/* One run on the training samples; the validation samples, where there are some, choose the epoch.
 */
static kiln_status fit_split(kiln_trainer *t, const kiln_train_callbacks *callbacks, bool *out_stop,
                             kiln_error *error) {
    samples_take_split(t);
    kiln_status status = samples_prepare(t, error);
    if (status == KILN_OK && t->progress.recorded == 0) {
        status = start_head(t, false, error);
    }
    while (status == KILN_OK && !*out_stop && t->progress.stopped == 0 &&
           t->progress.recorded <= t->options.epochs) {
        status = one_epoch(t, callbacks, out_stop, error);
    }
    bool failed = status != KILN_OK;
    if ((t->options.restore_best || failed) && t->progress.recorded > 0) {
        weights_restore(t);
    }
    return failed ? status : epoch_keep_scores(t, error);
}

/* So that scores stay below KILN_HELD_OUT_SCORES. */
static size_t held_step(const kiln_trainer *t, bool folds) {
    size_t held = t->samples[folds ? KILN_TRAINING : KILN_VALIDATION].count;
    size_t most = KILN_HELD_OUT_SCORES / t->options.class_count;
    return most > 0 && held > most ? (held + most - 1) / most : 1;
}

kiln_status kiln_trainer_fit(kiln_trainer *t, const kiln_train_callbacks *callbacks,
                             kiln_error *error) {
    kiln_train_callbacks used;
    bool stop = false, folds = folds_wanted(t) && folds_possible(t);
    kiln_status status = OPTIONS_TAKE(kiln_train_callbacks, callbacks, &used, error);
    if (status == KILN_OK) {
        t->refitted = t->held_out = 0;
        t->held_step = held_step(t, folds);
        t->held_spread = 0;
        status = fit_settle(t, error);
    }
    if (status == KILN_OK && t->options.epochs == 0) { /* of the samples that there are now */
        t->progress = (progress){.rate_factor = 1};
    }
    if (status == KILN_OK) {
        status = folds ? folds_fit(t, &used, error) : fit_split(t, &used, &stop, error);
    }
    size_t batches = epoch_batches(t, t->train_count);
    /* Folds leave the weights of the last of them. */
    bool anew = folds || (t->options.refit && t->held_count > 0 && !stop);
    return status == KILN_OK && anew ? refit(t, batches, error) : status;
}

kiln_status fit_settle(kiln_trainer *t, kiln_error *error) {
    uint32_t epochs = kiln_trainer_epochs(t);
    kiln_epoch *history =
        memory_grow(&t->allocator, t->history, ((size_t)epochs + 1) * sizeof *history);
    if (history == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for %u epochs", epochs);
    }
    t->history = history;
    t->options.epochs = epochs;
    return samples_reserve(t, error);
}
