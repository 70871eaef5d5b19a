/* What is seen of an image, whatever its format: cropped, upright, mirrored, as red, green, blue.
 */
#ifndef KILN_RUNTIME_IMAGE_VIEW_H
#define KILN_RUNTIME_IMAGE_VIEW_H

#include <kiln/image.h>

/* Pixel x, y of the view is the stored one at first + x * right + y * down. */
typedef struct image_view {
    const kiln_image *image;
    uint32_t width, height;
    ptrdiff_t first[2], right[2], down[2]; /* x and y of stored pixels */
    const uint8_t *chroma[2];              /* Cb, Cr */
    size_t chroma_stride, chroma_step;     /* bytes from one sample to the next below, beside */
} image_view;

/* KILN_ERROR_ARGUMENT when the image is not sound. The view uses *image while it lives. */
kiln_status image_view_of(const kiln_image *image, image_view *out_view, kiln_error *error);

/* Row y of the view, width * 3 bytes: in `buffer`, or where the image has it. */
const uint8_t *image_row(const image_view *view, uint32_t y, uint8_t *buffer);
/* `count` pixels of row y from x on, likewise; or always to `out_rgb`. */
const uint8_t *image_span(const image_view *view, uint32_t x, uint32_t y, uint32_t count,
                          uint8_t *buffer);
void image_pixels(const image_view *view, uint32_t x, uint32_t y, uint32_t count, uint8_t *out_rgb);

/* kiln_image_scale and kiln_image_to_input with memory from an allocator (NULL: the default one).
 */
kiln_status image_scale(const kiln_allocator *allocator, const kiln_image *image,
                        const kiln_image_scaling *scaling, float *out_rgb, kiln_error *error);
kiln_status image_to_input(const kiln_allocator *allocator, const kiln_image *image,
                           const kiln_tensor_info *input, const kiln_preprocess *preprocess,
                           uint32_t index, kiln_buffer buffer, kiln_error *error);

/* KILN_ERROR_ARGUMENT: image `index` of the tensor ends beyond `size` bytes (input.c). */
kiln_status image_check_room(const kiln_tensor_info *input, const kiln_image_layout *layout,
                             uint32_t index, size_t size, kiln_error *error);
/* x = pixel * scale + bias (input.c), to image `index` of a tensor of such a layout, from rows of
 * red, green, blue in 0..255. */
void image_store(const float *rgb, const kiln_image_layout *layout,
                 const kiln_preprocess *preprocess, kiln_dtype dtype, size_t index, void *data);

#endif
