/* Thumbnails: scaled, packed as JPEG, written as base64. */
#include "compiler/cli/train/thumbnail.h"
#include "compiler/cli/picture.h"

#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

enum { LARGEST = 128 };

static bool load(const data_set *data, size_t item, image *out_image) {
    const data_item *from = &data->items[item];
    if (from->path != NULL) {
        return image_load(from->path, out_image, NULL) == KILN_OK;
    }
    if (!data->pictures ||
        image_allocate(out_image, data->dims[2], data->dims[1], NULL) != KILN_OK) {
        return false;
    }
    const float *values = data->values + from->index * data->sample_size;
    size_t pixels = (size_t)data->dims[1] * data->dims[2], channels = data->dims[0];
    for (size_t k = 0; k < pixels * 3; k++) {
        float value = values[(channels == 3 ? k % 3 : 0) * pixels + k / 3];
        out_image->rgb[k] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
    return true;
}

/* The longer side becomes LARGEST. */
static bool shrink(const image *picture, image *out_small) {
    uint32_t longer = picture->width > picture->height ? picture->width : picture->height;
    uint32_t width = picture->width * LARGEST / longer, height = picture->height * LARGEST / longer;
    width = width == 0 ? 1 : width;
    height = height == 0 ? 1 : height;
    resize_window window = {width, height, 0, 0, width, height};
    size_t count = (size_t)width * height * 3;
    float *rgb = malloc(count * sizeof *rgb);
    bool good = rgb != NULL && image_resize(picture, &window, rgb, NULL) == KILN_OK &&
                image_allocate(out_small, width, height, NULL) == KILN_OK;
    for (size_t k = 0; good && k < count; k++) {
        out_small->rgb[k] = (uint8_t)(rgb[k] + 0.5f);
    }
    free(rgb);
    return good;
}

/* Our own pixels, so libjpeg has nothing to complain of; out of memory ends the program, as its
 * default error handler does. */
static unsigned char *pack(const image *picture, unsigned long *out_size) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, out_size);
    jpeg.image_width = picture->width;
    jpeg.image_height = picture->height;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 85, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = picture->rgb + (size_t)jpeg.next_scanline * picture->width * 3;
        (void)jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return bytes;
}

/* RFC 4648. */
static void write_base64(const unsigned char *bytes, size_t size, FILE *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t k = 0; k < size; k += 3) {
        size_t left = size - k;
        unsigned long group = (unsigned long)bytes[k] << 16 |
                              (left > 1 ? (unsigned long)bytes[k + 1] << 8 : 0) |
                              (left > 2 ? bytes[k + 2] : 0);
        fputc(digits[group >> 18 & 63], out);
        fputc(digits[group >> 12 & 63], out);
        fputc(left > 1 ? digits[group >> 6 & 63] : '=', out);
        fputc(left > 2 ? digits[group & 63] : '=', out);
    }
}

void thumbnail_write(const data_set *data, size_t item, FILE *out) {
    image picture = {0}, small = {0};
    if (load(data, item, &picture) && shrink(&picture, &small)) {
        unsigned long size = 0;
        unsigned char *bytes = pack(&small, &size);
        fprintf(out, "<img alt=\"\" src=\"data:image/jpeg;base64,");
        write_base64(bytes, size, out);
        fprintf(out, "\">");
        free(bytes);
    }
    image_free(&picture);
    image_free(&small);
}
