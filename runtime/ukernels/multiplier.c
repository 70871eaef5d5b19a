/* Depthwise convolution with several outputs of each channel. The sums of one output of a vector of
 * channels are a vector, as the inputs are, so that an input is loaded once for all of its outputs;
 * their places are mixed when they are stored. */
#include "runtime/ukernels/mix.h"

#define MOST_OUTPUTS DEPTHWISE_MAX_OUTPUTS
#define MOST_PIXELS 4
/* Eight sums, or nine, keep two units busy whose sums take four cycles, with few registers. */
#define PIXELS(OUTPUTS) ((size_t)((8 + (OUTPUTS)-1) / (OUTPUTS)))

static const float zeros[VECTOR_WIDTH] = {0};

/* What is known when the code is compiled. */
typedef struct known {
    size_t outputs, pixels;
} known;

typedef struct block {
    size_t left;  /* column of the image under the first pixel's window; wraps below 0 */
    size_t count; /* the number of pixels that are results */
    float *to;
} block;

/* Columns beside the image are read as zeros, without a branch. */
INLINE void add_tap(known k, const sliding_row *r, const block *b, size_t column, const float *from,
                    const float *weights, vector (*sums)[MOST_OUTPUTS]) {
    vector weight[MOST_OUTPUTS];
    UNROLL for (size_t o = 0; o < k.outputs; o++) {
        weight[o] = load(weights + o * r->tap_stride);
    }
    size_t left = b->left + column * r->dilation;
    size_t step = r->stride * r->pixel_stride * sizeof(float);
    uintptr_t at = (uintptr_t)from + left * r->pixel_stride * sizeof(float);
    UNROLL for (size_t p = 0; p < k.pixels; p++) {
        vector x = load(left + p * r->stride < r->width ? (const float *)at : zeros);
        UNROLL for (size_t o = 0; o < k.outputs; o++) {
            sums[p][o] = accumulate(sums[p][o], x, weight[o]);
        }
        at = opaque(at + step);
    }
}

/* Clamps and stores the outputs of `pixels` pixels' channels, of which `channels` count: those of a
 * channel lie side by side. Compiled once, as it runs once a block. */
APART void give(size_t outputs, size_t pixels, const sliding_row *r, size_t channels, float *to,
                vector (*sums)[MOST_OUTPUTS]) {
    const vector low = all(r->min), high = all(r->max);
    for (size_t p = 0; p < pixels; p++, to += r->to_stride) {
        vector mixed[MOST_OUTPUTS];
        mix(outputs, sums[p], mixed);
        for (size_t v = 0; v < outputs; v++) {
            if (v * VECTOR_WIDTH < channels * outputs) {
                store_some(to + v * VECTOR_WIDTH, clamp(mixed[v], low, high),
                           channels * outputs - v * VECTOR_WIDTH);
            }
        }
    }
}

/* Adds up a vector of the block's channels, from c on. */
INLINE void slide(known k, const sliding_row *r, const block *b, size_t c,
                  vector (*sums)[MOST_OUTPUTS]) {
    const float *weights = r->weights + c;
    for (size_t y = 0; y < r->kernel_rows; y++) {
        for (size_t x = 0; x < r->kernel_columns; x++, weights += k.outputs * r->tap_stride) {
            add_tap(k, r, b, x, r->from + y * r->row_stride + c, weights, sums);
        }
    }
}

/* It works on copies of its parameters, which stores cannot change as far as a compiler knows. No
 * function gets the address of a copy, so that these are registers. */
INLINE void slide_channels(known k, const sliding_row *shared, const block *from_block) {
    const sliding_row r = *shared;
    const block b = *from_block;
    for (size_t c = 0; c < r.channels; c += VECTOR_WIDTH) {
        vector sums[MOST_PIXELS][MOST_OUTPUTS], kept[MOST_PIXELS][MOST_OUTPUTS];
        UNROLL for (size_t p = 0; p < k.pixels; p++) {
            UNROLL for (size_t o = 0; o < k.outputs; o++) {
                sums[p][o] = load(r.bias + o * r.tap_stride + c);
            }
        }
        slide(k, &r, &b, c, sums);
        UNROLL for (size_t p = 0; p < k.pixels; p++) { /* the sums themselves stay in registers */
            UNROLL for (size_t o = 0; o < k.outputs; o++) {
                kept[p][o] = sums[p][o];
            }
        }
        give(k.outputs, b.count, shared, r.channels - c, b.to + c * k.outputs, kept);
    }
}

INLINE void slide_row(size_t outputs, const sliding_row *r) {
    const known k = {outputs, PIXELS(outputs)};
    for (size_t x = 0; x < r->to_width; x += k.pixels) {
        block b = {.left = x * r->stride - r->padding,
                   .count = r->to_width - x < k.pixels ? r->to_width - x : k.pixels,
                   .to = r->to + x * r->to_stride};
        slide_channels(k, r, &b);
    }
}

void UKERNEL(depthwise_multiplier)(const sliding_row *r) {
    switch (r->outputs) {
    case 2:
        slide_row(2, r);
        break;
    case 3:
        slide_row(3, r);
        break;
    default:
        slide_row(4, r);
        break;
    }
    leave();
}
