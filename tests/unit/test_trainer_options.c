/* The options of training: every choice trains, and wrong ones are refused. */
#include "tests/unit/no_threads.h"
#include "tests/unit/suite.h"
#include "tests/unit/trainer_samples.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

START_TEST(refuses_bad_heads) {
    static const char *const bad[] = {"",
                                      "256:relu",
                                      "softmax,64:relu",
                                      "64:swish,softmax",
                                      "0:relu,softmax",
                                      "dropout:1.5,softmax",
                                      "dropout:0.1,dropout:0.2,softmax",
                                      "softmax,dropout:0.5",
                                      "l2:0.1,softmax",
                                      "64:softmax,softmax",
                                      "nonsense",
                                      "64:relu,,softmax",
                                      "-3:relu,softmax",
                                      "dropout:nan,softmax"};
    kiln_head head;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        error.message[0] = '\0';
        ck_assert_msg(kiln_head_parse(bad[k], &head, &error) == KILN_ERROR_ARGUMENT, "'%s'",
                      bad[k]);
        ck_assert_ptr_nonnull(strstr(error.message, "head"));
    }
}
END_TEST

START_TEST(refuses_bad_options_and_samples) {
    kiln_train_options o = raw_options("softmax");
    kiln_trainer *t = NULL;
    o.learning_rate = NAN;
    ck_assert_int_eq(kiln_trainer_create(NULL, &o, &t, &error), KILN_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "learning rate"));
    o = raw_options("softmax");
    o.class_count = 1;
    ck_assert_int_eq(kiln_trainer_create(NULL, &o, &t, &error), KILN_ERROR_ARGUMENT);
    o = raw_options("linear");
    ck_assert_int_eq(kiln_trainer_create(NULL, &o, &t, &error), KILN_ERROR_ARGUMENT);
    o = raw_options("softmax");
    o.loss = KILN_LOSS_ARCFACE;
    ck_assert_int_eq(kiln_trainer_create(NULL, &o, &t, &error), KILN_ERROR_ARGUMENT);
    o = raw_options("lda");
    o.loss = KILN_LOSS_ARCFACE;
    ck_assert_int_eq(kiln_trainer_create(NULL, &o, &t, &error), KILN_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "computed at once"));
    o = raw_options("softmax");
    GOOD(kiln_trainer_create(NULL, &o, &t, &error));
    ck_assert_int_eq(kiln_trainer_fit(t, NULL, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_trainer_add_features(t, KILN_TRAINING, samples[0], CLASSES, &error),
                     KILN_ERROR_ARGUMENT);
    float bad[FEATURES] = {INFINITY};
    ck_assert_int_eq(kiln_trainer_add_features(t, KILN_TRAINING, bad, 0, &error),
                     KILN_ERROR_ARGUMENT);
    kiln_trainer_destroy(t);
}
END_TEST

static void ck_refused(const kiln_train_options *o, kiln_status expected, const char *said) {
    kiln_trainer *t = NULL;
    ck_assert_int_eq(kiln_trainer_create(NULL, o, &t, &error), expected);
    ck_assert_msg(strstr(error.message, said) != NULL, "%s", error.message);
    ck_assert_ptr_null(t);
}

/* What an app sets member by member, where kiln_head_parse would have made it fit. */
START_TEST(refuses_members_that_do_not_fit) {
    for (kiln_rule rule = KILN_RULE_MEAN; rule < KILN_RULE_COUNT; rule++) {
        kiln_train_options o = raw_options("softmax");
        o.head.rule = rule;
        ck_refused(&o, KILN_ERROR_ARGUMENT, "one layer, a cosine one");
        o = raw_options("8:relu,cosine");
        o.head.rule = rule;
        ck_refused(&o, KILN_ERROR_ARGUMENT, "one layer, a cosine one");
    }
    kiln_train_options o = raw_options("cosine");
    o.head.rule = KILN_RULE_COUNT;
    ck_refused(&o, KILN_ERROR_ARGUMENT, "rule 4");
    o = raw_options("softmax");
    o.start = KILN_START_COUNT;
    ck_refused(&o, KILN_ERROR_ARGUMENT, "start");
    o = raw_options("softmax");
    o.fine_tune = 1;
    ck_refused(&o, KILN_ERROR_ARGUMENT, "no backbone to fine-tune");
    o.loss = KILN_LOSS_ARCFACE;
    ck_refused(&o, KILN_ERROR_ARGUMENT, "cosine");
}
END_TEST

static void *give_little(void *context, size_t size, size_t alignment) {
    (void)context;
    (void)alignment;
    return size < (size_t)1 << 24 ? malloc(size) : NULL;
}

static void take_back(void *context, void *block, size_t size) {
    (void)context;
    (void)size;
    free(block);
}

/* 65536 samples of 16384 numbers have 2^32 bytes, which a size of 32 bits takes for none. */
START_TEST(what_cannot_be_counted_is_out_of_memory) {
    const kiln_allocator allocator = {NULL, give_little, take_back};
    kiln_train_options o = raw_options("softmax");
    o.allocator = &allocator;
    o.input_dims[0] = 1 << 14;
    o.batch_size = 1 << 16;
    ck_refused(&o, KILN_ERROR_MEMORY, "memory");
}
END_TEST

static unsigned count_optimizers(void) {
    unsigned count = 0;
    while (kiln_optimizer_name(count) != NULL) {
        count++;
    }
    return count;
}

/* A row for each enumerator: none without a name, none that does nothing, nothing behind the last.
 */
