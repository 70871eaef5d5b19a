/* Pictures from files: finds out the format. The decoders are in picture_NAME.c, a file each. */
#include "compiler/cli/picture.h"
#include "runtime/base/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Well over any picture within the pixel limit. */
#define MAX_FILE_BYTES ((size_t)1 << 30)

typedef struct picture_format {
    const char *name;
    bool (*sniff)(kiln_span bytes);
    kiln_status (*decode)(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);
    const char *library; /* without which `decode` is NULL; NULL: Kiln does not read it at all */
} picture_format;

/* ---- Sniffing ------------------------------------------------------------------------------ */

static bool holds(kiln_span bytes, size_t offset, const char *magic, size_t length) {
    return bytes.size >= offset + length &&
           memcmp((const uint8_t *)bytes.data + offset, magic, length) == 0;
}

static bool is_jpeg(kiln_span b) {
    return holds(b, 0, "\xff\xd8\xff", 3);
}

static bool is_png(kiln_span b) {
    return holds(b, 0, "\x89PNG\r\n\x1a\n", 8);
}

static bool is_pnm(kiln_span b) {
    return holds(b, 0, "P5", 2) || holds(b, 0, "P6", 2);
}

static bool is_text_pnm(kiln_span b) {
    return holds(b, 0, "P2", 2) || holds(b, 0, "P3", 2);
}

static bool is_gif(kiln_span b) {
    return holds(b, 0, "GIF87a", 6) || holds(b, 0, "GIF89a", 6);
}

static bool is_webp(kiln_span b) {
    return holds(b, 0, "RIFF", 4) && holds(b, 8, "WEBP", 4);
}

/* Two letters alone would take texts for it: the bytes kept free are 0, the header's size is small.
 */
static bool is_bmp(kiln_span b) {
    const uint8_t *data = b.data;
    return holds(b, 0, "BM", 2) && b.size >= 26 && holds(b, 6, "\0\0\0\0", 4) && data[15] == 0 &&
           data[16] == 0 && data[17] == 0;
}

static bool is_tiff(kiln_span b) {
    return holds(b, 0, "II*\0", 4) || holds(b, 0, "MM\0*", 4) || holds(b, 0, "II+\0", 4) ||
           holds(b, 0, "MM\0+", 4);
}

/* The brands of the box ftyp (ISO/IEC 14496-12, 4.3), four bytes each; the second of them is a
 * version. Films have it, too. */
