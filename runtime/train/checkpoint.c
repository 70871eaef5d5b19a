/* The state of training: kept in memory (the best weights) and in files (checkpoints).
 *
 * A checkpoint holds, in this order: magic, a fingerprint of options and samples, the progress, the
 * history, then every layer's weights, biases, moments, then the best weights, and the XXH3-64 of
 * all that. It is read by the machine that wrote it, so numbers lie as they do in memory. */
#include "runtime/base/checksum.h"
#include "runtime/base/files.h"
#include "runtime/train/trainer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "KILNCKP2"

/* ---- What a checkpoint is of --------------------------------------------------------------- */

/* A hash of what decides about the course of training. The number of epochs, which may be raised,
 * belongs to it only where the schedule depends on it. */
static uint64_t fingerprint(const kiln_trainer *t) {
    kiln_train_options o;
    memset(&o, 0, sizeof o);
    const kiln_train_options *from = &t->options;
    o.class_count = from->class_count;
    o.standardize = from->standardize;
    o.loss = from->loss;
    o.label_smoothing = from->label_smoothing;
    o.arc_margin = from->arc_margin;
    o.cosine_scale = from->cosine_scale;
    o.balance_classes = from->balance_classes;
    o.learning_rate = from->learning_rate;
    o.momentum = from->momentum;
    o.nesterov = from->nesterov;
    o.rho = from->rho;
    o.beta1 = from->beta1;
    o.beta2 = from->beta2;
    o.epsilon = from->epsilon;
    o.weight_decay = from->weight_decay;
    o.schedule = from->schedule;
    o.schedule_epochs = from->schedule_epochs;
    o.schedule_factor = from->schedule_factor;
    o.warmup_epochs = from->warmup_epochs;
    o.epochs = schedule_of(from->schedule)->knows_end ? from->epochs : 0;
    o.batch_size = from->batch_size;
    o.start = from->start;
    o.shuffle = from->shuffle;
    o.shuffle_bytes = from->shuffle_bytes;
    o.fine_tune = from->fine_tune;
    o.seed = from->seed;
    memcpy(&o.head, &from->head, sizeof o.head);
    uint64_t hash = checksum_with_seed(&o, sizeof o, t->feature_count);
    hash = checksum_with_seed(from->optimizer, strlen(from->optimizer), hash);
    for (int k = 0; k < 2; k++) {
        const sample_set *s = &t->samples[k];
        for (size_t n = 0; n < s->count; n++) {
            hash = checksum_with_seed(s->rows[n], t->feature_count * sizeof(float), hash);
        }
        hash = checksum_with_seed(s->labels, s->count * sizeof(uint32_t), hash);
    }
    return hash;
}

/* ---- Reading and writing in one order ------------------------------------------------------ */

/* What `take` needs, which moves bytes between the checkpoint and memory. */
typedef struct transfer {
    FILE *file;
    file_writer *writer;   /* NULL where the checkpoint is read */
    checksum_stream *hash; /* NULL: nobody asks */
    kiln_status status;
    kiln_error *error;
} transfer;

static void take(transfer *x, void *data, size_t size) {
    if (x->status != KILN_OK || size == 0 || data == NULL) {
        return;
    }
    if (x->writer != NULL) {
        x->status = file_write(x->writer, data, size, x->error);
    } else if (fread(data, 1, size, x->file) != size) {
        x->status = kiln_fail(x->error, KILN_ERROR_IO, "cannot read");
    }
    if (x->hash != NULL) {
        checksum_add(x->hash, data, size);
    }
}

static void take_state(transfer *x, kiln_trainer *t) {
    take(x, t->history, t->progress.recorded * sizeof *t->history);
    for (size_t k = 0; k < t->net.count; k++) {
        dense *d = &t->net.layers[k];
        take(x, d->weights, d->inputs * d->units * sizeof(float));
        take(x, d->biases, d->units * sizeof(float));
        for (int m = 0; m < 2; m++) {
            take(x, d->moments[m], d->inputs * d->units * sizeof(float));
            take(x, d->bias_moments[m], d->units * sizeof(float));
        }
    }
    take(x, t->best, weights_count(&t->net) * sizeof(float));
}

static size_t state_bytes(const kiln_trainer *t) {
    size_t moments = optimizer_named(t->options.optimizer)->moments(&t->options);
    size_t bytes = weights_count(&t->net);
    for (size_t k = 0; k < t->net.count; k++) {
        const dense *d = &t->net.layers[k];
        bytes += moments * (d->inputs + 1) * d->units;
        bytes += d->inputs * d->units + (d->biases != NULL ? d->units : 0);
    }
    return bytes * sizeof(float) + t->progress.recorded * sizeof *t->history;
}

