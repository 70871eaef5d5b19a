/* Pictures: decoding to 8-bit RGB. Files are untrusted. What becomes of the pixels is the library's
 * (kiln/image.h). */
#ifndef KILN_COMPILER_CLI_PICTURE_H
#define KILN_COMPILER_CLI_PICTURE_H

#include <kiln/image.h>

/* As help names them. */
#define PICTURE_FORMATS "JPEG, PNG, HEIC, AVIF, WebP, GIF, BMP, TIFF, PGM and PPM"

/* What web pages count their readers with has 1 pixel; the smallest digits that are learned have 8
 * a side. Of what is read: picture_decode takes any size. */
#define PICTURE_MIN_SIDE 4u
#define PICTURE_MAX_SIDE 20000u
#define PICTURE_MAX_PIXELS 100000000u

/* Rows from the top, three bytes a pixel, no padding. Gray is repeated, alpha is ignored (as the
 * loaders networks are trained with do), CMYK is converted, 16 bits are scaled to 8. Of several
 * pictures in a file it is the first, or the one that HEIC and AVIF call primary. It stands
 * upright: EXIF's orientation, TIFF's own, and the rotation and mirroring of HEIC and AVIF (whose
 * EXIF says the same again, and does not count: ISO/IEC 23008-12) are applied. */
typedef struct rgb_picture {
    uint32_t width, height;
    uint8_t *rgb;
} rgb_picture;

/* The format is told by the content. On failure *out_picture is empty. Release with picture_free.
 * picture_read takes what is in a file; what picture_load says of that begins with the path. */
kiln_status picture_load(const char *path, rgb_picture *out_picture, kiln_error *error);
kiln_status picture_read(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);
kiln_status picture_decode(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);
/* Whether the first bytes are those of a picture that is decoded; else why not:
 * KILN_ERROR_UNSUPPORTED for a picture of another kind, or one whose codec's library was missing
 * when Kiln was built; KILN_ERROR_FORMAT for anything else. */
kiln_status picture_check(kiln_span bytes, kiln_error *error);
void picture_free(rgb_picture *picture); /* an empty one is allowed */

/* As a PNG file. */
kiln_status picture_write(const rgb_picture *picture, const char *path, kiln_error *error);

/* The pixels as the library takes them; they stay the picture's. */
kiln_image picture_image(const rgb_picture *picture);

/* KILN_ERROR_ARGUMENT when the tensor cannot hold pictures: says what to do instead. */
kiln_status picture_check_input(const kiln_tensor_info *input, kiln_image_layout *out_layout,
                                kiln_error *error);

/* ---- Between the decoders ------------------------------------------------------------------ */

/* Refuses sides and areas over the limits, then allocates rgb. picture_begin also refuses what so
 * small a file does not hold but as a trap (picture_most_pixels): a blank picture of 100 million
 * pixels takes 12 KB. */
uint64_t picture_most_pixels(kiln_span file);
kiln_status picture_begin(kiln_span file, rgb_picture *out_picture, uint64_t width, uint64_t height,
                          kiln_error *error);
kiln_status picture_allocate(rgb_picture *out_picture, uint64_t width, uint64_t height,
                             kiln_error *error);

kiln_status picture_decode_jpeg(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);
kiln_status picture_decode_png(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);
kiln_status picture_decode_pnm(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);
kiln_status picture_decode_bmp(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);

/* Those whose library may be missing when Kiln is built; NULL without it. */
#ifdef KILN_WITH_HEIF
kiln_status picture_decode_heif(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);
#else
#define picture_decode_heif NULL
#endif
#ifdef KILN_WITH_WEBP
kiln_status picture_decode_webp(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);
#else
#define picture_decode_webp NULL
#endif
#ifdef KILN_WITH_TIFF
kiln_status picture_decode_tiff(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);
#else
#define picture_decode_tiff NULL
#endif
#ifdef KILN_WITH_GIF
kiln_status picture_decode_gif(kiln_span bytes, rgb_picture *out_picture, kiln_error *error);
#else
#define picture_decode_gif NULL
#endif

/* Decodes in a process of its own, which may fail alone (picture_apart.c); there, once it knows how
 * many pixels there are to be, a decoder limits the memory that it takes. */
typedef kiln_status (*picture_decoder)(kiln_span bytes, rgb_picture *out_picture,
                                       kiln_error *error);
kiln_status picture_decode_apart(picture_decoder decode, kiln_span bytes, rgb_picture *out_picture,
                                 kiln_error *error);
void picture_limit_memory(uint64_t pixels);

/* EXIF orientation (1..8) in the body of a JPEG APP1 marker (WebP's chunk often is the same), or in
 * EXIF's own bytes, as PNG holds them; 1 when there is none. */
unsigned picture_exif_orientation(kiln_span marker);
unsigned picture_tiff_orientation(kiln_span bytes);
/* Rotates and mirrors the picture so that it stands upright. */
kiln_status picture_orient(rgb_picture *inout_picture, unsigned orientation, kiln_error *error);

#endif
