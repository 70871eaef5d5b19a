/* Faces turned upright (kiln/faces.h), and detectors' outputs decoded by hand. */
#include "runtime/faces/detector.h"
#include "tests/unit/suite.h"

#include <math.h>
#include <stdlib.h>

static kiln_error error;

/* ---- Alignment ------------------------------------------------------------------------------- */

enum { SIDE = 400, CROP = 112 };
#define SIDE_PIXELS ((size_t)SIDE * SIDE)
#define CROP_PIXELS ((size_t)CROP * CROP)

static uint8_t rgb[SIDE * SIDE * 3];
static const kiln_image image = {.format = KILN_IMAGE_RGB,
                                 .width = SIDE,
                                 .height = SIDE,
                                 .pixels = rgb,
                                 .stride = (size_t)SIDE * 3};

/* Colours that are linear in x and y, so that no way of interpolating changes them. */
static double red_at(double x, double y) {
    return 20 + x * 0.3 + y * 0.2;
}

static double green_at(double x, double y) {
    return 230 - x * 0.2 - y * 0.25;
}

static void draw_ramps(void) {
    for (size_t k = 0; k < SIDE_PIXELS; k++) {
        size_t row = k / SIDE;
        double x = (double)(k % SIDE), y = (double)row;
        rgb[k * 3] = (uint8_t)lrint(red_at(x, y));
        rgb[k * 3 + 1] = (uint8_t)lrint(green_at(x, y));
        rgb[k * 3 + 2] = (uint8_t)(k % 7);
    }
}

/* The template turned by `angle`, scaled and put with its pixel (56, 56) at x, y. */
static kiln_face face_at(double angle, double scale, double x, double y) {
    kiln_face face = {.score = 1, .point_count = KILN_FACE_POINTS};
    for (size_t k = 0; k < KILN_FACE_POINTS; k++) {
        double u = (double)kiln_face_template[k][0] - 56, v = (double)kiln_face_template[k][1] - 56;
        face.points[k][0] = (float)(x + scale * (cos(angle) * u - sin(angle) * v));
        face.points[k][1] = (float)(y + scale * (sin(angle) * u + cos(angle) * v));
    }
    return face;
}

typedef struct pose {
    double angle, scale;
} pose;
static const pose poses[] = {{0, 1}, {0.3, 1.7}, {-0.8, 0.4}, {0.2, 2.6}, {-0.1, 3.4}};

START_TEST(a_face_of_any_pose_comes_to_the_template) {
    const pose *p = &poses[_i];
    kiln_face face = face_at(p->angle, p->scale, 200, 190);
    uint8_t crop[CROP * CROP * 3];
    draw_ramps();
    ck_assert_int_eq(kiln_face_crop(&image, &face, CROP, CROP, crop, &error), KILN_OK);
    double across = p->scale * cos(p->angle), along = p->scale * sin(p->angle);
    for (size_t k = 0; k < CROP_PIXELS; k++) {
        size_t row = k / CROP;
        double u = (double)(k % CROP) - 56, v = (double)row - 56;
        double x = 200 + across * u - along * v, y = 190 + along * u + across * v;
        if (x > 4 && y > 4 && x < SIDE - 5 && y < SIDE - 5) {
            ck_assert_double_le(fabs(crop[k * 3] - red_at(x, y)), 1.1);
            ck_assert_double_le(fabs(crop[k * 3 + 1] - green_at(x, y)), 1.1);
        } else if (x < -4 || y < -4 || x > SIDE + 3 || y > SIDE + 3) {
            ck_assert_uint_eq(crop[k * 3], 0);
        }
    }
}
END_TEST

START_TEST(eyes_are_sorted) {
    kiln_face face = face_at(0.1, 1.2, 200, 190), other = face;
    for (size_t c = 0; c < 2; c++) {
        other.points[0][c] = face.points[1][c], other.points[1][c] = face.points[0][c];
        other.points[3][c] = face.points[4][c], other.points[4][c] = face.points[3][c];
    }
    uint8_t a[CROP * CROP * 3], b[CROP * CROP * 3];
    draw_ramps();
    ck_assert_int_eq(kiln_face_crop(&image, &face, CROP, CROP, a, &error), KILN_OK);
    ck_assert_int_eq(kiln_face_crop(&image, &other, CROP, CROP, b, &error), KILN_OK);
    ck_assert_mem_eq(a, b, sizeof a);
}
END_TEST

