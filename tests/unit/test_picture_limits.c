/* Pictures that are traps (small files that want much memory), and want of memory itself. */
#include "compiler/cli/data/thumbnail.h"
#include "compiler/cli/picture.h"
#include "tests/encode.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <jpeglib.h>
#include <png.h>

static kiln_error error;

/* ---- Faults -------------------------------------------------------------------------------- */

#ifndef __SANITIZE_ADDRESS__ /* which has an allocator of its own */
/* Allocations before memory ends (libjpeg tries twice); below 0: it does not. */
static long left = -1;
static bool failed;

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the name of glibc */
extern void *__libc_malloc(size_t size);
__attribute__((visibility("default"))) void *malloc(size_t size); /* for libraries, too */
void *malloc(size_t size) {
    failed = failed || left == 0;
    left -= left > 0;
    return left == 0 && failed ? NULL : __libc_malloc(size);
}
#endif

/* ---- PNG by hand --------------------------------------------------------------------------- */

typedef struct bytes {
    uint8_t data[1 << 18];
    size_t size;
} bytes;

static void put(bytes *b, const void *data, size_t size) {
    ck_assert_uint_le(b->size + size, sizeof b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void put_number(bytes *b, uint32_t number) {
    put(b,
        (uint8_t[]){(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                    (uint8_t)number},
        4);
}

static void put_chunk(bytes *b, const char *type, const void *data, size_t size) {
    put_number(b, (uint32_t)size);
    size_t from = b->size;
    put(b, type, 4);
    put(b, data, size);
    put_number(b, (uint32_t)crc32(0, b->data + from, (uInt)(b->size - from)));
}

/* So many MiB of one value. */
static size_t pack(size_t mebibytes, uint8_t value, uint8_t *out, size_t room) {
    static uint8_t block[1 << 20];
    z_stream z = {.next_out = out, .avail_out = (uInt)room};
    memset(block, value, sizeof block);
    ck_assert_int_eq(deflateInit(&z, 9), Z_OK);
    for (size_t k = 0; k < mebibytes; k++) {
        z.next_in = block;
        z.avail_in = sizeof block;
        ck_assert_int_ge(deflate(&z, k + 1 == mebibytes ? Z_FINISH : Z_NO_FLUSH), Z_OK);
    }
    size_t size = z.total_out;
    ck_assert_int_eq(deflateEnd(&z), Z_OK);
    return size;
}

/* Gray, of 8 bits; `texts` chunks of 32 MiB of text each. */
static void make_png(bytes *b, uint32_t width, uint32_t height, size_t texts, bool pixels) {
    static uint8_t packed[1 << 18];
    b->size = 0;
    put(b, "\x89PNG\r\n\x1a\n", 8);
    bytes *header = calloc(1, sizeof *header);
    put_number(header, width);
    put_number(header, height);
    put(header, "\x08\x00\x00\x00\x00", 5);
    put_chunk(b, "IHDR", header->data, header->size);
    free(header);
    memcpy(packed, "key\0", 5);
    size_t size = pack(32, 'a', packed + 5, sizeof packed - 5);
    for (size_t k = 0; k < texts; k++) {
        put_chunk(b, "zTXt", packed, size + 5);
    }
    if (pixels) {
        uint8_t *rows = calloc(height, width + (size_t)1);
        uLongf room = sizeof packed;
        ck_assert_int_eq(compress(packed, &room, rows, (uLong)height * (width + 1)), Z_OK);
        put_chunk(b, "IDAT", packed, room);
        free(rows);
    } else {
        put_chunk(b, "IDAT", "x\x9c", 2);
    }
    put_chunk(b, "IEND", "", 0);
}

static long resident(void) {
    struct rusage use;
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &use), 0);
    return use.ru_maxrss; /* KiB */
}

START_TEST(texts_are_not_unpacked) {
    static bytes b;
    rgb_picture picture;
    make_png(&b, 8, 8, 4, true); /* 128 KiB of file, 128 MiB of text */
    long before = resident();
    ck_assert_msg(picture_decode((kiln_span){b.data, b.size}, &picture, &error) == KILN_OK, "%s",
                  error.message);
    ck_assert_int_lt(resident() - before, 16 << 10);
    picture_free(&picture);
}
END_TEST

/* ---- Sizes --------------------------------------------------------------------------------- */

static kiln_span make_jpeg(uint32_t width, uint32_t height) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long size = 0;
    uint8_t *row = calloc(width, 3);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &data, &size);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < height) {
        (void)jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    free(row);
    return (kiln_span){data, size};
}

