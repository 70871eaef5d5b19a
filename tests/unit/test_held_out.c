/* Samples held out, which tell how long to train and what probabilities are worth: refitting,
 * folds, calibration. */
#include "runtime/train/trainer.h"
#include "tests/unit/suite.h"
#include "tests/unit/trainer_samples.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- What is held out ---------------------------------------------------------------------- */

/* 5 epochs of 256 samples are 40 steps: 4 epochs of all 320. */
START_TEST(refitting_is_training_on_all) {
    kiln_train_options o = options_of("8:relu,dropout:0.2,softmax");
    o.restore_best = false;
    o.standardize = _i > 0;
    kiln_trainer *refitted = make_trainer(NULL, &o, 256);
    GOOD(kiln_trainer_fit(refitted, NULL, &error));
    ck_assert_uint_eq(kiln_trainer_refitted(refitted), SAMPLES);
    o.epochs = 4;
    kiln_trainer *all = make_trainer(NULL, &o, SAMPLES);
    GOOD(kiln_trainer_fit(all, NULL, &error));
    for (size_t l = 0; l < 2; l++) {
        kiln_dense_info a = layer_of(refitted, l), b = layer_of(all, l);
        ck_assert_mem_eq(a.weights, b.weights, a.inputs * a.units * sizeof(float));
        ck_assert_mem_eq(a.biases, b.biases, a.units * sizeof(float));
    }
    kiln_trainer_destroy(all);
    kiln_trainer_destroy(refitted);
}
END_TEST

static int count_epochs(void *context, const kiln_epoch *epoch) {
    uint32_t *count = context;
    ck_assert_uint_eq(epoch->epoch, (*count)++);
    return 0;
}

START_TEST(folds_hold_out_each_sample_once) {
    enum { EACH = 3, PICTURES = EACH * CLASSES };
    kiln_train_options o = options_of("softmax");
    o.folds = 4;
    o.learning_rate = 0.01f;
    kiln_trainer *t = few(&o, EACH);
    uint32_t told = 0;
    kiln_train_callbacks callbacks = {
        .size = sizeof callbacks, .context = &told, .epoch = count_epochs};
    GOOD(kiln_trainer_fit(t, &callbacks, &error));
    const kiln_epoch *history;
    const float *scores;
    const uint32_t *held;
    kiln_split split;
    size_t epochs = kiln_trainer_history(t, &history), right = 0;
    ck_assert_uint_eq(told, epochs);
    ck_assert_uint_eq(epochs, 6);
    ck_assert_uint_eq(kiln_trainer_refitted(t), PICTURES);
    bool seen[PICTURES] = {false};
    size_t count = kiln_trainer_held_out(t, &split, &held, &scores);
    ck_assert_uint_eq(count, PICTURES);
    double loss = 0;
    for (size_t k = 0; k < count; k++) {
        uint32_t own;
        ck_assert(!seen[held[k]]);
        seen[held[k]] = true;
        ck_assert_ptr_nonnull(kiln_trainer_sample(t, KILN_TRAINING, held[k], &own));
        loss -= log((double)scores[k * CLASSES + own]) / (double)count;
        right += scores[k * CLASSES + own] > 0.5f;
    }
    /* The scores are those of the epoch that was chosen. */
    ck_assert_double_eq_tol(loss, (double)history[kiln_trainer_best_epoch(t)].validation_loss,
                            1e-4);
    ck_assert_uint_gt(right, 0);
    kiln_trainer_destroy(t);
}
END_TEST

/* Variants of a picture are alike: one left out would be found again among the others. */
START_TEST(folds_never_part_variants) {
    enum { VARIANTS = 4, PICTURES = 3 * CLASSES };
    kiln_train_options o = options_of("knn");
    kiln_trainer *t = NULL;
    o.folds = 3;
    o.variants = VARIANTS;
    o.cosine_scale = 1000;
    GOOD(kiln_trainer_create(NULL, &o, &t, &error));
    for (uint32_t n = 0; n < PICTURES * VARIANTS; n++) {
        float noise[FEATURES]; /* the picture says nothing of its class */
        for (uint32_t k = 0; k < FEATURES; k++) {
            noise[k] = random_uniform(9, n / VARIANTS, k) - 0.5f;
        }
        GOOD(kiln_trainer_add_features(t, KILN_TRAINING, noise, n / VARIANTS % CLASSES, &error));
    }
    GOOD(kiln_trainer_fit(t, NULL, &error));
    const float *scores;
    const uint32_t *held;
    kiln_split split;
    ck_assert_uint_eq(kiln_trainer_held_out(t, &split, &held, &scores), PICTURES);
    size_t found = 0;
    for (size_t k = 0; k < PICTURES; k++) {
        ck_assert_uint_eq(held[k] % VARIANTS, 0);
        found += scores[k * CLASSES + held[k] / VARIANTS % CLASSES] > 0.5f;
    }
    ck_assert_uint_lt(found, PICTURES);
    kiln_trainer_destroy(t);
}
END_TEST

