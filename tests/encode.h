/* Pictures of the codecs that Kiln may be built with, made by the codecs' own writers, in memory.
 */
#ifndef KILN_TESTS_ENCODE_H
#define KILN_TESTS_ENCODE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct encoded {
    uint8_t data[1 << 16];
    size_t size, at; /* at: where a writer that seeks stands */
} encoded;

static inline bool encoded_put(encoded *e, const void *data, size_t size) {
    if (e->at + size > sizeof e->data) {
        return false;
    }
    memcpy(e->data + e->at, data, size);
    e->at += size;
    e->size = e->at > e->size ? e->at : e->size;
    return true;
}

static inline void encoded_put32(encoded *e, uint32_t value) {
    (void)encoded_put(e,
                      (const uint8_t[]){(uint8_t)value, (uint8_t)(value >> 8),
                                        (uint8_t)(value >> 16), (uint8_t)(value >> 24)},
                      4);
}

/* BMP of `bits` a pixel; rows as they are to lie in the file, padded. */
static inline void encode_bmp(encoded *e, int32_t width, int32_t height, uint32_t bits,
                              uint32_t method, const void *behind_header, size_t behind_bytes,
                              const void *rows, size_t row_bytes) {
    *e = (encoded){.size = 0};
    (void)encoded_put(e, "BM", 2);
    encoded_put32(e, (uint32_t)(54 + behind_bytes + row_bytes));
    encoded_put32(e, 0);
    encoded_put32(e, (uint32_t)(54 + behind_bytes));
    encoded_put32(e, 40);
    encoded_put32(e, (uint32_t)width);
    encoded_put32(e, (uint32_t)height);
    encoded_put32(e, 1 | bits << 16);
    encoded_put32(e, method);
    for (int k = 0; k < 5; k++) {
        encoded_put32(e, k == 3 && bits <= 8 ? (uint32_t)behind_bytes / 4 : 0);
    }
    (void)encoded_put(e, behind_header, behind_bytes);
    (void)encoded_put(e, rows, row_bytes);
}

#ifdef KILN_WITH_WEBP
#include <webp/encode.h>

/* Without loss. */
static inline bool encode_webp(encoded *e, const uint8_t *rgb, int width, int height) {
    uint8_t *bytes = NULL;
    *e = (encoded){.size = 0};
    size_t size = WebPEncodeLosslessRGB(rgb, width, height, width * 3, &bytes);
    bool good = size > 0 && encoded_put(e, bytes, size);
    WebPFree(bytes);
    return good;
}

/* Around what encode_webp made: EXIF of `size` bytes behind it, as the container has it
 * (https://developers.google.com/speed/webp/docs/riff_container). */
static inline void webp_add_exif(encoded *e, int width, int height, const void *exif, size_t size) {
    encoded plain = *e;
    *e = (encoded){.size = 0};
    (void)encoded_put(e, "RIFF", 4);
    encoded_put32(e, (uint32_t)(plain.size - 8 + 18 + 8 + size));
    (void)encoded_put(e, "WEBPVP8X", 8);
    encoded_put32(e, 10);
    encoded_put32(e, 8); /* there is EXIF */
    encoded_put32(e, (uint32_t)(width - 1));
    e->at--; /* 24 bits each */
    encoded_put32(e, (uint32_t)(height - 1));
    e->size = --e->at;
    (void)encoded_put(e, plain.data + 12, plain.size - 12);
    (void)encoded_put(e, "EXIF", 4);
    encoded_put32(e, (uint32_t)size);
    (void)encoded_put(e, exif, size);
}
#endif

#ifdef KILN_WITH_GIF
#include <gif_lib.h>

static inline int encoded_put_gif(GifFileType *gif, const GifByteType *data, int size) {
    return encoded_put(gif->UserData, data, (size_t)size) ? size : 0;
}