static void check_trap(kiln_span file) {
    rgb_picture picture;
    ck_assert_int_eq(picture_decode(file, &picture, &error), KILN_ERROR_UNSUPPORTED);
    ck_assert_msg(strstr(error.message, "20000x5000 pixels in a file of") != NULL, "%s",
                  error.message);
    ck_assert_ptr_null(picture.rgb);
}

START_TEST(sizes_fit_the_file) {
    static bytes b;
    make_png(&b, 20000, 5000, 0, false);
    check_trap((kiln_span){b.data, b.size});
    static const char pgm[] = "P5 20000 5000 255\n";
    check_trap((kiln_span){pgm, sizeof pgm});
    kiln_span jpeg = make_jpeg(8, 8);
    uint8_t *data = (uint8_t *)(uintptr_t)jpeg.data;
    for (size_t k = 0; k + 9 < jpeg.size; k++) {
        if (data[k] == 0xff && data[k + 1] == 0xc2) { /* SOF2: height, width */
            memcpy(data + k + 5, (const uint8_t[]){0x13, 0x88, 0x4e, 0x20}, 4);
            break;
        }
    }
    check_trap(jpeg);
    free(data);
    /* A blank page, as scanners write it, is no trap. */
    rgb_picture picture;
    make_png(&b, 4000, 3000, 0, true);
    ck_assert_msg(picture_decode((kiln_span){b.data, b.size}, &picture, &error) == KILN_OK, "%s",
                  error.message);
    picture_free(&picture);
}
END_TEST

/* ---- Decoders apart ------------------------------------------------------------------------ */

static kiln_status decode_gray(kiln_span bytes, rgb_picture *out_picture, kiln_error *why) {
    kiln_status status = picture_begin(bytes, out_picture, 3000, 1000, why);
    memset(out_picture->rgb, 77, (size_t)3000 * 1000 * 3);
    return status;
}

static kiln_status decode_and_die(kiln_span bytes, rgb_picture *out_picture, kiln_error *why) {
    (void)decode_gray(bytes, out_picture, why);
    abort();
}

static kiln_status refuse(kiln_span bytes, rgb_picture *out_picture, kiln_error *why) {
    (void)out_picture;
    return kiln_fail(why, KILN_ERROR_FORMAT, "%zu bytes are too few", bytes.size);
}

START_TEST(decoders_fail_alone) {
    rgb_picture picture = {0};
    const kiln_span file = {"file", 4};
    ck_assert_int_eq(picture_decode_apart(decode_and_die, file, &picture, &error),
                     KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "the decoder failed"));
    ck_assert_ptr_null(picture.rgb);
    ck_assert_int_eq(picture_decode_apart(refuse, file, &picture, &error), KILN_ERROR_FORMAT);
    ck_assert_str_eq(error.message, "4 bytes are too few");
    ck_assert_int_eq(picture_decode_apart(decode_gray, file, &picture, &error), KILN_OK);
    ck_assert(picture.width == 3000 && picture.height == 1000);
    ck_assert_uint_eq(picture.rgb[0], 77);
    ck_assert_uint_eq(picture.rgb[(size_t)3000 * 1000 * 3 - 1], 77);
    picture_free(&picture);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__
/* As a decoder whose file says 8x8, and whose data are of 30000x30000. */
static kiln_status decode_too_much(kiln_span bytes, rgb_picture *out_picture, kiln_error *why) {
    (void)bytes;
    (void)out_picture;
    picture_limit_memory(64);
    void *volatile much = malloc((size_t)8 << 30); /* else compilers leave both calls out */
    free(much);
    return much != NULL ? KILN_OK : kiln_fail(why, KILN_ERROR_MEMORY, "out of memory");
}

