/* Training through the public interface: loss curves against NumPy's, trained plans against the
 * trainer's own scores, cutting, fine-tuning, checkpoints, reproducibility. */
#include "tests/unit/oracle_losses.h"
#include "tests/unit/suite.h"
#include "tests/unit/trainer_samples.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Against NumPy ------------------------------------------------------------------------- */

typedef struct curve {
    double losses[50], before;
    size_t count;
} curve;

/* Callbacks tell the epoch's mean so far. */
static int note_batch(void *context, uint32_t epoch, size_t batch, size_t batches, float loss,
                      float accuracy) {
    curve *c = context;
    (void)epoch;
    (void)batches;
    ck_assert(accuracy >= 0 && accuracy <= 1);
    double sum = (double)loss * (double)batch;
    c->losses[c->count++] = batch == 1 ? sum : sum - c->before;
    c->before = sum;
    return 0;
}

START_TEST(curves_are_numpys) {
    const char *name = oracle_runs[_i].name;
    kiln_train_options o = raw_options("8:tanh,softmax");
    o.shuffle = false;
    o.start = KILN_START_RANDOM;
    o.nesterov = strcmp(name, "nesterov") == 0;
    o.momentum = o.nesterov || strcmp(name, "momentum") == 0 ? 0.9f : 0;
    ck_assert(kiln_optimizer_defaults(o.momentum > 0 ? "sgd" : name, &o));
    o.learning_rate = (float)oracle_runs[_i].rate;
    o.weight_decay = 0.05f;
    kiln_trainer *t = make_trainer(NULL, &o, SAMPLES);
    curve c = {.count = 0};
    kiln_train_callbacks callbacks = {.size = sizeof callbacks, .context = &c, .batch = note_batch};
    GOOD(kiln_trainer_fit(t, &callbacks, &error));
    ck_assert_uint_eq(c.count, 50);
    double worst = 0;
    for (size_t k = 0; k < 50; k++) {
        double wanted = oracle_runs[_i].losses[k];
        worst = fmax(worst, fabs(c.losses[k] - wanted) / wanted);
    }
    ck_assert_msg(worst <= 1e-4, "%s: relative difference %g", name, worst);
    kiln_trainer_destroy(t);
}
END_TEST

/* ---- Plans --------------------------------------------------------------------------------- */

static void check_plan(kiln_trainer *t, const kiln_plan *plan) {
    float trained[SAMPLES][CLASSES], run[SAMPLES][CLASSES], features[SAMPLES][64];
    kiln_session_options options;
    kiln_session *session = NULL;
    kiln_session_options_init(&options);
    options.max_batch = SAMPLES;
    GOOD(kiln_session_create(plan, &options, &session, &error));
    size_t count = kiln_trainer_feature_count(t);
    ck_assert(count <= 64);
    for (size_t n = 0; n < SAMPLES; n++) {
        kiln_span input = {samples[n], sizeof samples[n]};
        GOOD(kiln_trainer_extract(t, 1, input, &features[0][0] + n * count, &error));
    }
    GOOD(kiln_trainer_predict(t, features[0], SAMPLES, trained[0], &error));
    kiln_buffer in = {samples, sizeof samples}, out = {run, sizeof run};
    GOOD(kiln_session_run(session, SAMPLES, &in, 1, &out, 1, &error));
    for (size_t n = 0; n < SAMPLES; n++) {
        for (size_t c = 0; c < CLASSES; c++) {
            ck_assert_float_eq_tol(run[n][c], trained[n][c], 2e-5f);
        }
    }
    kiln_session_destroy(session);
}

/* Two samples' bytes are not those of one, nor are as many as overflow to them. */
static void check_extracted_size(kiln_trainer *t) {
    const size_t bytes = sizeof samples[0], power = bytes & (~bytes + 1);
    const size_t counts[] = {2, SIZE_MAX / power + 2};
    float features[64];
    kiln_span input = {samples[0], bytes};
    ck_assert_uint_eq(counts[1] * bytes, bytes);
    for (size_t k = 0; k < 2; k++) {
        ck_assert_int_eq(kiln_trainer_extract(t, counts[k], input, features, &error),
                         KILN_ERROR_ARGUMENT);
    }
}

