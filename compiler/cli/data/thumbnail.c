/* Thumbnails: scaled, packed as JPEG, written as base64. */
#include "compiler/cli/data/thumbnail.h"
#include "compiler/cli/picture.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

enum { LARGEST = 128, PACKED_BYTES = LARGEST * LARGEST * 6 + 4096 /* more than JPEG takes */ };

/* The longer side becomes LARGEST. */
static kiln_status shrink(const rgb_picture *picture, rgb_picture *out_small, kiln_error *error) {
    uint32_t longer = picture->width > picture->height ? picture->width : picture->height;
    uint32_t width = picture->width * LARGEST / longer, height = picture->height * LARGEST / longer;
    width = width == 0 ? 1 : width;
    height = height == 0 ? 1 : height;
    kiln_image_scaling whole = {width, height, 0, 0, width, height};
    kiln_image image = picture_image(picture);
    size_t count = (size_t)width * height * 3;
    float *rgb = malloc(count * sizeof *rgb);
    if (rgb == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    kiln_status status = kiln_image_scale(&image, &whole, rgb, error);
    if (status == KILN_OK) {
        status = picture_allocate(out_small, width, height, error);
    }
    for (size_t k = 0; status == KILN_OK && k < count; k++) {
        out_small->rgb[k] = (uint8_t)(rgb[k] + 0.5f);
    }
    free(rgb);
    return status;
}

typedef struct packer {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jmp_buf on_error;
} packer;

/* libjpeg's own ends the program. */
static void fail(j_common_ptr jpeg) {
    longjmp(((packer *)jpeg->client_data)->on_error, 1);
}

static bool compress(packer *p, const rgb_picture *picture, unsigned char *bytes,
                     unsigned long *inout_size) {
    if (setjmp(p->on_error) != 0) {
        return false;
    }
    jpeg_create_compress(&p->jpeg);
    jpeg_mem_dest(&p->jpeg, &bytes, inout_size);
    p->jpeg.image_width = picture->width;
    p->jpeg.image_height = picture->height;
    p->jpeg.input_components = 3;
    p->jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&p->jpeg);
    jpeg_set_quality(&p->jpeg, 85, TRUE);
    jpeg_start_compress(&p->jpeg, TRUE);
    while (p->jpeg.next_scanline < p->jpeg.image_height) {
        JSAMPROW row = picture->rgb + (size_t)p->jpeg.next_scanline * picture->width * 3;
        (void)jpeg_write_scanlines(&p->jpeg, &row, 1);
    }
    jpeg_finish_compress(&p->jpeg);
    return true;
}

/* Our own pixels, so libjpeg has nothing to complain of but want of memory. */
static kiln_status pack(const rgb_picture *picture, unsigned char **out_bytes,
                        unsigned long *out_size, kiln_error *error) {
    packer p = {.jpeg = {.client_data = &p}};
    *out_size = PACKED_BYTES;
    *out_bytes = malloc(PACKED_BYTES);
    p.jpeg.err = jpeg_std_error(&p.errors);
    p.errors.error_exit = fail;
    bool good = *out_bytes != NULL && compress(&p, picture, *out_bytes, out_size);
    jpeg_destroy_compress(&p.jpeg);
    return good ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
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

/* A small picture as an element. */
static kiln_status write_small(const rgb_picture *small, FILE *out, kiln_error *error) {
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    kiln_status status = pack(small, &bytes, &size, error);
    if (status == KILN_OK) {
        fprintf(out, "<img alt=\"\" src=\"data:image/jpeg;base64,");
        write_base64(bytes, size, out);
        fprintf(out, "\">");
    }
    free(bytes);
    return status;
}

kiln_status thumbnail_write_picture(const rgb_picture *picture, FILE *out, kiln_error *error) {
    rgb_picture small = {0};
    kiln_status status = shrink(picture, &small, error);
    if (status == KILN_OK) {
        status = write_small(&small, out, error);
    }
    picture_free(&small);
    return status;
}

static kiln_status crop_face(const rgb_picture *picture, const kiln_face *face,
                             rgb_picture *out_small, kiln_error *error) {
    kiln_image image = picture_image(picture);
    kiln_status status = picture_allocate(out_small, LARGEST, LARGEST, error);
    return status == KILN_OK ? kiln_face_crop(&image, face, LARGEST, LARGEST, out_small->rgb, error)
                             : status;
}

kiln_status thumbnail_write(const data_set *data, const data_item *item, FILE *out,
                            kiln_error *error) {
    rgb_picture picture = {0}, small = {0};
    kiln_status status = data_item_picture(data, item, &picture, error);
    if (status == KILN_OK) {
        status = item->subject.is_face ? crop_face(&picture, &item->subject.face, &small, error)
                                       : shrink(&picture, &small, error);
    }
    if (status == KILN_OK) {
        status = write_small(&small, out, error);
    }
    picture_free(&picture);
    picture_free(&small);
    return data_may_skip(status) ? KILN_OK : status;
}
