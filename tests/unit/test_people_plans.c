/* People in plans: what becomes of a head when people are enrolled, forgotten and renamed, and of
 * the file. */
#include "tests/unit/people_gallery.h"
#include "tests/unit/suite.h"
#include <kiln/plan_format.h>
#include <kiln/train.h>

#include <math.h>
#include <unistd.h>

static char path[] = "/tmp/kiln-people-XXXXXX";

static void make_path(void) {
    memset(path + sizeof path - 7, 'X', 6);
    (void)close(mkstemp(path));
}

static void remove_path(void) {
    (void)unlink(path);
}

/* Trained on the samples, with people of the same. */
static kiln_plan *train(const char *head) {
    kiln_train_options o = raw_options(head);
    kiln_trainer *t = make_trainer(NULL, &o, SAMPLES);
    kiln_people *people = nobody();
    kiln_plan *plan;
    size_t size;
    GOOD(kiln_trainer_fit(t, NULL, &error));
    for (size_t n = 0; n < SAMPLES; n++) {
        GOOD(kiln_people_enrol(people, o.class_names[labels[n]], samples[n], 1, NULL, &error));
    }
    uint8_t *bytes = section_of(people, &size);
    GOOD(kiln_trainer_attach(t, PEOPLE_TAG, (kiln_span){bytes, size}, &error));
    GOOD(kiln_trainer_save(t, path, &error));
    GOOD(kiln_plan_open(path, NULL, &plan, &error));
    ck_assert(kiln_people_are_in(plan));
    kiln_free(bytes);
    kiln_people_close(people);
    kiln_trainer_destroy(t);
    return plan;
}

/* Saves in place; *inout_plan is then the new one. */
static kiln_people *save(kiln_people *people, kiln_plan **inout_plan) {
    GOOD(kiln_people_save(people, *inout_plan, path, &error));
    kiln_people_close(people);
    kiln_plan_close(*inout_plan);
    GOOD(kiln_plan_open(path, NULL, inout_plan, &error));
    GOOD(kiln_people_open(*inout_plan, &people, &error));
    return people;
}

static void run(const kiln_plan *plan, const float *x, float *out, size_t count) {
    kiln_session *session;
    kiln_buffer in = {(void *)(uintptr_t)x, SIZE * sizeof *x}, to = {out, count * sizeof *out};
    GOOD(kiln_session_create(plan, NULL, &session, &error));
    GOOD(kiln_session_run(session, 1, &in, 1, &to, 1, &error));
    kiln_session_destroy(session);
}

static void ck_labels(const kiln_plan *plan, size_t count, const char *const *names) {
    kiln_tensor_info info;
    GOOD(kiln_plan_output(plan, 0, &info));
    ck_assert_uint_eq(info.dims[1], count);
    ck_assert_uint_eq(kiln_plan_label_count(plan), count);
    for (size_t k = 0; k < count; k++) {
        ck_assert_str_eq(kiln_plan_label(plan, k), names[k]);
    }
}

/* The trained rows stay: among them, probabilities keep their ratios. */
START_TEST(cosine_heads_learn_who_is_new) {
    static const char *const grown[] = {"ann", "bea", "bob", "cem"}, *const left[] = {"ann", "cem"};
    kiln_plan *plan = train("cosine");
    kiln_people *people;
    float before[3], after[4], x[SIZE];
    run(plan, samples[0], before, 3);
    GOOD(kiln_people_open(plan, &people, &error));
    enrol(people, "bea", 3, 0, 5);
    people = save(people, &plan);
    ck_labels(plan, 4, grown);
    ck_assert_uint_eq(kiln_people_count(people), 4);
    run(plan, samples[0], after, 4);
    ck_assert_float_eq_tol(after[0] / after[3], before[0] / before[2],
                           1e-3f * before[0] / before[2]);
    ck_assert_float_eq_tol(after[2] / after[3], before[1] / before[2],
                           1e-3f * before[1] / before[2]);
    draw(3, 20, 0.1f, x);
    run(plan, x, after, 4);
    ck_assert_float_gt(after[1], 0.5f);
    GOOD(kiln_people_forget(people, "bea", &error));
    GOOD(kiln_people_forget(people, "bob", &error));
    people = save(people, &plan);
    ck_labels(plan, 2, left);
    GOOD(kiln_people_rename(people, "ann", "zoe", &error));
    people = save(people, &plan);
    ck_labels(plan, 2, (const char *const[]){"cem", "zoe"});
    run(plan, samples[0], after, 2);
    ck_assert_float_eq_tol(after[1] / after[0], before[0] / before[2],
                           1e-3f * before[0] / before[2]);
    kiln_people_close(people);
    kiln_plan_close(plan);
}
END_TEST

/* A head that is no table of directions keeps its classes; the gallery has one more. */
START_TEST(other_heads_keep_their_classes) {
    static const char *const names[] = {"ann", "bob", "cem"};
    kiln_plan *plan = train("8:tanh,softmax");
    kiln_people *people;
    float before[3], after[3];
    run(plan, samples[0], before, 3);
    GOOD(kiln_people_open(plan, &people, &error));
    enrol(people, "bea", 3, 0, 5);
    people = save(people, &plan);
    ck_labels(plan, 3, names);
    ck_assert_uint_eq(kiln_people_count(people), 4);
    run(plan, samples[0], after, 3);
    ck_assert_mem_eq(before, after, sizeof before);
    GOOD(kiln_people_forget(people, "ann", &error));
    people = save(people, &plan);
    ck_labels(plan, 2, (const char *const[]){"bob", "cem"});
    run(plan, samples[0], after, 2);
    ck_assert_float_eq_tol(after[0] / after[1], before[1] / before[2],
                           1e-3f * before[1] / before[2]);
    kiln_people_close(people);
    kiln_plan_close(plan);
}
END_TEST