static bool has_brand(kiln_span b, const char *const *brands) {
    const uint8_t *data = b.data;
    if (!holds(b, 4, "ftyp", 4) || b.size < 16) {
        return false;
    }
    size_t size = (size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];
    size = size < b.size ? size : b.size;
    for (size_t at = 8; at + 4 <= size && at < 256; at += at == 8 ? 8 : 4) {
        for (size_t k = 0; brands[k] != NULL; k++) {
            if (memcmp(data + at, brands[k], 4) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool is_avif(kiln_span b) {
    return has_brand(b, (const char *const[]){"avif", "avis", NULL});
}

static bool is_heic(kiln_span b) {
    return has_brand(b, (const char *const[]){"heic", "heix", "heim", "heis", "hevc", "hevx",
                                              "mif1", "msf1", NULL});
}

static bool is_film(kiln_span b) {
    return holds(b, 4, "ftyp", 4);
}

static bool is_jpeg_xl(kiln_span b) {
    return holds(b, 0, "\xff\x0a", 2) || holds(b, 0, "\0\0\0\x0cJXL ", 8);
}

static bool is_jpeg_2000(kiln_span b) {
    return holds(b, 0, "\0\0\0\x0cjP  ", 8) || holds(b, 0, "\xff\x4f\xff\x51", 4);
}

/* ---- The table ----------------------------------------------------------------------------- */

static const picture_format formats[] = {
    {"JPEG", is_jpeg, picture_decode_jpeg, NULL},
    {"PNG", is_png, picture_decode_png, NULL},
    {"PGM or PPM", is_pnm, picture_decode_pnm, NULL},
    {"BMP", is_bmp, picture_decode_bmp, NULL},
    {"AVIF", is_avif, picture_decode_heif, "libheif"},
    {"HEIC", is_heic, picture_decode_heif, "libheif"},
    {"WebP", is_webp, picture_decode_webp, "libwebp"},
    {"TIFF", is_tiff, picture_decode_tiff, "libtiff"},
    {"GIF", is_gif, picture_decode_gif, "giflib"},
    /* Recognised only to say what it is. */
    {"text PGM and PPM", is_text_pnm, NULL, NULL},
    {"JPEG XL", is_jpeg_xl, NULL, NULL},
    {"JPEG 2000", is_jpeg_2000, NULL, NULL},
    {"MPEG-4", is_film, NULL, NULL},
};

/* The format that the first bytes tell; its `decode` is not NULL. */
static kiln_status find_format(kiln_span bytes, const picture_format **out_format,
                               kiln_error *error) {
    for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) {
        const picture_format *f = &formats[k];
        if (!f->sniff(bytes)) {
            continue;
        }
        *out_format = f;
        if (f->decode == NULL && f->library != NULL) {
            return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                             "a %s picture: kiln was built without %s", f->name, f->library);
        }
        return f->decode != NULL
                   ? KILN_OK
                   : kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                               "%s pictures are not read; " PICTURE_FORMATS " are", f->name);
    }
    const char *instead = file_instead(bytes);
    return kiln_fail(error, KILN_ERROR_FORMAT, "not a picture%s",
                     instead[0] != '\0' ? instead : " (" PICTURE_FORMATS " are read)");
}

kiln_status picture_check(kiln_span bytes, kiln_error *error) {
    const picture_format *format = NULL;
    return find_format(bytes, &format, error);
}

kiln_status picture_decode(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    const picture_format *format = NULL;
    *out_picture = (rgb_picture){0};
    kiln_status status = find_format(bytes, &format, error);
    if (status == KILN_OK) {
        status = format->decode(bytes, out_picture, error);
    }
    if (status != KILN_OK) {
        picture_free(out_picture);
    }
    return status;
}

kiln_status picture_read(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    kiln_status status = picture_decode(bytes, out_picture, error);
    if (status == KILN_OK &&
        (out_picture->width < PICTURE_MIN_SIDE || out_picture->height < PICTURE_MIN_SIDE)) {
        status = kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                           "%ux%u pixels show nothing: at least %u a side are needed",
                           out_picture->width, out_picture->height, PICTURE_MIN_SIDE);
        picture_free(out_picture);
    }
    return status;
}

kiln_status picture_load(const char *path, rgb_picture *out_picture, kiln_error *error) {
    kiln_error detail = {0};
    char *data;
    size_t size;
    *out_picture = (rgb_picture){0};
    kiln_status status = file_read(path, MAX_FILE_BYTES, &data, &size, error);
    if (status != KILN_OK) {
        return status;
    }
    status = picture_read((kiln_span){data, size}, out_picture, &detail);
    kiln_free(data);
    return status == KILN_OK ? KILN_OK : kiln_fail(error, status, "%s: %s", path, detail.message);
}

kiln_image picture_image(const rgb_picture *picture) {
    return (kiln_image){.format = KILN_IMAGE_RGB,
                        .width = picture->width,
                        .height = picture->height,
                        .pixels = picture->rgb,
                        .stride = (size_t)picture->width * 3};
}

kiln_status picture_check_input(const kiln_tensor_info *input, kiln_image_layout *out_layout,
                                kiln_error *error) {
    return kiln_image_layout_of(input, out_layout, NULL) == KILN_OK
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "input '%s' does not take pictures (of 1 or 3 channels): give it a file "
                           "with --input",
                           input->name);
}
