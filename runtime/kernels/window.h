/* Windows over 1 to 3 spatial dims of channels-last tensors: POOL_ND, CONV_ND. Fewer dims are seen
 * as 3 with leading ones of size 1. */
#ifndef KILN_RUNTIME_WINDOW_H
#define KILN_RUNTIME_WINDOW_H

#include "runtime/kernels/kernel.h"

#define WINDOW_MAX_EXTENT 65536u

typedef struct window_axis {
    size_t in, out;
    size_t kernel, stride, dilation, pad_begin, pad_end;
} window_axis;

/* Parameter arrays are indexed by spatial dim; axes[] gets them aligned at the end. False when a
 * parameter is out of range. */
static inline bool window_axes(const operand *x, const operand *y, const uint32_t *kernel,
                               const uint32_t *stride, const uint32_t *dilation,
                               const uint32_t *pad_begin, const uint32_t *pad_end,
                               window_axis axes[3]) {
    uint32_t spatial = x->rank - 2;
    for (uint32_t k = 0; k < 3; k++) {
        axes[k] = (window_axis){1, 1, 1, 1, 1, 0, 0};
    }
    for (uint32_t s = 0; s < spatial; s++) {
        bool sound = kernel[s] - 1 < WINDOW_MAX_EXTENT && stride[s] - 1 < WINDOW_MAX_EXTENT &&
                     dilation[s] - 1 < WINDOW_MAX_EXTENT && pad_begin[s] < WINDOW_MAX_EXTENT &&
                     pad_end[s] < WINDOW_MAX_EXTENT;
        if (!sound) {
            return false;
        }
        axes[3 - spatial + s] = (window_axis){x->dims[s + 1], y->dims[s + 1], kernel[s], stride[s],
                                              dilation[s],    pad_begin[s],   pad_end[s]};
    }
    return true;
}

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
