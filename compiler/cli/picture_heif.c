/* HEIC and AVIF through libheif, in a process of its own: the primary picture, at 8 bits. libheif
 * applies the rotations and the mirroring that the file holds. */
#include "compiler/cli/picture.h"

#include <string.h>

#include <libheif/heif.h>

/* Everything to be released at the end. */
typedef struct decoder {
    struct heif_context *context;
    struct heif_image_handle *handle;
    struct heif_decoding_options *options;
    struct heif_image *image;
} decoder;

static kiln_status refuse(struct heif_error why, kiln_error *error) {
    if (why.code == heif_error_Memory_allocation_error) {
        bool limit = why.subcode == heif_suberror_Security_limit_exceeded;
        return limit ? kiln_fail(error, KILN_ERROR_UNSUPPORTED, "HEIF: %s", why.message)
                     : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    bool known =
        why.code == heif_error_Unsupported_filetype || why.code == heif_error_Unsupported_feature;
    return kiln_fail(error, known ? KILN_ERROR_UNSUPPORTED : KILN_ERROR_FORMAT, "HEIF: %s",
                     why.message != NULL ? why.message : "damaged");
}

/* What was decoded may differ from what the file's header says. */
static kiln_status copy_rows(const struct heif_image *image, kiln_span file,
                             rgb_picture *out_picture, kiln_error *error) {
    int stride = 0, width = heif_image_get_width(image, heif_channel_interleaved);
    int height = heif_image_get_height(image, heif_channel_interleaved);
    const uint8_t *rows = heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride);
    if (rows == NULL || width <= 0 || height <= 0 || stride / 3 < width) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "HEIF: no pixels");
    }
    kiln_status status = picture_begin(file, out_picture, (uint64_t)width, (uint64_t)height, error);
    for (int y = 0; y < height && status == KILN_OK; y++) {
        memcpy(out_picture->rgb + (size_t)y * (size_t)width * 3, rows + (size_t)y * (size_t)stride,
               (size_t)width * 3);
    }
    return status;
}

static kiln_status check_size(const struct heif_image_handle *handle, kiln_span file,
                              kiln_error *error) {
    rgb_picture room = {0};
    int width = heif_image_handle_get_width(handle), height = heif_image_handle_get_height(handle);
    kiln_status status = picture_begin(file, &room, width > 0 ? (uint64_t)width : 0,
                                       height > 0 ? (uint64_t)height : 0, error);
    if (status == KILN_OK) {
        picture_limit_memory((uint64_t)room.width * room.height);
    }
    picture_free(&room);
    return status;
}

static kiln_status decode(decoder *d, kiln_span bytes, rgb_picture *out_picture,
                          kiln_error *error) {
    d->context = heif_context_alloc();
    d->options = heif_decoding_options_alloc();
    if (d->context == NULL || d->options == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    d->options->convert_hdr_to_8bit = 1;
    heif_context_set_maximum_image_size_limit(d->context, PICTURE_MAX_SIDE);
    heif_context_set_max_decoding_threads(d->context, 0); /* the command has threads of its own */
    struct heif_error why =
        heif_context_read_from_memory_without_copy(d->context, bytes.data, bytes.size, NULL);
    if (why.code == heif_error_Ok) {
        why = heif_context_get_primary_image_handle(d->context, &d->handle);
    }
    if (why.code != heif_error_Ok) {
        return refuse(why, error);
    }
    kiln_status status = check_size(d->handle, bytes, error);
    if (status != KILN_OK) {
        return status;
    }
    why = heif_decode_image(d->handle, &d->image, heif_colorspace_RGB, heif_chroma_interleaved_RGB,
                            d->options);
    return why.code == heif_error_Ok ? copy_rows(d->image, bytes, out_picture, error)
                                     : refuse(why, error);
}

static kiln_status decode_here(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    decoder d = {0};
    kiln_status status = decode(&d, bytes, out_picture, error);
    if (d.image != NULL) {
        heif_image_release(d.image);
    }
    if (d.handle != NULL) {
        heif_image_handle_release(d.handle);
    }
    if (d.options != NULL) {
        heif_decoding_options_free(d.options);
    }
    if (d.context != NULL) {
        heif_context_free(d.context);
    }
    return status;
}

kiln_status picture_decode_heif(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    return picture_decode_apart(decode_here, bytes, out_picture, error);
}