/* Stripes a pixel wide are grey where the face is reduced, not black or white. */
START_TEST(what_is_reduced_is_averaged) {
    kiln_face face = face_at(0, 3.2, 200, 200);
    uint8_t crop[CROP * CROP * 3];
    for (size_t k = 0; k < SIDE_PIXELS * 3; k++) {
        rgb[k] = k / 3 % 2 ? 200 : 0;
    }
    ck_assert_int_eq(kiln_face_crop(&image, &face, CROP, CROP, crop, &error), KILN_OK);
    for (size_t y = 40; y < 72; y++) {
        for (size_t x = 40; x < 72; x++) {
            ck_assert_int_le(abs(crop[(y * CROP + x) * 3] - 100), 35);
        }
    }
}
END_TEST

START_TEST(without_points_it_is_the_square_and_a_fifth) {
    kiln_face face = {.left = 100, .top = 140, .right = 200, .bottom = 180, .score = 1};
    uint8_t crop[60 * 60 * 3];
    draw_ramps();
    ck_assert_int_eq(kiln_face_crop(&image, &face, 60, 60, crop, &error), KILN_OK);
    for (size_t k = 0; k < (size_t)60 * 60; k++) {
        size_t row = k / 60;
        double x = 150 + 2 * ((double)(k % 60) - 29.5), y = 160 + 2 * ((double)row - 29.5);
        ck_assert_double_le(fabs(crop[k * 3] - red_at(x, y)), 1.1);
    }
}
END_TEST

START_TEST(faces_that_are_none_are_refused) {
    kiln_face face = face_at(0, 1, 100, 100);
    uint8_t crop[CROP * CROP * 3];
    for (size_t k = 0; k < KILN_FACE_POINTS; k++) {
        face.points[k][0] = face.points[k][1] = 7;
    }
    ck_assert_int_eq(kiln_face_crop(&image, &face, CROP, CROP, crop, &error), KILN_ERROR_ARGUMENT);
    face.points[2][0] = NAN;
    ck_assert_int_eq(kiln_face_crop(&image, &face, CROP, CROP, crop, &error), KILN_ERROR_ARGUMENT);
    face = face_at(0, 1e30, 1e30, 1e30);
    (void)kiln_face_crop(&image, &face, CROP, CROP, crop, &error);
    face = (kiln_face){.left = 3, .right = 3, .top = 1, .bottom = 1};
    ck_assert_int_eq(kiln_face_crop(&image, &face, CROP, CROP, crop, &error), KILN_ERROR_ARGUMENT);
    face = face_at(0, 1, 100, 100);
    ck_assert_int_eq(kiln_face_crop(&image, &face, 0, CROP, crop, &error), KILN_ERROR_ARGUMENT);
}
END_TEST

START_TEST(an_input_gets_what_the_crop_shows) {
    kiln_face face = face_at(0.2, 1.4, 180, 200);
    kiln_tensor_info input = {
        .name = "x", .dtype = KILN_F32, .rank = 4, .dims = {1, 3, CROP, CROP}};
    kiln_preprocess bgr = {.present = true, .bgr = true, .scale = {0.5F, 1, 2}, .bias = {0, 0, -3}};
    static float out[2 * 3 * CROP * CROP];
    static uint8_t crop[CROP * CROP * 3];
    draw_ramps();
    ck_assert_int_eq(kiln_face_crop(&image, &face, CROP, CROP, crop, &error), KILN_OK);
    kiln_buffer buffer = {out, sizeof out};
    ck_assert_int_eq(kiln_face_to_input(&image, &face, &input, &bgr, 1, buffer, &error), KILN_OK);
    const float *second = out + 3 * CROP_PIXELS;
    for (size_t k = 0; k < CROP_PIXELS; k++) {
        ck_assert_float_eq(second[k], (float)crop[k * 3 + 2] * 0.5F);
        ck_assert_float_eq(second[2 * CROP_PIXELS + k], (float)crop[k * 3] * 2 - 3);
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("alignment", a_face_of_any_pose_comes_to_the_template, poses),
        TEST("alignment", eyes_are_sorted),
        TEST("alignment", what_is_reduced_is_averaged),
        TEST("alignment", without_points_it_is_the_square_and_a_fifth),
        TEST("alignment", faces_that_are_none_are_refused),
        TEST("alignment", an_input_gets_what_the_crop_shows),
    };
    return SUITE("faces", tests);
}
