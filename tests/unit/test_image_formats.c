/* Formats of pixels, crop, rotation and mirror (kiln/image.h): what is seen, against plain
 * formulas. */
#include "tests/unit/suite.h"

#include <kiln/image.h>

#include <math.h>
#include <string.h>

enum {
    WIDTH = 7,
    HEIGHT = 5,
    PIXELS = WIDTH * HEIGHT,
    VALUES = PIXELS * 3,
    STRIDE = 40,
    ROOM = STRIDE * HEIGHT * 3
};

static kiln_error error;
static uint8_t memory[ROOM];

static void fill(void) {
    for (size_t k = 0; k < sizeof memory; k++) {
        memory[k] = (uint8_t)(k * 89 + k / 7 * 31);
    }
}

static kiln_image frame(kiln_image_format format) {
    return (kiln_image){
        .format = format, .width = WIDTH, .height = HEIGHT, .pixels = memory, .stride = STRIDE};
}

/* What is seen, unscaled, row by row. */
static void see(const kiln_image *image, float *out_rgb, uint32_t *out_width,
                uint32_t *out_height) {
    ck_assert_int_eq(kiln_image_size(image, out_width, out_height, &error), KILN_OK);
    kiln_image_scaling all = {*out_width, *out_height, 0, 0, *out_width, *out_height};
    ck_assert_int_eq(kiln_image_scale(image, &all, out_rgb, &error), KILN_OK);
}

static const struct {
    kiln_image_format format;
    size_t bytes, channel[3];
} packed[] = {{KILN_IMAGE_RGB, 3, {0, 1, 2}},
              {KILN_IMAGE_BGR, 3, {2, 1, 0}},
              {KILN_IMAGE_RGBA, 4, {0, 1, 2}},
              {KILN_IMAGE_BGRA, 4, {2, 1, 0}},
              {KILN_IMAGE_GRAY, 1, {0, 0, 0}}};

START_TEST(packed_pixels_are_red_green_blue) {
    kiln_image image = frame(packed[_i].format);
    float rgb[VALUES];
    uint32_t width, height;
    see(&image, rgb, &width, &height);
    ck_assert_uint_eq(width, WIDTH);
    ck_assert_uint_eq(height, HEIGHT);
    for (size_t k = 0; k < VALUES; k++) {
        size_t y = k / 3 / WIDTH, x = k / 3 % WIDTH;
        size_t at = y * STRIDE + x * packed[_i].bytes + packed[_i].channel[k % 3];
        ck_assert_float_eq(rgb[k], memory[at]);
    }
}
END_TEST

/* ---- Luma and chroma ----------------------------------------------------------------------- */

/* By the definition: Kr and Kb, and the range of luma and chroma. */
static double channel_of(int colour, size_t c, double y, double cb, double cr) {
    double red = colour == KILN_COLOUR_BT709 ? 0.2126 : 0.299;
    double blue = colour == KILN_COLOUR_BT709 ? 0.0722 : 0.114, green = 1 - red - blue;
    double luma = colour == KILN_COLOUR_JPEG ? y : (y - 16) * 255 / 219;
    double range = colour == KILN_COLOUR_JPEG ? 1 : 255.0 / 224;
    double b = 2 * (1 - blue) * (cb - 128) * range, r = 2 * (1 - red) * (cr - 128) * range;
    double value = c == 0 ? luma + r : c == 2 ? luma + b : luma - (blue * b + red * r) / green;
    return fmin(fmax(value, 0), 255);
}

static const struct {
    kiln_image_format format;
    size_t cb, cr, step, stride; /* of chroma, from its beginning on */
} planes[] = {{KILN_IMAGE_NV12, 0, 1, 2, STRIDE},
              {KILN_IMAGE_NV21, 1, 0, 2, STRIDE},
              {KILN_IMAGE_I420, 0, 3 * STRIDE / 2, 1, STRIDE / 2}};

static void check_planes(const kiln_image *image, int which, size_t stride) {
    size_t start = (size_t)STRIDE * HEIGHT;
    float rgb[VALUES];
    uint32_t width, height;
    see(image, rgb, &width, &height);
    for (size_t k = 0; k < VALUES; k++) {
        size_t y = k / 3 / WIDTH, x = k / 3 % WIDTH;
        size_t at = start + y / 2 * stride + x / 2 * planes[which].step;
        double wanted = channel_of((int)image->colour, k % 3, memory[y * STRIDE + x],
                                   memory[at + planes[which].cb], memory[at + planes[which].cr]);
        ck_assert_double_eq_tol((double)rgb[k], wanted, 0.51);
    }
}

START_TEST(chroma_gives_colour) {
    for (int colour = KILN_COLOUR_JPEG; colour <= KILN_COLOUR_BT709; colour++) {
        kiln_image image = frame(planes[_i].format);
        image.colour = (kiln_image_colour)colour;
        check_planes(&image, _i, planes[_i].stride);
        /* The same, told where the planes are. */
        const uint8_t *start = memory + (size_t)STRIDE * HEIGHT;
        image.chroma[0] = start;
        image.chroma[1] = start + planes[_i].cr;
        image.chroma_stride = planes[_i].stride;
        check_planes(&image, _i, planes[_i].stride);
    }
}
END_TEST

