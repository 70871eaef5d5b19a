/* What heads start from: class means, discriminants and neighbours against plain computations. */
#include "runtime/train/trainer.h"
#include "tests/unit/suite.h"
#include "tests/unit/trainer_samples.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHTS ((size_t)CLASSES * FEATURES)

/* ---- Plain computations -------------------------------------------------------------------- */

static double norm(const double *x) {
    double squares = 0;
    for (size_t k = 0; k < FEATURES; k++) {
        squares += x[k] * x[k];
    }
    return sqrt(squares);
}

static void direction(const float *from, double *out) {
    for (size_t k = 0; k < FEATURES; k++) {
        out[k] = (double)from[k];
    }
    double length = norm(out);
    for (size_t k = 0; k < FEATURES; k++) {
        out[k] /= length;
    }
}

/* So many samples in a row show one picture; the first `views` of them are views. */
static size_t variants = 1, views = 1;

static bool is_view(size_t n) {
    return n % variants < views;
}

/* Means of directions of the views among the first `count` samples, by class. */
static void mean_directions(size_t count, double out[CLASSES][FEATURES]) {
    size_t counts[CLASSES] = {0};
    double x[FEATURES];
    memset(out, 0, CLASSES * sizeof *out);
    for (size_t n = 0; n < count; n++) {
        if (!is_view(n)) {
            continue;
        }
        direction(samples[n], x);
        counts[labels[n]]++;
        for (size_t k = 0; k < FEATURES; k++) {
            out[labels[n]][k] += x[k];
        }
    }
    for (size_t c = 0; c < CLASSES; c++) {
        for (size_t k = 0; k < FEATURES; k++) {
            out[c][k] /= (double)counts[c];
        }
    }
}

/* x = a^-1 x, by elimination with pivots. */
static void eliminate(double a[FEATURES][FEATURES], double *x) {
    for (size_t i = 0; i < FEATURES; i++) {
        size_t pivot = i;
        for (size_t r = i; r < FEATURES; r++) {
            pivot = fabs(a[r][i]) > fabs(a[pivot][i]) ? r : pivot;
        }
        for (size_t k = 0; k < FEATURES; k++) {
            double kept = a[i][k];
            a[i][k] = a[pivot][k];
            a[pivot][k] = kept;
        }
        double kept = x[i];
        x[i] = x[pivot];
        x[pivot] = kept;
        for (size_t r = 0; r < FEATURES; r++) {
            double factor = r == i ? 0 : a[r][i] / a[i][i];
            for (size_t k = 0; k < FEATURES; k++) {
                a[r][k] -= factor * a[i][k];
            }
            x[r] -= factor * x[i];
        }
    }
    for (size_t i = 0; i < FEATURES; i++) {
        x[i] /= a[i][i];
    }
}

/* ---- Starts -------------------------------------------------------------------------------- */

START_TEST(cosine_heads_start_from_class_means) {
    double means[CLASSES][FEATURES];
    const char *const heads[] = {"cosine", "mean"};
    kiln_train_options o = options_of(heads[_i]);
    o.epochs = 1;
    o.learning_rate = 1e-12f;
    kiln_trainer *t = make_trainer(NULL, &o, SAMPLES);
    GOOD(kiln_trainer_fit(t, NULL, &error));
    kiln_dense_info d = layer_of(t, 0);
    mean_directions(SAMPLES, means);
    for (size_t k = 0; k < WEIGHTS; k++) {
        double wanted = means[k / FEATURES][k % FEATURES] / norm(means[k / FEATURES]);
        ck_assert_double_eq_tol((double)d.weights[k], wanted, 1e-6);
    }
    kiln_trainer_destroy(t);
}
END_TEST