START_TEST(one_picture_a_class_keeps_the_means) {
    kiln_train_options o = options_of("cosine");
    const kiln_epoch *history;
    const float *scores;
    const uint32_t *held;
    kiln_split split;
    o.folds = 5;
    kiln_trainer *t = few(&o, 1);
    ck_assert_uint_eq(kiln_trainer_epochs(t), 0);
    GOOD(kiln_trainer_fit(t, NULL, &error));
    ck_assert_uint_eq(kiln_trainer_history(t, &history), 1);
    ck_assert_uint_eq(kiln_trainer_held_out(t, &split, &held, &scores), 0);
    kiln_trainer_destroy(t);
    o.folds = 0; /* asked for so: trained */
    t = few(&o, 1);
    ck_assert_uint_eq(kiln_trainer_epochs(t), 5);
    kiln_trainer_destroy(t);
}
END_TEST

START_TEST(few_samples_are_trained_as_long_as_many) {
    kiln_train_options o = options_of("softmax");
    o.epochs = 0;
    kiln_trainer *t = few(&o, 8); /* 24 samples: one batch */
    ck_assert_uint_eq(kiln_trainer_epochs(t), 2000);
    kiln_trainer_destroy(t);
    t = make_trainer(NULL, &o, SAMPLES); /* 10 batches */
    ck_assert_uint_eq(kiln_trainer_epochs(t), 200);
    kiln_trainer_destroy(t);
    o.batch_size = 1;
    t = make_trainer(NULL, &o, SAMPLES);
    ck_assert_uint_eq(kiln_trainer_epochs(t), 100);
    kiln_trainer_destroy(t);
}
END_TEST

/* ---- Calibration --------------------------------------------------------------------------- */

/* A head that is sure of itself, of classes drawn by the probabilities of one that is not. */
START_TEST(probabilities_are_as_often_right_as_they_say) {
    enum { DRAWN = 2000 };
    kiln_train_options o = options_of("softmax");
    kiln_trainer *t = NULL;
    o.refit = false;
    o.epochs = 1;
    o.learning_rate = 1e-12f;
    o.cosine_scale = 40;
    GOOD(kiln_trainer_create(NULL, &o, &t, &error));
    for (uint32_t n = 0; n < 3 * CLASSES; n++) { /* class means: axes */
        float axis[FEATURES] = {0};
        axis[n % CLASSES] = 1;
        GOOD(kiln_trainer_add_features(t, KILN_TRAINING, axis, n % CLASSES, &error));
    }
    for (uint32_t n = 0; n < DRAWN; n++) {
        float x[FEATURES] = {0};
        double p[CLASSES], sum = 0, at = (double)random_uniform(8, 1, n);
        for (uint32_t c = 0; c < CLASSES; c++) {
            x[c] = random_uniform(8, 2, n * CLASSES + c);
            p[c] = exp(4 * (double)x[c]);
            sum += p[c];
        }
        uint32_t label = at < p[0] / sum ? 0 : at < (p[0] + p[1]) / sum ? 1 : 2;
        GOOD(kiln_trainer_add_features(t, KILN_VALIDATION, x, label, &error));
    }
    GOOD(kiln_trainer_fit(t, NULL, &error));
    float temperature;
    GOOD(kiln_trainer_calibrate(t, &temperature, &error));
    ck_assert_float_eq_tol(temperature, 10, 1); /* 40 / 4 */
    const float *scores;
    const uint32_t *held;
    kiln_split split;
    size_t count = kiln_trainer_held_out(t, &split, &held, &scores), bins[10] = {0};
    double says[10] = {0}, is[10] = {0}, wrong = 0;
    for (size_t n = 0; n < count; n++) {
        uint32_t own;
        ck_assert_ptr_nonnull(kiln_trainer_sample(t, KILN_VALIDATION, held[n], &own));
        for (size_t c = 0; c < CLASSES; c++) {
            double score = (double)scores[n * CLASSES + c];
            size_t bin = score < 1 ? (size_t)(score * 10) : 9;
            says[bin] += score;
            is[bin] += own == c;
            bins[bin]++;
        }
    }
    for (size_t k = 0; k < 10; k++) {
        wrong += fabs(says[k] - is[k]) / (double)(count * CLASSES);
    }
    ck_assert_double_lt(wrong, 0.05);
    /* predict says the same as what is held out. */
    float again[CLASSES];
    GOOD(kiln_trainer_predict(t, kiln_trainer_sample(t, KILN_VALIDATION, held[0], NULL), 1, again,
                              &error));
    ck_assert_float_eq_tol(again[0], scores[0], 1e-4f);
    kiln_trainer_destroy(t);
}
END_TEST

