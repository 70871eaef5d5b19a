/* Pictures from files: finds out the format, refuses what is too large. The decoders are in
 * picture_jpeg.c. */
#include "compiler/cli/picture.h"
#include "runtime/base/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Well over any picture within the pixel limit. */
#define MAX_FILE_BYTES ((size_t)1 << 30)

#define FREE_PIXELS ((uint64_t)16 << 20) /* of any file */
#define PIXELS_A_BYTE 256                /* photographs have less than 20 */

static const struct {
    const char *name;
    const char *magic;
    size_t offset, length;
    kiln_status (*decode)(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);
} formats[] = {
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

kiln_status picture_allocate(rgb_picture *out_picture, uint64_t width, uint64_t height,
                             kiln_error *error) {
    if (width == 0 || height == 0) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "the picture is empty");
    }
    if (width > PICTURE_MAX_SIDE || height > PICTURE_MAX_SIDE ||
        width * height > PICTURE_MAX_PIXELS) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "%llux%llu pixels is too large: at most %u a side and %u million in all",
                         (unsigned long long)width, (unsigned long long)height, PICTURE_MAX_SIDE,
                         PICTURE_MAX_PIXELS / 1000000u);
    }
    uint8_t *rgb = malloc((size_t)(width * height * 3));
    if (rgb == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    *out_picture = (rgb_picture){.width = (uint32_t)width, .height = (uint32_t)height, .rgb = rgb};
    return KILN_OK;
}

kiln_status picture_begin(kiln_span file, rgb_picture *out_picture, uint64_t width, uint64_t height,
                          kiln_error *error) {
    uint64_t most = FREE_PIXELS + (uint64_t)file.size * PIXELS_A_BYTE;
    if (width <= PICTURE_MAX_SIDE && height <= PICTURE_MAX_SIDE && width * height > most) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "%llux%llu pixels in a file of %zu bytes: at most %llu are read",
                         (unsigned long long)width, (unsigned long long)height, file.size,
                         (unsigned long long)most);
    }
    return picture_allocate(out_picture, width, height, error);
}

void picture_free(rgb_picture *picture) {
    free(picture->rgb);
    *picture = (rgb_picture){0};
}

kiln_status picture_decode(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    *out_picture = (rgb_picture){0};
    for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) {
        size_t end = formats[k].offset + formats[k].length;
        if (bytes.size >= end && memcmp((const uint8_t *)bytes.data + formats[k].offset,
                                        formats[k].magic, formats[k].length) == 0) {
            if (formats[k].decode == NULL) {
                return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                                 "%s pictures are not read; JPEG, PNG, PGM and PPM are",
                                 formats[k].name);
            }
            kiln_status status = formats[k].decode(bytes, out_picture, error);
            if (status != KILN_OK) {
                picture_free(out_picture);
            }
            return status;
        }
    }
    return kiln_fail(error, KILN_ERROR_FORMAT, "not a JPEG, PNG, PGM or PPM picture%s",
                     file_instead(bytes));
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