/* A softmax layer's logits are then those of a cosine layer, for features of the average length. */
START_TEST(softmax_heads_start_from_class_means) {
    double means[CLASSES][FEATURES], length = 0;
    kiln_train_options o = options_of("softmax");
    o.epochs = 1;
    o.learning_rate = 1e-12f;
    o.cosine_scale = 5;
    kiln_trainer *t = make_trainer(NULL, &o, SAMPLES);
    GOOD(kiln_trainer_fit(t, NULL, &error));
    kiln_dense_info d = layer_of(t, 0);
    mean_directions(SAMPLES, means);
    for (size_t n = 0; n < SAMPLES; n++) {
        double x[FEATURES];
        for (size_t k = 0; k < FEATURES; k++) {
            x[k] = (double)samples[n][k];
        }
        length += norm(x) / SAMPLES;
    }
    for (size_t k = 0; k < WEIGHTS; k++) {
        double wanted = means[k / FEATURES][k % FEATURES] / norm(means[k / FEATURES]);
        ck_assert_double_eq_tol((double)d.weights[k], wanted * 5 / length, 1e-5);
    }
    ck_assert_float_eq_tol(d.biases[0], 0, 1e-9f);
    kiln_trainer_destroy(t);
}
END_TEST

static const struct {
    const char *head;
    kiln_start start;
    bool random;
} last_layers[] = {
    {"8:tanh,softmax", KILN_START_ZERO, false}, {"8:tanh,softmax", KILN_START_RANDOM, true},
    {"softmax", KILN_START_ZERO, false},        {"8:tanh,linear", KILN_START_ZERO, false},
    {"8:tanh,cosine", KILN_START_ZERO, true},   {"linear", KILN_START_MEANS, false},
    {"8:tanh,softmax", KILN_START_MEANS, true}, /* without a backbone, as here */
};

START_TEST(last_layers_start_from_zero) {
    kiln_train_options o = options_of(last_layers[_i].head);
    const kiln_epoch *history;
    o.start = last_layers[_i].start;
    bool linear = o.head.layers[o.head.count - 1].activation == KILN_ACTIVATION_LINEAR;
    o.loss = linear ? KILN_LOSS_MEAN_SQUARED_ERROR : KILN_LOSS_CROSS_ENTROPY;
    kiln_trainer *t = make_trainer(NULL, &o, 256);
    GOOD(kiln_trainer_fit(t, NULL, &error));
    (void)kiln_trainer_history(t, &history);
    float nothing = linear ? 1.0f / CLASSES : logf(CLASSES); /* the loss of zeros */
    bool zero = fabsf(history[0].validation_loss - nothing) < 1e-6f;
    ck_assert_msg(zero != last_layers[_i].random, "%s: loss %g", last_layers[_i].head,
                  (double)history[0].validation_loss);
    ck_assert_uint_eq(history[0].epoch, 0);
    kiln_trainer_destroy(t);
}
END_TEST

/* Validation samples of which all labels are wrong: what is learned does harm. */
START_TEST(epoch_0_may_be_the_best) {
    double means[CLASSES][FEATURES];
    kiln_train_options o = options_of("cosine");
    for (int again = 0; again < 2; again++) {
        kiln_trainer *t = NULL;
        o.refit = again > 0; /* for no steps: the means of all */
        GOOD(kiln_trainer_create(NULL, &o, &t, &error));
        for (uint32_t n = 0; n < SAMPLES; n++) {
            labels[n] = n < 256 ? labels[n] : (labels[n] + 1) % CLASSES;
            GOOD(kiln_trainer_add_features(t, n < 256 ? KILN_TRAINING : KILN_VALIDATION, samples[n],
                                           labels[n], &error));
        }
        GOOD(kiln_trainer_fit(t, NULL, &error));
        ck_assert_uint_eq(kiln_trainer_best_epoch(t), 0);
        ck_assert_uint_eq(kiln_trainer_refitted(t), again > 0 ? SAMPLES : 0);
        mean_directions(again > 0 ? SAMPLES : 256, means);
        for (size_t k = 0; k < FEATURES; k++) {
            ck_assert_double_eq_tol((double)layer_of(t, 0).weights[k], means[0][k] / norm(means[0]),
                                    1e-6);
        }
        kiln_trainer_destroy(t);
    }
    make_samples();
}
END_TEST

/* ---- Heads that are computed at once ------------------------------------------------------- */

