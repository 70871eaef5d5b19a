/* Bilinear scaling in two passes, columns first. Scaling down widens the triangle to the scale, so
 * that every source pixel counts (Pillow's and torchvision's antialiased bilinear). */
#include "compiler/cli/image.h"

#include <math.h>
#include <stdlib.h>

/* For each target position: `taps` source positions from first[k] on, with their weights. */
typedef struct filter {
    size_t taps;
    size_t *first;
    float *weights;
} filter;

static void filter_free(filter *f) {
    free(f->first);
    free(f->weights);
}

static void fill_weights(filter *f, size_t k, double centre, double width, size_t source) {
    double sum = 0;
    double start = ceil(centre - width - 0.5);
    size_t first = start > 0 ? (size_t)start : 0;
    first = first < source - 1 ? first : source - 1;
    first = first + f->taps <= source ? first : source - f->taps;
    float *weights = f->weights + k * f->taps;
    for (size_t t = 0; t < f->taps; t++) {
        double distance = fabs((double)(first + t) + 0.5 - centre) / width;
        weights[t] = distance < 1 ? (float)(1 - distance) : 0;
        sum += weights[t];
    }
    for (size_t t = 0; t < f->taps; t++) {
        weights[t] = (float)(weights[t] / sum);
    }
    f->first[k] = first;
}

/* Target positions offset .. offset + count of `source` samples scaled to `full`. */
static bool filter_make(filter *f, size_t source, size_t full, size_t offset, size_t count) {
    double scale = (double)source / (double)full;
    double width = scale > 1 ? scale : 1;
    size_t taps = (size_t)ceil(2 * width) + 1;
    f->taps = taps < source ? taps : source;
    f->first = calloc(count, sizeof *f->first);
    f->weights = count <= SIZE_MAX / sizeof(float) / f->taps
                     ? calloc(count * f->taps, sizeof *f->weights)
                     : NULL;
    if (f->first == NULL || f->weights == NULL) {
        return false;
    }
    for (size_t k = 0; k < count; k++) {
        fill_weights(f, k, ((double)(offset + k) + 0.5) * scale, width, source);
    }
    return true;
}

static void scale_row(const uint8_t *rgb, const filter *columns, size_t width, float *out) {
    for (size_t x = 0; x < width; x++) {
        const uint8_t *from = rgb + columns->first[x] * 3;
        const float *weights = columns->weights + x * columns->taps;
        float sum[3] = {0};
        for (size_t t = 0; t < columns->taps; t++) {
            for (size_t c = 0; c < 3; c++) {
                sum[c] += weights[t] * (float)from[t * 3 + c];
            }
        }
        for (size_t c = 0; c < 3; c++) {
            out[x * 3 + c] = sum[c];
        }
    }
}

static void scale_rows(const float *rows, const filter *f, const resize_window *window,
                       size_t first_row, float *out) {
    size_t length = (size_t)window->width * 3;
    for (size_t y = 0; y < window->height; y++) {
        const float *from = rows + (f->first[y] - first_row) * length;
        float *target = out + y * length;
        for (size_t k = 0; k < length; k++) {
            target[k] = 0;
        }
        for (size_t t = 0; t < f->taps; t++) {
            float weight = f->weights[y * f->taps + t];
            for (size_t k = 0; k < length; k++) {
                target[k] += weight * from[t * length + k];
            }
        }
    }
}

kiln_status image_resize(const image *picture, const resize_window *window, float *out_rgb,
                         kiln_error *error) {
    filter columns = {0}, rows = {0};
    float *scaled = NULL;
    kiln_status status = KILN_ERROR_MEMORY;
    if (!filter_make(&columns, picture->width, window->full_width, window->left, window->width) ||
        !filter_make(&rows, picture->height, window->full_height, window->top, window->height)) {
        goto cleanup;
    }
    size_t first = rows.first[0];
    size_t count = rows.first[window->height - 1] + rows.taps - first;
    size_t row_bytes = (size_t)window->width * 3 * sizeof(float);
    scaled = count <= SIZE_MAX / row_bytes ? malloc(count * row_bytes) : NULL;
    if (scaled == NULL) {
        goto cleanup;
    }
    for (size_t y = 0; y < count; y++) {
        scale_row(picture->rgb + (first + y) * picture->width * 3, &columns, window->width,
                  scaled + y * window->width * 3);
    }
    scale_rows(scaled, &rows, window, first, out_rgb);
    status = KILN_OK;
cleanup:
    filter_free(&columns);
    filter_free(&rows);
    free(scaled);
    return status == KILN_OK ? KILN_OK : kiln_fail(error, status, "out of memory");
}
