/* The codecs that Kiln may be built with, and BMP: kinds, orientation, damage, traps, want of
 * memory. Pixels beside Pillow's: tests/peers/pictures.py. */
#include "compiler/cli/picture.h"
#include "tests/encode.h"
#include "tests/unit/suite.h"

#include <check.h>

#define WIDTH ((size_t)48)
#define HEIGHT ((size_t)32)
#define PIXELS (WIDTH * HEIGHT)

static kiln_error error;
static encoded file;
static uint8_t rgb[PIXELS * 3]; /* red at the left, blue at the right */

static void paint(void) {
    for (size_t k = 0; k < PIXELS; k++) {
        bool left = k % WIDTH < WIDTH / 2;
        memcpy(rgb + k * 3, left ? (uint8_t[]){200, 40, 60} : (uint8_t[]){10, 80, 190}, 3);
    }
}

static kiln_status decode(rgb_picture *out_picture) {
    return picture_decode((kiln_span){file.data, file.size}, out_picture, &error);
}

static void check_pixel(const rgb_picture *picture, uint32_t x, uint32_t y, const uint8_t *expected,
                        int tolerance) {
    const uint8_t *p = picture->rgb + ((size_t)y * picture->width + x) * 3;
    for (int c = 0; c < 3; c++) {
        ck_assert_msg(abs(p[c] - expected[c]) <= tolerance, "%d %d %d where %d %d %d was expected",
                      p[0], p[1], p[2], expected[0], expected[1], expected[2]);
    }
}

/* The painted picture, upright or turned to the right (orientation 6: red comes to the top). */
static void check_painted(bool turned, int tolerance) {
    rgb_picture picture;
    ck_assert_msg(decode(&picture) == KILN_OK, "%s", error.message);
    ck_assert_uint_eq(picture.width, turned ? HEIGHT : WIDTH);
    ck_assert_uint_eq(picture.height, turned ? WIDTH : HEIGHT);
    check_pixel(&picture, 3, 3, rgb, tolerance);
    check_pixel(&picture, picture.width - 4, picture.height - 4, rgb + sizeof rgb - 3, tolerance);
    uint32_t x = turned ? picture.width - 4 : 3, y = turned ? 3 : picture.height - 4;
    check_pixel(&picture, x, y, rgb, tolerance);
    picture_free(&picture);
}

static void expect_refused(kiln_status status, const char *text) {
    rgb_picture picture;
    ck_assert_int_eq(decode(&picture), status);
    ck_assert_msg(strstr(error.message, text) != NULL, "'%s': %s", text, error.message);
    ck_assert_ptr_null(picture.rgb);
}

/* A file cut short is refused (or whole but for what the codec does not need), and never read past
 * its end: each piece lies in memory of its own. */
static void check_every_piece(size_t step) {
    for (size_t size = 0; size < file.size; size += step) {
        rgb_picture picture;
        uint8_t *piece = malloc(size + 1);
        memcpy(piece, file.data, size);
        error.message[0] = '\0';
        if (picture_decode((kiln_span){piece, size}, &picture, &error) == KILN_OK) {
            ck_assert_uint_gt(size, file.size * 3 / 4);
            picture_free(&picture);
        } else {
            ck_assert_msg(error.message[0] != '\0', "%zu bytes", size);
            ck_assert_ptr_null(picture.rgb);
        }
        free(piece);
    }
}

/* ---- BMP ----------------------------------------------------------------------------------- */

/* Rows from the bottom, blue first. */
static void bmp_rows(size_t bytes, uint8_t *out) {
    for (size_t y = 0; y < HEIGHT; y++) {
        for (size_t x = 0; x < WIDTH; x++) {
            const uint8_t *from = rgb + ((HEIGHT - 1 - y) * WIDTH + x) * 3;
            uint8_t *to = out + (y * WIDTH + x) * bytes;
            for (size_t c = 0; c < 3; c++) {
                to[c] = from[2 - c];
            }
        }
    }
}

START_TEST(decodes_bmp) {
    static uint8_t rows[PIXELS * 4];
    bmp_rows(3, rows);
    encode_bmp(&file, WIDTH, HEIGHT, 24, 0, "", 0, rows, PIXELS * 3);
    check_painted(false, 0);
    check_every_piece(41);
    bmp_rows(4, rows);
    encode_bmp(&file, WIDTH, HEIGHT, 32, 0, "", 0, rows, PIXELS * 4);
    check_painted(false, 0);
    const uint32_t swapped[3] = {0xff, 0xff00, 0xff0000};
    encode_bmp(&file, 1, -1, 32, 3, swapped, sizeof swapped, "\x07\x08\x09\0", 4);
    rgb_picture picture;
    ck_assert_msg(decode(&picture) == KILN_OK, "%s", error.message);
    check_pixel(&picture, 0, 0, (uint8_t[]){7, 8, 9}, 0);
    picture_free(&picture);
}
END_TEST

