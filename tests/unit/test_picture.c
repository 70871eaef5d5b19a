/* Pictures of every kind that people have, made here with the codecs' own writers: decoding,
 * turning by EXIF, damage, limits; and variants for training. */
#include "compiler/cli/data/augment.h"
#include "compiler/cli/picture.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

#define WIDTH ((size_t)24)
#define HEIGHT ((size_t)16)

static kiln_error error;

/* Left half of one colour, right half of another: survives compression. */
static void paint(uint8_t *samples, size_t channels, const uint8_t *left, const uint8_t *right) {
    for (size_t k = 0; k < WIDTH * HEIGHT; k++) {
        memcpy(samples + k * channels, k % WIDTH < WIDTH / 2 ? left : right, channels);
    }
}

static void check_pixel(const rgb_picture *picture, uint32_t x, uint32_t y, int r, int g, int b,
                        int tolerance) {
    const uint8_t *p = picture->rgb + ((size_t)y * picture->width + x) * 3;
    ck_assert_msg(abs(p[0] - r) <= tolerance && abs(p[1] - g) <= tolerance &&
                      abs(p[2] - b) <= tolerance,
                  "%d %d %d where %d %d %d was expected", p[0], p[1], p[2], r, g, b);
}

/* ---- JPEG ---------------------------------------------------------------------------------- */

/* TIFF header, one entry: tag 0x112, short, orientation. */
#define EXIF_BYTES 32
static void make_exif(int orientation, uint8_t out[EXIF_BYTES]) {
    static const uint8_t exif[EXIF_BYTES] = {'E', 'x', 'i', 'f', 0,    0, 'I', 'I', 42, 0, 8, 0,
                                             0,   0,   1,   0,   0x12, 1, 3,   0,   1,  0, 0, 0};
    memcpy(out, exif, EXIF_BYTES);
    out[24] = (uint8_t)orientation;
}

/* orientation: 0 for none; XMP stands before EXIF, as some editors write it. */
static kiln_span make_jpeg(J_COLOR_SPACE space, size_t channels, const uint8_t *left,
                           const uint8_t *right, int orientation) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    uint8_t samples[WIDTH * HEIGHT * 4];
    paint(samples, channels, left, right);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = WIDTH;
    jpeg.image_height = HEIGHT;
    jpeg.input_components = (int)channels;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 95, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    static const uint8_t xmp[] = "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>";
    uint8_t exif[EXIF_BYTES];
    make_exif(orientation, exif);
    if (orientation > 0) {
        jpeg_write_marker(&jpeg, JPEG_APP0 + 1, xmp, sizeof xmp);
        jpeg_write_marker(&jpeg, JPEG_APP0 + 1, exif, sizeof exif);
    }
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = samples + jpeg.next_scanline * WIDTH * channels;
        (void)jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return (kiln_span){bytes, size};
}

START_TEST(decodes_colour_and_gray_jpeg) {
    rgb_picture picture;
    kiln_span bytes = make_jpeg(JCS_RGB, 3, (uint8_t[]){200, 40, 60}, (uint8_t[]){10, 180, 90}, 0);
    ck_assert_int_eq(picture_decode(bytes, &picture, &error), KILN_OK);
    ck_assert(picture.width == WIDTH && picture.height == HEIGHT);
    check_pixel(&picture, 2, 2, 200, 40, 60, 6);
    check_pixel(&picture, 21, 12, 10, 180, 90, 6);
    picture_free(&picture);
    free((void *)(uintptr_t)bytes.data);
    bytes = make_jpeg(JCS_GRAYSCALE, 1, (uint8_t[]){30}, (uint8_t[]){220}, 0);
    ck_assert_int_eq(picture_decode(bytes, &picture, &error), KILN_OK);
    check_pixel(&picture, 2, 2, 30, 30, 30, 4);
    picture_free(&picture);
    free((void *)(uintptr_t)bytes.data);
}
END_TEST

