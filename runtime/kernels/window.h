/* Windows over 1 to 3 spatial dims of channels-last tensors. Fewer dims are seen as 3 with leading
 * ones of size 1. */
#ifndef KILN_RUNTIME_WINDOW_H
#define KILN_RUNTIME_WINDOW_H

#include "runtime/kernels/kernel.h"

typedef struct window_axis {
    size_t in, out;
    size_t kernel, stride, dilation, pad_begin, pad_end;
} window_axis;

/* The axes of a step that is a convolution, transposed or not, or a pool, of any number of dims. */
void window_axes_of(const kernel_call *call, window_axis axes[3]);
/* Whether all is in a range in which nothing overflows: from 1, or padding from 0, to 65536. */
bool window_is_sound(const window_axis axes[3]);
/* Whether sizes of outputs are those that follow from the others. Transposed, they may be larger by
 * an adjustment. */
bool window_sizes_follow(const window_axis axes[3], bool transposed);
/* By how much an output of a transposed convolution is larger than it needs to be. */
uint64_t window_adjustment(const window_axis *a);

/* The position in the input of tap k of window o; SIZE_MAX when it lies in the padding. */
static inline size_t window_position(const window_axis *a, size_t o, size_t k) {
    size_t at = o * a->stride + k * a->dilation;
    return at < a->pad_begin || at - a->pad_begin >= a->in ? SIZE_MAX : at - a->pad_begin;
}

/* Taps of window o outside [begin, end) lie in the padding. */
typedef struct window_taps {
    size_t begin, end;
} window_taps;

static inline window_taps window_taps_inside(const window_axis *a, size_t o) {
    size_t at = o * a->stride, last = a->in - 1 + a->pad_begin;
    window_taps taps = {at < a->pad_begin ? (a->pad_begin - at + a->dilation - 1) / a->dilation : 0,
                        at > last ? 0 : (last - at) / a->dilation + 1};
    taps.end = taps.end < a->kernel ? taps.end : a->kernel;
    return taps;
}

/* For transposed convolutions: the input position that tap k brings to output position o. */
static inline size_t window_position_transposed(const window_axis *a, size_t o, size_t k) {
    size_t reach = o + a->pad_begin, tap = k * a->dilation;
    bool falls = tap <= reach && (reach - tap) % a->stride == 0;
    return falls && (reach - tap) / a->stride < a->in ? (reach - tap) / a->stride : SIZE_MAX;
}

static inline window_taps window_taps_transposed(const window_axis *a, size_t o) {
    size_t reach = o + a->pad_begin, last = (a->in - 1) * a->stride;
    window_taps taps = {reach > last ? (reach - last + a->dilation - 1) / a->dilation : 0,
                        reach / a->dilation + 1};
    taps.end = taps.end < a->kernel ? taps.end : a->kernel;
    return taps;
}

#endif
