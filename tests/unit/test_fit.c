/* Images to a detector's input: letterboxed by a triangle, after means of squares where much is
 * reduced. */
#include "runtime/base/allocator.h"
#include "runtime/faces/detector.h"
#include "runtime/ukernels/ukernels.h"
#include "tests/unit/suite.h"

#include <math.h>

static kiln_error error;

enum { FIT_SIDE = 48, WIDEST = 3000, HIGHEST = 300 };
typedef struct fit_case {
    uint32_t width, height;
} fit_case;
static const fit_case fits[] = {{48, 48},    {20, 33},       {49, 49},     {100, 80},
                                {47, 5},     {130, HIGHEST}, {WIDEST, 40}, {1100, 299},
                                {WIDEST, 1}, {2, HIGHEST},   {1, 1},       {199, 200}};

static uint8_t fit_rgb[WIDEST * HIGHEST * 3];

static uint8_t noise_at(uint64_t k) { /* SplitMix64 */
    k = (k + 1) * 0x9e3779b97f4a7c15u;
    k = (k ^ k >> 30) * 0xbf58476d1ce4e5b9u;
    return (uint8_t)(k >> 33);
}

static void draw(const fit_case *c) {
    for (size_t k = 0; k < (size_t)c->width * c->height * 3; k++) {
        fit_rgb[k] = noise_at(k);
    }
}

START_TEST(an_image_fits_into_the_upper_left) {
    static float expected[FIT_SIDE * FIT_SIDE * 3];
    fit f = {0};
    const fit_case *c = &fits[_i];
    kiln_image image = {.format = KILN_IMAGE_RGB,
                        .width = c->width,
                        .height = c->height,
                        .pixels = fit_rgb,
                        .stride = (size_t)c->width * 3};
    image_view view;
    double factors[2];
    draw(c);
    ck_assert(fit_make(default_allocator(), &f, FIT_SIDE, FIT_SIDE));
    ck_assert_int_eq(image_view_of(&image, &view, &error), KILN_OK);
    for (uint32_t k = 0; k < FIT_SIDE * FIT_SIDE * 3; k++) {
        f.rgb[k] = -1; /* of an image before */
    }
    fit_image(&f, &(fit_part){&view, 0, 0, c->width, c->height}, 1, factors);
    uint32_t width = (uint32_t)lrint(c->width * factors[0]);
    uint32_t height = (uint32_t)lrint(c->height * factors[1]);
    ck_assert_uint_eq(width > height ? width : height, FIT_SIDE);
    kiln_image_scaling scaling = {width, height, 0, 0, width, height};
    ck_assert_int_eq(kiln_image_scale(&image, &scaling, expected, &error), KILN_OK);
    for (uint32_t k = 0; k < FIT_SIDE * FIT_SIDE * 3; k++) {
        uint32_t x = k / 3 % FIT_SIDE, y = k / 3 / FIT_SIDE;
        float wanted = x < width && y < height ? expected[(y * width + x) * 3 + k % 3] : 0;
        ck_assert_float_eq_tol(f.rgb[k], wanted, 2e-3F);
    }
    fit_free(&f);
}
END_TEST

START_TEST(other_formats_fit_likewise) {
    static uint8_t bgra[200 * 150 * 4];
    const fit_case c = {150, 200};
    kiln_image rgb = {.format = KILN_IMAGE_RGB,
                      .width = c.width,
                      .height = c.height,
                      .pixels = fit_rgb,
                      .stride = (size_t)c.width * 3};
    kiln_image turned = {.format = KILN_IMAGE_BGRA,
                         .width = c.height,
                         .height = c.width,
                         .pixels = bgra,
                         .stride = (size_t)c.height * 4};
    turned.rotation = 90;
    double factors[2];
    fit a = {0}, b = {0};
    ck_assert(fit_make(default_allocator(), &a, FIT_SIDE, FIT_SIDE) &&
              fit_make(default_allocator(), &b, FIT_SIDE, FIT_SIDE));
    draw(&c);
    for (size_t y = 0; y < c.height; y++) {
        for (size_t x = 0; x < c.width; x++) {
            const uint8_t *from = fit_rgb + (y * c.width + x) * 3;
            uint8_t *to = bgra + ((c.width - 1 - x) * c.height + y) * 4;
            to[0] = from[2], to[1] = from[1], to[2] = from[0];
        }
    }
    image_view views[2];
    ck_assert_int_eq(image_view_of(&rgb, &views[0], &error), KILN_OK);
    ck_assert_int_eq(image_view_of(&turned, &views[1], &error), KILN_OK);
    fit_image(&a, &(fit_part){&views[0], 0, 0, c.width, c.height}, 1, factors);
    fit_image(&b, &(fit_part){&views[1], 0, 0, c.width, c.height}, 1, factors);
    ck_assert_mem_eq(a.rgb, b.rgb, sizeof *a.rgb * FIT_SIDE * FIT_SIDE * 3);
    fit_free(&a);
    fit_free(&b);
}
END_TEST

/* Any factor, those beyond what is worked at a time too, against sums of whole numbers. */
typedef struct reduce_case {
    uint32_t left, top, width, height, factor;
} reduce_case;
static const reduce_case reductions[] = {{0, 0, 9, 9, 3},
                                         {2, 1, 10, 8, 3},
                                         {5, 0, WIDEST - 5, 7, 2},
                                         {0, 3, WIDEST, 290, 290},
                                         {1, 0, WIDEST - 1, 3, 1500},
                                         {0, 0, 5, 5, 4000}};

