/* Images to a detector's input: scaled with the aspect ratio kept, bilinear, each pixel averaging
 * what it stands for where that is more than one; as kiln_image_scale does, but without memory that
 * grows with the image. */
#include "runtime/faces/detector.h"
#include "runtime/ukernels/ukernels.h"

#include <math.h>
#include <string.h>

/* The triangle about a pixel of the result. Its half width is 1 pixel of the image, or of the
 * result where those are larger. */
static fit_tap tap_make(double position, double step, uint32_t count) {
    double half = fmax(step, 1), centre = (position + 0.5) * step, sum = 0;
    double first = fmin(fmax(ceil(centre - half - 0.5), 0), (double)count - 1);
    double last = fmin(fmax(floor(centre + half - 0.5), first), (double)count - 1);
    fit_tap tap = {.first = (uint32_t)first, .last = (uint32_t)last};
    for (uint32_t k = tap.first; k <= tap.last; k++) {
        sum += fmax(1 - fabs(k + 0.5 - centre) / half, 0);
    }
    tap.offset = (float)(first + 0.5 - centre);
    tap.inverse = (float)(1 / sum);
    return tap;
}

/* Of the pixel number k from the first on; `slope`: 1 / half width. */
static inline float tap_weight(const fit_tap *tap, uint32_t k, float slope) {
    float weight = 1 - fabsf(tap->offset + (float)k) * slope;
    return (weight > 0 ? weight : 0) * tap->inverse;
}

/* Rows of the part to one, two at a time: `count` pixels from column `begin` on, to f->row. */
static void add_rows(fit *f, const fit_part *part, const fit_tap *tap, float slope, uint32_t begin,
                     uint32_t count) {
    size_t numbers = (size_t)count * 3;
    memset(f->row, 0, numbers * sizeof *f->row);
    for (uint32_t k = tap->first; k <= tap->last; k += 2) {
        bool paired = k < tap->last;
        uint32_t left = part->left + begin, top = part->top + k;
        const uint8_t *upper = image_span(part->view, left, top, count, f->pixels[0]);
        const uint8_t *lower =
            paired ? image_span(part->view, left, top + 1, count, f->pixels[1]) : upper;
        float above = tap_weight(tap, k - tap->first, slope);
        float below = paired ? tap_weight(tap, k + 1 - tap->first, slope) : 0;
        ukernels_best()->image->add_rows(upper, lower, above, below, numbers, f->row);
    }
}

/* The columns of the result that pixels begin .. end of a row are part of, with the weights of
 * those pixels; returns how many. */
static size_t find_spans(fit *f, uint32_t begin, uint32_t end, float slope, uint32_t columns) {
    size_t count = 0, used = 0;
    for (uint32_t x = 0; x < columns && f->columns[x].first < end; x++) {
        const fit_tap *tap = &f->columns[x];
        if (tap->last < begin) {
            continue;
        }
        uint32_t from = tap->first > begin ? tap->first : begin;
        uint32_t to = tap->last < end ? tap->last + 1 : end;
        f->spans[count++] = (fit_span){x, from - begin, to - from};
        for (uint32_t k = from; k < to; k++) {
            f->weights[used++] = tap_weight(tap, k - tap->first, slope);
        }
    }
    return count;
}

/* Adds f->row to the columns that it is part of. Four channels at a time make a vector, of which
 * the fourth is the next pixel's, and not kept; two sums, as each addition waits for the one
 * before. */
static void add_columns(const fit *f, size_t span_count, float *out) {
    const float *weights = f->weights;
    for (size_t s = 0; s < span_count; s++) {
        const fit_span *span = &f->spans[s];
        const float *at = f->row + (size_t)span->from * 3;
        float sums[2][4] = {{0}}, *to = out + (size_t)span->column * 3;
        uint32_t k = 0;
        for (; k + 1 < span->count; k += 2, at += 6) {
            for (size_t c = 0; c < 4; c++) {
                sums[0][c] += weights[k] * at[c];
                sums[1][c] += weights[k + 1] * at[c + 3];
            }
        }
        for (size_t c = 0; k < span->count && c < 4; c++) {
            sums[0][c] += weights[k] * at[c];
        }
        for (size_t c = 0; c < 3; c++) {
            to[c] += sums[0][c] + sums[1][c];
        }
        weights += span->count;
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
    float across = (float)fmin(out_factors[0], 1), down = (float)fmin(out_factors[1], 1);
    memset(f->rgb, 0, (size_t)f->width * f->height * (3 * sizeof *f->rgb));
    for (uint32_t x = 0; x < columns; x++) {
        f->columns[x] = tap_make(x, 1 / out_factors[0], part->width);
    }
    for (uint32_t begin = 0, count; begin < part->width; begin += count) {
        uint32_t left = part->width - begin;
        count = left < FIT_CHUNK ? left : FIT_CHUNK;
        size_t spans = find_spans(f, begin, begin + count, across, columns);
        for (uint32_t y = 0; y < rows; y++) {
            fit_tap tap = tap_make(y, 1 / out_factors[1], part->height);
            add_rows(f, part, &tap, down, begin, count);
            add_columns(f, spans, f->rgb + (size_t)y * f->width * 3);
        }
    }
}