/* Adds the covariance of variants within the pictures. */
static void add_variants(size_t count, double out[FEATURES][FEATURES]) {
    size_t freedom = variants > 1 ? count / variants * (variants - 1) : 1;
    for (size_t first = 0; first < count && variants > 1; first += variants) {
        double x[FEATURES], mean[FEATURES] = {0};
        for (size_t n = first; n < first + variants; n++) {
            direction(samples[n], x);
            for (size_t k = 0; k < FEATURES; k++) {
                mean[k] += x[k] / (double)variants;
            }
        }
        for (size_t n = first; n < first + variants; n++) {
            direction(samples[n], x);
            for (size_t k = 0; k < (size_t)FEATURES * FEATURES; k++) {
                size_t i = k / FEATURES, j = k % FEATURES;
                out[i][j] += (x[i] - mean[i]) * (x[j] - mean[j]) / (double)freedom;
            }
        }
    }
}

/* The scatter that shrinkage makes of the views among `count` samples around `centres` by class. */
static void shrunk(size_t count, double centres[CLASSES][FEATURES], size_t freedom,
                   double out[FEATURES][FEATURES]) {
    double trace = 0;
    memset(out, 0, FEATURES * sizeof *out);
    for (size_t n = 0; n < count; n++) {
        double x[FEATURES];
        direction(samples[n], x);
        for (size_t i = 0; i < FEATURES && is_view(n); i++) {
            for (size_t j = 0; j < FEATURES; j++) {
                out[i][j] += (x[i] - centres[labels[n]][i]) * (x[j] - centres[labels[n]][j]) / 2 /
                             (double)freedom;
            }
        }
    }
    for (size_t k = 0; k < FEATURES; k++) {
        trace += out[k][k];
    }
    for (size_t k = 0; k < FEATURES; k++) {
        out[k][k] += trace / (double)(freedom < FEATURES ? freedom : FEATURES);
    }
    add_variants(count, out);
}

static void check_lda(kiln_trainer *t, size_t count, double means[CLASSES][FEATURES], bool within) {
    double centre[FEATURES] = {0}, centres[CLASSES][FEATURES], scale = 0, logits[CLASSES] = {0},
           x[FEATURES];
    kiln_dense_info d = layer_of(t, 0);
    float scores[CLASSES];
    direction(samples[7], x);
    for (size_t k = 0; k < WEIGHTS; k++) {
        centre[k % FEATURES] += means[k / FEATURES][k % FEATURES] / CLASSES;
    }
    for (size_t c = 0; c < CLASSES; c++) {
        memcpy(centres[c], within ? means[c] : centre, sizeof centre);
    }
    for (size_t c = 0; c < CLASSES; c++) {
        double w[FEATURES], a[FEATURES][FEATURES], bias = 0;
        size_t seen = count / variants * views;
        shrunk(count, centres, within ? seen - CLASSES : seen - 1, a);
        for (size_t k = 0; k < FEATURES; k++) {
            w[k] = means[c][k] - centre[k];
        }
        eliminate(a, w);
        double length = norm(w);
        for (size_t k = 0; k < FEATURES; k++) {
            ck_assert_double_eq_tol((double)d.weights[c * FEATURES + k], w[k] / length, 1e-5);
            bias -= w[k] / length * centre[k];
            logits[c] += w[k] / length * (x[k] - centre[k]);
        }
        scale += length / 2 / CLASSES;
        ck_assert_double_eq_tol((double)d.biases[c], bias, 1e-5);
    }
    GOOD(kiln_trainer_predict(t, samples[7], 1, scores, &error));
    double told = log((double)scores[0]) - log((double)scores[1]);
    if (within) { /* the logits of normal distributions */
        ck_assert_double_eq_tol(told, scale * (logits[0] - logits[1]), 1e-3);
    }
}

/* Weights' lengths by chance: a^-1 of how pictures differ from the means, against a^-1 of the
 * means. */
static void check_noise(kiln_trainer *t, size_t count, double means[CLASSES][FEATURES]) {
    double a[FEATURES][FEATURES], chance = 0, squares = 0, centre[FEATURES] = {0};
    size_t pictures = count / variants;
    for (size_t k = 0; k < WEIGHTS; k++) {
        centre[k % FEATURES] += means[k / FEATURES][k % FEATURES] / CLASSES;
    }
    for (size_t c = 0; c < CLASSES; c++) {
        double w[FEATURES];
        for (size_t k = 0; k < FEATURES; k++) {
            w[k] = means[c][k] - centre[k];
        }
        shrunk(count, means, pictures * views - CLASSES, a);
        eliminate(a, w);
        squares += norm(w) * norm(w) / CLASSES;
    }
    for (size_t n = 0; n < count; n += variants) {
        double r[FEATURES] = {0}, x[FEATURES];
        for (size_t v = n; v < n + views; v++) {
            direction(samples[v], x);
            for (size_t k = 0; k < FEATURES; k++) {
                r[k] += (x[k] - means[labels[n]][k]) / (double)views;
            }
        }
        shrunk(count, means, pictures * views - CLASSES, a);
        eliminate(a, r);
        chance += norm(r) * norm(r) / (double)(pictures - CLASSES);
    }
    ck_assert_double_gt(t->noise, 0);
    ck_assert_double_eq_tol(t->noise, chance / squares, 1e-4 * t->noise);
}