static size_t read_plan(uint8_t *out, size_t room) {
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(out, 1, room, file);
    (void)fclose(file);
    ck_assert_uint_lt(size, room);
    return size;
}

/* The same people give the same file, byte by byte, whatever was in it between. */
START_TEST(edits_can_be_undone) {
    static uint8_t first[1 << 17], last[1 << 17];
    kiln_plan *plan = train("cosine");
    kiln_people *people;
    GOOD(kiln_people_open(plan, &people, &error));
    enrol(people, "bea", 3, 0, 5);
    people = save(people, &plan);
    size_t size = read_plan(first, sizeof first);
    GOOD(kiln_people_forget(people, "bea", &error));
    people = save(people, &plan);
    enrol(people, "bea", 3, 0, 5);
    people = save(people, &plan);
    ck_assert_uint_eq(read_plan(last, sizeof last), size);
    ck_assert_mem_eq(first, last, size);
    kiln_people_close(people);
    kiln_plan_close(plan);
}
END_TEST

/* The network that gives features gives those that the gallery has. */
START_TEST(features_are_what_feeds_the_head) {
    kiln_plan *plan = train(_i == 0 ? "cosine" : "8:tanh,softmax"), *cut;
    float features[SIZE];
    GOOD(kiln_people_cut(plan, &cut, &error));
    run(cut, samples[5], features, SIZE);
    ck_assert_mem_eq(features, samples[5], sizeof features);
    kiln_plan_close(cut);
    kiln_plan_close(plan);
}
END_TEST

/* The answer is the first in rank, whatever the head says, and however many are similar enough. */
START_TEST(the_head_chooses_among_the_similar) {
    kiln_plan *plan = train("softmax");
    kiln_people *people;
    GOOD(kiln_people_open(plan, &people, &error));
    ck_assert(kiln_people_all_in_head(people));
    size_t differ = 0;
    for (size_t n = 0; n < SAMPLES; n++) {
        const float rest = random_uniform(3, 1, n), scores[CLASSES] = {rest, 1 - rest, 0.5f};
        const float threshold = 2 * random_uniform(3, 2, n) - 1;
        kiln_people_verdict all[CLASSES], v, alone;
        kiln_people_answer nearest;
        size_t count;
        GOOD(kiln_people_match(people, samples[n], threshold, &nearest, &error));
        GOOD(kiln_people_judge(people, samples[n], scores, CLASSES, threshold, &v, &error));
        GOOD(kiln_people_rank(people, samples[n], scores, CLASSES, threshold, all, CLASSES, &count,
                              &error));
        ck_assert_uint_eq(count, CLASSES);
        ck_assert(all[0].person == v.person && all[0].known == v.known);
        ck_assert(all[0].similarity == v.similarity && all[0].asked == v.asked);
        ck_assert(v.known == nearest.known && v.probability == scores[v.person]);
        ck_assert(v.known || v.person == nearest.person);
        for (size_t k = 1; k < count; k++) {
            ck_assert(all[k - 1].known >= all[k].known);
            ck_assert(!all[k].known || all[k - 1].probability >= all[k].probability);
            ck_assert(all[k - 1].known || all[k - 1].similarity >= all[k].similarity);
        }
        differ += v.person != nearest.person;
        /* Scores of fewer than have one say nothing. */
        GOOD(kiln_people_judge(people, samples[n], scores, CLASSES - 1, threshold, &alone, &error));
        ck_assert(alone.person == nearest.person && isnan(alone.probability));
        GOOD(kiln_people_rank(people, samples[n], NULL, 0, threshold, all, 1, &count, &error));
        ck_assert(count == 1 && all[0].person == nearest.person);
    }
    ck_assert_uint_gt(differ, SAMPLES / 20);
    GOOD(kiln_people_enrol(people, "dora", samples[0], 1, NULL, &error));
    ck_assert(!kiln_people_all_in_head(people));
    kiln_people_close(people);
    kiln_plan_close(plan);
}
END_TEST

/* However its features were rounded. */
START_TEST(the_very_picture_is_refused) {
    for (uint64_t n = 0; n < 200; n++) {
        kiln_people *people = nobody();
        kiln_people_answer answer;
        float x[SIZE];
        enrol(people, "ann", 1, 0, 3);
        if (_i == 1) {
            enrol(people, "bob", 2, 0, 3);
            GOOD(kiln_people_learn(people, &error));
        }
        draw(1, 50 + n, 0.7f, x);
        GOOD(kiln_people_correct(people, "ann", x, NULL, &error));
        GOOD(kiln_people_match(people, x, -1, &answer, &error));
        ck_assert(!answer.known || answer.person != 0);
        kiln_people_close(people);
    }
}
END_TEST

static void begin(void) {
    make_samples();
    make_path();
}

int main(void) {
    const suite_test tests[] = {
        TEST("plans", cosine_heads_learn_who_is_new),
        TEST("plans", other_heads_keep_their_classes),
        TEST("plans", edits_can_be_undone),
        TEST("plans", the_head_chooses_among_the_similar),
        LOOP("plans", the_very_picture_is_refused, 0, 2),
        LOOP("plans", features_are_what_feeds_the_head, 0, 2),
    };
    return SUITE("people_plans", tests, .begin = begin, .end = remove_path);
}