START_TEST(squares_become_their_means) {
    static image_reduction_work work;
    static float totals[WIDEST * 3];
    static uint8_t buffer[WIDEST * 3];
    const reduce_case *c = &reductions[_i];
    kiln_image image = {.format = KILN_IMAGE_RGB,
                        .width = WIDEST,
                        .height = HIGHEST,
                        .pixels = fit_rgb,
                        .stride = (size_t)WIDEST * 3};
    image_view view;
    draw(&(fit_case){WIDEST, HIGHEST});
    ck_assert_int_eq(image_view_of(&image, &view, &error), KILN_OK);
    image_reduction r = {&view, c->left, c->top, c->width, c->height, c->factor};
    for (uint32_t y = 0; y < image_reduced(c->height, c->factor); y++) {
        const uint8_t *row = image_reduced_row(&r, y, &work, totals, buffer);
        for (uint32_t k = 0; k < image_reduced(c->width, c->factor) * 3; k++) {
            uint64_t sum = 0, count = 0;
            for (uint32_t v = y * c->factor; v < (y + 1) * c->factor && v < c->height; v++) {
                uint32_t begin = k / 3 * c->factor;
                for (uint32_t u = begin; u < begin + c->factor && u < c->width; u++, count++) {
                    sum += fit_rgb[((size_t)(c->top + v) * WIDEST + c->left + u) * 3 + k % 3];
                }
            }
            ck_assert_double_le(fabs(row[k] - (double)sum / (double)count), 0.501);
        }
    }
}
END_TEST

/* Against plain loops; nothing is written beyond. */
START_TEST(rows_are_worked_alike_by_every_set_of_instructions) {
    enum { PIXELS = 70, NUMBERS = PIXELS * 3 };
    static uint8_t bytes[NUMBERS];
    static uint16_t shorts[NUMBERS];
    static float row[NUMBERS + 1], out[NUMBERS + 1], planes[3][NUMBERS];
    const size_t first[] = {0, 7, 66};
    const float weights[] = {0.5F, 0.25F, 0.125F, 1, 2, 3, 4, 5, 6};
    const double scale[] = {0.5, 2, -1}, bias[] = {1, 0, 0.25};
    for (size_t set = 0; ukernels_at(set) != NULL; set++) {
        const image_ukernels *u = ukernels_image(ukernels_at(set));
        for (size_t k = 0; k < NUMBERS; k++) {
            bytes[k] = (uint8_t)(k * 37), shorts[k] = (uint16_t)(k * 11),
            row[k] = (float)(k * 13 % 97);
        }
        u->add_bytes(bytes, bytes, NUMBERS - 1, shorts);
        ck_assert_uint_eq(shorts[NUMBERS - 1], 2299);
        ck_assert_uint_eq(shorts[130], 130 * 11 + bytes[130]);
        out[NUMBERS] = -1;
        u->scale_row(row, first, weights, 3, 3, out);
        u->add_shorts(shorts, NUMBERS - 9, out + 9);
        for (size_t k = 0; k < 9; k++) {
            double sum = 0;
            for (size_t t = 0; t < 3; t++) {
                sum += (double)weights[k / 3 * 3 + t] * (double)row[(first[k / 3] + t) * 3 + k % 3];
            }
            ck_assert_double_eq((double)out[k], sum);
        }
        ck_assert_float_eq(out[NUMBERS], -1);
        memset(out, 0, sizeof out);
        u->add_groups(row, 4, 17, out);
        ck_assert_float_eq(out[50], row[194] + row[197] + row[200] + row[203]);
        ck_assert_float_eq(out[51], 0);
        u->round_bytes(row, 0.5F, NUMBERS - 1, bytes);
        ck_assert_uint_eq(bytes[11], (uint8_t)(row[11] * 0.5F + 0.5F));
        ck_assert_uint_eq(bytes[NUMBERS - 1], (uint8_t)(209 * 37));
        u->store_planes(row, PIXELS, scale, bias, planes[0], planes[1], planes[2]);
        for (size_t k = 0; k < NUMBERS; k++) {
            double x = (double)row[k] * scale[k % 3] + bias[k % 3];
            ck_assert_float_eq(planes[k % 3][k / 3], (float)x);
        }
    }
}
END_TEST

START_TEST(rows_are_added_by_every_set_of_instructions) {
    enum { NUMBERS = 77 };
    uint8_t upper[NUMBERS], lower[NUMBERS];
    float sums[NUMBERS + 1];
    for (size_t k = 0; k < NUMBERS; k++) {
        upper[k] = (uint8_t)(k * 37), lower[k] = (uint8_t)(255 - k * 11);
    }
    for (size_t set = 0; ukernels_at(set) != NULL; set++) {
        for (size_t count = 0; count <= NUMBERS; count++) {
            for (size_t k = 0; k <= NUMBERS; k++) {
                sums[k] = 2;
            }
            ukernels_image(ukernels_at(set))->add_rows(upper, lower, 0.25F, 3, count, sums);
            for (size_t k = 0; k <= NUMBERS; k++) {
                double sum = k < count ? 2 + upper[k] * 0.25 + lower[k] * 3.0 : 2;
                ck_assert_double_eq((double)sums[k], sum);
            }
        }
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("fit", an_image_fits_into_the_upper_left, fits),
        TEST("fit", other_formats_fit_likewise),
        EACH("squares", squares_become_their_means, reductions),
        TEST("rows", rows_are_worked_alike_by_every_set_of_instructions),
        TEST("rows", rows_are_added_by_every_set_of_instructions),
    };
    return SUITE("fit", tests);
}
