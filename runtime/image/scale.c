/* Bilinear scaling, row by row, then along the row. Scaling down widens the triangle to the scale,
 * so that every source pixel counts (Pillow's and torchvision's antialiased bilinear). */
#include "runtime/base/memory.h"
#include "runtime/image/filter.h"
#include "runtime/ukernels/ukernels.h"

#include <string.h>

static void filter_free(image_filter *f) {
    memory_free(f->first);
    memory_free(f->weights);
}

/* Target positions offset .. offset + count of `source` samples scaled to `full`. */
static bool filter_make(const kiln_allocator *allocator, image_filter *f, size_t source,
                        size_t full, size_t offset, size_t count) {
    double step = (double)source / (double)full;
    double half = step > 1 ? step : 1;
    f->taps = image_filter_taps(half, source);
    f->first = memory_zeros(allocator, count, sizeof *f->first);
    f->weights = count <= SIZE_MAX / sizeof(float) / f->taps
                     ? memory_zeros(allocator, count * f->taps, sizeof *f->weights)
                     : NULL;
    if (f->first == NULL || f->weights == NULL) {
        return false;
    }
    image_filter_fill(f, source, step, half, offset, count);
    return true;
}

/* The rows of the view that one target row is made of, of which the next one needs most again. Row
 * y is at y % taps. */
typedef struct row_window {
    const image_view *view;
    size_t taps, next; /* next: the first row that has not been read */
    uint8_t *buffer;
    const uint8_t **rows;
} row_window;

static bool row_window_make(const kiln_allocator *allocator, row_window *w, const image_view *view,
                            size_t taps) {
    size_t length = (size_t)view->width * 3;
    *w = (row_window){.view = view, .taps = taps};
    w->buffer = length <= SIZE_MAX / taps ? memory_take(allocator, length * taps) : NULL;
    w->rows = memory_zeros(allocator, taps, sizeof *w->rows);
    return w->buffer != NULL && w->rows != NULL;
}

static void row_window_move(row_window *w, size_t first) {
    w->next = w->next > first ? w->next : first;
    for (; w->next < first + w->taps; w->next++) {
        size_t slot = w->next % w->taps;
        w->rows[slot] =
            image_row(w->view, (uint32_t)w->next, w->buffer + slot * (size_t)w->view->width * 3);
    }
}

static void row_window_free(row_window *w) {
    memory_free(w->buffer);
    memory_free(w->rows);
}

/* The rows from `first` on to one; two of them at a time. */
static void scale_rows(const row_window *w, size_t first, const float *weights, float *out) {
    size_t length = (size_t)w->view->width * 3;
    memset(out, 0, length * sizeof *out);
    for (size_t t = 0; t < w->taps; t += 2) {
        bool paired = t + 1 < w->taps;
        const uint8_t *upper = w->rows[(first + t) % w->taps];
        const uint8_t *lower = paired ? w->rows[(first + t + 1) % w->taps] : upper;
        ukernels_image(ukernels_best())
            ->add_rows(upper, lower, weights[t], paired ? weights[t + 1] : 0, length, out);
    }
}

static bool fits(const kiln_image_scaling *s) {
    return s->width > 0 && s->height > 0 && s->width <= s->scaled_width &&
           s->left <= s->scaled_width - s->width && s->height <= s->scaled_height &&
           s->top <= s->scaled_height - s->height;
}

kiln_status image_scale(const kiln_allocator *allocator, const kiln_image *image,
                        const kiln_image_scaling *scaling, float *out_rgb, kiln_error *error) {
    const kiln_image_scaling *s = scaling;
    image_view view;
    image_filter columns = {0}, rows = {0};
    row_window window = {0};
    kiln_status status = image_view_of(image, &view, error);
    if (status != KILN_OK) {
        return status;
    }
    if (!fits(s)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "an image scaled to %ux%u cannot give %ux%u at %u, %u", s->scaled_width,
                         s->scaled_height, s->width, s->height, s->left, s->top);
    }
    float *row = memory_zeros(allocator, (size_t)view.width * 3 + 1,
                              sizeof *row); /* scale_row reads beyond */
    status = KILN_ERROR_MEMORY;
    if (row != NULL &&
        filter_make(allocator, &columns, view.width, s->scaled_width, s->left, s->width) &&
        filter_make(allocator, &rows, view.height, s->scaled_height, s->top, s->height) &&
        row_window_make(allocator, &window, &view, rows.taps)) {
        for (size_t y = 0; y < s->height; y++) {
            row_window_move(&window, rows.first[y]);
            scale_rows(&window, rows.first[y], rows.weights + y * rows.taps, row);
            ukernels_image(ukernels_best())
                ->scale_row(row, columns.first, columns.weights, columns.taps, s->width,
                            out_rgb + y * s->width * 3);
        }
        status = KILN_OK;
    }
    filter_free(&columns);
    filter_free(&rows);
    row_window_free(&window);
    memory_free(row);
    return status == KILN_OK ? KILN_OK : kiln_fail(error, status, "out of memory");
}

kiln_status kiln_image_scale(const kiln_image *image, const kiln_image_scaling *scaling,
                             float *out_rgb, kiln_error *error) {
    return image_scale(NULL, image, scaling, out_rgb, error);
}
