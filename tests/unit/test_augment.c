/* Variants of pictures: how far they move what is on them. */
#include "compiler/cli/data/augment.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <math.h>

enum { SIDE = 200, VARIANTS = 60 };

static kiln_error error;

/* Where the middle of what is bright lies, from the picture's. */
static double offset(const rgb_picture *p) {
    double x = 0, y = 0, sum = 0;
    for (size_t k = 0; k < (size_t)p->width * p->height; k++) {
        double value = p->rgb[k * 3];
        size_t row = k / p->width;
        x += value * (double)(k % p->width);
        y += value * (double)row;
        sum += value;
    }
    ck_assert_double_gt(sum, 0);
    return fmax(fabs(x / sum - (SIDE - 1) / 2.0), fabs(y / sum - (SIDE - 1) / 2.0));
}

/* The largest offset of a bright square in the middle, over many variants. */
static double most_offset(unsigned kinds) {
    rgb_picture picture = {0};
    double most = 0;
    ck_assert_int_eq(picture_allocate(&picture, SIDE, SIDE, &error), KILN_OK);
    for (size_t k = 0; k < (size_t)SIDE * SIDE * 3; k++) {
        size_t x = k / 3 % SIDE, y = k / 3 / SIDE;
        bool middle = x >= 90 && x < 110 && y >= 90 && y < 110;
        picture.rgb[k] = middle ? 255 : 0;
    }
    for (uint64_t seed = 0; seed < VARIANTS; seed++) {
        rgb_picture variant = {0};
        ck_assert_int_eq(augment_picture(&picture, kinds, seed, &variant, &error), KILN_OK);
        most = fmax(most, offset(&variant));
        picture_free(&variant);
    }
    picture_free(&picture);
    return most;
}

START_TEST(pictures_move_by_a_tenth) {
    double most = most_offset(AUGMENT_SHIFT);
    ck_assert_double_gt(most, SIDE * 0.08);
    ck_assert_double_le(most, SIDE * 0.112); /* and a tenth larger */
}
END_TEST

/* They are aligned: what is left is what detectors are wrong by. */
START_TEST(faces_move_by_a_quarter_of_that) {
    double most = most_offset(AUGMENT_SHIFT | AUGMENT_ROTATE | AUGMENT_FACES);
    ck_assert_double_gt(most, SIDE * 0.02);
    ck_assert_double_le(most, SIDE * 0.028);
}
END_TEST

START_TEST(other_kinds_move_nothing) {
    ck_assert_double_lt(most_offset(AUGMENT_FLIP | AUGMENT_LIGHT), 0.6);
    ck_assert_double_lt(most_offset(0), 1e-9);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("moved", pictures_move_by_a_tenth),
        TEST("moved", faces_move_by_a_quarter_of_that),
        TEST("moved", other_kinds_move_nothing),
    };
    return SUITE("augment", tests);
}
