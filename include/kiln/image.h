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
    KILN_IMAGE_RGB = 1 /* red, green, blue, a byte each */
} kiln_image_format;

/* Rows from the top. Later versions may add members at the end, whose zeros mean what there is
 * today: initialise with {0} or designators. */
typedef struct kiln_image {
    kiln_image_format format;
    uint32_t width, height; /* at least 1 */
    const uint8_t *pixels;  /* of the first row */
    size_t stride;          /* bytes from one row to the next; at least 3 * width */
} kiln_image;

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
