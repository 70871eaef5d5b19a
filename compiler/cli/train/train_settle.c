/* What follows from several options of `kiln train`, and which exclude each other. */
#include "compiler/cli/train/train_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_part_word(const char *word) {
    struct stat about;
    size_t length = strlen(word);
    return (length > 4 && strcmp(word + length - 4, ".npy") == 0) ||
           (stat(word, &about) == 0 && S_ISDIR(about.st_mode));
}

/* Words that are no backbone are parts: what a shell makes of part-*.npy. */
static int settle_features(const command *self, training *t, char **words, int count) {
    t->part_words = calloc((size_t)count + 1, sizeof *t->part_words);
    if (t->part_words == NULL || t->scratch || t->split.validation_path != NULL ||
        t->source.augment != 0 || t->baseline || t->plan_path == NULL) {
        return usage(self, t->plan_path == NULL
                               ? "expected BACKBONE.plan, --features PART.npy and -o PLAN"
                               : "--features excludes what needs pictures: --from-scratch, "
                                 "--validation-data, --augment, --baseline");
    }
    t->part_words[t->part_word_count++] = (char *)(uintptr_t)t->features_path;
    for (int k = 0; k < count; k++) {
        if (is_part_word(words[k])) {
            t->part_words[t->part_word_count++] = words[k];
        } else if (t->backbone_path != NULL) {
            return usage(self, "%s and %s: one backbone is expected, the other words end in .npy",
                         t->backbone_path, words[k]);
        } else {
            t->backbone_path = words[k];
        }
    }
    t->data_path = t->features_path;
    if (t->options.shuffle_bytes == 0) {
        t->options.shuffle_bytes = (uint64_t)1 << 30;
    }
    return t->backbone_path != NULL ? OPTIONS_READ
                                    : usage(self, "expected BACKBONE.plan beside --features");
}

static int settle_words(const command *self, training *t, char **words, int count) {
    if (t->features_path != NULL) {
        return settle_features(self, t, words, count);
    }
    if (t->labels_path != NULL) {
        return usage(self, "--labels is for --features; folders name the classes of pictures");
    }
    if (t->options.shuffle_bytes > 0) {
        return usage(self, "--shuffle-memory is for --features");
    }
    if (count != (t->scratch ? 1 : 2) || t->plan_path == NULL) {
        return usage(self, t->scratch ? "expected DATA and -o PLAN"
                                      : "expected BACKBONE.plan, DATA and -o PLAN");
    }
    t->backbone_path = t->scratch ? NULL : words[0];
    t->data_path = words[count - 1];
    return OPTIONS_READ;
}

int train_settle(const command *self, training *t, char **words, int count) {
    kiln_error error;
    int status = settle_words(self, t, words, count);
    if (status != OPTIONS_READ) {
        return status;
    }
    if (t->head != NULL && kiln_head_parse(t->head, &t->options.head, &error) != KILN_OK) {
        return usage(self, "--%s", error.message);
    }
    if (t->head != NULL && t->options.fine_tune > 0) {
        return usage(self, "--head and --fine-tune exclude each other");
    }
    if (t->options.nesterov && t->options.momentum == 0) {
        return usage(self, "--nesterov needs --momentum");
    }
    float rate = t->options.learning_rate;
    (void)kiln_optimizer_defaults(t->options.optimizer, &t->options);
    t->options.learning_rate = isnan(rate) ? t->options.learning_rate : rate;
    t->source.threads = t->options.threads;
    if (t->checkpoint_path != NULL && t->checkpoint_path[0] == '\0') {
        size_t length = strlen(t->plan_path) + 16;
        t->default_checkpoint = malloc(length);
        if (t->default_checkpoint != NULL) {
            snprintf(t->default_checkpoint, length, "%s.checkpoint", t->plan_path);
        }
        t->checkpoint_path = t->default_checkpoint;
    }
    if (t->resume && t->checkpoint_path == NULL) {
        return usage(self, "--resume needs a checkpoint");
    }
    return OPTIONS_READ;
}