/* Indices of two colours on a screen; the frame at (left, top). */
static inline bool encode_gif(encoded *e, const uint8_t *indices, int width, int height, int left,
                              int top, bool interlaced, const GifColorType colours[2]) {
    static const int first[4] = {0, 4, 2, 1}, step[4] = {8, 8, 4, 2};
    int code = 0;
    *e = (encoded){.size = 0};
    ColorMapObject *map = GifMakeMapObject(2, colours);
    GifFileType *gif = EGifOpen(e, encoded_put_gif, &code);
    bool good = gif != NULL && map != NULL &&
                EGifPutScreenDesc(gif, width + left, height + top, 8, 0, map) == GIF_OK &&
                EGifPutComment(gif, "a comment") == GIF_OK &&
                EGifPutImageDesc(gif, left, top, width, height, interlaced, NULL) == GIF_OK;
    for (int pass = 0; good && pass < (interlaced ? 4 : 1); pass++) {
        for (int y = interlaced ? first[pass] : 0; y < height; y += interlaced ? step[pass] : 1) {
            GifPixelType row[256];
            memcpy(row, indices + (size_t)y * (size_t)width, (size_t)width);
            good = good && EGifPutLine(gif, row, width) == GIF_OK;
        }
    }
    GifFreeMapObject(map);
    return gif != NULL && EGifCloseFile(gif, NULL) == GIF_OK && good;
}
#endif

#ifdef KILN_WITH_TIFF
#include <tiffio.h>

static inline tmsize_t encoded_tiff_read(thandle_t handle, void *out, tmsize_t size) {
    encoded *e = handle;
    size_t left = e->at < e->size ? e->size - e->at : 0;
    size_t count = (size_t)size < left ? (size_t)size : left;
    memcpy(out, e->data + e->at, count);
    e->at += count;
    return (tmsize_t)count;
}

static inline tmsize_t encoded_tiff_write(thandle_t handle, void *data, tmsize_t size) {
    return encoded_put(handle, data, (size_t)size) ? size : 0;
}

static inline toff_t encoded_tiff_seek(thandle_t handle, toff_t offset, int whence) {
    encoded *e = handle;
    e->at = (size_t)(whence == SEEK_SET   ? offset
                     : whence == SEEK_CUR ? e->at + offset
                                          : e->size + offset);
    return e->at;
}

static inline int encoded_tiff_close(thandle_t handle) {
    (void)handle;
    return 0;
}

static inline toff_t encoded_tiff_size(thandle_t handle) {
    return ((encoded *)handle)->size;
}

typedef struct tiff_kind {
    uint16_t bits, channels, photometric, compression, orientation;
    uint16_t extra; /* EXTRASAMPLE_*, of a last channel that is no colour */
    bool tiled;     /* 16x16 */
} tiff_kind;

/* Rows from the top, channels side by side. */
static inline bool encode_tiff(encoded *e, const tiff_kind *k, const uint8_t *samples,
                               uint32_t width, uint32_t height) {
    *e = (encoded){.size = 0};
    TIFF *t = TIFFClientOpen("", "w", e, encoded_tiff_read, encoded_tiff_write, encoded_tiff_seek,
                             encoded_tiff_close, encoded_tiff_size, NULL, NULL);
    if (t == NULL) {
        return false;
    }
    size_t pixel = (size_t)k->channels * k->bits / 8, row = pixel * width;
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, width);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, height);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, k->bits);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, k->channels);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, k->photometric);
    TIFFSetField(t, TIFFTAG_COMPRESSION, k->compression);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(t, TIFFTAG_ORIENTATION, k->orientation);
    if (k->extra != 0) {
        TIFFSetField(t, TIFFTAG_EXTRASAMPLES, 1, &k->extra);
    }
    bool good = true;
    if (k->tiled) {
        uint8_t tile[16 * 16 * 8];
        TIFFSetField(t, TIFFTAG_TILEWIDTH, 16);
        TIFFSetField(t, TIFFTAG_TILELENGTH, 16);
        for (uint32_t y = 0; y < height; y += 16) {
            for (uint32_t x = 0; x < width; x += 16) {
                memset(tile, 0, sizeof tile);
                for (uint32_t r = 0; r < 16 && y + r < height; r++) {
                    uint32_t columns = width - x < 16 ? width - x : 16;
                    memcpy(tile + (size_t)r * 16 * pixel, samples + (y + r) * row + x * pixel,
                           columns * pixel);
                }
                good = good && TIFFWriteTile(t, tile, x, y, 0, 0) > 0;
            }
        }
    } else {
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 5);
        for (uint32_t y = 0; y < height; y++) {
            uint8_t line[1024];
            memcpy(line, samples + y * row, row);
            good = good && TIFFWriteScanline(t, line, y, 0) == 1;
        }
    }
    TIFFClose(t);
    return good;
}
#endif