/* A session of the frozen part gives the features that the trainer gives, a batch at a time. */
static void check_session(kiln_trainer *t) {
    float all[SAMPLES * 64], one[64];
    size_t count = kiln_trainer_feature_count(t);
    kiln_session_options options;
    kiln_session *session = NULL;
    kiln_session_options_init(&options);
    options.max_batch = SAMPLES;
    ck_assert(count <= 64 && kiln_trainer_is_batchable(t));
    GOOD(kiln_trainer_open_session(t, &options, &session, &error));
    kiln_buffer in = {samples, sizeof samples}, out = {all, SAMPLES * count * sizeof(float)};
    GOOD(kiln_session_run(session, SAMPLES, &in, 1, &out, 1, &error));
    for (size_t n = 0; n < SAMPLES; n++) {
        GOOD(kiln_trainer_extract(t, 1, (kiln_span){samples[n], sizeof samples[n]}, one, &error));
        for (size_t k = 0; k < count; k++) {
            ck_assert_float_eq_tol(one[k], all[n * count + k], 1e-5f);
        }
    }
    kiln_session_destroy(session);
}

static kiln_plan *saved_plan(kiln_trainer *t) {
    void *bytes = NULL;
    size_t size = 0;
    char path[] = "/tmp/kiln-trainer-XXXXXX";
    int file = mkstemp(path);
    ck_assert(file >= 0 && close(file) == 0);
    GOOD(kiln_trainer_save(t, path, &error));
    GOOD(kiln_trainer_save_memory(t, &bytes, &size, &error));
    kiln_plan *plan = NULL, *again = NULL;
    GOOD(kiln_plan_open(path, NULL, &plan, &error));
    GOOD(kiln_plan_open_memory((kiln_span){bytes, size}, NULL, &again, &error));
    kiln_plan_close(again);
    kiln_free(bytes);
    (void)unlink(path);
    return plan;
}

static const char *const heads[] = {"softmax",
                                    "8:relu,dropout:0.3,softmax",
                                    "8:tanh,6:sigmoid,linear",
                                    "cosine",
                                    "8:relu,l2:1e-3,cosine",
                                    "5:linear,sigmoid",
                                    "7:sigmoid,maxnorm:2,tanh",
                                    "relu",
                                    "mean",
                                    "lda",
                                    "knn"};

START_TEST(plans_say_what_the_trainer_says) {
    kiln_train_options o = raw_options(heads[_i]);
    kiln_activation last = o.head.layers[o.head.count - 1].activation;
    o.loss = last == KILN_ACTIVATION_SOFTMAX || last == KILN_ACTIVATION_COSINE
                 ? KILN_LOSS_CROSS_ENTROPY
                 : KILN_LOSS_MEAN_SQUARED_ERROR;
    o.standardize = _i % 2 == 0;
    o.learning_rate = 0.01f;
    kiln_trainer *t = make_trainer(NULL, &o, 256);
    GOOD(kiln_trainer_fit(t, NULL, &error));
    float temperature;
    GOOD(kiln_trainer_calibrate(t, &temperature, &error));
    GOOD(kiln_trainer_describe(t, "note", "first", &error));
    GOOD(kiln_trainer_describe(t, "note", "second", &error));
    kiln_plan *plan = saved_plan(t);
    check_plan(t, plan);
    check_extracted_size(t);
    ck_assert_str_eq(kiln_plan_metadata(plan, "note"), "second");
    /* Another head would be put where this one was. */
    kiln_plan *cut = NULL;
    kiln_tensor_info info;
    GOOD(kiln_plan_cut(plan, NULL, &cut, &error));
    ck_assert_int_eq(kiln_plan_output(cut, 0, &info), KILN_OK);
    ck_assert_uint_eq(info.dims[1], FEATURES);
    kiln_plan_close(cut);
    ck_assert_str_eq(kiln_plan_label(plan, 1), "bob");
    kiln_plan_close(plan);
    kiln_trainer_destroy(t);
}
END_TEST

