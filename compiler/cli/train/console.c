/* What training prints, in the manner of Keras. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LINES = 250 }; /* of epochs; more are told in part */

static void print_notes(const char *title, const data_note *notes, size_t count) {
    for (size_t k = 0; k < count && k < 10; k++) {
        text_print(stderr, "kiln: %s: %s\n", title, notes[k].text);
    }
    if (count > 10) {
        fprintf(stderr, "kiln: %s: and %zu more\n", title, count - 10);
    }
}

void console_notes(const data_set *data) {
    print_notes("skipped", data->skipped, data->skipped_count);
    print_notes("warning", data->warnings, data->warning_count);
}

static void summarize_epochs(const training *t) {
    uint32_t epochs = kiln_trainer_epochs(t->trainer), size = t->options.batch_size;
    size_t count = kiln_trainer_sample_count(t->trainer, KILN_TRAINING);
    bool at_once = t->options.head.rule != KILN_RULE_DESCENT;
    if (at_once) {
        printf("Head     %s, computed at once", kiln_rule_name(t->options.head.rule));
        printf(t->options.epochs > 0 ? " (--epochs is for heads that are trained)" : "");
    } else if (epochs == 0) {
        printf(
            "Head     the class means: with one picture a class nothing can tell whether training "
            "gains anything");
    } else {
        printf("Epochs   %u, of %zu steps", epochs, (count + size - 1) / size);
    }
    if (held_out_in_folds(t)) {
        printf("; held out in %u parts, each once\n\n", t->options.folds);
    } else {
        printf("\n\n");
    }
}

void console_summary(const training *t) {
    size_t parameters = 0;
    text_print(stdout, "Data     %s: %zu classes, %zu training and %zu validation samples",
               t->data_path, t->data.class_count,
               kiln_trainer_sample_count(t->trainer, KILN_TRAINING),
               kiln_trainer_sample_count(t->trainer, KILN_VALIDATION));
    printf(t->source.variants > 0 ? " (training ones in %u variants)\n" : "\n",
           t->source.variants + 1);
    if (subjects_are_faces(&t->subjects)) {
        text_print(stdout,
                   "Faces    found by %s, aligned; %zu pictures searched in %.1f s; %zu from the "
                   "cache\n",
                   t->subjects.detector.record.name, t->gallery.computed, t->gallery.seconds,
                   t->gallery.pictures - t->gallery.computed);
    }
    if (t->backbone != NULL) {
        text_print(stdout, "Network  %s, frozen up to '%s': %zu features", t->backbone_path,
                   kiln_trainer_cut(t->trainer), kiln_trainer_feature_count(t->trainer));
        if (t->features.computed > 0) {
            double rate = (double)t->features.computed / fmax(t->features.seconds, 1e-9);
            printf("; %zu computed in %.1f s (%.1f a second)", t->features.computed,
                   t->features.seconds, rate);
        }
        if (t->features_path != NULL) {
            printf(", extracted before, in %zu parts\n", t->extracted.parts.count);
        } else {
            printf("; %zu from the cache\n", t->features.cached);
        }
    }
    printf("\n%-10s %-10s %10s %10s %9s %12s\n", "Layer", "activation", "inputs", "units",
           "dropout", "parameters");
    for (size_t k = 0; k < kiln_trainer_layer_count(t->trainer); k++) {
        kiln_dense_info info;
        (void)kiln_trainer_layer(t->trainer, k, &info);
        size_t own = info.units * info.inputs + (info.biases != NULL ? info.units : 0);
        printf("dense %-4zu %-10s %10zu %10zu %9.2f %12zu\n", k + 1,
               kiln_activation_name(info.activation), info.inputs, info.units, (double)info.dropout,
               own);
        parameters += own;
    }
    printf("%67s\n%55s %11zu\n\n", "", "trainable:", parameters);
    summarize_epochs(t);
}