#ifdef KILN_WITH_HEIF
#include <libheif/heif.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

static inline struct heif_error encoded_put_heif(struct heif_context *context, const void *data,
                                                 size_t size, void *user) {
    (void)context;
    return encoded_put(user, data, size)
               ? (struct heif_error){heif_error_Ok, heif_suberror_Unspecified, ""}
               : (struct heif_error){heif_error_Encoding_error, heif_suberror_Unspecified, "full"};
}

/* Samples as they are, or in two bytes, of `bits`. */
static inline void heif_row(const uint8_t *rgb, size_t count, int bits, uint8_t *out) {
    for (size_t k = 0; k < count; k++) {
        unsigned value = rgb[k] * ((1u << bits) - 1) / 255;
        out[bits > 8 ? k * 2 : k] = (uint8_t)value;
        if (bits > 8) {
            out[k * 2 + 1] = (uint8_t)(value >> 8);
        }
    }
}

static inline bool encode_heif_leaking(encoded *e, bool av1, int bits, const uint8_t *rgb,
                                       int width, int height, enum heif_orientation orientation) {
    struct heif_encoder *encoder = NULL;
    struct heif_image *image = NULL;
    struct heif_context *context = heif_context_alloc();
    struct heif_encoding_options *options = heif_encoding_options_alloc();
    struct heif_writer writer = {.writer_api_version = 1, .write = encoded_put_heif};
    *e = (encoded){.size = 0};
    bool good = heif_context_get_encoder_for_format(
                    context, av1 ? heif_compression_AV1 : heif_compression_HEVC, &encoder)
                        .code == heif_error_Ok &&
                heif_image_create(width, height, heif_colorspace_RGB,
                                  bits > 8 ? heif_chroma_interleaved_RRGGBB_LE
                                           : heif_chroma_interleaved_RGB,
                                  &image)
                        .code == heif_error_Ok &&
                heif_image_add_plane(image, heif_channel_interleaved, width, height, bits).code ==
                    heif_error_Ok;
    if (good) {
        int stride;
        uint8_t *rows = heif_image_get_plane(image, heif_channel_interleaved, &stride);
        for (int y = 0; y < height; y++) {
            heif_row(rgb + (size_t)y * (size_t)width * 3, (size_t)width * 3, bits,
                     rows + (size_t)y * (size_t)stride);
        }
        options->image_orientation = orientation;
        (void)heif_encoder_set_lossy_quality(encoder, 95);
        good = heif_context_encode_image(context, image, encoder, options, NULL).code ==
                   heif_error_Ok &&
               heif_context_write(context, &writer, e).code == heif_error_Ok;
    }
    if (image != NULL) {
        heif_image_release(image);
    }
    if (encoder != NULL) {
        heif_encoder_release(encoder);
    }
    heif_encoding_options_free(options);
    heif_context_free(context);
    return good;
}

/* av1: AVIF; else HEIC; of 8 or 10 bits. False also where libheif has no such encoder. */
static inline bool encode_heif(encoded *e, bool av1, int bits, const uint8_t *rgb, int width,
                               int height, enum heif_orientation orientation) {
#ifdef __SANITIZE_ADDRESS__
    __lsan_disable(); /* libx265 forgets some memory of an encoder */
#endif
    bool good = encode_heif_leaking(e, av1, bits, rgb, width, height, orientation);
#ifdef __SANITIZE_ADDRESS__
    __lsan_enable();
#endif
    return good;
}
#endif

#endif