kiln_status kiln_trainer_checkpoint(const kiln_trainer *trainer, const char *path,
                                    kiln_error *error) {
    kiln_trainer copy = *trainer; /* a shallow copy will do, since writing changes nothing */
    file_writer out;
    if (trainer->options.head.rule != KILN_RULE_DESCENT || folds_wanted(trainer)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "%s: there are no checkpoints of heads that are computed at once, nor of "
                         "folds",
                         path);
    }
    kiln_status status = file_begin(&out, path, error);
    if (status != KILN_OK) {
        return status;
    }
    checksum_stream hash;
    transfer x = {.writer = &out, .hash = &hash, .error = error};
    char magic[8] = MAGIC;
    uint64_t print = fingerprint(trainer), digest = 0;
    checksum_begin(&hash);
    take(&x, magic, sizeof magic);
    take(&x, &print, sizeof print);
    take(&x, &copy.progress, sizeof copy.progress);
    take_state(&x, &copy);
    digest = checksum_end(&hash);
    take(&x, &digest, sizeof digest);
    return file_end(&out, x.status, error);
}

static kiln_status cannot_read(const char *path, kiln_error *error) {
    return kiln_fail(error, KILN_ERROR_IO, "%s: cannot read: %s", path, strerror(errno));
}

static kiln_status check_file(const char *path, FILE *file, size_t size, kiln_trainer *t,
                              progress *out_progress, kiln_error *error) {
    char magic[8];
    uint64_t print;
    progress p;
    transfer x = {.file = file};
    take(&x, magic, sizeof magic);
    take(&x, &print, sizeof print);
    take(&x, &p, sizeof p);
    if (ferror(file) != 0) {
        return cannot_read(path, error);
    }
    if (x.status != KILN_OK || memcmp(magic, MAGIC, sizeof magic) != 0) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "%s: not a checkpoint", path);
    }
    if (print != fingerprint(t)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "%s: this checkpoint is of other data or options", path);
    }
    if (p.epochs > t->options.epochs) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "%s: this checkpoint is of epoch %u; training was to end after %u", path,
                         p.epochs, t->options.epochs);
    }
    bool begun = p.recorded > 0;
    if (begun ? p.recorded != p.epochs + 1 || p.best_epoch > p.epochs : p.epochs > 0) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "%s: a damaged checkpoint", path);
    }
    t->progress.recorded = p.recorded;
    size_t bytes = sizeof magic + sizeof print + sizeof p + state_bytes(t) + sizeof(uint64_t);
    t->progress.recorded = 0;
    *out_progress = p;
    return size == bytes ? KILN_OK
                         : kiln_fail(error, KILN_ERROR_FORMAT, "%s: a damaged checkpoint", path);
}

/* Checks the whole file's checksum, before anything of the trainer is overwritten. */
static kiln_status check_sum(const char *path, FILE *file, kiln_error *error) {
    uint8_t chunk[8192 + 8];
    checksum_stream hash;
    size_t held = 0;
    uint64_t stored;
    if (fseek(file, 0, SEEK_SET) != 0) {
        return cannot_read(path, error);
    }
    checksum_begin(&hash);
    for (size_t got = 1; got > 0;) {
        got = fread(chunk + held, 1, sizeof chunk - held, file);
        held += got;
        size_t sure = held > 8 ? held - 8 : 0; /* the last 8 bytes are the checksum */
        checksum_add(&hash, chunk, sure);
        memmove(chunk, chunk + sure, held - sure);
        held -= sure;
    }
    if (ferror(file) != 0) {
        return cannot_read(path, error);
    }
    memcpy(&stored, chunk, sizeof stored);
    return held == 8 && checksum_end(&hash) == stored
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_FORMAT, "%s: a damaged checkpoint", path);
}

kiln_status kiln_trainer_resume(kiln_trainer *t, const char *path, kiln_error *error) {
    progress p = {0};
    int descriptor;
    size_t size;
    kiln_status status = file_open(path, &descriptor, &size, error);
    if (status != KILN_OK) {
        return status;
    }
    FILE *file = fdopen(descriptor, "rb");
    if (file == NULL) {
        (void)close(descriptor);
        return kiln_fail(error, KILN_ERROR_MEMORY, "%s: out of memory", path);
    }
    status = fit_settle(t, error);
    if (status == KILN_OK) {
        status = check_file(path, file, size, t, &p, error);
    }
    if (status == KILN_OK) {
        status = check_sum(path, file, error);
    }
    if (status == KILN_OK) {
        long start = (long)(sizeof(uint64_t) * 2 + sizeof p);
        transfer x = {.file = file};
        t->progress = p;
        x.status = fseek(file, start, SEEK_SET) == 0 ? KILN_OK : KILN_ERROR_IO;
        take_state(&x, t);
        if (x.status != KILN_OK) { /* as it was created, instead of some weights of both */
            network_reset(&t->net);
            t->progress = (progress){.rate_factor = 1};
            status = cannot_read(path, error);
        }
    }
    (void)fclose(file);
    return status;
}
