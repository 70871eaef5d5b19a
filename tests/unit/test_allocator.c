/* The caller's allocator: all that plans, sessions, trainers, galleries and saving hold comes from
 * it and goes back to it, with its size; and where it has nothing left, that is what is told. That
 * nothing goes past it is seen by tests/links. */
#include "tests/unit/ledger.h"
#include "tests/unit/people_gallery.h"
#include "tests/unit/suite.h"
#include <kiln/train.h>

#include <unistd.h>

static char path[] = "/tmp/kiln-allocator-XXXXXX";

/* ---- What is done with it ------------------------------------------------------------------ */

static kiln_status feed(kiln_trainer *t, bool by_features) {
    kiln_status status = KILN_OK;
    for (size_t n = 0; n < 48 && status == KILN_OK; n++) {
        kiln_span input = {samples[n], sizeof samples[n]};
        kiln_split split = n % 8 == 7 ? KILN_VALIDATION : KILN_TRAINING;
        status = by_features ? kiln_trainer_add_features(t, split, samples[n], labels[n], &error)
                             : kiln_trainer_add_sample(t, split, input, labels[n], &error);
    }
    return status;
}

static kiln_status finish(kiln_trainer *t, const char *tag) {
    float temperature;
    kiln_status status = kiln_trainer_fit(t, NULL, &error);
    if (status == KILN_OK) {
        status = kiln_trainer_calibrate(t, &temperature, &error);
    }
    if (status == KILN_OK) {
        status = kiln_trainer_describe(t, "made", "by a test", &error);
    }
    if (status == KILN_OK) {
        status = kiln_trainer_attach(t, tag, (kiln_span){"some", 4}, &error);
    }
    return status == KILN_OK ? kiln_trainer_save(t, path, &error) : status;
}

/* A head that is trained, with a checkpoint on the way. */
static kiln_status descent(const kiln_allocator *a, const kiln_plan *network) {
    char checkpoint[sizeof path + 8];
    kiln_trainer *t = NULL;
    kiln_train_options o = raw_options("8:relu,dropout:0.3,softmax");
    (void)network;
    snprintf(checkpoint, sizeof checkpoint, "%s.state", path);
    o.allocator = a;
    o.threads = 2;
    o.standardize = true;
    o.balance_classes = true;
    kiln_status status = kiln_trainer_create(NULL, &o, &t, &error);
    status = status == KILN_OK ? feed(t, true) : status;
    status = status == KILN_OK ? finish(t, "TEST") : status;
    status = status == KILN_OK ? kiln_trainer_checkpoint(t, checkpoint, &error) : status;
    kiln_trainer_destroy(t);
    (void)unlink(checkpoint);
    return status;
}

/* Heads of folds on a network, whose plan is from the allocator, too. */
static kiln_status folds(const kiln_plan *network, const char *head) {
    void *bytes = NULL;
    size_t size = 0;
    kiln_trainer *t = NULL;
    kiln_train_options o = raw_options(head);
    o.folds = 3;
    kiln_status status = kiln_trainer_create(network, &o, &t, &error);
    status = status == KILN_OK ? feed(t, false) : status;
    status = status == KILN_OK ? finish(t, "TEST") : status;
    status = status == KILN_OK ? kiln_trainer_save_memory(t, &bytes, &size, &error) : status;
    kiln_free(bytes);
    kiln_trainer_destroy(t);
    return status;
}

static kiln_status lda(const kiln_allocator *a, const kiln_plan *network) {
    (void)a;
    return folds(network, "lda");
}

static kiln_status knn(const kiln_allocator *a, const kiln_plan *network) {
    (void)a;
    return folds(network, "knn");
}