START_TEST(lda_is_as_computed_plainly) {
    double means[CLASSES][FEATURES];
    kiln_train_options o = options_of("lda");
    kiln_trainer *t = make_trainer(NULL, &o, SAMPLES);
    GOOD(kiln_trainer_fit(t, NULL, &error));
    mean_directions(SAMPLES, means);
    check_lda(t, SAMPLES, means, true);
    check_noise(t, SAMPLES, means);
    kiln_trainer_destroy(t);
}
END_TEST

/* Views make the means; what other variants change is told apart by less. */
START_TEST(lda_learns_from_variants) {
    enum { USED = SAMPLES / 4 * 4 };
    double means[CLASSES][FEATURES];
    kiln_train_options o = options_of("lda");
    variants = o.variants = 4;
    views = o.views = 2;
    for (size_t n = 0; n < USED; n++) {
        labels[n] = labels[n / variants * variants];
    }
    kiln_trainer *t = make_trainer(NULL, &o, USED);
    GOOD(kiln_trainer_fit(t, NULL, &error));
    mean_directions(USED, means);
    check_lda(t, USED, means, true);
    check_noise(t, USED, means);
    kiln_trainer_destroy(t);
    variants = views = 1;
    make_samples();
}
END_TEST

/* One sample a class has nothing within classes: the covariance between them. */
START_TEST(lda_of_one_sample_a_class) {
    double means[CLASSES][FEATURES];
    kiln_train_options o = options_of("lda");
    kiln_trainer *t = NULL;
    size_t at[CLASSES] = {0}, found = 0;
    for (size_t n = 0; found < CLASSES; n++) { /* in the first places */
        if (labels[n] == found) {
            at[found++] = n;
        }
    }
    float kept[CLASSES][FEATURES];
    uint32_t kept_labels[CLASSES];
    for (uint32_t c = 0; c < CLASSES; c++) {
        memcpy(kept[c], samples[c], sizeof *kept);
        kept_labels[c] = labels[c];
    }
    float first[CLASSES][FEATURES];
    for (uint32_t c = 0; c < CLASSES; c++) {
        memcpy(first[c], samples[at[c]], sizeof *first);
    }
    GOOD(kiln_trainer_create(NULL, &o, &t, &error));
    for (uint32_t c = 0; c < CLASSES; c++) {
        memcpy(samples[c], first[c], sizeof *first);
        labels[c] = c;
        GOOD(kiln_trainer_add_features(t, KILN_TRAINING, samples[c], c, &error));
    }
    GOOD(kiln_trainer_fit(t, NULL, &error));
    mean_directions(CLASSES, means);
    check_lda(t, CLASSES, means, false);
    for (uint32_t c = 0; c < CLASSES; c++) {
        memcpy(samples[c], kept[c], sizeof *kept);
        labels[c] = kept_labels[c];
    }
    kiln_trainer_destroy(t);
}
END_TEST

START_TEST(alike_and_empty_samples_are_borne) {
    const char *const heads[] = {"lda", "mean", "knn", "cosine", "softmax"};
    kiln_train_options o = options_of(heads[_i]);
    kiln_trainer *t = NULL;
    float zero[FEATURES] = {0}, scores[CLASSES];
    GOOD(kiln_trainer_create(NULL, &o, &t, &error));
    for (uint32_t n = 0; n < 6; n++) { /* class 2 has none */
        GOOD(
            kiln_trainer_add_features(t, KILN_TRAINING, n == 0 ? zero : samples[0], n % 2, &error));
    }
    GOOD(kiln_trainer_fit(t, NULL, &error));
    GOOD(kiln_trainer_predict(t, samples[0], 1, scores, &error));
    for (size_t c = 0; c < CLASSES; c++) {
        ck_assert(scores[c] >= 0 && scores[c] <= 1);
    }
    kiln_trainer_destroy(t);
}
END_TEST