START_TEST(a_plan_is_a_backbone) {
    kiln_train_options o = raw_options("12:tanh,6:relu,softmax");
    o.epochs = 20;
    o.learning_rate = 0.01f;
    kiln_trainer *first = make_trainer(NULL, &o, 256);
    GOOD(kiln_trainer_fit(first, NULL, &error));
    kiln_plan *backbone = saved_plan(first), *cut = NULL;
    /* Cut before its dense layers, after the first of them, and at a layer that is not there. */
    GOOD(kiln_plan_cut(backbone, NULL, &cut, &error));
    kiln_tensor_info info;
    ck_assert_int_eq(kiln_plan_output(cut, 0, &info), KILN_OK);
    ck_assert_uint_eq(info.dims[1], FEATURES);
    kiln_plan_close(cut);
    GOOD(kiln_plan_cut(backbone, "head.tanh", &cut, &error));
    ck_assert_int_eq(kiln_plan_output(cut, 0, &info), KILN_OK);
    ck_assert_uint_eq(info.dims[1], 12);
    kiln_plan_close(cut);
    ck_assert_int_eq(kiln_plan_cut(backbone, "nothing", &cut, &error), KILN_ERROR_ARGUMENT);
    ck_assert_ptr_null(cut);
    /* A new head on the hidden layer. */
    o = raw_options("softmax");
    o.cut = "head.tanh";
    o.standardize = true;
    kiln_trainer *second = make_trainer(backbone, &o, 256);
    GOOD(kiln_trainer_fit(second, NULL, &error));
    kiln_plan *plan = saved_plan(second);
    check_plan(second, plan);
    check_session(second);
    check_extracted_size(second);
    kiln_session *none;
    ck_assert_int_eq(kiln_trainer_open_session(first, NULL, &none, &error), KILN_ERROR_ARGUMENT);
    kiln_plan_close(plan);
    kiln_trainer_destroy(second);
    /* Fine-tuning begins where the backbone ended: one step at a tiny rate changes nothing. */
    o = raw_options("softmax");
    o.fine_tune = 2;
    o.epochs = 1;
    o.learning_rate = 1e-9f;
    kiln_trainer *tuned = make_trainer(backbone, &o, 256);
    ck_assert_uint_eq(kiln_trainer_layer_count(tuned), 2);
    ck_assert_str_eq(kiln_trainer_cut(tuned), "head.tanh");
    GOOD(kiln_trainer_fit(tuned, NULL, &error));
    plan = saved_plan(tuned);
    check_plan(first, plan);
    kiln_plan_close(plan);
    kiln_trainer_destroy(tuned);
    o.fine_tune = 4;
    ck_assert_int_eq(kiln_trainer_create(backbone, &o, &tuned, &error), KILN_ERROR_UNSUPPORTED);
    kiln_trainer_destroy(first);
    kiln_plan_close(backbone);
}
END_TEST

/* ---- Reproducible -------------------------------------------------------------------------- */

static int stop_after_two(void *context, const kiln_epoch *epoch) {
    GOOD(kiln_trainer_checkpoint(context, "checkpoint", &error));
    return epoch->epoch == 2;
}

static void check_same(kiln_trainer *a, kiln_trainer *b) {
    for (size_t l = 0; l < kiln_trainer_layer_count(a); l++) {
        kiln_dense_info x, y;
        ck_assert_int_eq(kiln_trainer_layer(a, l, &x), KILN_OK);
        ck_assert_int_eq(kiln_trainer_layer(b, l, &y), KILN_OK);
        for (size_t k = 0; k < x.inputs * x.units; k++) {
            ck_assert_float_eq(x.weights[k], y.weights[k]);
        }
    }
}

START_TEST(resumed_and_threaded_runs_are_the_same) {
    char folder[] = "/tmp/kiln-resume-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    kiln_train_options o = raw_options("8:relu,dropout:0.4,softmax");
    o.schedule = KILN_SCHEDULE_COSINE;
    o.warmup_epochs = 1;
    kiln_trainer *whole = make_trainer(NULL, &o, 256), *half = make_trainer(NULL, &o, 256);
    GOOD(kiln_trainer_fit(whole, NULL, &error));
    kiln_train_callbacks callbacks = {
        .size = sizeof callbacks, .context = half, .epoch = stop_after_two};
    GOOD(kiln_trainer_fit(half, &callbacks, &error));
    o.threads = 2;
    kiln_trainer *rest = make_trainer(NULL, &o, 256);
    GOOD(kiln_trainer_resume(rest, "checkpoint", &error));
    const kiln_epoch *history;
    ck_assert_uint_eq(kiln_trainer_history(rest, &history), 3);
    GOOD(kiln_trainer_fit(rest, NULL, &error));
    ck_assert_uint_eq(kiln_trainer_history(rest, &history), 6);
    check_same(whole, rest);
    kiln_trainer_destroy(rest);
    /* Other options, other data and damage are refused. */
    o.learning_rate *= 2;
    rest = make_trainer(NULL, &o, 256);
    ck_assert_int_eq(kiln_trainer_resume(rest, "checkpoint", &error), KILN_ERROR_ARGUMENT);
    kiln_trainer_destroy(rest);
    o.learning_rate /= 2;
    rest = make_trainer(NULL, &o, 255);
    ck_assert_int_eq(kiln_trainer_resume(rest, "checkpoint", &error), KILN_ERROR_ARGUMENT);
    kiln_trainer_destroy(rest);
    FILE *file = fopen("checkpoint", "r+b");
    ck_assert(file != NULL && fseek(file, 1000, SEEK_SET) == 0 && fputc('?', file) == '?' &&
              fclose(file) == 0);
    rest = make_trainer(NULL, &o, 256);
    ck_assert_int_eq(kiln_trainer_resume(rest, "checkpoint", &error), KILN_ERROR_FORMAT);
    kiln_trainer_destroy(rest);
    kiln_trainer_destroy(half);
    kiln_trainer_destroy(whole);
    ck_assert(unlink("checkpoint") == 0 && chdir("/") == 0 && rmdir(folder) == 0);
}
END_TEST