START_TEST(decodes_small_bmp_pixels) {
    static const uint8_t palette[8] = {1, 2, 3, 0, 200, 100, 50, 0}; /* blue, green, red */
    rgb_picture picture;
    encode_bmp(&file, 9, 2, 1, 0, palette, 8, "\x80\x80\0\0\x40\x00\0\0", 8);
    ck_assert_msg(decode(&picture) == KILN_OK, "%s", error.message);
    check_pixel(&picture, 0, 1, (uint8_t[]){50, 100, 200}, 0);
    check_pixel(&picture, 8, 1, (uint8_t[]){50, 100, 200}, 0);
    check_pixel(&picture, 1, 0, (uint8_t[]){50, 100, 200}, 0);
    check_pixel(&picture, 0, 0, (uint8_t[]){3, 2, 1}, 0);
    picture_free(&picture);
    encode_bmp(&file, 3, 1, 4, 0, palette, 8, "\x10\x1f\0\0", 4); /* 15 is not in the palette */
    ck_assert_msg(decode(&picture) == KILN_OK, "%s", error.message);
    check_pixel(&picture, 0, 0, (uint8_t[]){50, 100, 200}, 0);
    check_pixel(&picture, 2, 0, (uint8_t[]){50, 100, 200}, 0);
    picture_free(&picture);
    encode_bmp(&file, 2, 1, 16, 0, "", 0, "\x00\x7c\xff\x7f", 4); /* 5 bits each */
    ck_assert_msg(decode(&picture) == KILN_OK, "%s", error.message);
    check_pixel(&picture, 0, 0, (uint8_t[]){255, 0, 0}, 0);
    check_pixel(&picture, 1, 0, (uint8_t[]){255, 255, 255}, 0);
    picture_free(&picture);
}
END_TEST

START_TEST(refuses_other_bmp) {
    encode_bmp(&file, 4, 4, 8, 1, "\0\0\0\0", 4, "\0\0", 2);
    expect_refused(KILN_ERROR_UNSUPPORTED, "a compressed BMP (method 1)");
    encode_bmp(&file, 4, 4, 2, 0, "\0\0\0\0", 4, "\0\0\0\0", 4);
    expect_refused(KILN_ERROR_UNSUPPORTED, "2 bits a pixel");
    encode_bmp(&file, 0, 4, 24, 0, "", 0, "\0\0\0\0", 4);
    expect_refused(KILN_ERROR_FORMAT, "empty");
    encode_bmp(&file, INT32_MAX, INT32_MIN, 32, 0, "", 0, "\0\0\0\0", 4);
    expect_refused(KILN_ERROR_UNSUPPORTED, "too large");
    encode_bmp(&file, 20000, 5000, 1, 0, "\0\0\0\0", 4, "\0\0\0\0", 4);
    expect_refused(KILN_ERROR_UNSUPPORTED, "20000x5000 pixels in a file of");
    encode_bmp(&file, 4, 4, 24, 0, "", 0, "", 0);
    expect_refused(KILN_ERROR_FORMAT, "cut short");
}
END_TEST

/* ---- WebP ---------------------------------------------------------------------------------- */

#define EXIF_TURNED "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"

#ifdef KILN_WITH_WEBP
START_TEST(decodes_webp) {
    ck_assert(encode_webp(&file, rgb, WIDTH, HEIGHT));
    check_painted(false, 0);
    check_every_piece(1);
}
END_TEST

START_TEST(turns_webp_by_exif) {
    ck_assert(encode_webp(&file, rgb, WIDTH, HEIGHT));
    webp_add_exif(&file, WIDTH, HEIGHT, EXIF_TURNED, 26);
    check_painted(true, 0);
    ck_assert(encode_webp(&file, rgb, WIDTH, HEIGHT));
    webp_add_exif(&file, WIDTH, HEIGHT, "Exif\0\0" EXIF_TURNED, 32);
    check_painted(true, 0);
}
END_TEST
#endif

/* ---- GIF ----------------------------------------------------------------------------------- */

