/* Kiln images: pixels in memory to a network's input, by the plan's own preprocessing.
 *
 *   kiln_tensor_info input;
 *   kiln_preprocess preprocess;
 *   kiln_plan_input(plan, 0, &input);
 *   kiln_plan_preprocess(plan, &preprocess);
 *   kiln_image image = {.format = KILN_IMAGE_RGB, .width = 640, .height = 480,
 *                       .pixels = frame, .stride = 640 * 3};
 *   kiln_buffer buffer = {malloc(input.bytes), input.bytes};
 *   kiln_image_to_input(&image, &input, &preprocess, 0, buffer, &error);
 *   kiln_session_run(session, 1, &buffer, 1, &output, 1, &error);
 *
 * The `kiln` command feeds networks through these functions alone, in training and afterwards: the
 * same pixels give the same input, bit by bit. Decoding files is the caller's.
 *
 * Threads: there is no state, so that any function may be called from any thread. Ownership: images
 * and buffers are the caller's; pixels are only read, during the call. Errors: as in kiln.h; a
 * function that fails may have written a part of what it was to write. Scaling allocates (with
 * malloc) and frees 12 bytes a pixel of the result and some rows of the image.
 *
 * A runtime built with KILN_BUILD_IMAGE=OFF has none of this.
 */
#ifndef KILN_IMAGE_H
#define KILN_IMAGE_H

#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Images -------------------------------------------------------------------------------- */

typedef enum kiln_image_format {
    KILN_IMAGE_RGB = 1,  /* red, green, blue, a byte each */
    KILN_IMAGE_BGR = 2,  /* OpenCV's order */
    KILN_IMAGE_RGBA = 3, /* Android's Bitmap (ARGB_8888); alpha is passed over */
    KILN_IMAGE_BGRA = 4, /* iOS's kCVPixelFormatType_32BGRA */
    KILN_IMAGE_GRAY = 5,
    /* A plane of luma, then chroma of half the width and half the height (rounded up): */
    KILN_IMAGE_NV12 = 6, /* Cb, Cr in turn, a row of them `chroma_stride` bytes: iOS's cameras */
    KILN_IMAGE_NV21 = 7, /* Cr, Cb in turn: Android's cameras */
    KILN_IMAGE_I420 = 8  /* a plane of Cb, then one of Cr */
} kiln_image_format;

/* How luma and chroma stand for colours (ITU-R BT.601 and BT.709). */
typedef enum kiln_image_colour {
    KILN_COLOUR_JPEG = 0,  /* BT.601, all of 0..255 in use: JPEG, Android's cameras */
    KILN_COLOUR_BT601 = 1, /* luma in 16..235 */
    KILN_COLOUR_BT709 = 2  /* luma in 16..235: video in high definition */
} kiln_image_colour;

/* Rows from the top. Zeros are the defaults: initialise with {0} or designators.
 *
 * What is seen of an image is its crop rectangle, turned upright, then mirrored; all functions take
 * that for the image, and coordinates (of faces, say) are in its pixels. */
typedef struct kiln_image {
    kiln_image_format format;
    uint32_t width, height; /* at least 1 */
    const uint8_t *pixels;  /* of the first row; luma in NV12, NV21 and I420 */
    size_t stride;          /* bytes from one row to the next; at least a row's pixels */

    /* NV12, NV21: chroma[0] is the plane of both. I420: Cb and Cr. NULL: they follow each other
     * closely, `stride * height` bytes of luma first. */
    const uint8_t *chroma[2];
    size_t chroma_stride; /* 0: as the luma's, in I420 half of it (rounded up) */
    kiln_image_colour colour;

    struct {
        uint32_t left, top, width, height;
    } crop;            /* in pixels as they are stored; no width and no height: all */
    uint32_t rotation; /* clockwise, in degrees, until it is upright: 0, 90, 180 or 270 */
    bool mirror;       /* left and right change places, as front cameras show it */
} kiln_image;

/* Width and height of what is seen. KILN_ERROR_ARGUMENT when the image is not sound: an unknown
 * format, no pixels, a stride too small, a crop that juts out, another rotation. */
KILN_API kiln_status kiln_image_size(const kiln_image *image, uint32_t *out_width,
                                     uint32_t *out_height, kiln_error *error);

/* ---- To a network's input ------------------------------------------------------------------ */

/* Writes the image as number `index` of the input tensor `input`, in `buffer`, of which the bytes
 * of that one image are written. It is scaled and cut as preprocess->resize says; then
 * x = pixel * scale[c] + bias[c], with pixel in 0..255 and c the tensor's channel: red first, or
 * blue where preprocess->bgr is set. A network of one channel gets luma (ITU-R BT.601) with
 * scale[0] and bias[0]. Tensors of integers get x rounded to the nearest that they can hold, f16
 * and bf16 likewise.
 *
 * KILN_ERROR_ARGUMENT: the image is not sound, the tensor does not hold images (see
 * kiln_image_layout_of), or the buffer ends before image `index` does. KILN_ERROR_MEMORY. */
KILN_API kiln_status kiln_image_to_input(const kiln_image *image, const kiln_tensor_info *input,
                                         const kiln_preprocess *preprocess, uint32_t index,
                                         kiln_buffer buffer, kiln_error *error);

/* ---- The parts of it ----------------------------------------------------------------------- */

/* How an input tensor holds images. */
typedef struct kiln_image_layout {
    uint32_t count; /* images in the tensor, for a batch of one */
    uint32_t channels, height, width;
    bool channels_last; /* N,H,W,C instead of N,C,H,W */
} kiln_image_layout;

/* KILN_ERROR_ARGUMENT when the tensor cannot hold images: its rank is 4, or 3 for one image, and
 * the channels, 1 or 3, come before height and width or after them. */
KILN_API kiln_status kiln_image_layout_of(const kiln_tensor_info *input,
                                          kiln_image_layout *out_layout, kiln_error *error);

/* What becomes of an image: it is scaled to scaled_width x scaled_height, and the rectangle of
 * width x height at left, top is cut out of that. All in pixels; the rectangle lies inside. */
typedef struct kiln_image_scaling {
    uint32_t scaled_width, scaled_height;
    uint32_t left, top, width, height;
} kiln_image_scaling;

/* The part of an image that a network sees. With KILN_RESIZE_CENTRE_CROP as torchvision's Resize
 * and CenterCrop have it: the side that needs the larger factor becomes exactly size /
 * crop_fraction, the other keeps the aspect ratio (rounded down), and the centre is taken. */
KILN_API kiln_image_scaling kiln_image_scaling_of(const kiln_image *image,
                                                  const kiln_image_layout *layout,
                                                  const kiln_preprocess *preprocess);

/* Scales and cuts in one go: bilinear; when scaling down, each pixel averages the area that it
 * stands for (a triangle as wide as two target pixels, as Pillow does). out_rgb gets height rows of
 * width pixels of red, green, blue, in 0..255.
 * KILN_ERROR_ARGUMENT: the image is not sound, or the rectangle juts out. KILN_ERROR_MEMORY. */
KILN_API kiln_status kiln_image_scale(const kiln_image *image, const kiln_image_scaling *scaling,
                                      float *out_rgb, kiln_error *error);

#ifdef __cplusplus
}
#endif
#endif