/* ---- Schedules and stopping ---------------------------------------------------------------- */

START_TEST(stops_early_and_restores_the_best) {
    kiln_train_options o = raw_options("32:relu,softmax");
    o.epochs = 200;
    o.patience = 4;
    o.learning_rate = 0.05f;
    kiln_trainer *t = make_trainer(NULL, &o, 64);
    GOOD(kiln_trainer_fit(t, NULL, &error));
    const kiln_epoch *history;
    size_t count = kiln_trainer_history(t, &history), best = kiln_trainer_best_epoch(t);
    ck_assert_uint_lt(count, 201);
    ck_assert_uint_eq(count, best + 5); /* epoch 0, too */
    for (size_t k = 0; k < count; k++) {
        ck_assert(history[k].validation_loss >= history[best].validation_loss);
    }
    kiln_trainer_destroy(t);
}
END_TEST

START_TEST(lowers_the_rate_by_schedule) {
    kiln_train_options o = raw_options("softmax");
    const kiln_epoch *history;
    o.epochs = 6;
    o.schedule = KILN_SCHEDULE_STEP;
    o.schedule_epochs = 2;
    o.schedule_factor = 0.5f;
    o.learning_rate = 0.08f;
    kiln_trainer *t = make_trainer(NULL, &o, 256);
    GOOD(kiln_trainer_fit(t, NULL, &error));
    ck_assert_uint_eq(kiln_trainer_history(t, &history), 7);
    for (size_t k = 0; k < 6; k++) {
        ck_assert_uint_eq(history[k + 1].epoch, k + 1);
        ck_assert_float_eq_tol(history[k + 1].learning_rate, 0.08f / (float)(1u << k / 2), 1e-7f);
    }
    kiln_trainer_destroy(t);
    o.schedule = KILN_SCHEDULE_PLATEAU;
    o.epochs = 40;
    o.learning_rate = 2;
    t = make_trainer(NULL, &o, 256);
    GOOD(kiln_trainer_fit(t, NULL, &error));
    size_t count = kiln_trainer_history(t, &history);
    ck_assert_float_lt(history[count - 1].learning_rate, 1.01f);
    kiln_trainer_destroy(t);
}
END_TEST

START_TEST(balances_uneven_classes) {
    kiln_train_options o = raw_options("softmax");
    size_t right[2] = {0};
    for (int balanced = 0; balanced < 2; balanced++) {
        o.balance_classes = balanced != 0;
        o.epochs = 10;
        kiln_trainer *t = NULL;
        float scores[SAMPLES][CLASSES];
        GOOD(kiln_trainer_create(NULL, &o, &t, &error));
        for (size_t n = 0, rare = 0; n < SAMPLES; n++) { /* class 2 is rare */
            if (labels[n] != 2 || ++rare <= 6) {
                GOOD(kiln_trainer_add_features(t, KILN_TRAINING, samples[n], labels[n], &error));
            }
        }
        GOOD(kiln_trainer_fit(t, NULL, &error));
        GOOD(kiln_trainer_predict(t, samples[0], SAMPLES, scores[0], &error));
        for (size_t n = 0; n < SAMPLES; n++) {
            right[balanced] +=
                labels[n] == 2 && scores[n][2] > scores[n][0] && scores[n][2] > scores[n][1];
        }
        kiln_trainer_destroy(t);
    }
    ck_assert_uint_gt(right[1], right[0] + 10);
}
END_TEST

int main(void) {
    make_samples();
    const suite_test tests[] = {
        EACH("curves", curves_are_numpys, oracle_runs),
        EACH("plans", plans_say_what_the_trainer_says, heads),
        TEST("plans", a_plan_is_a_backbone),
        TEST("resume", resumed_and_threaded_runs_are_the_same),
        TEST("schedules", stops_early_and_restores_the_best),
        TEST("schedules", lowers_the_rate_by_schedule),
        TEST("schedules", balances_uneven_classes),
    };
    return SUITE("trainer", tests);
}
