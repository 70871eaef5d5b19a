/* Fuzz target: pictures, as JPEG, PNG and PNM. */
#include "compiler/cli/picture.h"
#include "tests/fuzz/fuzz.h"

#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

enum { SIDE = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rgb_picture picture;
    kiln_error error = {0};
    if (picture_decode((kiln_span){data, size}, &picture, &error) != KILN_OK) {
        fuzz_expect_message(&error);
    }
    picture_free(&picture);
    return 0;
}

/* ---- Seeds --------------------------------------------------------------------------------- */

static uint8_t pixels[SIDE * SIDE * 3];

static size_t make_jpeg(uint8_t *out, size_t room, bool progressive) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = jpeg.image_height = SIDE;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    if (progressive) {
        jpeg_simple_progression(&jpeg);
    }
    jpeg_start_compress(&jpeg, TRUE);
    for (size_t y = 0; y < SIDE; y++) {
        JSAMPROW row = pixels + y * SIDE * 3;
        (void)jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    size = size <= room ? size : 0;
    memcpy(out, bytes, size);
    free(bytes);
    return size;
}

static size_t make_png(uint8_t *out, size_t room, bool gray) {
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = SIDE,
                     .height = SIDE,
                     .format = gray ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};
    png_alloc_size_t size = room;
    return png_image_write_to_memory(&png, out, &size, 0, pixels, 0, NULL) != 0 ? size : 0;
}

static size_t make_pnm(uint8_t *out, size_t room, char kind) {
    int length = snprintf((char *)out, room, "P%c\n# a comment\n%d %d\n255\n", kind, SIDE, SIDE);
    size_t bytes = (size_t)SIDE * SIDE * (kind == '6' ? 3 : 1);
    if (room < (size_t)length + bytes) {
        return 0;
    }
    memcpy(out + length, pixels, bytes);
    return (size_t)length + bytes;
}

size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    for (size_t p = 0; p < sizeof pixels; p++) {
        pixels[p] = (uint8_t)(p * p / 7);
    }
    return k < 2   ? make_jpeg(out, room, k == 1)
           : k < 4 ? make_png(out, room, k == 3)
           : k < 6 ? make_pnm(out, room, k == 4 ? '6' : '5')
                   : 0;
}

/* ---- Chunks of a PNG file ------------------------------------------------------------------ */

static uint32_t big_endian(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void set_big_endian(uint8_t *at, uint32_t value) {
    for (int k = 0; k < 4; k++) {
        at[k] = (uint8_t)(value >> (24 - 8 * k));
    }
}

size_t fuzz_change(uint64_t *state, uint8_t *bytes, size_t size, size_t room) {
    (void)room;
    bool is_png = size > 8 && bytes[1] == 'P' && bytes[2] == 'N' && bytes[3] == 'G';
    if (!is_png && state != NULL) {
        bytes[fuzz_random(state) % (size < 700 ? size : 700)] = (uint8_t)fuzz_word(state);
    }
    for (size_t at = 8; is_png && size - at >= 12;) {
        uint32_t length = big_endian(bytes + at);
        if (length > size - at - 12) {
            break;
        }
        if (state != NULL && length >= 4 && fuzz_random(state) % 3 == 0) {
            set_big_endian(bytes + at + 8 + fuzz_random(state) % (length - 3), fuzz_word(state));
        }
        set_big_endian(bytes + at + 8 + length, (uint32_t)crc32(0, bytes + at + 4, length + 4));
        at += 12 + (size_t)length;
    }
    return size;
}
