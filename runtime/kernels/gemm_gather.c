/* Gathering the rows of a convolution's matrix product. */
#include "runtime/kernels/gemm_gather.h"

#include <string.h>

typedef struct pixels {
    const kernel_call *call;
    image_dims in, out;
    size_t kernel_height, kernel_width, inputs;
    size_t row;           /* floats from one gathered row to the next */
    size_t pieces, piece; /* of a kernel row: floats that lie side by side in the image */
    const float *zeros;
    size_t sample, y, x; /* where the first output pixel is */
} pixels;

/* Copies so many floats for each pixel. A call of memcpy for a few bytes takes longer than copying
 * them, so a short piece is copied as two halves that overlap. */
static void copy_pieces(float *to, size_t to_step, const float *from, size_t from_step,
                        size_t pixels, size_t floats) {
#define PIECES(SIZE)                                                                               \
    for (size_t k = 0; k < pixels; k++, to += to_step, from += from_step) {                        \
        memcpy(to, from, (SIZE) * sizeof *to);                                                     \
        memcpy(to + floats - (SIZE), from + floats - (SIZE), (SIZE) * sizeof *to);                 \
    }
    if (floats > 32 || floats < 4) {
        for (size_t k = 0; k < pixels; k++, to += to_step, from += from_step) {
            memcpy(to, from, floats * sizeof *to);
        }
    } else if (floats >= 16) {
        PIECES(16)
    } else if (floats >= 8) {
        PIECES(8)
    } else {
        PIECES(4)
    }
}

/* Tells how many of so many pixels have the whole of a kernel row in the image. */
static size_t whole_pixels(const pixels *at, size_t left, size_t count) {
    const kiln_conv_params *p = at->call->params;
    size_t extent = (at->kernel_width - 1) * p->dilation_width + 1;
    if (left >= at->in.w || extent > at->in.w - left) {
        return 0;
    }
    return size_min(count, (at->in.w - left - extent) / p->stride_width + 1);
}

/* Gathers the inputs of one kernel row under so many whole pixels, piece by piece: a loop over
 * pixels takes less time than one over their pieces. */
static void gather_whole(const pixels *at, const float *from, size_t count, float *to) {
    const kiln_conv_params *p = at->call->params;
    size_t stride = at->call->inputs[0].row_stride;
    for (size_t k = 0; k < at->pieces; k++) {
        copy_pieces(to, at->row, from, p->stride_width * stride, count, at->piece);
        to += at->piece;
        from += p->dilation_width * stride;
    }
}

/* Gathers the inputs of one kernel row under one pixel; those outside the image are zeros. */
static void gather_columns(const pixels *at, const float *row, size_t left, float *to) {
    const kiln_conv_params *p = at->call->params;
    for (size_t c = 0; c < at->kernel_width; c++, to += at->inputs) {
        size_t from_x = left + c * p->dilation_width;
        bool inside = row != NULL && from_x < at->in.w;
        const float *from = inside ? row + from_x * at->call->inputs[0].row_stride : at->zeros;
        copy_pieces(to, 0, from, 0, 1, at->inputs);
    }
}

/* Gathers the inputs under some pixels of one output row, kernel row by kernel row. */
static void gather_row(const pixels *at, size_t count, float *to) {
    const kiln_conv_params *p = at->call->params;
    const operand *x = &at->call->inputs[0];
    size_t row_floats = at->kernel_width * at->inputs;
    /* Above and left of the image these wrap around to large numbers. */
    size_t top = at->y * p->stride_height - p->padding_top;
    for (size_t y = 0; y < at->kernel_height; y++, to += row_floats) {
        size_t from_y = top + y * p->dilation_height, k = 0;
        const float *row = from_y < at->in.h ? operand_image_row(x, at->sample, from_y) : NULL;
        while (k < count) {
            size_t left = (at->x + k) * p->stride_width - p->padding_left;
            size_t whole = row != NULL ? whole_pixels(at, left, count - k) : 0;
            if (whole > 0) {
                gather_whole(at, row + left * x->row_stride, whole, to + k * at->row);
                k += whole;
            } else {
                gather_columns(at, row, left, to + k * at->row);
                k++;
            }
        }
    }
}

void gemm_gather(const kernel_call *call, size_t row, const float *zeros, size_t first,
                 size_t count, float *to) {
    const size_t *kernel = call->inputs[1].dims;
    pixels at = {.call = call,
                 .kernel_height = kernel[1],
                 .kernel_width = kernel[2],
                 .inputs = kernel[3],
                 .row = row,
                 .zeros = zeros};
    const kiln_conv_params *p = call->params;
    bool together =
        at.kernel_width == 1 || (p->dilation_width == 1 && call->inputs[0].row_stride == at.inputs);
    at.pieces = together ? 1 : at.kernel_width;
    at.piece = at.kernel_width * at.inputs / at.pieces;
    (void)operand_image(&call->inputs[0], &at.in);
    (void)operand_image(&call->outputs[0], &at.out);
    size_t rows = call->run.end_row - call->run.begin_row, pieces = 0;
    for (size_t k = first; k < first + count; k += pieces, to += pieces * row) {
        at.sample = k / at.out.w / rows;
        at.y = call->run.begin_row + k / at.out.w % rows;
        at.x = k % at.out.w;
        pieces = size_min(at.out.w - at.x, first + count - k);
        gather_row(&at, pieces, to);
    }
}
