/* Faces turned upright: the similarity to the template, and the warp by it. */
#include "runtime/base/memory.h"
#include "runtime/image/filter.h"
#include <kiln/faces.h>

#include <math.h>
#include <string.h>

const float kiln_face_template[KILN_FACE_POINTS][2] = {{38.2946F, 51.6963F},
                                                       {73.5318F, 51.5014F},
                                                       {56.0252F, 71.7366F},
                                                       {41.5493F, 92.3655F},
                                                       {70.7299F, 92.2041F}};
#define TEMPLATE_SIZE 112.0
#define BOX_MARGIN 1.2 /* of a face without points */

/* From a pixel (u, v) of the crop to the image: x = a u - b v + x0, y = b u + a v + y0. */
typedef struct similarity {
    double a, b, x0, y0;
} similarity;

/* Left before right, as detectors that name the sides by the face's own have it the other way. */
static void sort_sides(float points[KILN_FACE_POINTS][2]) {
    if (points[0][0] <= points[1][0]) {
        return;
    }
    for (size_t k = 0; k < 2; k++) {
        float eye = points[0][k], mouth = points[3][k];
        points[0][k] = points[1][k], points[1][k] = eye;
        points[3][k] = points[4][k], points[4][k] = mouth;
    }
}

/* The closed form in two dimensions: with p the points and q the template, both about their means,
 * M = [[a, -b], [b, a]] / v maps p to q where a = sum(px qx + py qy), b = sum(px qy - py qx),
 * v = sum(px^2 + py^2). Returned is its inverse. (Umeyama 1991 without the reflection, which two
 * dimensions with a and b free cannot need.) */
static bool from_points(const kiln_face *face, double width, double height, similarity *out) {
    float points[KILN_FACE_POINTS][2];
    memcpy(points, face->points, sizeof points);
    sort_sides(points);
    double scale = fmin(width, height) / TEMPLATE_SIZE;
    double shift[2] = {(width - scale * TEMPLATE_SIZE) / 2, (height - scale * TEMPLATE_SIZE) / 2};
    double p[2] = {0}, q[2] = {0};
    for (size_t k = 0; k < KILN_FACE_POINTS; k++) {
        for (size_t c = 0; c < 2; c++) {
            p[c] += (double)points[k][c] / KILN_FACE_POINTS;
            q[c] += ((double)kiln_face_template[k][c] * scale + shift[c]) / KILN_FACE_POINTS;
        }
    }
    double a = 0, b = 0, v = 0;
    for (size_t k = 0; k < KILN_FACE_POINTS; k++) {
        double px = (double)points[k][0] - p[0], py = (double)points[k][1] - p[1];
        double qx = (double)kiln_face_template[k][0] * scale + shift[0] - q[0];
        double qy = (double)kiln_face_template[k][1] * scale + shift[1] - q[1];
        a += px * qx + py * qy;
        b += px * qy - py * qx;
        v += px * px + py * py;
    }
    /* The inverse of [[a, -b], [b, a]] / v is [[a, b], [-b, a]] v / (a^2 + b^2). */
    double inverse = v / (a * a + b * b);
    *out = (similarity){.a = a * inverse, .b = -b * inverse};
    out->x0 = p[0] - (out->a * q[0] - out->b * q[1]);
    out->y0 = p[1] - (out->b * q[0] + out->a * q[1]);
    return isfinite(out->a) && isfinite(out->b) && isfinite(out->x0) && isfinite(out->y0) && v > 0;
}

static bool from_box(const kiln_face *face, double width, double height, similarity *out) {
    double wide = (double)face->right - (double)face->left;
    double high = (double)face->bottom - (double)face->top;
    double scale = fmax(wide, high) * BOX_MARGIN / fmin(width, height);
    double x = ((double)face->left + (double)face->right) / 2;
    double y = ((double)face->top + (double)face->bottom) / 2;
    *out = (similarity){
        .a = scale, .x0 = x - scale * (width - 1) / 2, .y0 = y - scale * (height - 1) / 2};
    return isfinite(scale) && scale > 0 && isfinite(out->x0) && isfinite(out->y0);
}

/* ---- What is warped ---------------------------------------------------------------------------
 */

/* Pixels that a warp reads: columns left .. left + width of the image reduced by `factor`, and rows
 * likewise. */
typedef struct source {
    const uint8_t *rgb;
    size_t stride;
    uint32_t left, top, width, height;
    size_t factor;
    uint8_t *owned;
    const kiln_allocator *allocator;
} source;