START_TEST(decodes_cmyk_jpeg) {
    rgb_picture picture;
    /* As Adobe writes CMYK, inverted: 255 is no ink. */
    kiln_span bytes =
        make_jpeg(JCS_CMYK, 4, (uint8_t[]){255, 255, 255, 255}, (uint8_t[]){255, 0, 0, 255}, 0);
    ck_assert_int_eq(picture_decode(bytes, &picture, &error), KILN_OK);
    check_pixel(&picture, 2, 2, 255, 255, 255, 8);
    check_pixel(&picture, 21, 2, 255, 0, 0, 12);
    picture_free(&picture);
    free((void *)(uintptr_t)bytes.data);
}
END_TEST

START_TEST(turns_by_exif) {
    rgb_picture picture;
    /* 6: the camera's top is on the right; turned, the left half comes to the top. */
    kiln_span bytes = make_jpeg(JCS_RGB, 3, (uint8_t[]){250, 10, 10}, (uint8_t[]){10, 10, 250}, 6);
    ck_assert_int_eq(picture_decode(bytes, &picture, &error), KILN_OK);
    ck_assert(picture.width == HEIGHT && picture.height == WIDTH);
    check_pixel(&picture, 8, 2, 250, 10, 10, 12);
    check_pixel(&picture, 8, 21, 10, 10, 250, 12);
    picture_free(&picture);
    free((void *)(uintptr_t)bytes.data);
}
END_TEST

/* Where EXIF 2.3 says that the first pixel lies: of 2x3 pixels 0..5, row by row, what a viewer
 * shows. */
START_TEST(turns_every_way) {
    static const uint8_t shown[9][6] = {{0},
                                        {0, 1, 2, 3, 4, 5},
                                        {1, 0, 3, 2, 5, 4},
                                        {5, 4, 3, 2, 1, 0},
                                        {4, 5, 2, 3, 0, 1},
                                        {0, 2, 4, 1, 3, 5},
                                        {4, 2, 0, 5, 3, 1},
                                        {5, 3, 1, 4, 2, 0},
                                        {1, 3, 5, 0, 2, 4}};
    for (unsigned orientation = 1; orientation <= 8; orientation++) {
        rgb_picture picture;
        ck_assert_int_eq(picture_allocate(&picture, 2, 3, &error), KILN_OK);
        for (uint8_t k = 0; k < 18; k++) {
            picture.rgb[k] = k / 3;
        }
        ck_assert_int_eq(picture_orient(&picture, orientation, &error), KILN_OK);
        ck_assert_uint_eq(picture.width, orientation < 5 ? 2 : 3);
        for (size_t k = 0; k < 6; k++) {
            ck_assert_uint_eq(picture.rgb[k * 3], shown[orientation][k]);
        }
        picture_free(&picture);
    }
}
END_TEST

/* ---- PNG ----------------------------------------------------------------------------------- */

typedef struct png_bytes {
    uint8_t data[8192];
    size_t size;
} png_bytes;

