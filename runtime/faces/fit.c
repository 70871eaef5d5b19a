/* Images to a detector's input: scaled with the aspect ratio kept, bilinear, each pixel averaging
 * what it stands for where that is more than one; as kiln_image_scale does, but without memory that
 * grows with the image, and reading each of its pixels once. */
#include "runtime/faces/detector.h"

#include <math.h>
#include <string.h>

static bool axis_room(const kiln_allocator *allocator, fit_axis *a, uint32_t count) {
    a->inverses = memory_zeros(allocator, count, sizeof *a->inverses);
    a->enlarging.first = memory_zeros(allocator, count, sizeof *a->enlarging.first);
    a->enlarging.weights = memory_zeros(allocator, count, FIT_TAPS * sizeof *a->enlarging.weights);
    return a->inverses != NULL && a->enlarging.first != NULL && a->enlarging.weights != NULL;
}

static void axis_free(fit_axis *a) {
    memory_free(a->inverses);
    memory_free(a->enlarging.first);
    memory_free(a->enlarging.weights);
}

bool fit_make(const kiln_allocator *allocator, fit *f, uint32_t width, uint32_t height) {
    size_t line = (size_t)(width > FIT_CHUNK ? width : FIT_CHUNK) * 3 + 1;
    f->width = width;
    f->height = height;
    f->runs = memory_zeros(allocator, (size_t)width + 2, sizeof *f->runs);
    f->rgb = memory_zeros(allocator, (size_t)width * height * 3 + 1, sizeof *f->rgb);
    bool made = axis_room(allocator, &f->columns, width) &&
                axis_room(allocator, &f->rows, height) && f->runs != NULL && f->rgb != NULL;
    for (size_t k = 0; k < 2; k++) {
        f->sums[k] = memory_zeros(allocator, line, sizeof *f->sums[k]);
        f->pixels[k] = memory_zeros(allocator, line, 1);
        made = made && f->sums[k] != NULL && f->pixels[k] != NULL;
    }
    return made;
}

void fit_free(fit *f) {
    axis_free(&f->columns);
    axis_free(&f->rows);
    memory_free(f->runs);
    memory_free(f->rgb);
    for (size_t k = 0; k < 2; k++) {
        memory_free(f->sums[k]);
        memory_free(f->pixels[k]);
    }
}

/* ---- Enlarging ------------------------------------------------------------------------------- */

static void enlarge_axis(fit_axis *a, uint32_t count, uint32_t wanted) {
    a->enlarging.taps = image_filter_taps(1, count);
    image_filter_fill(&a->enlarging, count, (double)count / wanted, 1, 0, wanted);
}

/* Between two pixels and two rows. */
static void enlarge(fit *f, const fit_part *part, uint32_t columns, uint32_t rows) {
    const image_ukernels *u = ukernels_image(ukernels_best());
    const image_filter *down = &f->rows.enlarging, *across = &f->columns.enlarging;
    size_t numbers = (size_t)part->width * 3;
    enlarge_axis(&f->columns, part->width, columns);
    enlarge_axis(&f->rows, part->height, rows);
    for (uint32_t y = 0; y < rows; y++) {
        const uint8_t *lines[2];
        const float *weights = down->weights + y * down->taps;
        for (uint32_t t = 0; t < 2; t++) {
            uint32_t row = (uint32_t)down->first[y] + (t < down->taps ? t : 0);
            lines[t] =
                image_span(part->view, part->left, part->top + row, part->width, f->pixels[t]);
        }
        memset(f->sums[0], 0, numbers * sizeof **f->sums);
        u->add_rows(lines[0], lines[1], weights[0], down->taps > 1 ? weights[1] : 0, numbers,
                    f->sums[0]);
        float *out = f->rgb + (size_t)y * f->width * 3;
        u->scale_row(f->sums[0], across->first, across->weights, across->taps, columns, out);
        memset(out + (size_t)columns * 3, 0, (size_t)(f->width - columns) * 3 * sizeof *out);
    }
}

/* ---- Reducing -------------------------------------------------------------------------------- */

/* A pixel between the middles of two of the result falls in weight for the first as it rises for
 * the second, by its place between them: triangles of neighbours share each pixel. So the image is
 * cut at those middles: what lies between two of them is summed as it is (a), and by its rise (b);
 * a - b is the first one's, b the second one's. */

/* The first pixel that lies at the middle of number k of the result, or beyond it. */
static uint32_t middle_of(uint32_t k, double step, uint32_t count) {
    double at = ceil((k + 0.5) * step - 0.5);
    return at < count ? (uint32_t)at : count;
}

/* The rise of a pixel that lies between the middles of numbers k - 1 and k of the result. */
static float rise_of(uint32_t pixel, uint32_t k, double step) {
    return (float)((pixel + 0.5) / step + 0.5 - k);
}

/* 1 / the sum of weights, for each of the result. */
static void reduce_axis(fit_axis *a, uint32_t count, uint32_t wanted) {
    double step = (double)count / wanted, sum = 0;
    uint32_t pixel = 0;
    a->step = step;
    a->count = count;
    a->wanted = wanted;
    for (uint32_t k = 0; k <= wanted; k++) {
        uint32_t end = k < wanted ? middle_of(k, step, count) : count;
        double rising = 0, falling = 0;
        for (; pixel < end; pixel++) {
            double rise = (double)rise_of(pixel, k, step);
            rising += rise;
            falling += 1 - rise;
        }
        if (k > 0) {
            a->inverses[k - 1] = (float)(1 / (sum + falling));
        }
        sum = rising;
    }
}