static uint32_t clamp_to(double value, uint32_t most) {
    return value <= 0 ? 0 : value >= (double)most ? most : (uint32_t)value;
}

/* The rectangle in which the crop's corners lie, with the neighbours that bilinear takes. */
static void find_extent(const similarity *s, const image_view *view, uint32_t width,
                        uint32_t height, source *out) {
    uint32_t most[2] = {(uint32_t)((view->width + out->factor - 1) / out->factor),
                        (uint32_t)((view->height + out->factor - 1) / out->factor)};
    uint32_t begin[2], end[2];
    double factor = (double)out->factor;
    for (size_t c = 0; c < 2; c++) {
        double low = HUGE_VAL, high = -HUGE_VAL;
        for (uint32_t corner = 0; corner < 4; corner++) {
            double u = corner & 1 ? width - 1 : 0, v = corner & 2 ? height - 1 : 0;
            double at = c == 0 ? s->a * u - s->b * v + s->x0 : s->b * u + s->a * v + s->y0;
            double reduced = floor((at - (factor - 1) / 2) / factor);
            low = fmin(low, reduced);
            high = fmax(high, reduced + 2);
        }
        begin[c] = clamp_to(low, most[c]);
        end[c] = clamp_to(high, most[c]);
    }
    out->left = begin[0], out->top = begin[1];
    out->width = end[0] - begin[0], out->height = end[1] - begin[1];
    out->stride = (size_t)out->width * 3;
}

/* Means of squares (of one pixel, where it is to be turned and converted alone). */
static bool reduce(const image_view *view, source *s) {
    uint32_t factor = (uint32_t)s->factor;
    image_reduction part = {view, s->left * factor, s->top * factor, 0, 0, factor};
    image_reduction_work *work = memory_take(s->allocator, sizeof *work);
    float *totals = memory_take(s->allocator, (s->stride + 1) * sizeof *totals);
    s->owned = memory_take(s->allocator, s->stride * s->height + 1);
    bool made = work != NULL && totals != NULL && s->owned != NULL;
    if (made && s->width > 0 && s->height > 0) {
        uint32_t right = view->width - part.left, below = view->height - part.top;
        part.width = s->width <= right / factor ? s->width * factor : right;
        part.height = s->height <= below / factor ? s->height * factor : below;
    }
    for (uint32_t y = 0; made && s->width > 0 && y < s->height; y++) {
        uint8_t *to = s->owned + y * s->stride;
        const uint8_t *row = image_reduced_row(&part, y, work, totals, to);
        if (row != to) {
            memcpy(to, row, s->stride);
        }
    }
    memory_free(work);
    memory_free(totals);
    s->rgb = s->owned;
    return made;
}

/* Rows of the image as they are, where they need no turning and converting. */
static bool is_plain(const image_view *view) {
    return view->image->format == KILN_IMAGE_RGB && view->right[0] == 1 && view->down[1] == 1;
}

/* Reduces by a whole number where the warp would pass over pixels otherwise. */
static bool source_make(const kiln_allocator *allocator, const image_view *view,
                        const similarity *s, uint32_t width, uint32_t height, source *out) {
    double scale = hypot(s->a, s->b);
    uint32_t longer = view->width > view->height ? view->width : view->height;
    *out = (source){.factor = scale > 2 ? clamp_to(scale, longer) : 1, .allocator = allocator};
    find_extent(s, view, width, height, out);
    if (out->factor > 1 || !is_plain(view)) {
        return reduce(view, out);
    }
    out->stride = view->image->stride;
    out->rgb = out->width > 0 && out->height > 0 ? image_span(view, out->left, out->top, 1, NULL)
                                                 : view->image->pixels;
    return true;
}

/* ---- Warping --------------------------------------------------------------------------------- */

static const uint8_t *pixel_at(const source *from, long column, long row) {
    static const uint8_t black[3];
    bool inside = column >= 0 && row >= 0 && column < (long)from->width && row < (long)from->height;
    return inside ? from->rgb + (size_t)row * from->stride + (size_t)column * 3 : black;
}

/* The four pixels about a place, of which some may be none. */
static void neighbours(const source *from, long column, long row, const uint8_t *out[4]) {
    if (column >= 0 && row >= 0 && column + 1 < (long)from->width && row + 1 < (long)from->height) {
        out[0] = from->rgb + (size_t)row * from->stride + (size_t)column * 3;
        out[1] = out[0] + 3;
        out[2] = out[0] + from->stride;
        out[3] = out[2] + 3;
        return;
    }
    for (long k = 0; k < 4; k++) {
        out[k] = pixel_at(from, column + k % 2, row + k / 2);
    }
}

