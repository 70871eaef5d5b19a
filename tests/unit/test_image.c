/* From pixels to a network's input (kiln/image.h): layouts, strides, types, and what is refused. */
#include "tests/unit/suite.h"

#include <kiln/half.h>
#include <kiln/image.h>

#include <check.h>
#include <math.h>
#include <string.h>

static kiln_error error;

/* Two rows of three pixels; two bytes that are none of them after each row. */
static const uint8_t pixels[] = {10, 20, 30, 40, 50, 60, 70,  80,  90,  1, 2, /**/
                                 0,  1,  2,  3,  4,  5,  255, 254, 253, 1, 2};
static const kiln_image image = {
    .format = KILN_IMAGE_RGB, .width = 3, .height = 2, .pixels = pixels, .stride = 11};
static const kiln_preprocess plain = {.present = true, .scale = {1, 1, 1, 1}};

static kiln_tensor_info input_of(kiln_dtype dtype, uint32_t rank, const uint32_t *dims) {
    kiln_tensor_info info = {.name = "x", .dtype = dtype, .rank = rank};
    info.bytes = kiln_dtype_size(dtype);
    for (uint32_t k = 0; k < rank; k++) {
        info.dims[k] = dims[k];
        info.bytes *= dims[k];
    }
    return info;
}

START_TEST(every_layout_gets_its_channels) {
    static const uint32_t first[] = {1, 3, 2, 3}, last[] = {4, 3, 3};
    kiln_tensor_info planes = input_of(KILN_F32, 4, first), packed = input_of(KILN_F32, 3, last);
    kiln_preprocess bgr = {.present = true, .bgr = true, .scale = {1, 2, 1}, .bias = {0, 0, 5}};
    float a[18], b[36];
    kiln_buffer to_planes = {a, sizeof a}, to_packed = {b, sizeof b};
    ck_assert_int_eq(kiln_image_to_input(&image, &planes, &plain, 0, to_planes, &error), KILN_OK);
    for (size_t k = 0; k < 18; k++) {
        size_t c = k / 6, y = k % 6 / 3, x = k % 3;
        ck_assert_float_eq(a[k], pixels[y * 11 + x * 3 + c]);
    }
    ck_assert_int_eq(kiln_image_to_input(&image, &packed, &bgr, 0, to_packed, &error), KILN_OK);
    ck_assert_float_eq(b[0], 30);
    ck_assert_float_eq(b[1], 20 * 2);
    ck_assert_float_eq(b[2], 10 + 5);
}
END_TEST

START_TEST(an_index_leaves_the_other_images_alone) {
    static const uint32_t dims[] = {1, 1, 2, 3};
    kiln_tensor_info gray = input_of(KILN_F32, 4, dims);
    float out[18];
    for (size_t k = 0; k < 18; k++) {
        out[k] = -7;
    }
    kiln_buffer buffer = {out, sizeof out};
    ck_assert_int_eq(kiln_image_to_input(&image, &gray, &plain, 1, buffer, &error), KILN_OK);
    for (size_t k = 0; k < 18; k++) {
        if (k < 6 || k >= 12) {
            ck_assert_float_eq(out[k], -7);
        }
    }
    ck_assert_float_eq_tol(out[6], 0.299F * 10 + 0.587F * 20 + 0.114F * 30, 1e-5F);
    ck_assert_int_eq(kiln_image_to_input(&image, &gray, &plain, 3, buffer, &error),
                     KILN_ERROR_ARGUMENT);
}
END_TEST

/* Zero was a quarter as an f16 once; integers are rounded and saturate. */
START_TEST(other_types_hold_the_nearest_value) {
    static const uint32_t dims[] = {3, 2, 3};
    kiln_preprocess shifted = {.present = true, .scale = {1, 1, 1}, .bias = {0.25F, -10, 100}};
    kiln_tensor_info half = input_of(KILN_F16, 3, dims), byte = input_of(KILN_U8, 3, dims);
    uint16_t f16[18];
    uint8_t u8[18];
    ck_assert_int_eq(
        kiln_image_to_input(&image, &half, &plain, 0, (kiln_buffer){f16, sizeof f16}, &error),
        KILN_OK);
    for (size_t k = 0; k < 18; k++) {
        size_t c = k / 6, y = k % 6 / 3, x = k % 3;
        ck_assert_float_eq(kiln_f32_from_f16(f16[k]), pixels[y * 11 + x * 3 + c]);
    }
    ck_assert_int_eq(
        kiln_image_to_input(&image, &byte, &shifted, 0, (kiln_buffer){u8, sizeof u8}, &error),
        KILN_OK);
    ck_assert_uint_eq(u8[0], 10);       /* 10.25 */
    ck_assert_uint_eq(u8[6 + 3], 0);    /* 1 - 10 */
    ck_assert_uint_eq(u8[12 + 5], 255); /* 253 + 100 */
}
END_TEST

