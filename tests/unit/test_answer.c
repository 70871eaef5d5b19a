/* Images to answers: classes by their scores, features of length 1, likeness. */
#include "tests/unit/network.h"
#include "tests/unit/suite.h"
#include <kiln/answer.h>

#include <math.h>
#include <unistd.h>

enum { SIDE = 8 };

static char path[] = "/tmp/kiln-answer-XXXXXX";
static kiln_error error;
static kiln_plan *plan;
static kiln_session *session;
static uint8_t pixels[SIDE * SIDE * 3];
static const kiln_image image = {.format = KILN_IMAGE_RGB,
                                 .width = SIDE,
                                 .height = SIDE,
                                 .pixels = pixels,
                                 .stride = (size_t)SIDE * 3};

/* The means of the channels, or all numbers of the image. */
static void open_network(bool means, uint32_t channels) {
    network n;
    network_begin(&n, 1);
    tensor *x = network_input(&n, channels, SIDE, SIDE);
    if (means) {
        x = network_apply(&n, "GlobalAveragePool", 1, &x, NULL);
    }
    network_output(&n, network_apply(&n, "Flatten", 1, &x, NULL));
    close(mkstemp(strcpy(path, "/tmp/kiln-answer-XXXXXX")));
    network_save(&n, NULL, path);
    ck_assert_int_eq(kiln_plan_open(path, NULL, &plan, &error), KILN_OK);
    ck_assert_int_eq(kiln_session_create(plan, NULL, &session, &error), KILN_OK);
}

static void fill(uint8_t red, uint8_t green, uint8_t blue) {
    for (size_t k = 0; k < sizeof pixels; k++) {
        pixels[k] = k % 3 == 0 ? red : k % 3 == 1 ? green : blue;
    }
}

static void end(void) {
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    session = NULL;
    plan = NULL;
    unlink(path);
}

START_TEST(classes_come_by_falling_score_then_rising_index) {
    kiln_answer answers[4];
    size_t count;
    open_network(true, 3);
    fill(10, 200, 30);
    ck_assert_int_eq(kiln_classify(session, &image, answers, 4, &count, &error), KILN_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_uint_eq(answers[0].index, 1);
    ck_assert_uint_eq(answers[1].index, 2);
    ck_assert_uint_eq(answers[2].index, 0);
    ck_assert_float_eq_tol(answers[0].score, 200, 1e-3F);
    ck_assert_str_eq(answers[0].label, "");
    fill(50, 50, 90);
    ck_assert_int_eq(kiln_classify(session, &image, answers, 2, &count, &error), KILN_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(answers[0].index, 2);
    ck_assert_uint_eq(answers[1].index, 0);
    ck_assert_int_eq(kiln_classify(session, &image, NULL, 0, &count, &error), KILN_OK);
    ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(an_image_that_is_not_sound_gives_no_answers) {
    kiln_answer answer;
    size_t count = 7;
    kiln_image narrow = image;
    narrow.stride = 1;
    open_network(true, 3);
    ck_assert_int_eq(kiln_classify(session, &narrow, &answer, 1, &count, &error),
                     KILN_ERROR_ARGUMENT);
    ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(networks_without_images_are_refused) {
    kiln_answer answer;
    size_t count;
    open_network(true, 5);
    ck_assert_int_eq(kiln_classify(session, &image, &answer, 1, &count, &error),
                     KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "one image"));
}
END_TEST

START_TEST(features_have_length_1) {
    float features[3];
    open_network(true, 3);
    fill(30, 0, 40);
    ck_assert_int_eq(kiln_embed(session, &image, features, 3, &error), KILN_OK);
    ck_assert_float_eq_tol(features[0], 0.6F, 1e-6F);
    ck_assert_float_eq_tol(features[1], 0, 1e-6F);
    ck_assert_float_eq_tol(features[2], 0.8F, 1e-6F);
    ck_assert_int_eq(kiln_embed(session, &image, features, 2, &error), KILN_ERROR_ARGUMENT);
    fill(0, 0, 0);
    ck_assert_int_eq(kiln_embed(session, &image, features, 3, &error), KILN_ERROR_ARGUMENT);
}
END_TEST

START_TEST(a_cancelled_session_tells_so) {
    float features[3];
    open_network(true, 3);
    fill(1, 2, 3);
    kiln_session_cancel(session);
    ck_assert_int_eq(kiln_embed(session, &image, features, 3, &error), KILN_ERROR_CANCELLED);
    ck_assert_int_eq(kiln_embed(session, &image, features, 3, &error), KILN_OK);
}
END_TEST

START_TEST(likeness_is_the_cosine) {
    const float a[] = {1, 2, 3}, b[] = {-2, -4, -6}, c[] = {3, 0, -1}, none[] = {0, 0, 0};
    const float bad[] = {NAN, 1, 1}, large[] = {3e38F, 3e38F, 3e38F};
    ck_assert_float_eq_tol(kiln_similarity(a, a, 3), 1, 1e-6F);
    ck_assert_float_eq_tol(kiln_similarity(a, b, 3), -1, 1e-6F);
    ck_assert_float_eq_tol(kiln_similarity(a, c, 3), 0, 1e-6F);
    ck_assert_float_eq(kiln_similarity(a, none, 3), 0);
    ck_assert_float_eq(kiln_similarity(a, bad, 3), 0);
    ck_assert_float_eq_tol(kiln_similarity(large, large, 3), 1, 1e-6F);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("classes", classes_come_by_falling_score_then_rising_index),
        TEST("classes", an_image_that_is_not_sound_gives_no_answers),
        TEST("classes", networks_without_images_are_refused),
        TEST("features", features_have_length_1),
        TEST("features", a_cancelled_session_tells_so),
        TEST("features", likeness_is_the_cosine),
    };
    return SUITE("answer", tests, .end = end);
}