/* Bilinear at x, y of the source; what lies outside is black. */
static inline void sample(const source *from, double x, double y, uint8_t *out) {
    if (!(x > -1 && y > -1 && x < (double)from->width && y < (double)from->height)) {
        out[0] = out[1] = out[2] = 0;
        return;
    }
    long column = (long)(x + 1) - 1, row = (long)(y + 1) - 1; /* rounded down */
    float fx = (float)(x - (double)column), fy = (float)(y - (double)row);
    const uint8_t *pixels[4];
    neighbours(from, column, row, pixels);
    for (size_t c = 0; c < 3; c++) {
        float upper = (1 - fx) * (float)pixels[0][c] + fx * (float)pixels[1][c];
        float lower = (1 - fx) * (float)pixels[2][c] + fx * (float)pixels[3][c];
        out[c] = (uint8_t)(int32_t)((1 - fy) * upper + fy * lower + 0.5F);
    }
}

static void warp(const source *from, const similarity *s, uint32_t width, uint32_t height,
                 uint8_t *out_rgb) {
    double factor = (double)from->factor, middle = (factor - 1) / 2;
    for (uint32_t v = 0; v < height; v++) {
        for (uint32_t u = 0; u < width; u++, out_rgb += 3) {
            double x = s->a * u - s->b * v + s->x0, y = s->b * u + s->a * v + s->y0;
            sample(from, (x - middle) / factor - from->left, (y - middle) / factor - from->top,
                   out_rgb);
        }
    }
}

static kiln_status face_crop(const kiln_allocator *allocator, const kiln_image *image,
                             const kiln_face *face, uint32_t width, uint32_t height,
                             uint8_t *out_rgb, kiln_error *error) {
    similarity s;
    source from;
    image_view view;
    kiln_status status = image_view_of(image, &view, error);
    if (status != KILN_OK) {
        return status;
    }
    if (width == 0 || height == 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "a face of %ux%u pixels", width, height);
    }
    if (!(face->point_count > 0 ? from_points : from_box)(face, width, height, &s)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "the face has no extent: its %s are one, or no numbers",
                         face->point_count > 0 ? "points" : "corners");
    }
    if (source_make(allocator, &view, &s, width, height, &from)) {
        warp(&from, &s, width, height, out_rgb);
    } else {
        status = memory_fail(error);
    }
    memory_free(from.owned);
    return status;
}

kiln_status kiln_face_crop(const kiln_image *image, const kiln_face *face, uint32_t width,
                           uint32_t height, uint8_t *out_rgb, kiln_error *error) {
    return face_crop(NULL, image, face, width, height, out_rgb, error);
}

kiln_status face_to_input(const kiln_allocator *allocator, const kiln_image *image,
                          const kiln_face *face, const kiln_tensor_info *input,
                          const kiln_preprocess *preprocess, uint32_t index, kiln_buffer buffer,
                          kiln_error *error) {
    kiln_image_layout layout;
    kiln_status status = kiln_image_layout_of(input, &layout, error);
    if (status == KILN_OK) {
        status = image_check_room(input, &layout, index, buffer.size, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    size_t row = (size_t)layout.width * 3, each = 1 + sizeof(float);
    size_t room = layout.height <= SIZE_MAX / row / each ? row * layout.height * each : 0;
    float *rgb = room > 0 ? memory_take(allocator, room) : NULL;
    if (rgb == NULL) {
        return memory_fail(error);
    }
    size_t numbers = row * layout.height;
    uint8_t *crop = (uint8_t *)(rgb + numbers);
    status = face_crop(allocator, image, face, layout.width, layout.height, crop, error);
    for (size_t k = 0; status == KILN_OK && k < numbers; k++) {
        rgb[k] = crop[k];
    }
    if (status == KILN_OK) {
        image_store(rgb, &layout, preprocess, input->dtype, index, buffer.data);
    }
    memory_free(rgb);
    return status;
}

kiln_status kiln_face_to_input(const kiln_image *image, const kiln_face *face,
                               const kiln_tensor_info *input, const kiln_preprocess *preprocess,
                               uint32_t index, kiln_buffer buffer, kiln_error *error) {
    return face_to_input(NULL, image, face, input, preprocess, index, buffer, error);
}
