/* Images reduced by a whole number: means of squares. */
#include "runtime/image/filter.h"
#include "runtime/ukernels/ukernels.h"

#include <string.h>

enum {
    MOST_ROWS = 257, /* of bytes, whose sum 16 bits hold */
    AHEAD = 2        /* rows are fetched so early */
};

/* Adds columns x .. x + count of `rows` rows from `top` on to `sums`. */
static void add_rows(const image_reduction *r, uint32_t x, uint32_t count, uint32_t top,
                     uint32_t rows, image_reduction_work *work) {
    const image_ukernels *u = ukernels_image(ukernels_best());
    size_t numbers = (size_t)count * 3;
    memset(work->shorts, 0, numbers * sizeof *work->shorts);
    for (uint32_t k = 0; k < rows; k++) {
        const uint8_t *row = image_span(r->view, r->left + x, top + k, count, work->pixels);
        const uint8_t *ahead = row;
        if (row != work->pixels && top + k + AHEAD < r->view->height) {
            ahead = image_span(r->view, r->left + x, top + k + AHEAD, count, NULL);
        }
        u->add_bytes(row, ahead, numbers, work->shorts);
    }
    u->add_shorts(work->shorts, numbers, work->sums);
}

/* Adds what is in `sums`, of columns from x on, to the totals of their squares. */
static void add_squares(const image_reduction *r, uint32_t x, uint32_t count,
                        const image_reduction_work *work, float *totals) {
    const image_ukernels *u = ukernels_image(ukernels_best());
    uint32_t whole = x % r->factor == 0 ? count / r->factor : 0, used = whole * r->factor;
    u->add_groups(work->sums, r->factor, whole, totals);
    if (count > used) {
        u->add_groups(work->sums + (size_t)used * 3, count - used, 1, totals + (size_t)whole * 3);
    }
}

/* So many columns from x on as are worked at a time: whole squares, or a part of one. */
static uint32_t piece_at(const image_reduction *r, uint32_t x) {
    uint32_t left = r->width - x, whole = IMAGE_REDUCE_CHUNK / r->factor * r->factor;
    uint32_t to_edge = r->factor - x % r->factor;
    uint32_t most = whole > 0 ? whole : to_edge < IMAGE_REDUCE_CHUNK ? to_edge : IMAGE_REDUCE_CHUNK;
    return left < most ? left : most;
}

const uint8_t *image_reduced_row(const image_reduction *r, uint32_t y, image_reduction_work *work,
                                 float *totals, uint8_t *buffer) {
    if (r->factor == 1) {
        return image_span(r->view, r->left, r->top + y, r->width, buffer);
    }
    uint32_t first = y * r->factor, high = r->height - first, width = r->width / r->factor;
    uint32_t across = r->width - width * r->factor; /* of a last square that is narrower */
    high = high < r->factor ? high : r->factor;
    memset(totals, 0, (size_t)image_reduced(r->width, r->factor) * 3 * sizeof *totals);
    for (uint32_t x = 0, count; x < r->width; x += count) {
        count = piece_at(r, x);
        memset(work->sums, 0, (size_t)count * 3 * sizeof *work->sums);
        for (uint32_t k = 0, rows; k < high; k += rows) {
            rows = high - k < MOST_ROWS ? high - k : MOST_ROWS;
            add_rows(r, x, count, r->top + first + k, rows, work);
        }
        add_squares(r, x, count, work, totals + (size_t)(x / r->factor) * 3);
    }
    const image_ukernels *u = ukernels_image(ukernels_best());
    u->round_bytes(totals, 1 / ((float)r->factor * (float)high), (size_t)width * 3, buffer);
    if (across > 0) {
        u->round_bytes(totals + (size_t)width * 3, 1 / ((float)across * (float)high), 3,
                       buffer + (size_t)width * 3);
    }
    return buffer;
}