/* Twenty samples a class, of which folds leave 16: all of them make the means more exact. */
START_TEST(discriminants_of_more_samples_are_surer) {
    kiln_train_options o = options_of("lda");
    kiln_trainer *t = NULL;
    const float *scores;
    const uint32_t *held;
    kiln_split split;
    size_t counts[CLASSES] = {0};
    float temperature;
    o.folds = 5;
    GOOD(kiln_trainer_create(NULL, &o, &t, &error));
    for (size_t n = 0; n < SAMPLES; n++) {
        if (counts[labels[n]]++ < 20) {
            GOOD(kiln_trainer_add_features(t, KILN_TRAINING, samples[n], labels[n], &error));
        }
    }
    GOOD(kiln_trainer_fit(t, NULL, &error));
    ck_assert_uint_eq(kiln_trainer_held_out(t, &split, &held, &scores), (size_t)20 * CLASSES);
    double before = log((double)scores[0]) - log((double)scores[1]);
    GOOD(kiln_trainer_calibrate(t, &temperature, &error));
    (void)kiln_trainer_held_out(t, &split, &held, &scores);
    double after = log((double)scores[0]) - log((double)scores[1]);
    double gain = (1 + 1. / 16) / (1 + 1. / 20) * (1 + t->noise * (1. / 16 - 1. / 20));
    ck_assert_double_eq_tol((double)temperature, before / after / gain, 1e-3);
    kiln_trainer_destroy(t);
}
END_TEST

START_TEST(few_right_answers_make_nothing_certain) {
    kiln_train_options o = options_of("mean");
    float temperature, axis[FEATURES], score[CLASSES];
    for (uint32_t count = 24; count <= 60; count += 36) {
        kiln_trainer *t = NULL;
        GOOD(kiln_trainer_create(NULL, &o, &t, &error));
        for (uint32_t n = 0; n < count + CLASSES; n++) { /* told apart without a doubt */
            memset(axis, 0, sizeof axis);
            axis[n % CLASSES] = 1;
            GOOD(kiln_trainer_add_features(t, n < CLASSES ? KILN_TRAINING : KILN_VALIDATION, axis,
                                           n % CLASSES, &error));
        }
        GOOD(kiln_trainer_fit(t, NULL, &error));
        GOOD(kiln_trainer_calibrate(t, &temperature, &error));
        GOOD(kiln_trainer_predict(t, axis, 1, score, &error));
        size_t own = (count + CLASSES - 1) % CLASSES;
        if (count < KILN_CALIBRATION_SAMPLES) {
            ck_assert_float_eq(temperature, 1);
        } else {
            ck_assert_float_eq_tol(score[own], 61.0f / 62, 3e-3f);
        }
        kiln_trainer_destroy(t);
    }
}
END_TEST

int main(void) {
    make_samples();
    const suite_test tests[] = {
        LOOP("held_out", refitting_is_training_on_all, 0, 2),
        TEST("held_out", folds_hold_out_each_sample_once),
        TEST("held_out", folds_never_part_variants),
        TEST("held_out", one_picture_a_class_keeps_the_means),
        TEST("held_out", few_samples_are_trained_as_long_as_many),
        TEST("calibration", probabilities_are_as_often_right_as_they_say),
        TEST("calibration", discriminants_of_more_samples_are_surer),
        TEST("calibration", few_right_answers_make_nothing_certain),
    };
    return SUITE("held_out", tests);
}
