/* TIFF through libtiff: the first directory, of any kind that libtiff can show as RGB: bilevel,
 * gray, palette, RGB, YCbCr, CMYK, CIE L*a*b*; strips and tiles, 1 to 16 bits, all of its
 * compressions. */
#include "compiler/cli/picture.h"

#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

#define SPARE_BYTES ((uint64_t)1 << 20)

typedef struct source {
    kiln_span bytes;
    uint64_t at;
    char why[200]; /* the first complaint */
} source;

/* ---- The file as libtiff reads it ---------------------------------------------------------- */

static tmsize_t read_bytes(thandle_t handle, void *out, tmsize_t size) {
    source *from = handle;
    uint64_t left = from->at < from->bytes.size ? from->bytes.size - from->at : 0;
    uint64_t count = size > 0 ? (uint64_t)size : 0;
    count = count < left ? count : left;
    if (count > 0) {
        memcpy(out, (const uint8_t *)from->bytes.data + from->at, (size_t)count);
    }
    from->at += count;
    return (tmsize_t)count;
}

static tmsize_t write_bytes(thandle_t handle, void *data, tmsize_t size) {
    (void)handle;
    (void)data;
    (void)size;
    return 0;
}

static toff_t seek_to(thandle_t handle, toff_t offset, int whence) {
    source *from = handle;
    from->at = whence == SEEK_SET   ? offset
               : whence == SEEK_CUR ? from->at + offset
                                    : from->bytes.size + offset;
    return from->at;
}

static int close_file(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle) {
    return ((source *)handle)->bytes.size;
}

static int on_error(TIFF *tiff, void *user, const char *module, const char *format,
                    va_list values) {
    source *from = user;
    (void)tiff;
    (void)module;
    if (from->why[0] == '\0') {
        (void)vsnprintf(from->why, sizeof from->why, format, values);
    }
    return 1; /* told */
}

static int on_warning(TIFF *tiff, void *user, const char *module, const char *format,
                      va_list values) {
    (void)tiff;
    (void)user;
    (void)module;
    (void)format;
    (void)values;
    return 1;
}

/* ---- Pixels -------------------------------------------------------------------------------- */

/* libtiff tells want of memory by its texts alone, where it does. */
static kiln_status refuse(const source *from, kiln_error *error) {
    bool trap = strstr(from->why, "beyond the") != NULL;
    bool memory = strstr(from->why, "emory") != NULL || strstr(from->why, "No space") != NULL ||
                  strstr(from->why, "alloc") != NULL || from->why[0] == '\0';
    return memory && !trap ? kiln_fail(error, KILN_ERROR_MEMORY, "out of memory")
                           : kiln_fail(error, KILN_ERROR_FORMAT, "TIFF: %s", from->why);
}

/* Alpha is to be ignored, but libtiff multiplies by the kind that pixels are not multiplied by yet:
 * it is told that they are. Returns the kind that pixels have been multiplied by, or 0. */
static uint16_t settle_alpha(TIFF *tiff) {
    uint16_t count = 0, *kinds = NULL;
    if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds) == 0 || count == 0) {
        return 0;
    }
    uint16_t kind = kinds[0];
    if (kind == EXTRASAMPLE_UNASSALPHA) {
        uint16_t told[1] = {EXTRASAMPLE_ASSOCALPHA};
        (void)TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, told);
    }
    return kind == EXTRASAMPLE_ASSOCALPHA ? kind : 0;
}

static void write_pixels(const uint32_t *raster, bool multiplied, rgb_picture *picture) {
    size_t pixels = (size_t)picture->width * picture->height;
    for (size_t k = 0; k < pixels; k++) {
        uint32_t alpha = multiplied ? TIFFGetA(raster[k]) : 255;
        uint32_t rgb[3] = {TIFFGetR(raster[k]), TIFFGetG(raster[k]), TIFFGetB(raster[k])};
        for (size_t c = 0; c < 3; c++) {
            uint32_t value = alpha > 0 ? (rgb[c] * 255 + alpha / 2) / alpha : rgb[c];
            picture->rgb[k * 3 + c] = (uint8_t)(value < 255 ? value : 255);
        }
    }
}

static kiln_status decode(TIFF *tiff, source *from, rgb_picture *out_picture, kiln_error *error) {
    uint32_t width = 0, height = 0;
    uint16_t orientation = ORIENTATION_TOPLEFT;
    (void)TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
    (void)TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
    (void)TIFFGetField(tiff, TIFFTAG_ORIENTATION, &orientation);
    kiln_status status = picture_begin(from->bytes, out_picture, width, height, error);
    if (status != KILN_OK) {
        return status;
    }
    bool multiplied = settle_alpha(tiff) != 0;
    TIFFRGBAImage image;
    char why[1024] = "";
    if (TIFFRGBAImageOK(tiff, why) == 0) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED, "TIFF: %s", why);
    }
    if (TIFFRGBAImageBegin(&image, tiff, 1, why) == 0) {
        return from->why[0] != '\0' || why[0] == '\0'
                   ? refuse(from, error)
                   : kiln_fail(error, KILN_ERROR_UNSUPPORTED, "TIFF: %s", why);
    }
    image.req_orientation = image.orientation; /* rows as they lie in the file */
    uint32_t *raster = calloc((size_t)width * height, sizeof *raster);
    if (raster == NULL) {
        status = kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    } else if (TIFFRGBAImageGet(&image, raster, width, height) == 0) {
        status = refuse(from, error);
    } else {
        write_pixels(raster, multiplied, out_picture);
    }
    free(raster);
    TIFFRGBAImageEnd(&image);
    bool sound = orientation >= 1 && orientation <= 8;
    return status == KILN_OK ? picture_orient(out_picture, sound ? orientation : 1, error) : status;
}

kiln_status picture_decode_tiff(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    source from = {.bytes = bytes};
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (options == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    /* A strip or tile: at most the whole picture, in four channels of 16 bits. */
    TIFFOpenOptionsSetMaxSingleMemAlloc(options,
                                        (tmsize_t)(picture_most_pixels(bytes) * 8 + SPARE_BYTES));
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, &from);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, &from);
    TIFF *tiff = TIFFClientOpenExt("", "rm", &from, read_bytes, write_bytes, seek_to, close_file,
                                   size_of, NULL, NULL, options);
    kiln_status status =
        tiff != NULL ? decode(tiff, &from, out_picture, error) : refuse(&from, error);
    if (tiff != NULL) {
        TIFFClose(tiff);
    }
    TIFFOpenOptionsFree(options);
    return status;
}
