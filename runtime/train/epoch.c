/* One epoch, and what is held out of it. */
#include "runtime/base/memory.h"
#include "runtime/train/trainer.h"

#include <math.h>
#include <time.h>

enum { STREAM_ORDER = 1 };

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

size_t epoch_batches(const kiln_trainer *t, size_t samples) {
    return (samples + t->options.batch_size - 1) / t->options.batch_size;
}

static kiln_status diverged(const kiln_trainer *t, real rate, kiln_error *error) {
    return kiln_fail(error, KILN_ERROR_ARGUMENT,
                     "the loss is not finite any more in epoch %u: lower the learning rate "
                     "(it is %g)",
                     t->progress.epochs + 1, (double)rate);
}

kiln_status epoch_train_batch(kiln_trainer *t, size_t first, size_t count, real rate,
                              epoch_sums *inout, kiln_error *error) {
    shuffle_gather(t, first, count);
    t->progress.steps++;
    kiln_status status = network_forward(&t->net, t->batch, count, true, t->progress.steps, error);
    if (status != KILN_OK) {
        return status;
    }
    batch_result result = network_loss(&t->net, t->batch_labels, t->class_weights, count);
    result.loss += network_penalty(&t->net) * (double)count;
    if (!isfinite(result.loss)) {
        return diverged(t, rate, error);
    }
    inout->loss += result.loss;
    inout->correct += result.correct;
    inout->seen += count;
    update u = optimizer_update(&t->options, rate, t->progress.steps);
    return network_backward(&t->net, count, &u, error);
}

/* Computes the mean loss and accuracy of samples as they are scored now; NaN where there are none.
 */
static kiln_status look(kiln_trainer *t, const uint32_t *samples, size_t count, bool weighted,
                        float *out_loss, float *out_accuracy, kiln_error *error) {
    epoch_sums sums = {0};
    for (size_t first = 0; first < count; first += t->net.batch) {
        size_t batch = count - first < t->net.batch ? count - first : t->net.batch;
        samples_gather(t, samples + first, NULL, batch);
        kiln_status status = network_forward(&t->net, t->batch, batch, false, 0, error);
        if (status != KILN_OK) {
            return status;
        }
        batch_result result =
            network_loss(&t->net, t->batch_labels, weighted ? t->class_weights : NULL, batch);
        sums.loss += result.loss;
        sums.correct += result.correct;
    }
    *out_loss = count > 0 ? (float)(sums.loss / (double)count + network_penalty(&t->net)) : NAN;
    *out_accuracy = count > 0 ? (float)((double)sums.correct / (double)count) : NAN;
    return KILN_OK;
}

/* Runs the batches of an epoch; *out_stop tells that a callback asked for an end. */
static kiln_status train_epoch(kiln_trainer *t, const kiln_train_callbacks *callbacks,
                               kiln_epoch *out_epoch, bool *out_stop, kiln_error *error) {
    size_t samples = t->train_count, size = t->net.batch, batches = epoch_batches(t, samples);
    uint32_t epoch = t->progress.epochs;
    epoch_sums sums = {0};
    real rate = 0;
    kiln_status status = KILN_OK;
    if (t->options.shuffle) {
        status = shuffle_samples(t, ((uint64_t)epoch << 16) + STREAM_ORDER, error);
    }
    for (size_t b = 0; b < batches && !*out_stop && status == KILN_OK; b++) {
        size_t first = b * size, count = samples - first < size ? samples - first : size;
        rate = schedule_rate(t, epoch, b, batches);
        status = epoch_train_batch(t, first, count, rate, &sums, error);
        if (status == KILN_OK && callbacks != NULL && callbacks->batch != NULL) {
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
    return status;
}

kiln_status epoch_run(kiln_trainer *t, const kiln_train_callbacks *callbacks, kiln_epoch *out_epoch,
                      bool *out_stop, kiln_error *error) {
    double start = now();
    *out_epoch = (kiln_epoch){0};
    kiln_status status =
        t->progress.recorded == 0
            ? look(t, t->train, t->train_count, true, &out_epoch->loss, &out_epoch->accuracy, error)
            : train_epoch(t, callbacks, out_epoch, out_stop, error);
    if (status == KILN_OK) {
        status = look(t, t->held, t->held_count, false, &out_epoch->validation_loss,
                      &out_epoch->validation_accuracy, error);
    }
    out_epoch->seconds = (float)(now() - start);
    t->progress.epochs += status == KILN_OK && t->progress.recorded > 0;
    return status;
}

/* ---- Held out ------------------------------------------------------------------------------ */

kiln_status classes_spread(const kiln_trainer *t, const uint32_t *samples, size_t count,
                           size_t step, double *out_spread, kiln_error *error) {
    size_t *pictures = memory_zeros(&t->allocator, t->options.class_count, sizeof *pictures);
    *out_spread = 0;
    if (pictures == NULL) {
        return memory_fail(error);
    }
    for (size_t k = 0; k < t->train_count; k++) {
        uint32_t sample = t->train[k];
        bool variant = k > 0 && sample_picture(t, sample) == sample_picture(t, t->train[k - 1]);
        pictures[sample_label(t, sample)] += !variant;
    }
    for (size_t k = 0; k < count; k += step) {
        size_t own = pictures[sample_label(t, samples[k])];
        *out_spread += 1 + 1 / (double)(own > 0 ? own : 1);
    }
    memory_free(pictures);
    return KILN_OK;
}

kiln_status epoch_keep_scores(kiln_trainer *t, kiln_error *error) {
    size_t step = t->held_step, added = (t->held_count + step - 1) / step;
    size_t classes = t->options.class_count, count = t->held_out + added;
    size_t training = t->samples[KILN_TRAINING].count;
    uint32_t *samples = memory_grow(&t->allocator, t->held_samples, (count + 1) * sizeof *samples);
    t->held_samples = samples != NULL ? samples : t->held_samples;
    float *scores =
        memory_grow(&t->allocator, t->held_scores, (count * classes + 1) * sizeof *scores);
    t->held_scores = scores != NULL ? scores : t->held_scores;
    if (samples == NULL || scores == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for the scores of %zu samples",
                         count);
    }
    double spread;
    kiln_status spread_known = classes_spread(t, t->held, t->held_count, step, &spread, error);
    if (spread_known != KILN_OK) {
        return spread_known;
    }
    t->held_spread += spread;
    for (size_t k = 0; k < t->held_count; k += step) {
        uint32_t sample = t->held[k];
        t->held_split = sample < training ? KILN_TRAINING : KILN_VALIDATION;
        samples[t->held_out] = sample < training ? sample : sample - (uint32_t)training;
        kiln_status status = kiln_trainer_predict(t, sample_features(t, sample), 1,
                                                  scores + t->held_out * classes, error);
        if (status != KILN_OK) {
            return status;
        }
        t->held_out++;
    }
    return KILN_OK;
}

size_t kiln_trainer_held_out(const kiln_trainer *t, kiln_split *out_split,
                             const uint32_t **out_samples, const float **out_scores) {
    *out_split = t->held_split;
    *out_samples = t->held_samples;
    *out_scores = t->held_scores;
    return t->held_out;
}

size_t kiln_trainer_history(const kiln_trainer *t, const kiln_epoch **out_epochs) {
    *out_epochs = t->history;
    return t->progress.recorded;
}

uint32_t kiln_trainer_best_epoch(const kiln_trainer *t) {
    return t->options.restore_best ? t->progress.best_epoch : t->progress.epochs;
}