/* Emulators of processors do not limit memory. */
static bool limits_hold(void) {
    int status = 1;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {(rlim_t)1 << 30, (rlim_t)1 << 30};
        void *volatile much = setrlimit(RLIMIT_AS, &limit) == 0 ? malloc((size_t)8 << 30) : NULL;
        _exit(much != NULL);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

START_TEST(decoders_have_no_more_than_their_size_needs) {
    rgb_picture picture = {0};
    if (!limits_hold()) {
        return;
    }
    ck_assert_int_eq(picture_decode_apart(decode_too_much, (kiln_span){"", 0}, &picture, &error),
                     KILN_ERROR_MEMORY);
}
END_TEST
#endif

/* ---- Want of memory ------------------------------------------------------------------------ */

#ifndef __SANITIZE_ADDRESS__
/* told: the codec tells want of memory from damage; libwebp, giflib and libtiff do not
 * always. */
static void check_every_fault(kiln_span file, bool told) {
    kiln_status status = KILN_ERROR_MEMORY;
    long faults = 0;
    for (long k = 0; status != KILN_OK; k++) {
        rgb_picture picture = {0};
        error.message[0] = '\0';
        failed = false;
        left = k;
        status = picture_decode(file, &picture, &error);
        left = -1;
        faults += failed;
        bool memory = status == KILN_ERROR_MEMORY && strstr(error.message, "out of memory") != NULL;
        bool damage = status == KILN_ERROR_FORMAT && error.message[0] != '\0';
        ck_assert_msg(failed ? memory || (damage && !told) : status == KILN_OK,
                      "allocation %ld: %s", k, error.message);
        picture_free(&picture);
    }
    ck_assert_int_gt(faults, 0);
}

START_TEST(want_of_memory_is_told) {
    static bytes b;
    make_png(&b, 40, 30, 0, true);
    check_every_fault((kiln_span){b.data, b.size}, true);
    kiln_span jpeg = make_jpeg(40, 30);
    check_every_fault(jpeg, true);
    free((void *)(uintptr_t)jpeg.data);
}
END_TEST

/* But those that decode apart. */
START_TEST(every_codec_tells_it) {
    static encoded e;
    static uint8_t pixels[40 * 30 * 3];
    encode_bmp(&e, 40, 30, 24, 0, "", 0, pixels, sizeof pixels);
    check_every_fault((kiln_span){e.data, e.size}, true);
#ifdef KILN_WITH_WEBP
    ck_assert(encode_webp(&e, pixels, 40, 30));
    check_every_fault((kiln_span){e.data, e.size}, false);
#endif
#ifdef KILN_WITH_GIF
    static const GifColorType colours[2] = {{1, 2, 3}, {4, 5, 6}};
    ck_assert(encode_gif(&e, pixels, 40, 30, 0, 0, false, colours));
    check_every_fault((kiln_span){e.data, e.size}, false);
#endif
#ifdef KILN_WITH_TIFF
    for (int tiled = 0; tiled < 2; tiled++) {
        tiff_kind kind = {8, 3, PHOTOMETRIC_RGB, COMPRESSION_LZW, 6, 0, tiled == 1};
        ck_assert(encode_tiff(&e, &kind, pixels, 40, 30));
        check_every_fault((kiln_span){e.data, e.size}, false);
    }
#endif
}
END_TEST

/* Nor does it end the program while a page of results is written. */
START_TEST(thumbnails_tell_it_too) {
    static float values[3 * 300 * 200];
    data_item item = {0};
    data_set data = {.items = &item,
                     .count = 1,
                     .values = values,
                     .pictures = true,
                     .rank = 3,
                     .dims = {3, 200, 300},
                     .sample_size = sizeof values / sizeof *values};
    kiln_status status = KILN_ERROR_MEMORY;
    for (long k = 0; status != KILN_OK; k++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        (void)fflush(out);
        failed = false;
        left = k;
        status = thumbnail_write(&data, &item, out, &error);
        left = -1;
        ck_assert_int_eq(status, failed ? KILN_ERROR_MEMORY : KILN_OK);
        ck_assert_int_eq(fclose(out), 0);
        ck_assert((size > 0) == (status == KILN_OK));
        free(text);
    }
}
END_TEST
#endif

int main(void) {
    const suite_test tests[] = {
        TEST("contents", texts_are_not_unpacked),
        TEST("contents", sizes_fit_the_file),
        TEST("apart", decoders_fail_alone),
#ifndef __SANITIZE_ADDRESS__
        TEST("apart", decoders_have_no_more_than_their_size_needs),
        TEST("memory", want_of_memory_is_told),
        TEST("memory", every_codec_tells_it),
        TEST("memory", thumbnails_tell_it_too),
#endif
    };
    return SUITE("picture_limits", tests);
}