static float inverse_of(const fit_axis *a, uint32_t k) {
    return k < a->wanted ? a->inverses[k] : 0;
}

/* Pixels begin .. end of a row as runs between middles; returns how many. The first run of the
 * image belongs to no pixel of the result before it, and what is left of the last to none after. */
static size_t find_runs(fit *f, uint32_t begin, uint32_t end) {
    const fit_axis *a = &f->columns;
    double between = (begin + 0.5) / a->step + 0.5;
    uint32_t k = between > 1 ? (uint32_t)between - 1 : 0;
    size_t count = 0;
    while (k < a->wanted && middle_of(k, a->step, a->count) <= begin) {
        k++;
    }
    for (uint32_t pixel = begin; pixel < end; k++) {
        uint32_t stop = k < a->wanted ? middle_of(k, a->step, a->count) : a->count;
        stop = stop < end ? stop : end;
        f->runs[count++] = (image_run){.pixel = k > 0 ? k - 1 : 0,
                                       .count = stop - pixel,
                                       .scale = k > 0 ? inverse_of(a, k - 1) : 0};
        for (; pixel < stop; pixel++) {
            f->rises[pixel - begin] = rise_of(pixel, k, a->step);
        }
    }
    uint32_t last = k - 1 < a->wanted ? k - 1 : a->wanted - 1;
    f->runs[count++] = (image_run){.pixel = last, .scale = inverse_of(a, k - 1)};
    return count;
}

/* Rows begin .. end, between the middles of rows k - 1 and k of the result, to f->sums[0] of the
 * first and f->sums[1] of the second; two at a time. */
static void add_rows(fit *f, const fit_part *part, uint32_t k, uint32_t begin, uint32_t end,
                     uint32_t left, uint32_t count) {
    const fit_axis *a = &f->rows;
    float first = k > 0 ? inverse_of(a, k - 1) : 0, second = inverse_of(a, k);
    for (uint32_t y = begin; y < end; y += 2) {
        const uint8_t *lines[2], *ahead[2];
        float falling[2], rising[2];
        for (uint32_t t = 0; t < 2; t++) {
            uint32_t row = y + t < end ? y + t : y, later = row + FIT_AHEAD;
            float rise = rise_of(row, k, a->step);
            lines[t] =
                image_span(part->view, part->left + left, part->top + row, count, f->pixels[t]);
            bool fetched = lines[t] != f->pixels[t] && later < part->height;
            ahead[t] =
                fetched ? image_span(part->view, part->left + left, part->top + later, count, NULL)
                        : lines[t];
            falling[t] = t == 0 || row > y ? (1 - rise) * first : 0;
            rising[t] = t == 0 || row > y ? rise * second : 0;
        }
        ukernels_image(ukernels_best())
            ->share_rows(lines, ahead, falling, rising, (size_t)count * 3, f->sums[0], f->sums[1]);
    }
}

/* `count` columns of the image, from `left` on. */
static void reduce_chunk(fit *f, const fit_part *part, uint32_t left, uint32_t count) {
    size_t runs = find_runs(f, left, left + count), bytes = (size_t)count * 3 * sizeof **f->sums;
    uint32_t begin = 0;
    memset(f->sums[1], 0, bytes);
    for (uint32_t k = 0; k <= f->rows.wanted; k++) {
        float *done = f->sums[0];
        uint32_t end = k < f->rows.wanted ? middle_of(k, f->rows.step, part->height) : part->height;
        f->sums[0] = f->sums[1];
        f->sums[1] = done;
        memset(done, 0, bytes);
        add_rows(f, part, k, begin, end, left, count);
        if (k > 0) {
            float *out = f->rgb + (size_t)(k - 1) * f->width * 3;
            if (left == 0) {
                memset(out, 0, (size_t)f->width * 3 * sizeof *out);
            }
            ukernels_image(ukernels_best())
                ->share_columns(f->sums[0], f->rises, f->runs, runs, out);
        }
        begin = end;
    }
}

static void reduce(fit *f, const fit_part *part, uint32_t columns, uint32_t rows) {
    reduce_axis(&f->columns, part->width, columns);
    reduce_axis(&f->rows, part->height, rows);
    for (uint32_t left = 0, count; left < part->width; left += count) {
        count = part->width - left < FIT_CHUNK ? part->width - left : FIT_CHUNK;
        reduce_chunk(f, part, left, count);
    }
}

/* So many pixels of the result as `count` of the image give, to the nearest; at least one. */
static uint32_t scaled(uint32_t count, double factor, uint32_t most) {
    double size = round(count * factor);
    return size < 1 ? 1 : size > most ? most : (uint32_t)size;
}

void fit_image(fit *f, const fit_part *part, double share, double out_factors[2]) {
    double factor = fmin((double)f->width / part->width, (double)f->height / part->height) * share;
    uint32_t columns = scaled(part->width, factor, f->width);
    uint32_t rows = scaled(part->height, factor, f->height);
    out_factors[0] = (double)columns / part->width;
    out_factors[1] = (double)rows / part->height;
    memset(f->rgb + (size_t)rows * f->width * 3, 0,
           (size_t)(f->height - rows) * f->width * (3 * sizeof *f->rgb));
    (factor > 1 ? enlarge : reduce)(f, part, columns, rows);
}