START_TEST(every_choice_trains) {
    const kiln_train_options plain = raw_options("8:relu,cosine");
    const kiln_epoch *history;
    unsigned optimizers = count_optimizers();
    for (unsigned k = 0; k < optimizers * KILN_LOSS_COUNT; k++) {
        kiln_train_options o = plain;
        o.loss = (kiln_loss)(k / optimizers);
        o.schedule = (kiln_schedule)(k % KILN_SCHEDULE_COUNT);
        ck_assert(kiln_optimizer_defaults(kiln_optimizer_name(k % optimizers), &o));
        kiln_trainer *t = make_trainer(NULL, &o, SAMPLES);
        GOOD(kiln_trainer_fit(t, NULL, &error));
        size_t count = kiln_trainer_history(t, &history);
        ck_assert_msg(history[count - 1].loss < history[0].loss, "%s, %s, %s", o.optimizer,
                      kiln_loss_name(o.loss), kiln_schedule_name(o.schedule));
        kiln_trainer_destroy(t);
    }
}
END_TEST

#define CHECK_NAMES(kind, count)                                                                   \
    for (unsigned k = 0; k <= (count); k++) {                                                      \
        const char *name = kind((unsigned)k);                                                      \
        ck_assert((name != NULL) == (k < (count)));                                                \
        for (unsigned j = 0; j < k && name != NULL; j++) {                                         \
            ck_assert_str_ne(name, kind((unsigned)j));                                             \
        }                                                                                          \
    }

START_TEST(every_choice_has_a_name) {
    ck_assert_uint_ge(count_optimizers(), 5);
    CHECK_NAMES(kiln_optimizer_name, count_optimizers())
    CHECK_NAMES(kiln_loss_name, KILN_LOSS_COUNT)
    CHECK_NAMES(kiln_schedule_name, KILN_SCHEDULE_COUNT)
    CHECK_NAMES(kiln_activation_name, KILN_ACTIVATION_COUNT)
    for (unsigned k = 0; k < count_optimizers(); k++) {
        ck_assert_ptr_nonnull(kiln_optimizer_formula(kiln_optimizer_name(k)));
    }
    ck_assert_ptr_null(kiln_optimizer_formula("adan"));
    kiln_trainer *t;
    kiln_train_options o = raw_options("softmax");
    ck_assert(!kiln_optimizer_defaults("adan", &o));
    ck_assert_str_eq(o.optimizer, "adam");
    o.optimizer = NULL;
    ck_assert_int_eq(kiln_trainer_create(NULL, &o, &t, &error), KILN_ERROR_ARGUMENT);
    o.optimizer = "adan";
    ck_assert_int_eq(kiln_trainer_create(NULL, &o, &t, &error), KILN_ERROR_ARGUMENT);
    o = raw_options("softmax");
    o.loss = KILN_LOSS_COUNT;
    ck_assert_int_eq(kiln_trainer_create(NULL, &o, &t, &error), KILN_ERROR_ARGUMENT);
}
END_TEST

/* KILN_L2_PRIOR is 1 / (2 * pictures). */
START_TEST(priors_weigh_less_with_more_samples) {
    kiln_dense_info d[2];
    kiln_trainer *t[2];
    for (size_t k = 0; k < 2; k++) {
        kiln_train_options o = options_of(k == 0 ? "softmax,l2:prior" : "softmax,l2:0.002");
        o.refit = false;
        t[k] = make_trainer(NULL, &o, 250);
        GOOD(kiln_trainer_fit(t[k], NULL, &error));
        GOOD(kiln_trainer_layer(t[k], 0, &d[k]));
    }
    ck_assert_mem_eq(d[0].weights, d[1].weights, sizeof(float[CLASSES][FEATURES]));
    kiln_trainer_destroy(t[0]);
    kiln_trainer_destroy(t[1]);
}
END_TEST

START_TEST(says_when_the_loss_diverges) {
    kiln_train_options o = raw_options("16:linear,16:linear,linear");
    o.loss = KILN_LOSS_MEAN_SQUARED_ERROR;
    o.optimizer = "sgd";
    o.learning_rate = 1e5f;
    kiln_trainer *t = make_trainer(NULL, &o, 256);
    ck_assert_int_eq(kiln_trainer_fit(t, NULL, &error), KILN_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "lower the learning rate"));
    kiln_trainer_destroy(t);
}
END_TEST

START_TEST(says_that_threads_cannot_start) {
    kiln_train_options o = raw_options("softmax");
    kiln_trainer *t;
    o.threads = 3;
    forbid_threads();
    ck_assert_int_eq(kiln_trainer_create(NULL, &o, &t, &error), KILN_ERROR_MEMORY);
    ck_assert_ptr_nonnull(strstr(error.message, "cannot start 3 threads"));
    allow_threads();
}
END_TEST

int main(void) {
    make_samples();
    const suite_test tests[] = {
        TEST("choices", every_choice_trains),
        TEST("choices", every_choice_has_a_name),
        TEST("choices", priors_weigh_less_with_more_samples),
        TEST("refused", refuses_bad_heads),
        TEST("refused", refuses_bad_options_and_samples),
        TEST("refused", refuses_members_that_do_not_fit),
        TEST("refused", what_cannot_be_counted_is_out_of_memory),
        TEST("refused", says_when_the_loss_diverges),
        TEST("refused", says_that_threads_cannot_start),
    };
    return SUITE("trainer_options", tests);
}