#ifdef KILN_WITH_GIF
static uint8_t indices[PIXELS];
static const GifColorType colours[2] = {{200, 40, 60}, {10, 80, 190}};

static void make_gif(int left, int top, bool interlaced) {
    for (size_t k = 0; k < PIXELS; k++) {
        indices[k] = k % WIDTH >= WIDTH / 2;
    }
    ck_assert(encode_gif(&file, indices, WIDTH, HEIGHT, left, top, interlaced, colours));
}

START_TEST(decodes_gif) {
    rgb_picture picture;
    make_gif(0, 0, _i == 1);
    check_painted(false, 0);
    check_every_piece(1);
    make_gif(5, 7, _i == 1); /* what is free is the background */
    ck_assert_msg(decode(&picture) == KILN_OK, "%s", error.message);
    ck_assert(picture.width == WIDTH + 5 && picture.height == HEIGHT + 7);
    check_pixel(&picture, WIDTH, 6, rgb, 0);
    check_pixel(&picture, WIDTH + 4, 7, rgb + sizeof rgb - 3, 0);
    picture_free(&picture);
    memset(file.data + 6, 0, 4); /* the screen: of no size; the frame's counts */
    ck_assert_msg(decode(&picture) == KILN_OK, "%s", error.message);
    ck_assert(picture.width == WIDTH + 5 && picture.height == HEIGHT + 7);
    picture_free(&picture);
}
END_TEST

START_TEST(gif_rows_interlace) {
    rgb_picture picture;
    for (size_t k = 0; k < PIXELS; k++) {
        indices[k] = k / WIDTH * 7 % 11 > 5;
    }
    ck_assert(encode_gif(&file, indices, WIDTH, HEIGHT, 0, 0, true, colours));
    ck_assert_msg(decode(&picture) == KILN_OK, "%s", error.message);
    for (uint32_t y = 0; y < HEIGHT; y++) {
        const GifColorType *c = &colours[indices[y * WIDTH]];
        check_pixel(&picture, 1, y, (uint8_t[]){c->Red, c->Green, c->Blue}, 0);
    }
    picture_free(&picture);
}
END_TEST
#endif

/* ---- TIFF ---------------------------------------------------------------------------------- */

#ifdef KILN_WITH_TIFF
static const tiff_kind plain = {8, 3,    PHOTOMETRIC_RGB, COMPRESSION_LZW, ORIENTATION_TOPLEFT,
                                0, false};

START_TEST(decodes_tiff) {
    tiff_kind kind = plain;
    kind.tiled = _i == 1;
    kind.compression = _i == 1   ? COMPRESSION_ADOBE_DEFLATE
                       : _i == 2 ? COMPRESSION_NONE
                                 : COMPRESSION_LZW;
    ck_assert(encode_tiff(&file, &kind, rgb, WIDTH, HEIGHT));
    check_painted(false, 0);
    check_every_piece(3);
}
END_TEST

START_TEST(turns_tiff) {
    tiff_kind kind = plain;
    kind.orientation = ORIENTATION_RIGHTTOP;
    ck_assert(encode_tiff(&file, &kind, rgb, WIDTH, HEIGHT));
    check_painted(true, 0);
}
END_TEST

/* One pixel of a kind. */
static void check_tiff(const tiff_kind *kind, const void *pixel, const uint8_t *expected,
                       int tolerance) {
    rgb_picture picture;
    ck_assert(encode_tiff(&file, kind, pixel, 1, 1));
    ck_assert_msg(decode(&picture) == KILN_OK, "%s", error.message);
    check_pixel(&picture, 0, 0, expected, tolerance);
    picture_free(&picture);
}

START_TEST(decodes_kinds_of_tiff) {
    const uint16_t wide[3] = {128 * 257, 64 * 257, 32 * 257};
    tiff_kind kind = plain;
    kind.bits = 16;
    check_tiff(&kind, wide, (uint8_t[]){128, 64, 32}, 0);
    kind = (tiff_kind){8, 1, PHOTOMETRIC_MINISBLACK, COMPRESSION_PACKBITS, 1, 0, false};
    check_tiff(&kind, "\x4d", (uint8_t[]){77, 77, 77}, 0);
    kind = (tiff_kind){8, 4, PHOTOMETRIC_SEPARATED, COMPRESSION_NONE, 1, 0, false};
    check_tiff(&kind, "\0\xff\xff\0", (uint8_t[]){255, 0, 0}, 0);
    check_tiff(&kind, "\0\0\0\xff", (uint8_t[]){0, 0, 0}, 0);
    /* Alpha is ignored, whether colours have been multiplied by it or not. */
    kind = (tiff_kind){8, 4, PHOTOMETRIC_RGB, COMPRESSION_NONE, 1, EXTRASAMPLE_UNASSALPHA, false};
    check_tiff(&kind, "\x0a\x14\x1e\0", (uint8_t[]){10, 20, 30}, 0);
    kind.extra = EXTRASAMPLE_ASSOCALPHA;
    check_tiff(&kind, "\x64\x32\x19\x80", (uint8_t[]){200, 100, 50}, 1);
}
END_TEST