/* Between two f16, a value just beside the middle goes to the nearer one, though as an f32 it is
 * the middle. */
START_TEST(a_double_is_rounded_to_f16_once) {
    double middle = 1 + 0x1p-11, beside = middle + 0x1p-40;
    ck_assert_uint_eq(kiln_f16_from_f64(middle), 0x3c00);
    ck_assert_uint_eq(kiln_f16_from_f64(beside), 0x3c01);
    ck_assert_uint_eq(kiln_f16_from_f64(-beside), 0xbc01);
    ck_assert_uint_eq(kiln_f16_from_f64(0), 0);
    ck_assert_uint_eq(kiln_f16_from_f64(65519.999999), 0x7bff);
    ck_assert_uint_eq(kiln_f16_from_f64(1e300), 0x7c00);
    ck_assert_uint_eq(kiln_f16_from_f64(-(double)INFINITY), 0xfc00);
    ck_assert_uint_eq(kiln_f16_from_f64(5e-324), 0);
}
END_TEST

START_TEST(the_centre_is_cropped) {
    static const uint32_t dims[] = {1, 3, 2, 2};
    kiln_tensor_info info = input_of(KILN_F32, 4, dims);
    kiln_preprocess crop = {
        .resize = KILN_RESIZE_CENTRE_CROP, .crop_fraction = 1, .scale = {1, 1, 1}};
    kiln_image_layout layout;
    ck_assert_int_eq(kiln_image_layout_of(&info, &layout, &error), KILN_OK);
    kiln_image_scaling s = kiln_image_scaling_of(&image, &layout, &crop);
    ck_assert_uint_eq(s.scaled_width, 3);
    ck_assert_uint_eq(s.scaled_height, 2);
    ck_assert_uint_eq(s.left, 0);
    float out[12];
    ck_assert_int_eq(
        kiln_image_to_input(&image, &info, &crop, 0, (kiln_buffer){out, sizeof out}, &error),
        KILN_OK);
    ck_assert_float_eq(out[0], 10);
    ck_assert_float_eq(out[3], 3);
}
END_TEST

START_TEST(what_is_not_sound_is_refused) {
    static const uint32_t dims[] = {3, 2, 3}, matrix[] = {5, 2, 7};
    kiln_tensor_info info = input_of(KILN_F32, 3, dims), other = input_of(KILN_F32, 3, matrix);
    float out[70];
    kiln_buffer buffer = {out, sizeof out}, small = {out, 17 * sizeof *out};
    kiln_image bad[5];
    for (size_t k = 0; k < 5; k++) {
        bad[k] = image;
    }
    bad[0].stride = 8;
    bad[1].width = 0;
    bad[2].height = 0;
    bad[3].pixels = NULL;
    memset(&bad[4].format, 0, sizeof bad[4].format);
    for (size_t k = 0; k < 5; k++) {
        ck_assert_int_eq(kiln_image_to_input(&bad[k], &info, &plain, 0, buffer, &error),
                         KILN_ERROR_ARGUMENT);
    }
    ck_assert_int_eq(kiln_image_to_input(&image, &info, &plain, 0, small, &error),
                     KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_image_to_input(&image, &other, &plain, 0, buffer, &error),
                     KILN_ERROR_ARGUMENT);
    kiln_image_scaling juts = {4, 4, 3, 0, 2, 2};
    ck_assert_int_eq(kiln_image_scale(&image, &juts, out, &error), KILN_ERROR_ARGUMENT);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("layouts", every_layout_gets_its_channels),
        TEST("layouts", an_index_leaves_the_other_images_alone),
        TEST("types", other_types_hold_the_nearest_value),
        TEST("types", a_double_is_rounded_to_f16_once),
        TEST("sizes", the_centre_is_cropped),
        TEST("refused", what_is_not_sound_is_refused),
    };
    return SUITE("image", tests);
}
