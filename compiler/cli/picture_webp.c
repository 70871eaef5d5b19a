/* WebP through libwebp: lossy and lossless; of an animation the first frame. The container is
 * https://developers.google.com/speed/webp/docs/riff_container. */
#include "compiler/cli/picture.h"

#include <string.h>

#include <webp/decode.h>

enum { RIFF_HEADER = 12, CHUNK_HEADER = 8, FRAME_HEADER = 16 };

static uint32_t read24(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
}

/* The body of the first chunk of that name; no bytes where there is none. A chunk that is cut short
 * ends with the file. */
static kiln_span find_chunk(kiln_span file, const char *name) {
    const uint8_t *data = file.data;
    for (size_t at = RIFF_HEADER; at < file.size && file.size - at > CHUNK_HEADER;) {
        size_t left = file.size - at - CHUNK_HEADER;
        size_t size = read24(data + at + 4) | (size_t)data[at + 7] << 24;
        if (memcmp(data + at, name, 4) == 0) {
            return (kiln_span){data + at + CHUNK_HEADER, size < left ? size : left};
        }
        if (size >= left) {
            break;
        }
        at += CHUNK_HEADER + size + (size & 1);
    }
    return (kiln_span){NULL, 0};
}

static kiln_status refuse(VP8StatusCode code, kiln_error *error) {
    return code == VP8_STATUS_OUT_OF_MEMORY
               ? kiln_fail(error, KILN_ERROR_MEMORY, "out of memory")
               : kiln_fail(error, KILN_ERROR_FORMAT, "WebP: %s",
                           code == VP8_STATUS_NOT_ENOUGH_DATA ? "the file is cut short"
                                                              : "damaged");
}

/* Into the picture, from (left, top) on. */
static kiln_status decode_at(kiln_span bytes, uint64_t left, uint64_t top, rgb_picture *picture,
                             kiln_error *error) {
    WebPDecoderConfig config;
    if (WebPInitDecoderConfig(&config) == 0) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "WebP: built for a libwebp of another version");
    }
    VP8StatusCode code = WebPGetFeatures(bytes.data, bytes.size, &config.input);
    if (code != VP8_STATUS_OK) {
        return refuse(code, error);
    }
    if (config.input.has_animation != 0 || left + (uint64_t)config.input.width > picture->width ||
        top + (uint64_t)config.input.height > picture->height) {
        return refuse(VP8_STATUS_BITSTREAM_ERROR, error);
    }
    size_t stride = (size_t)picture->width * 3, first = (size_t)top * stride + (size_t)left * 3;
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA = (WebPRGBABuffer){.rgba = picture->rgb + first,
                                            .stride = (int)stride,
                                            .size = picture->height * stride - first};
    code = WebPDecode(bytes.data, bytes.size, &config);
    return code == VP8_STATUS_OK ? KILN_OK : refuse(code, error);
}

/* What the frame leaves free is black. */
static kiln_status decode_first_frame(kiln_span file, rgb_picture *picture, kiln_error *error) {
    kiln_span chunk = find_chunk(file, "ANMF");
    const uint8_t *frame = chunk.data;
    if (chunk.size <= FRAME_HEADER) {
        return refuse(VP8_STATUS_NOT_ENOUGH_DATA, error);
    }
    memset(picture->rgb, 0, (size_t)picture->width * picture->height * 3);
    return decode_at((kiln_span){frame + FRAME_HEADER, chunk.size - FRAME_HEADER},
                     (uint64_t)read24(frame) * 2, (uint64_t)read24(frame + 3) * 2, picture, error);
}

/* Some writers put JPEG's mark before EXIF. */
static unsigned orientation_of(kiln_span file) {
    kiln_span exif = find_chunk(file, "EXIF");
    bool marked = exif.size >= 6 && memcmp(exif.data, "Exif\0\0", 6) == 0;
    return marked ? picture_exif_orientation(exif) : picture_tiff_orientation(exif);
}

kiln_status picture_decode_webp(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    WebPBitstreamFeatures about;
    VP8StatusCode code = WebPGetFeatures(bytes.data, bytes.size, &about);
    if (code != VP8_STATUS_OK) {
        return refuse(code, error);
    }
    kiln_status status =
        picture_begin(bytes, out_picture, (uint64_t)about.width, (uint64_t)about.height, error);
    if (status == KILN_OK) {
        status = about.has_animation != 0 ? decode_first_frame(bytes, out_picture, error)
                                          : decode_at(bytes, 0, 0, out_picture, error);
    }
    return status == KILN_OK ? picture_orient(out_picture, orientation_of(bytes), error) : status;
}