/* A tile of two thousand million pixels in a picture of a few. */
START_TEST(tiff_tiles_fit_the_file) {
    tiff_kind kind = plain;
    kind.tiled = true;
    ck_assert(encode_tiff(&file, &kind, rgb, WIDTH, HEIGHT));
    size_t changed = 0;
    for (size_t at = 8; at + 12 <= file.size; at += 2) {
        bool tile = file.data[at] == 0x42 || file.data[at] == 0x43; /* TileWidth, TileLength */
        if (tile && file.data[at + 1] == 1 && file.data[at + 8] == 16) {
            memcpy(file.data + at + 2, "\x04\0\x01\0\0\0\xf0\xff\0\0", 10);
            changed++;
        }
    }
    ck_assert_uint_eq(changed, 2);
    rgb_picture picture;
    ck_assert_int_eq(decode(&picture), KILN_ERROR_FORMAT);
    ck_assert_ptr_null(picture.rgb);
}
END_TEST
#endif

/* ---- HEIC and AVIF ------------------------------------------------------------------------- */

#ifdef KILN_WITH_HEIF
/* HEIC, AVIF, HEIC of 10 bits. (libheif 1.15 makes libaom fail at AVIF of 10.) */
START_TEST(decodes_heif) {
    if (!encode_heif(&file, _i % 2 == 1, _i < 2 ? 8 : 10, rgb, WIDTH, HEIGHT,
                     heif_orientation_normal)) {
        return; /* a libheif without this encoder */
    }
    check_painted(false, 12);
    check_every_piece(37);
}
END_TEST

START_TEST(turns_heif) {
    if (encode_heif(&file, _i == 1, 8, rgb, WIDTH, HEIGHT, heif_orientation_rotate_90_cw)) {
        check_painted(true, 12);
    }
}
END_TEST
#endif

/* ---- All of them --------------------------------------------------------------------------- */

START_TEST(what_is_no_picture_is_told) {
    static const struct {
        const char *bytes;
        size_t size;
        kiln_status status;
        const char *text;
    } cases[] = {{"BMI tables of a clinic, 2025", 28, KILN_ERROR_FORMAT, "not a picture"},
                 {"\0\0\0\x18"
                  "ftypmp42\0\0\0\0",
                  16, KILN_ERROR_UNSUPPORTED, "MPEG-4"},
                 {"\xff\x0a\0\0", 4, KILN_ERROR_UNSUPPORTED, "JPEG XL"},
                 {"RIFF\x10\0\0\0WAVE", 12, KILN_ERROR_FORMAT, "not a picture"},
                 {"", 0, KILN_ERROR_FORMAT, "not a picture"}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        file = (encoded){.size = 0};
        ck_assert(encoded_put(&file, cases[k].bytes, cases[k].size));
        expect_refused(cases[k].status, cases[k].text);
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("bmp", decodes_bmp),
        TEST("bmp", decodes_small_bmp_pixels),
        TEST("bmp", refuses_other_bmp),
#ifdef KILN_WITH_WEBP
        TEST("webp", decodes_webp),
        TEST("webp", turns_webp_by_exif),
#endif
#ifdef KILN_WITH_GIF
        LOOP("gif", decodes_gif, 0, 2),
        TEST("gif", gif_rows_interlace),
#endif
#ifdef KILN_WITH_TIFF
        LOOP("tiff", decodes_tiff, 0, 3),
        TEST("tiff", turns_tiff),
        TEST("tiff", decodes_kinds_of_tiff),
        TEST("tiff", tiff_tiles_fit_the_file),
#endif
#ifdef KILN_WITH_HEIF
        LOOP("heif", decodes_heif, 0, 3),
        LOOP("heif", turns_heif, 0, 2),
#endif
        TEST("sniffing", what_is_no_picture_is_told),
    };
    return SUITE("codecs", tests, .begin = paint);
}