/* Leaving out one at a time: the nearest of the others, by class. */
START_TEST(knn_finds_the_nearest_of_the_others) {
    enum { EACH = 7, PICTURES = EACH * CLASSES };
    kiln_train_options o = options_of("knn");
    o.folds = PICTURES;
    o.cosine_scale = 3;
    kiln_trainer *t = few(&o, EACH);
    GOOD(kiln_trainer_fit(t, NULL, &error));
    const float *scores;
    const uint32_t *held;
    kiln_split split;
    ck_assert_uint_eq(kiln_trainer_held_out(t, &split, &held, &scores), PICTURES);
    ck_assert_int_eq(split, KILN_TRAINING);
    for (size_t n = 0; n < PICTURES; n++) {
        double nearest[CLASSES] = {-2, -2, -2}, sum = 0, x[FEATURES], y[FEATURES];
        direction(kiln_trainer_sample(t, KILN_TRAINING, held[n], NULL), x);
        for (size_t other = 0; other < PICTURES; other++) {
            double cosine = 0;
            uint32_t own;
            direction(kiln_trainer_sample(t, KILN_TRAINING, other, &own), y);
            for (size_t k = 0; k < FEATURES; k++) {
                cosine += x[k] * y[k];
            }
            double *best = &nearest[own];
            *best = other != held[n] && cosine > *best ? cosine : *best;
        }
        for (size_t c = 0; c < CLASSES; c++) {
            sum += exp(3 * nearest[c]);
        }
        for (size_t c = 0; c < CLASSES; c++) {
            ck_assert_double_eq_tol((double)scores[n * CLASSES + c], exp(3 * nearest[c]) / sum,
                                    1e-5);
        }
    }
    kiln_trainer_destroy(t);
}
END_TEST

/* An app that gets pictures as it goes fits anew: as a trainer that has had all of them. */
START_TEST(what_came_since_is_taken_up) {
    static float before[SAMPLES * CLASSES], after[SAMPLES * CLASSES], all[SAMPLES * CLASSES];
    static const char *const heads[] = {"mean", "lda", "knn"};
    kiln_train_options o = options_of(heads[_i]);
    kiln_trainer *t = NULL, *whole = make_trainer(NULL, &o, SAMPLES);
    GOOD(kiln_trainer_create(NULL, &o, &t, &error));
    for (size_t n = 0; n < SAMPLES; n++) {
        if (n == SAMPLES / 4) {
            GOOD(kiln_trainer_fit(t, NULL, &error));
            GOOD(kiln_trainer_predict(t, samples[0], SAMPLES, before, &error));
        }
        GOOD(kiln_trainer_add_features(t, KILN_TRAINING, samples[n], labels[n], &error));
    }
    GOOD(kiln_trainer_fit(t, NULL, &error));
    GOOD(kiln_trainer_fit(whole, NULL, &error));
    GOOD(kiln_trainer_predict(t, samples[0], SAMPLES, after, &error));
    GOOD(kiln_trainer_predict(whole, samples[0], SAMPLES, all, &error));
    ck_assert_mem_ne(before, after, sizeof before);
    ck_assert_mem_eq(after, all, sizeof all);
    kiln_trainer_destroy(t);
    kiln_trainer_destroy(whole);
}
END_TEST

int main(void) {
    make_samples();
    const suite_test tests[] = {
        LOOP("start", cosine_heads_start_from_class_means, 0, 2),
        TEST("start", softmax_heads_start_from_class_means),
        EACH("start", last_layers_start_from_zero, last_layers),
        TEST("start", epoch_0_may_be_the_best),
        TEST("at_once", lda_is_as_computed_plainly),
        TEST("at_once", lda_learns_from_variants),
        TEST("at_once", lda_of_one_sample_a_class),
        LOOP("at_once", alike_and_empty_samples_are_borne, 0, 5),
        LOOP("at_once", what_came_since_is_taken_up, 0, 3),
        TEST("at_once", knn_finds_the_nearest_of_the_others),
    };
    return SUITE("heads", tests);
}
