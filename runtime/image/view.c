/* Formats of pixels, and which stored pixel is seen where. */
#include "runtime/image/view.h"

#include <stdint.h>

/* A pixel of a format that is packed: its bytes, and where its red, green and blue are. */
typedef struct packing {
    uint8_t bytes, red, green, blue;
} packing;

static const packing packings[] = {
    [KILN_IMAGE_RGB] = {3, 0, 1, 2},  [KILN_IMAGE_BGR] = {3, 2, 1, 0},
    [KILN_IMAGE_RGBA] = {4, 0, 1, 2}, [KILN_IMAGE_BGRA] = {4, 2, 1, 0},
    [KILN_IMAGE_GRAY] = {1, 0, 0, 0}, [KILN_IMAGE_NV12] = {1, 0, 0, 0},
    [KILN_IMAGE_NV21] = {1, 0, 0, 0}, [KILN_IMAGE_I420] = {1, 0, 0, 0},
};

/* From luma and chroma in 16.16 fixed point. */
typedef struct conversion {
    int32_t offset; /* of luma */
    int32_t luma, red_cr, green_cb, green_cr, blue_cb;
} conversion;

static const conversion conversions[] = {
    [KILN_COLOUR_JPEG] = {0, 65536, 91881, -22553, -46802, 116130},
    [KILN_COLOUR_BT601] = {16, 76309, 104597, -25675, -53279, 132201},
    [KILN_COLOUR_BT709] = {16, 76309, 117489, -13975, -34925, 138438},
};

static bool has_chroma(const kiln_image *image) {
    return image->format >= KILN_IMAGE_NV12;
}

static bool is_sound(const kiln_image *image) {
    unsigned format = (unsigned)image->format, colour = (unsigned)image->colour;
    uint32_t right = image->width - image->crop.width, below = image->height - image->crop.height;
    return format >= KILN_IMAGE_RGB && format <= KILN_IMAGE_I420 && colour <= KILN_COLOUR_BT709 &&
           image->pixels != NULL && image->width > 0 && image->height > 0 &&
           image->stride / packings[format].bytes >= image->width &&
           image->crop.width <= image->width && image->crop.left <= right &&
           image->crop.height <= image->height && image->crop.top <= below &&
           (image->crop.width == 0) == (image->crop.height == 0) && image->rotation % 90 == 0 &&
           image->rotation < 360;
}

static void view_chroma(image_view *view) {
    const kiln_image *image = view->image;
    bool planar = image->format == KILN_IMAGE_I420;
    size_t half = planar ? (image->stride + 1) / 2 : image->stride;
    size_t rows = ((size_t)image->height + 1) / 2;
    view->chroma_stride = image->chroma_stride != 0 ? image->chroma_stride : half;
    view->chroma_step = planar ? 1 : 2;
    const uint8_t *first =
        image->chroma[0] != NULL ? image->chroma[0] : image->pixels + image->stride * image->height;
    const uint8_t *second = !planar                    ? first + 1
                            : image->chroma[1] != NULL ? image->chroma[1]
                                                       : first + view->chroma_stride * rows;
    bool swapped = image->format == KILN_IMAGE_NV21;
    view->chroma[0] = swapped ? second : first;
    view->chroma[1] = swapped ? first : second;
}

/* Whether a row of chroma holds what its rows of luma need. */
static bool is_chroma_sound(const image_view *view) {
    return view->chroma_stride / view->chroma_step >= ((size_t)view->image->width + 1) / 2;
}

/* Mirrored, the first pixel of a row is the last one, and the way leads back. */
static void mirror(image_view *view) {
    for (int k = 0; k < 2; k++) {
        view->first[k] += view->right[k] * (ptrdiff_t)(view->width - 1);
        view->right[k] = -view->right[k];
    }
}

