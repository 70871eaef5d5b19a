/* Pictures: decoding JPEG, PNG and PGM/PPM to 8-bit RGB, and resizing. Files are untrusted. */
#ifndef KILN_COMPILER_CLI_IMAGE_H
#define KILN_COMPILER_CLI_IMAGE_H

#include <kiln/kiln.h>

#define IMAGE_MAX_SIDE 20000u
#define IMAGE_MAX_PIXELS 100000000u

/* Rows from the top, three bytes a pixel, no padding. Gray is repeated, alpha is ignored (as the
 * loaders networks are trained with do), CMYK is converted. */
typedef struct image {
    uint32_t width, height;
    uint8_t *rgb;
} image;

/* The format is told by the content. On failure *out_image is empty. Release with image_free. */
kiln_status image_load(const char *path, image *out_image, kiln_error *error);
kiln_status image_decode(kiln_span bytes, image *out_image, kiln_error *error);
void image_free(image *picture); /* an empty image is allowed */

/* Where in a picture scaled to full_width x full_height the wanted part lies. */
typedef struct resize_window {
    uint32_t full_width, full_height;
    uint32_t left, top, width, height;
} resize_window;

/* Scales and cuts in one go: bilinear; when scaling down, each pixel averages the area it stands
 * for (a triangle as wide as two target pixels, as Pillow does). out_rgb: width * height * 3 values
 * in 0..255. */
kiln_status image_resize(const image *picture, const resize_window *window, float *out_rgb,
                         kiln_error *error);

/* ---- Between the decoders ------------------------------------------------------------------ */

/* Refuses sides and areas over the limits, then allocates rgb. image_begin also refuses what so
 * small a file does not hold but as a trap: a blank picture of 100 million pixels takes 12 KB. */
kiln_status image_begin(kiln_span file, image *out_image, uint64_t width, uint64_t height,
                        kiln_error *error);
kiln_status image_allocate(image *out_image, uint64_t width, uint64_t height, kiln_error *error);

kiln_status image_decode_jpeg(kiln_span bytes, image *out_image, kiln_error *error);
kiln_status image_decode_png(kiln_span bytes, image *out_image, kiln_error *error);
kiln_status image_decode_pnm(kiln_span bytes, image *out_image, kiln_error *error);

/* EXIF orientation (1..8) in the body of a JPEG APP1 marker, or in EXIF's own bytes, as PNG holds
 * them; 1 when there is none. */
unsigned image_exif_orientation(kiln_span marker);
unsigned image_tiff_orientation(kiln_span bytes);
/* Turns and mirrors the picture so that it stands upright. */
kiln_status image_orient(image *inout_image, unsigned orientation, kiln_error *error);

#endif