/* ---- What is seen -------------------------------------------------------------------------- */

/* The stored pixel that is seen at x, y of w x h (as stored). */
static size_t stored(uint32_t rotation, bool mirrored, size_t w, size_t h, size_t x, size_t y) {
    bool lies = rotation % 180 != 0;
    size_t seen_width = lies ? h : w;
    x = mirrored ? seen_width - 1 - x : x;
    switch (rotation) {
    case 0:
        return y * w + x;
    case 90: /* the stored left column, from below, is the first row */
        return (h - 1 - x) * w + y;
    case 180:
        return (h - 1 - y) * w + (w - 1 - x);
    default:
        return x * w + (w - 1 - y);
    }
}

START_TEST(crop_rotation_and_mirror_agree_with_moving_pixels) {
    static const kiln_image_format formats[] = {KILN_IMAGE_RGB, KILN_IMAGE_RGBA, KILN_IMAGE_NV21};
    for (uint32_t turn = 0; turn < 16; turn++) {
        kiln_image plain = frame(formats[_i]), turned = plain;
        bool crops = (turn & 8) != 0;
        turned.rotation = turn % 4 * 90;
        turned.mirror = (turn & 4) != 0;
        if (crops) {
            turned.crop.left = 1;
            turned.crop.top = 2;
            turned.crop.width = 4;
            turned.crop.height = 3;
        }
        float all[VALUES], seen[PIXELS * 3];
        uint32_t width, height;
        see(&plain, all, &width, &height);
        see(&turned, seen, &width, &height);
        size_t w = crops ? 4 : WIDTH, h = crops ? 3 : HEIGHT;
        ck_assert_uint_eq(width, turn % 2 != 0 ? h : w);
        for (size_t k = 0; k < w * h; k++) {
            size_t at = stored(turned.rotation, turned.mirror, w, h, k % width, k / width);
            size_t x = at % w + (crops ? 1 : 0), y = at / w + (crops ? 2 : 0);
            ck_assert_mem_eq(seen + k * 3, all + (y * WIDTH + x) * 3, 3 * sizeof *seen);
        }
    }
}
END_TEST

START_TEST(scaling_takes_what_is_seen) {
    uint8_t upright[VALUES];
    kiln_image lying = frame(KILN_IMAGE_BGR);
    lying.rotation = 90;
    float rgb[VALUES], a[3 * 4 * 6], b[3 * 4 * 6];
    uint32_t width, height;
    see(&lying, rgb, &width, &height);
    for (size_t k = 0; k < VALUES; k++) {
        upright[k] = (uint8_t)rgb[k];
    }
    kiln_image moved = {.format = KILN_IMAGE_RGB,
                        .width = width,
                        .height = height,
                        .pixels = upright,
                        .stride = (size_t)width * 3};
    kiln_tensor_info input = {
        .name = "x", .dtype = KILN_F32, .rank = 3, .dims = {3, 4, 6}, .bytes = sizeof a};
    kiln_preprocess crop = {.present = true,
                            .resize = KILN_RESIZE_CENTRE_CROP,
                            .crop_fraction = 0.9F,
                            .scale = {1, 1, 1, 1}};
    ck_assert_int_eq(
        kiln_image_to_input(&lying, &input, &crop, 0, (kiln_buffer){a, sizeof a}, &error), KILN_OK);
    ck_assert_int_eq(
        kiln_image_to_input(&moved, &input, &crop, 0, (kiln_buffer){b, sizeof b}, &error), KILN_OK);
    ck_assert_mem_eq(a, b, sizeof a);
}
END_TEST

START_TEST(what_is_not_sound_is_refused) {
    kiln_image bad[9];
    uint32_t width, height;
    for (size_t k = 0; k < 9; k++) {
        bad[k] = frame(KILN_IMAGE_NV12);
    }
    bad[0].format = (kiln_image_format)9;
    bad[1].rotation = 45;
    bad[2].rotation = 360;
    bad[3].crop.width = 3; /* and no height */
    bad[4].crop.left = 5;
    bad[4].crop.width = 3;
    bad[4].crop.height = 1;
    bad[5].crop.width = WIDTH + 1;
    bad[5].crop.height = 1;
    bad[6].chroma_stride = 7; /* four pairs take 8 */
    bad[7].colour = (kiln_image_colour)3;
    bad[8].stride = WIDTH - 1;
    for (size_t k = 0; k < 9; k++) {
        ck_assert_int_eq(kiln_image_size(&bad[k], &width, &height, &error), KILN_ERROR_ARGUMENT);
    }
}
END_TEST

int main(void) {
    fill();
    const suite_test tests[] = {
        EACH("formats", packed_pixels_are_red_green_blue, packed),
        EACH("formats", chroma_gives_colour, planes),
        LOOP("view", crop_rotation_and_mirror_agree_with_moving_pixels, 0, 3),
        TEST("view", scaling_takes_what_is_seen),
        TEST("refused", what_is_not_sound_is_refused),
    };
    return SUITE("image_formats", tests);
}
