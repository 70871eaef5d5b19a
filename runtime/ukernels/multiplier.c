/* Depthwise convolution with several outputs of each channel. The sums of one output of a vector of
 * channels are a vector, as the inputs are, so that an input is loaded once for all of its outputs;
 * their places are mixed when they are stored. */
#include "runtime/ukernels/vector.h"

#define MOST_OUTPUTS DEPTHWISE_MAX_OUTPUTS
#define MOST_PIXELS 4
/* Eight sums, or nine, keep two units busy whose sums take four cycles, with few registers. */
#define PIXELS(OUTPUTS) ((size_t)((8 + (OUTPUTS)-1) / (OUTPUTS)))

/* What is known when the code is compiled. */
typedef struct known {
    size_t outputs, pixels;
} known;

typedef struct block {
    bool whole;   /* all pixels are results, whose windows' columns all lie in the image */
    size_t left;  /* column of the image under the first pixel's window; wraps below 0 */
    size_t count; /* the number of pixels that are results */
    float *to;
} block;

/* Compilers would keep the addresses of all pixels. */
INLINE uintptr_t opaque(uintptr_t address) {
    __asm__("" : "+r"(address));
    return address;
}

INLINE void add_tap(known k, bool whole, const sliding_row *r, const block *b, size_t column,
                    const float *from, const float *weights, vector (*sums)[MOST_OUTPUTS]) {
    vector weight[MOST_OUTPUTS];
    UNROLL for (size_t o = 0; o < k.outputs; o++) {
        weight[o] = load(weights + o * r->tap_stride);
    }
    size_t left = b->left + column * r->dilation;
    size_t step = r->stride * r->pixel_stride * sizeof(float);
    uintptr_t at = (uintptr_t)from + left * r->pixel_stride * sizeof(float);
    UNROLL for (size_t p = 0; p < k.pixels; p++) {
        if (whole || (p < b->count && left + p * r->stride < r->width)) {
            vector x = load((const float *)at);
            UNROLL for (size_t o = 0; o < k.outputs; o++) {
                sums[p][o] = accumulate(sums[p][o], x, weight[o]);
            }
        }
        at = opaque(at + step);
    }
}

/* PICK(a, b, F, v) has lane F(v, l) of a and b, one after the other, in lane l. */
#define EACH_4(F, V, L) F(V, L), F(V, (L) + 1), F(V, (L) + 2), F(V, (L) + 3)
#if VECTOR_WIDTH == 4
#define EACH_LANE(F, V) EACH_4(F, V, 0)
#elif VECTOR_WIDTH == 8
#define EACH_LANE(F, V) EACH_4(F, V, 0), EACH_4(F, V, 4)
#else
#define EACH_LANE(F, V) EACH_4(F, V, 0), EACH_4(F, V, 4), EACH_4(F, V, 8), EACH_4(F, V, 12)
#endif
#ifdef __clang__
#define PICK(A, B, F, V) __builtin_shufflevector(A, B, EACH_LANE(F, V))
#else
#define PICK(A, B, F, V) __builtin_shuffle(A, B, (mask){EACH_LANE(F, V)})
#endif

/* Element e = v * width + l of what is mixed of two, and of three: the third comes last. */
#define ELEMENT(V, L) ((V)*VECTOR_WIDTH + (L))
#define OF_TWO(V, L) (ELEMENT(V, L) % 2 * VECTOR_WIDTH + ELEMENT(V, L) / 2)
#define FIRST_OF_THREE(V, L) (ELEMENT(V, L) % 3 % 2 * VECTOR_WIDTH + ELEMENT(V, L) / 3)
#define LAST_OF_THREE(V, L) (ELEMENT(V, L) % 3 == 2 ? VECTOR_WIDTH + ELEMENT(V, L) / 3 : (L))

INLINE void mix_two(vector a, vector b, vector *out) {
    out[0] = PICK(a, b, OF_TWO, 0);
    out[1] = PICK(a, b, OF_TWO, 1);
}

INLINE void mix(size_t outputs, const vector *in, vector *out) {
    if (outputs == 2) {
        mix_two(in[0], in[1], out);
    } else if (outputs == 3) {
        out[0] = PICK(PICK(in[0], in[1], FIRST_OF_THREE, 0), in[2], LAST_OF_THREE, 0);
        out[1] = PICK(PICK(in[0], in[1], FIRST_OF_THREE, 1), in[2], LAST_OF_THREE, 1);
        out[2] = PICK(PICK(in[0], in[1], FIRST_OF_THREE, 2), in[2], LAST_OF_THREE, 2);
    } else {
        vector even[2], odd[2];
        mix_two(in[0], in[2], even);
        mix_two(in[1], in[3], odd);
        mix_two(even[0], odd[0], out);
        mix_two(even[1], odd[1], out + 2);
    }
}

/* Clamps and stores the outputs of `pixels` pixels' channels, of which `channels` count: those of a
 * channel lie side by side. */
INLINE void give(size_t outputs, size_t pixels, const sliding_row *r, size_t channels, float *to,
                 vector (*sums)[MOST_OUTPUTS]) {
    const vector low = all(r->min), high = all(r->max);
    for (size_t p = 0; p < pixels; p++, to += r->to_stride) {
        vector mixed[MOST_OUTPUTS];
        mix(outputs, sums[p], mixed);
        UNROLL for (size_t v = 0; v < outputs; v++) {
            if (v * VECTOR_WIDTH < channels * outputs) {
                store_some(to + v * VECTOR_WIDTH, clamp(mixed[v], low, high),
                           channels * outputs - v * VECTOR_WIDTH);
            }
        }
    }
}

/* Adds up a vector of the block's channels, from c on. */
INLINE void slide(known k, bool whole, const sliding_row *r, const block *b, size_t c,
                  vector (*sums)[MOST_OUTPUTS]) {
    const float *weights = r->weights + c;
    for (size_t y = 0; y < r->kernel_rows; y++) {
        for (size_t x = 0; x < r->kernel_columns; x++, weights += k.outputs * r->tap_stride) {
            add_tap(k, whole, r, b, x, r->from + y * r->row_stride + c, weights, sums);
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
        if (b.whole) {
            slide(k, true, &r, &b, c, sums);
        } else {
            slide(k, false, &r, &b, c, sums);
        }
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
        size_t last = (k.pixels - 1) * r->stride + (r->kernel_columns - 1) * r->dilation;
        b.whole = b.count == k.pixels && b.left < r->width && last < r->width - b.left;
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
}
