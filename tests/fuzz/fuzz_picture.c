/* Fuzz target: pictures of every kind that this build reads. */
#include "compiler/cli/picture.h"
#include "tests/encode.h"
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

/* Kind k of those in encode.h; false: there is no such kind, or this build has not the codec. */
static bool make_encoded(size_t k, encoded *e) {
    switch (k) {
    case 0:
        encode_bmp(e, SIDE, SIDE, 24, 0, "", 0, pixels, sizeof pixels);
        return true;
    case 1:
        encode_bmp(e, SIDE, -SIDE, 8, 0, pixels, 512, pixels, (size_t)SIDE * SIDE);
        return true;
#ifdef KILN_WITH_WEBP
    case 2:
        return encode_webp(e, pixels, SIDE, SIDE);
#endif
#ifdef KILN_WITH_GIF
    case 3:
    case 4: {
        static const GifColorType colours[2] = {{1, 2, 3}, {4, 5, 6}};
        static uint8_t indices[SIDE * SIDE];
        return encode_gif(e, indices, SIDE, SIDE, 1, 2, k == 4, colours);
    }
#endif
#ifdef KILN_WITH_TIFF
    case 5:
    case 6:
    case 7: {
        static const uint16_t methods[3] = {COMPRESSION_NONE, COMPRESSION_LZW,
                                            COMPRESSION_ADOBE_DEFLATE};
        tiff_kind kind = {8, 3, PHOTOMETRIC_RGB, methods[k - 5], 6, 0, k == 7};
        return encode_tiff(e, &kind, pixels, SIDE, SIDE);
    }
#endif
#ifdef KILN_WITH_HEIF
    case 8:
    case 9:
        return encode_heif(e, k == 9, 8, pixels, SIDE, SIDE, heif_orientation_rotate_90_cw);
#endif
    default:
        return false;
    }
}

enum { CLASSIC = 6, ENCODED = 10 };

/* Those that this build has, in their order; made once, since some encoders are slow. */
static size_t make_all(encoded *made) {
    size_t count = 0;
    for (size_t kind = 0; kind < ENCODED; kind++) {
        count += make_encoded(kind, &made[count]);
    }
    return count;
}

size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    static encoded made[ENCODED];
    static size_t count;
    if (count == 0) {
        for (size_t p = 0; p < sizeof pixels; p++) {
            pixels[p] = (uint8_t)(p * p / 7);
        }
        count = make_all(made);
    }
    if (k < CLASSIC) {
        return k < 2   ? make_jpeg(out, room, k == 1)
               : k < 4 ? make_png(out, room, k == 3)
                       : make_pnm(out, room, k == 4 ? '6' : '5');
    }
    const encoded *e = &made[k - CLASSIC];
    if (k - CLASSIC >= count || e->size > room) {
        return 0;
    }
    memcpy(out, e->data, e->size);
    return e->size;
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