/* A gallery, made, learnt and saved. */
static kiln_status gallery_of(const kiln_allocator *a, const kiln_plan *network) {
    kiln_people *people = NULL, *again = NULL;
    kiln_people_threshold threshold;
    kiln_people_answer answer;
    kiln_plan *plan = NULL;
    kiln_plan_options opening = {.size = sizeof opening, .allocator = a};
    kiln_status status = kiln_people_open(network, &people, &error);
    for (size_t n = 0; n < 24 && status == KILN_OK; n++) {
        const char name[] = {(char)('a' + n % 3), '\0'};
        status = kiln_people_enrol(people, name, samples[n], 1, NULL, &error);
    }
    status = status == KILN_OK ? kiln_people_add_stranger(people, samples[40], 1, &error) : status;
    status = status == KILN_OK ? kiln_people_learn(people, &error) : status;
    status =
        status == KILN_OK ? kiln_people_correct(people, "ann", samples[41], "x", &error) : status;
    status = status == KILN_OK ? kiln_people_rename(people, "bob", "ben", &error) : status;
    status = status == KILN_OK ? kiln_people_save(people, network, path, &error) : status;
    status = status == KILN_OK ? kiln_plan_open(path, &opening, &plan, &error) : status;
    status = status == KILN_OK ? kiln_people_open(plan, &again, &error) : status;
    kiln_plan_close(plan);
    status = status == KILN_OK ? kiln_people_decide(again, 0, &threshold, &error) : status;
    status = status == KILN_OK
                 ? kiln_people_match(again, samples[3], threshold.similarity, &answer, &error)
                 : status;
    status = status == KILN_OK ? kiln_people_forget(again, "ben", &error) : status;
    kiln_people_close(people);
    kiln_people_close(again);
    return status;
}

static kiln_status (*const works[])(const kiln_allocator *a,
                                    const kiln_plan *network) = {descent, lda, knn, gallery_of};

/* ---- The tests ----------------------------------------------------------------------------- */

/* A network to stand on, as bytes; with people, one whose head knows them. */
static void *make_network(size_t which, size_t *out_size) {
    bool known = works[which] == gallery_of;
    void *bytes = NULL;
    kiln_train_options o = raw_options(known ? "cosine" : "8:relu,softmax");
    kiln_trainer *t = few(&o, 4);
    kiln_people *people = nobody();
    GOOD(kiln_trainer_fit(t, NULL, &error));
    for (size_t n = 0; n < 12; n++) {
        GOOD(kiln_people_enrol(people, o.class_names[labels[n]], samples[n], 1, NULL, &error));
    }
    uint8_t *section = section_of(people, out_size);
    GOOD(kiln_trainer_attach(t, PEOPLE_TAG, (kiln_span){section, known ? *out_size : 0}, &error));
    GOOD(kiln_trainer_save_memory(t, &bytes, out_size, &error));
    kiln_free(section);
    kiln_people_close(people);
    kiln_trainer_destroy(t);
    return bytes;
}

static kiln_status work(ledger *l, size_t which, kiln_span network) {
    const kiln_allocator a = ledger_allocator(l);
    const kiln_plan_options opening = {.size = sizeof opening, .allocator = &a};
    kiln_plan *plan = NULL;
    kiln_status status = kiln_plan_open_memory(network, &opening, &plan, &error);
    status = status == KILN_OK ? works[which](&a, plan) : status;
    kiln_plan_close(plan);
    return status;
}

START_TEST(all_of_it_goes_back) {
    size_t size;
    void *network = make_network((size_t)_i, &size);
    ledger l = {0};
    ck_assert_msg(work(&l, (size_t)_i, (kiln_span){network, size}) == KILN_OK, "%s", error.message);
    ck_assert_uint_gt(l.calls, 50);
    ck_assert(ledger_is_even(&l));
    kiln_free(network);
}
END_TEST

/* Each call in turn is refused. */
START_TEST(the_end_of_it_is_told) {
    size_t size, refused = 1;
    void *network = make_network((size_t)_i, &size);
    for (bool reached = true; reached; refused++) {
        ledger l = {.refused = refused};
        error = (kiln_error){0};
        kiln_status status = work(&l, (size_t)_i, (kiln_span){network, size});
        reached = l.calls >= refused;
        ck_assert_msg(status == (reached ? KILN_ERROR_MEMORY : KILN_OK), "call %zu of %zu: %s: %s",
                      refused, (size_t)l.calls, kiln_status_name(status), error.message);
        ck_assert_msg(ledger_is_even(&l), "call %zu: %zu blocks left", refused, (size_t)l.blocks);
    }
    ck_assert_uint_gt(refused, 50);
    kiln_free(network);
}
END_TEST

static void once(void) {
    make_samples();
    memset(path + sizeof path - 7, 'X', 6);
    (void)close(mkstemp(path));
}

static void remove_path(void) {
    (void)unlink(path);
}

int main(void) {
    const suite_test tests[] = {
        EACH("caller", all_of_it_goes_back, works),
        EACH("caller", the_end_of_it_is_told, works),
    };
    return SUITE("allocator", tests, .once = once, .end = remove_path);
}