/* Of fewer pictures a class, those held out leave heads behind that have seen one of them. */
static bool are_few(const training *t) {
    size_t training = kiln_trainer_sample_count(t->trainer, KILN_TRAINING) / t->options.variants;
    size_t pictures = training + kiln_trainer_sample_count(t->trainer, KILN_VALIDATION);
    return pictures < (size_t)KILN_CALIBRATION_PICTURES * t->data.class_count;
}

bool is_calibrated(const training *t) {
    kiln_activation last = t->options.head.layers[t->options.head.count - 1].activation;
    bool probable = last == KILN_ACTIVATION_SOFTMAX || last == KILN_ACTIVATION_COSINE;
    return t->calibrate && (probable || t->options.fine_tune > 0) &&
           t->held_count >= KILN_CALIBRATION_SAMPLES && !are_few(t);
}

void console_outcome(const training *t) {
    size_t refitted = kiln_trainer_refitted(t->trainer);
    if (refitted > 0) {
        printf("trained anew on all %zu samples\n", refitted);
    }
    if (t->calibrate && t->held_count < KILN_CALIBRATION_SAMPLES) {
        printf("probabilities are not calibrated: %zu pictures held out, %d are needed\n",
               t->held_count, KILN_CALIBRATION_SAMPLES);
    } else if (t->calibrate && are_few(t)) {
        printf("probabilities are a rough guess: %d pictures a class tell how sure to be\n",
               KILN_CALIBRATION_PICTURES);
    }
}

/* ---- While training ------------------------------------------------------------------------ */

static int show_batch(void *context, uint32_t epoch, size_t batch, size_t batches, float loss,
                      float accuracy) {
    const training *t = context;
    char bar[26];
    if (t->quiet || t->json || isatty(STDOUT_FILENO) == 0 || (batch % 8 != 0 && batch < batches)) {
        return 0;
    }
    size_t filled = batch * 25 / batches;
    memset(bar, '.', 25);
    memset(bar, '=', filled);
    bar[25] = '\0';
    printf("\rEpoch %u/%u  %zu/%zu [%s] loss: %.4f - accuracy: %.4f\033[K", epoch,
           kiln_trainer_epochs(t->trainer), batch, batches, bar, (double)loss, (double)accuracy);
    (void)fflush(stdout);
    return 0;
}

static int show_epoch(void *context, const kiln_epoch *e) {
    training *t = context;
    kiln_error error;
    uint32_t epochs = kiln_trainer_epochs(t->trainer), every = epochs / MOST_LINES + 1;
    bool told = epochs > 0 && (e->epoch % every == 0 || e->epoch == epochs);
    if (!t->quiet && !t->json && told) {
        printf("%sEpoch %u/%u - %.2fs - loss: %.4f - accuracy: %.4f",
               isatty(STDOUT_FILENO) != 0 ? "\r\033[K" : "", e->epoch, epochs, (double)e->seconds,
               (double)e->loss, (double)e->accuracy);
        if (isfinite(e->validation_loss)) {
            printf(" - val_loss: %.4f - val_accuracy: %.4f", (double)e->validation_loss,
                   (double)e->validation_accuracy);
        }
        printf(t->options.schedule != KILN_SCHEDULE_CONSTANT ? " - lr: %.2e\n" : "\n",
               (double)e->learning_rate);
        (void)fflush(stdout);
    }
    if (t->checkpoint_path != NULL &&
        kiln_trainer_checkpoint(t->trainer, t->checkpoint_path, &error) != KILN_OK) {
        text_print(stderr, "kiln: warning: no checkpoint: %s\n", error.message);
        t->checkpoint_path = NULL;
    }
    return 0;
}

kiln_train_callbacks console_callbacks(training *t) {
    return (kiln_train_callbacks){.size = sizeof(kiln_train_callbacks),
                                  .context = t,
                                  .batch = show_batch,
                                  .epoch = show_epoch};
}
