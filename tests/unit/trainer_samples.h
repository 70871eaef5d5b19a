/* Samples of three classes that can be told apart, and trainers of them. */
#ifndef KILN_TESTS_TRAINER_SAMPLES_H
#define KILN_TESTS_TRAINER_SAMPLES_H

#include "runtime/train/network.h"

#include <check.h>

enum { FEATURES = 20, CLASSES = 3, SAMPLES = 320, BATCH = 32 };

static kiln_error error;
static float samples[SAMPLES][FEATURES];
static uint32_t labels[SAMPLES];

#define GOOD(call) ck_assert_msg((call) == KILN_OK, "%s", error.message)

static inline void make_samples(void) {
    for (size_t n = 0; n < SAMPLES; n++) {
        labels[n] = (uint32_t)(random_bits(5, 1, n) % CLASSES);
        for (size_t k = 0; k < FEATURES; k++) {
            samples[n][k] =
                random_uniform(5, 2, n * FEATURES + k) + (k % CLASSES == labels[n] ? 0.5f : 0);
        }
    }
}

static inline kiln_train_options raw_options(const char *head) {
    static const char *const names[CLASSES] = {"ann", "bob", "cem"};
    kiln_train_options o;
    kiln_train_options_init(&o);
    GOOD(kiln_head_parse(head, &o.head, &error));
    o.class_count = CLASSES;
    o.class_names = names;
    o.input_rank = 1;
    o.input_dims[0] = FEATURES;
    o.standardize = false;
    o.seed = 11;
    o.epochs = 5;
    o.batch_size = BATCH;
    return o;
}

/* The first `training` samples for training, the rest for validation. */
static inline kiln_trainer *make_trainer(const kiln_plan *backbone, const kiln_train_options *o,
                                         size_t training) {
    kiln_trainer *t = NULL;
    GOOD(kiln_trainer_create(backbone, o, &t, &error));
    for (size_t n = 0; n < SAMPLES; n++) {
        kiln_span input = {samples[n], sizeof samples[n]};
        GOOD(kiln_trainer_add_sample(t, n < training ? KILN_TRAINING : KILN_VALIDATION, input,
                                     labels[n], &error));
    }
    return t;
}

static inline kiln_train_options options_of(const char *head) {
    kiln_train_options o = raw_options(head);
    o.shuffle = false;
    return o;
}

static inline kiln_dense_info layer_of(const kiln_trainer *t, size_t layer) {
    kiln_dense_info info;
    ck_assert_int_eq(kiln_trainer_layer(t, layer, &info), KILN_OK);
    return info;
}

/* A trainer of so many samples a class, all of them training. */
static inline kiln_trainer *few(const kiln_train_options *o, size_t per_class) {
    size_t counts[CLASSES] = {0};
    kiln_trainer *t = NULL;
    GOOD(kiln_trainer_create(NULL, o, &t, &error));
    for (size_t n = 0; n < SAMPLES; n++) {
        if (counts[labels[n]]++ < per_class) {
            GOOD(kiln_trainer_add_features(t, KILN_TRAINING, samples[n], labels[n], &error));
        }
    }
    return t;
}

#endif