static void take_png(png_structp png, png_bytep data, size_t size) {
    png_bytes *out = png_get_io_ptr(png);
    ck_assert(out->size + size <= sizeof out->data);
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

static void make_turned_png(int bits, int type, const uint8_t *left, const uint8_t *right,
                            size_t pixel_bytes, int orientation, png_bytes *out) {
    static const png_color palette[2] = {{9, 99, 199}, {250, 150, 50}};
    uint8_t samples[WIDTH * HEIGHT * 8];
    paint(samples, pixel_bytes, left, right);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    out->size = 0;
    png_set_write_fn(png, out, take_png, NULL);
    png_set_IHDR(png, info, WIDTH, HEIGHT, bits, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        png_set_PLTE(png, info, palette, 2);
    }
    if (orientation > 0) {
        uint8_t exif[EXIF_BYTES];
        make_exif(orientation, exif);
        png_set_eXIf_1(png, info, EXIF_BYTES - 6, exif + 6);
    }
    png_write_info(png, info);
    for (size_t y = 0; y < HEIGHT; y++) {
        png_write_row(png, samples + y * WIDTH * pixel_bytes);
    }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
}

static void make_png(int bits, int type, const uint8_t *left, const uint8_t *right,
                     size_t pixel_bytes, png_bytes *out) {
    make_turned_png(bits, type, left, right, pixel_bytes, 0, out);
}

static void check_png(const png_bytes *bytes, int r, int g, int b) {
    rgb_picture picture;
    ck_assert_msg(picture_decode((kiln_span){bytes->data, bytes->size}, &picture, &error) ==
                      KILN_OK,
                  "%s", error.message);
    check_pixel(&picture, 1, 1, r, g, b, 1);
    picture_free(&picture);
}

START_TEST(decodes_every_kind_of_png) {
    png_bytes bytes;
    make_png(8, PNG_COLOR_TYPE_RGB, (uint8_t[]){1, 2, 3}, (uint8_t[]){4, 5, 6}, 3, &bytes);
    check_png(&bytes, 1, 2, 3);
    make_png(16, PNG_COLOR_TYPE_RGB, (uint8_t[]){128, 7, 64, 9, 32, 200},
             (uint8_t[]){4, 5, 6, 7, 8, 9}, 6, &bytes);
    check_png(&bytes, 128, 64, 32);
    make_png(8, PNG_COLOR_TYPE_PALETTE, (uint8_t[]){1}, (uint8_t[]){0}, 1, &bytes);
    check_png(&bytes, 250, 150, 50);
    make_png(8, PNG_COLOR_TYPE_GRAY, (uint8_t[]){77}, (uint8_t[]){0}, 1, &bytes);
    check_png(&bytes, 77, 77, 77);
    make_png(8, PNG_COLOR_TYPE_RGB_ALPHA, (uint8_t[]){10, 20, 30, 0}, (uint8_t[]){4, 5, 6, 255}, 4,
             &bytes);
    check_png(&bytes, 10, 20, 30); /* alpha is ignored, as loaders of training data do */
}
END_TEST

/* ---- Damage and limits --------------------------------------------------------------------- */

START_TEST(turns_png_by_exif) {
    rgb_picture picture;
    png_bytes bytes;
    make_turned_png(8, PNG_COLOR_TYPE_RGB, (uint8_t[]){250, 10, 10}, (uint8_t[]){10, 10, 250}, 3, 6,
                    &bytes);
    ck_assert_int_eq(picture_decode((kiln_span){bytes.data, bytes.size}, &picture, &error),
                     KILN_OK);
    ck_assert(picture.width == HEIGHT && picture.height == WIDTH);
    check_pixel(&picture, 8, 2, 250, 10, 10, 0);
    check_pixel(&picture, 8, 21, 10, 10, 250, 0);
    picture_free(&picture);
}
END_TEST

START_TEST(refuses_damaged_pictures) {
    png_bytes png;
    rgb_picture picture;
    kiln_span jpeg = make_jpeg(JCS_RGB, 3, (uint8_t[]){200, 40, 60}, (uint8_t[]){10, 180, 90}, 0);
    make_png(8, PNG_COLOR_TYPE_RGB, (uint8_t[]){1, 2, 3}, (uint8_t[]){4, 5, 6}, 3, &png);
    for (size_t size = 0; size < png.size; size += 7) {
        if (picture_decode((kiln_span){png.data, size}, &picture, &error) == KILN_OK) {
            picture_free(&picture); /* all rows were there: only the end is missing */
            ck_assert_uint_gt(size, png.size - 24);
        }
    }
    for (size_t size = 0; size < jpeg.size / 2; size += 5) {
        ck_assert_int_ne(picture_decode((kiln_span){jpeg.data, size}, &picture, &error), KILN_OK);
        ck_assert_ptr_null(picture.rgb);
    }
    free((void *)(uintptr_t)jpeg.data);
    static const char huge[] = "P6 4000000000 4000000000 255\n";
    ck_assert_int_ne(picture_decode((kiln_span){huge, sizeof huge}, &picture, &error), KILN_OK);
    static const char wide[] = "P5 20001 1 255\n";
    ck_assert_int_ne(picture_decode((kiln_span){wide, sizeof wide}, &picture, &error), KILN_OK);
    png.data[16] = 0x7f; /* the width: two thousand million */
    ck_assert_int_ne(picture_decode((kiln_span){png.data, png.size}, &picture, &error), KILN_OK);
}
END_TEST

START_TEST(decodes_pnm) {
    rgb_picture picture;
    static const char gray[] = "P5\n# made by hand\n2 1\n# 8 bits\n255\n\x10\xf0";
    ck_assert_int_eq(picture_decode((kiln_span){gray, sizeof gray - 1}, &picture, &error), KILN_OK);
    check_pixel(&picture, 0, 0, 16, 16, 16, 0);
    check_pixel(&picture, 1, 0, 240, 240, 240, 0);
    picture_free(&picture);
    static const char colour[] = "P3 1 1 255 7 8 9";
    if (picture_decode((kiln_span){colour, sizeof colour - 1}, &picture, &error) == KILN_OK) {
        check_pixel(&picture, 0, 0, 7, 8, 9, 0);
        picture_free(&picture);
    }
}
END_TEST

/* ---- Variants ------------------------------------------------------------------------------ */

START_TEST(variants_are_seeded) {
    uint8_t pixels[WIDTH * HEIGHT * 3];
    rgb_picture picture = {(uint32_t)WIDTH, (uint32_t)HEIGHT, pixels}, a, b, c;
    unsigned kinds;
    paint(pixels, 3, (uint8_t[]){200, 100, 50}, (uint8_t[]){20, 40, 80});
    ck_assert_int_eq(augment_parse("mirror,flip,shift,rotate,light,noise", &kinds, &error),
                     KILN_OK);
    ck_assert_uint_eq(kinds, AUGMENT_ALL);
    ck_assert_int_eq(augment_parse("flip,sharpen", &kinds, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(augment_picture(&picture, AUGMENT_ALL, 3, &a, &error), KILN_OK);
    ck_assert_int_eq(augment_picture(&picture, AUGMENT_ALL, 3, &b, &error), KILN_OK);
    ck_assert_int_eq(augment_picture(&picture, AUGMENT_ALL, 4, &c, &error), KILN_OK);
    ck_assert_int_eq(memcmp(a.rgb, b.rgb, sizeof pixels), 0);
    ck_assert_int_ne(memcmp(a.rgb, c.rgb, sizeof pixels), 0);
    picture_free(&a);
    picture_free(&b);
    picture_free(&c);
    /* Nothing asked for: nothing changes. */
    ck_assert_int_eq(augment_picture(&picture, 0, 5, &a, &error), KILN_OK);
    ck_assert_int_eq(memcmp(a.rgb, pixels, sizeof pixels), 0);
    picture_free(&a);
    /* A flip alone exchanges the halves, or leaves them. */
    bool flipped = false, kept = false;
    for (uint64_t seed = 0; seed < 16; seed++) {
        ck_assert_int_eq(augment_picture(&picture, AUGMENT_FLIP, seed, &a, &error), KILN_OK);
        flipped = flipped || a.rgb[0] == 20;
        kept = kept || a.rgb[0] == 200;
        picture_free(&a);
    }
    ck_assert(flipped && kept);
    /* A mirror image is one whatever the seed. */
    ck_assert_int_eq(augment_parse("mirror", &kinds, &error), KILN_OK);
    ck_assert_int_eq(augment_picture(&picture, kinds, 7, &a, &error), KILN_OK);
    for (size_t k = 0; k < sizeof pixels; k++) {
        size_t x = k / 3 % WIDTH, mirrored = k + (WIDTH - 1 - 2 * x) * 3;
        ck_assert_uint_eq(a.rgb[k], pixels[mirrored]);
    }
    picture_free(&a);
    ck_assert_int_eq(augment_parse("none", &kinds, &error), KILN_OK);
    ck_assert_uint_eq(kinds, 0);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("jpeg", decodes_colour_and_gray_jpeg),
        TEST("jpeg", decodes_cmyk_jpeg),
        TEST("exif", turns_by_exif),
        TEST("exif", turns_every_way),
        TEST("exif", turns_png_by_exif),
        TEST("png", decodes_every_kind_of_png),
        TEST("pnm", decodes_pnm),
        TEST("damage", refuses_damaged_pictures),
        TEST("augmentation", variants_are_seeded),
    };
    return SUITE("picture", tests);
}
