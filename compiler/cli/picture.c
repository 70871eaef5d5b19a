/* Pictures from files: finds out the format. The decoders are in picture_jpeg.c, picture_png.c and
 * picture_pnm.c. */
#include "compiler/cli/picture.h"
#include "runtime/base/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Well over any picture within the pixel limit. */
#define MAX_FILE_BYTES ((size_t)1 << 30)

typedef struct picture_format {
    const char *name;
    const char *magic;
    size_t offset, length;
    kiln_status (*decode)(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);
} picture_format;

static const picture_format formats[] = {
    {"JPEG", "\xff\xd8\xff", 0, 3, picture_decode_jpeg},
    {"PNG", "\x89PNG\r\n\x1a\n", 0, 8, picture_decode_png},
    {"PGM", "P5", 0, 2, picture_decode_pnm},
    {"PPM", "P6", 0, 2, picture_decode_pnm},
    /* Recognised only to say what it is. */
    {"GIF", "GIF8", 0, 4, NULL},
    {"BMP", "BM", 0, 2, NULL},
    {"WebP", "WEBP", 8, 4, NULL},
    {"TIFF", "II*\0", 0, 4, NULL},
    {"TIFF", "MM\0*", 0, 4, NULL},
    {"HEIC or AVIF", "ftyp", 4, 4, NULL},
    {"text PNM", "P2", 0, 2, NULL},
    {"text PNM", "P3", 0, 2, NULL},
};

/* The format that the first bytes tell; its `decode` is not NULL. */
static kiln_status find_format(kiln_span bytes, const picture_format **out_format,
                               kiln_error *error) {
    for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) {
        const picture_format *f = &formats[k];
        if (bytes.size >= f->offset + f->length &&
            memcmp((const uint8_t *)bytes.data + f->offset, f->magic, f->length) == 0) {
            *out_format = f;
            return f->decode != NULL
                       ? KILN_OK
                       : kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                                   "%s pictures are not read; JPEG, PNG, PGM and PPM are", f->name);
        }
    }
    return kiln_fail(error, KILN_ERROR_FORMAT, "not a JPEG, PNG, PGM or PPM picture%s",
                     file_instead(bytes));
}

kiln_status picture_check(kiln_span bytes, kiln_error *error) {
    const picture_format *format;
    return find_format(bytes, &format, error);
}

kiln_status picture_decode(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    const picture_format *format;
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

kiln_status picture_load(const char *path, rgb_picture *out_picture, kiln_error *error) {
    kiln_error detail = {0};
    char *data;
    size_t size;
    *out_picture = (rgb_picture){0};
    kiln_status status = file_read(path, MAX_FILE_BYTES, &data, &size, error);
    if (status != KILN_OK) {
        return status;
    }
    status = picture_decode((kiln_span){data, size}, out_picture, &detail);
    free(data);
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
