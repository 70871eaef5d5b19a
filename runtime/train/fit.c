/* The training loop. */
#include "runtime/train/trainer.h"

#include <math.h>
#include <time.h>

enum { STREAM_ORDER = 1 };

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void batch_labels(kiln_trainer *t, const sample_set *set, const uint32_t *order,
                         size_t first, size_t count) {
    for (size_t n = 0; n < count; n++) {
        t->batch_labels[n] = set->labels[order != NULL ? order[first + n] : first + n];
    }
}

/* Sums over an epoch. */
typedef struct totals {
    double loss;
    size_t correct, seen, batches;
} totals;

static kiln_status train_batch(kiln_trainer *t, size_t first, size_t count, real rate,
                               totals *inout, kiln_error *error) {
    const sample_set *set = &t->samples[KILN_TRAINING];
    samples_gather(t, set->features, t->order, first, count);
    batch_labels(t, set, t->order, first, count);
    t->progress.steps++;
    kiln_status status = network_forward(&t->net, t->batch, count, true, t->progress.steps, error);
    if (status != KILN_OK) {
        return status;
    }
    batch_result result = network_loss(&t->net, t->batch_labels, t->class_weights, count);
    result.loss += network_penalty(&t->net) * (double)count;
    if (!isfinite(result.loss)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "the loss is not finite any more in epoch %u: lower the learning rate "
                         "(it is %g)",
                         t->progress.epochs + 1, (double)rate);
    }
    inout->loss += result.loss;
    inout->correct += result.correct;
    inout->seen += count;
    update u = optimizer_update(&t->options, rate, t->progress.steps);
    return network_backward(&t->net, count, &u, error);
}

static kiln_status validate(kiln_trainer *t, kiln_epoch *inout_epoch, kiln_error *error) {
    const sample_set *set = &t->samples[KILN_VALIDATION];
    totals sums = {0};
    inout_epoch->validation_loss = inout_epoch->validation_accuracy = NAN;
    for (size_t first = 0; first < set->count; first += t->net.batch) {
        size_t count = set->count - first < t->net.batch ? set->count - first : t->net.batch;
        samples_gather(t, set->features, NULL, first, count);
        batch_labels(t, set, NULL, first, count);
        kiln_status status = network_forward(&t->net, t->batch, count, false, 0, error);
        if (status != KILN_OK) {
            return status;
        }
        batch_result result = network_loss(&t->net, t->batch_labels, NULL, count);
        sums.loss += result.loss;
        sums.correct += result.correct;
    }
    if (set->count > 0) {
        double loss = sums.loss / (double)set->count + network_penalty(&t->net);
        inout_epoch->validation_loss = (float)loss;
        inout_epoch->validation_accuracy = (float)((double)sums.correct / (double)set->count);
    }
    return KILN_OK;
}

/* *out_stop: a callback asked for it. */
static kiln_status train_epoch(kiln_trainer *t, const kiln_train_callbacks *callbacks,
                               kiln_epoch *out_epoch, bool *out_stop, kiln_error *error) {
    size_t samples = t->samples[KILN_TRAINING].count, size = t->net.batch;
    size_t batches = (samples + size - 1) / size;
    uint32_t epoch = t->progress.epochs;
    totals sums = {0};
    real rate = 0;
    if (t->options.shuffle) {
        random_order(t->options.seed, ((uint64_t)epoch << 16) + STREAM_ORDER, t->order, samples);
    }
    for (size_t b = 0; b < batches && !*out_stop; b++) {
        size_t first = b * size, count = samples - first < size ? samples - first : size;
        rate = schedule_rate(t, epoch, b, batches);
        kiln_status status = train_batch(t, first, count, rate, &sums, error);
        if (status != KILN_OK) {
            return status;
        }
        if (callbacks != NULL && callbacks->batch != NULL) {
            double seen = (double)sums.seen;
            *out_stop = callbacks->batch(callbacks->context, epoch + 1, b + 1, batches,
                                         (float)(sums.loss / seen),
                                         (float)((double)sums.correct / seen)) != 0;
        }
    }
    out_epoch->epoch = epoch + 1;
    out_epoch->loss = (float)(sums.loss / (double)sums.seen);
    out_epoch->accuracy = (float)((double)sums.correct / (double)sums.seen);
    out_epoch->learning_rate = (float)rate;
    return KILN_OK;
}

static kiln_status one_epoch(kiln_trainer *t, const kiln_train_callbacks *callbacks, bool *out_stop,
                             kiln_error *error) {
    kiln_epoch record = {0};
    double start = now();
    kiln_status status = train_epoch(t, callbacks, &record, out_stop, error);
    if (status == KILN_OK) {
        status = validate(t, &record, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    record.seconds = (float)(now() - start);
    bool validated = t->samples[KILN_VALIDATION].count > 0;
    t->history[t->progress.epochs++] = record;
    if (schedule_epoch(t, validated ? record.validation_loss : record.loss)) {
        weights_keep(t);
    }
    if (callbacks != NULL && callbacks->epoch != NULL) {
        *out_stop = callbacks->epoch(callbacks->context, &record) != 0 || *out_stop;
    }
    return KILN_OK;
}

kiln_status kiln_trainer_fit(kiln_trainer *t, const kiln_train_callbacks *callbacks,
                             kiln_error *error) {
    kiln_status status = samples_prepare(t, error);
    bool stop = false;
    while (status == KILN_OK && !stop && t->progress.stopped == 0 &&
           t->progress.epochs < t->options.epochs) {
        status = one_epoch(t, callbacks, &stop, error);
    }
    bool diverged = status != KILN_OK;
    if ((t->options.restore_best || diverged) && t->progress.best_epoch != 0) {
        weights_restore(t);
    }
    return status;
}

size_t kiln_trainer_history(const kiln_trainer *t, const kiln_epoch **out_epochs) {
    *out_epochs = t->history;
    return t->progress.epochs;
}

uint32_t kiln_trainer_best_epoch(const kiln_trainer *t) {
    return t->options.restore_best ? t->progress.best_epoch : t->progress.epochs;
}