kiln_status image_view_of(const kiln_image *image, image_view *out_view, kiln_error *error) {
    bool sound = is_sound(image);
    image_view view = {.image = image};
    if (sound && has_chroma(image)) {
        view_chroma(&view);
        sound = is_chroma_sound(&view);
    }
    if (!sound) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "not a sound image: format %d, %ux%u pixels, %zu bytes a row, crop %ux%u "
                         "at %u, %u, rotation %u",
                         (int)image->format, image->width, image->height, image->stride,
                         image->crop.width, image->crop.height, image->crop.left, image->crop.top,
                         image->rotation);
    }
    uint32_t width = image->crop.width != 0 ? image->crop.width : image->width;
    uint32_t height = image->crop.width != 0 ? image->crop.height : image->height;
    ptrdiff_t left = image->crop.width != 0 ? (ptrdiff_t)image->crop.left : 0;
    ptrdiff_t top = image->crop.width != 0 ? (ptrdiff_t)image->crop.top : 0;
    ptrdiff_t end_x = left + (ptrdiff_t)width - 1, end_y = top + (ptrdiff_t)height - 1;
    /* The stored pixel that is seen first, then the ways to the right and down. */
    const ptrdiff_t turns[4][6] = {{left, top, 1, 0, 0, 1},
                                   {left, end_y, 0, -1, 1, 0},
                                   {end_x, end_y, -1, 0, 0, -1},
                                   {end_x, top, 0, 1, -1, 0}};
    const ptrdiff_t *turn = turns[image->rotation / 90];
    for (int k = 0; k < 2; k++) {
        view.first[k] = turn[k];
        view.right[k] = turn[2 + k];
        view.down[k] = turn[4 + k];
    }
    bool lies = image->rotation % 180 != 0;
    view.width = lies ? height : width;
    view.height = lies ? width : height;
    if (image->mirror) {
        mirror(&view);
    }
    *out_view = view;
    return KILN_OK;
}

kiln_status kiln_image_size(const kiln_image *image, uint32_t *out_width, uint32_t *out_height,
                            kiln_error *error) {
    image_view view;
    kiln_status status = image_view_of(image, &view, error);
    if (status == KILN_OK) {
        *out_width = view.width;
        *out_height = view.height;
    }
    return status;
}

/* ---- Pixels -------------------------------------------------------------------------------- */

static uint8_t clamped(int32_t fixed) {
    int32_t value = (fixed + 32768) >> 16;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void convert(const conversion *c, int32_t luma, int32_t cb, int32_t cr, uint8_t *out) {
    int32_t y = (luma - c->offset) * c->luma;
    cb -= 128;
    cr -= 128;
    out[0] = clamped(y + c->red_cr * cr);
    out[1] = clamped(y + c->green_cb * cb + c->green_cr * cr);
    out[2] = clamped(y + c->blue_cb * cb);
}

static void chroma_pixels(const image_view *view, ptrdiff_t x, ptrdiff_t y, uint32_t count,
                          uint8_t *out) {
    const kiln_image *image = view->image;
    const conversion *c = &conversions[image->colour];
    for (uint32_t k = 0; k < count; k++, out += 3, x += view->right[0], y += view->right[1]) {
        size_t at = (size_t)(y / 2) * view->chroma_stride + (size_t)(x / 2) * view->chroma_step;
        convert(c, image->pixels[(size_t)y * image->stride + (size_t)x], view->chroma[0][at],
                view->chroma[1][at], out);
    }
}

void image_pixels(const image_view *view, uint32_t x, uint32_t y, uint32_t count,
                  uint8_t *out_rgb) {
    const kiln_image *image = view->image;
    const packing *p = &packings[image->format];
    ptrdiff_t from[2], step = view->right[0] * p->bytes;
    for (int k = 0; k < 2; k++) {
        from[k] = view->first[k] + view->right[k] * (ptrdiff_t)x + view->down[k] * (ptrdiff_t)y;
    }
    if (has_chroma(image)) {
        chroma_pixels(view, from[0], from[1], count, out_rgb);
        return;
    }
    step += view->right[1] * (ptrdiff_t)image->stride;
    size_t start = (size_t)from[1] * image->stride + (size_t)from[0] * p->bytes;
    for (ptrdiff_t k = 0; k < (ptrdiff_t)count; k++, out_rgb += 3) {
        const uint8_t *pixel = image->pixels + ((ptrdiff_t)start + k * step);
        out_rgb[0] = pixel[p->red];
        out_rgb[1] = pixel[p->green];
        out_rgb[2] = pixel[p->blue];
    }
}

const uint8_t *image_span(const image_view *view, uint32_t x, uint32_t y, uint32_t count,
                          uint8_t *buffer) {
    if (view->image->format == KILN_IMAGE_RGB && view->right[0] == 1) {
        size_t row = (size_t)(view->first[1] + view->down[1] * (ptrdiff_t)y);
        return view->image->pixels + row * view->image->stride + ((size_t)view->first[0] + x) * 3;
    }
    image_pixels(view, x, y, count, buffer);
    return buffer;
}

const uint8_t *image_row(const image_view *view, uint32_t y, uint8_t *buffer) {
    return image_span(view, 0, y, view->width, buffer);
}
