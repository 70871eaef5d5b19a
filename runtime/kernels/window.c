/* Windows of convolutions and pools: their sizes. */
#include "runtime/kernels/window.h"

#include <stddef.h>

#define MAX_EXTENT 65536u /* the largest kernel, stride or padding: far beyond any network's */

/* Parameters of steps over two dims have the same words from stride_height on. */
enum { STRIDE, DILATION = 2, TOP = 4, RIGHT, BOTTOM, LEFT };
_Static_assert(offsetof(kiln_conv_params, padding_left) == LEFT * sizeof(uint32_t) &&
                   offsetof(kiln_pool_params, padding_left) == (2 + LEFT) * sizeof(uint32_t),
               "words of parameters");

static void two_axes(const kernel_call *call, const size_t kernel[2], const uint32_t *words,
                     window_axis axes[2]) {
    image_dims x, y;
    size_t pool = conv_pool(call);
    (void)operand_image(&call->inputs[0], &x);
    (void)operand_image(&call->outputs[0], &y);
    axes[0] = (window_axis){x.h,        pool * y.h,   kernel[0], words[STRIDE], words[DILATION],
                            words[TOP], words[BOTTOM]};
    axes[1] =
        (window_axis){x.w,         pool * y.w,  kernel[1], words[STRIDE + 1], words[DILATION + 1],
                      words[LEFT], words[RIGHT]};
}

/* words: strides, dilations, padding before and after, three of each. */
static void all_axes(const kernel_call *call, const size_t kernel[3], const uint32_t *words,
                     window_axis axes[3]) {
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    uint32_t spatial = x->rank - 2;
    for (uint32_t s = 0; s < spatial; s++) {
        axes[3 - spatial + s] = (window_axis){x->dims[s + 1], y->dims[s + 1], kernel[s],   words[s],
                                              words[3 + s],   words[6 + s],   words[9 + s]};
    }
}

void window_axes_of(const kernel_call *call, window_axis axes[3]) {
    const uint32_t *words = call->params;
    size_t pooled[3] = {words[0], words[1], 1};
    for (uint32_t k = 0; k < 3; k++) {
        axes[k] = (window_axis){1, 1, 1, 1, 1, 0, 0};
    }
    switch (call->step->kernel) {
    case KILN_KERNEL_CONV_ND:
        all_axes(call, call->inputs[1].dims + 1, words, axes);
        break;
    case KILN_KERNEL_POOL_ND:
        words += offsetof(kiln_pool_nd_params, kernel) / sizeof *words;
        for (uint32_t k = 0; k < 3; k++) {
            pooled[k] = words[k];
        }
        all_axes(call, pooled, words + 3, axes);
        break;
    case KILN_KERNEL_MAX_POOL_2D:
    case KILN_KERNEL_AVERAGE_POOL_2D:
        two_axes(call, pooled, words + 2, axes + 1);
        break;
    default:
        two_axes(call, call->inputs[1].dims + 1, words, axes + 1);
    }
}

static bool is_extent(size_t size) {
    return size - 1 < MAX_EXTENT;
}

bool window_is_sound(const window_axis axes[3]) {
    bool sound = true;
    for (uint32_t k = 0; k < 3; k++) {
        const window_axis *a = &axes[k];
        sound = sound && is_extent(a->kernel) && is_extent(a->stride) && is_extent(a->dilation) &&
                a->pad_begin <= MAX_EXTENT && a->pad_end <= MAX_EXTENT;
    }
    return sound;
}

static uint64_t extent_of(const window_axis *a) {
    return (uint64_t)(a->kernel - 1) * a->dilation + 1;
}

uint64_t window_adjustment(const window_axis *a) {
    uint64_t padding = (uint64_t)a->pad_begin + a->pad_end;
    return a->out + padding - ((uint64_t)(a->in - 1) * a->stride + extent_of(a));
}

bool window_sizes_follow(const window_axis axes[3], bool transposed) {
    bool follow = true;
    for (uint32_t k = 0; k < 3; k++) {
        const window_axis *a = &axes[k];
        uint64_t padded = (uint64_t)a->in + a->pad_begin + a->pad_end, extent = extent_of(a);
        follow = follow &&
                 (transposed ? window_adjustment(a) <= INT64_MAX
                             : padded >= extent && (padded - extent) / a->stride + 1 == a->out);
    }
    return follow;
}
