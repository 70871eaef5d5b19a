/* XNNPACK's depthwise convolution takes kernels of 3, 4, 9 and 25 taps only (others become a
 * convolution of one channel a group), and memory for a pointer to each input of each output. */
#include "runtime/kernels/depthwise.h"
#include "runtime/kernels/sliding.h"
#include "runtime/kernels/window.h"

typedef struct depthwise {
    const ukernels *ukernels;
    size_t taps, channels, outputs; /* outputs of each channel */
    size_t row;     /* floats of one tap: the channels, rounded up to whole vectors */
    float *weights; /* [taps][outputs][row], then the bias [outputs][row] */
} depthwise;

/* Whether the convolution is one whose results may be pooled. */
static bool pools(const kernel_call *call) {
    window_axis axes[3];
    window_axes_of(call, axes);
    bool fit = call->outputs[0].inner == call->inputs[0].inner &&
               axes[2].out >= KILN_STEP_POOLED_WIDTH &&
               KILN_STEP_FUNCTION(call->step->flags) == KILN_UNARY_CLAMP;
    for (uint32_t k = 1; k < 3; k++) {
        const window_axis *a = &axes[k];
        fit = fit && a->kernel == 3 && a->stride == 1 && a->dilation == 1 && a->pad_begin == 1 &&
              a->pad_end == 1;
    }
    return fit;
}

const char *depthwise_check(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    const operand *x = &call->inputs[0];
    size_t outputs = call->outputs[0].inner;
    if (p->groups < 2 || p->groups != x->inner || outputs % p->groups != 0 ||
        outputs / p->groups > KILN_DEPTHWISE_OUTPUTS || x->constant || has_input(call, 3)) {
        return "a depthwise convolution has a channel a group, with 1 to 4 outputs, and adds "
               "nothing to them";
    }
    return conv_pool(call) == 1 || pools(call)
               ? NULL
               : "results of another depthwise convolution are not pooled";
}

const char *depthwise_lacks(const kernel_call *call) {
    return call->outputs[0].inner == call->inputs[0].inner ||
                   ukernels_depthwise_several(ukernels_best()) != NULL
               ? NULL
               : "depthwise of several outputs";
}

static void pack(const kernel_call *call, depthwise *d) {
    const float *from = call->inputs[1].data;    /* [channels][outputs][taps] */
    const float *bias = optional_input(call, 2); /* [channels][outputs] */
    for (size_t k = 0; k < d->channels * d->outputs; k++) {
        float *to = d->weights + k % d->outputs * d->row + k / d->outputs;
        for (size_t tap = 0; tap < d->taps; tap++, to += d->outputs * d->row) {
            *to = from[k * d->taps + tap];
        }
        *to = bias != NULL ? bias[k] : 0;
    }
}

kiln_status depthwise_prepare(kernel_call *call, kiln_error *error) {
    const operand *w = &call->inputs[1];
    depthwise *d = call->state = kernel_allocate(call, sizeof *d, error);
    if (d == NULL) {
        return KILN_ERROR_MEMORY;
    }
    size_t taps = w->dims[1] * w->dims[2];
    size_t channels = ((const kiln_conv_params *)call->params)->groups;
    size_t outputs = w->dims[0] / channels;
    size_t row = whole_vectors(channels);
    *d = (depthwise){.ukernels = ukernels_best(),
                     .taps = taps,
                     .channels = channels,
                     .outputs = outputs,
                     .row = row,
                     .weights =
                         kernel_allocate(call, (taps + 1) * outputs * row * sizeof(float), error)};
    if (d->weights == NULL) {
        return KILN_ERROR_MEMORY;
    }
    pack(call, d);
    return KILN_OK;
}

kiln_status depthwise_run(kernel_call *call, kiln_error *error) {
    const depthwise *d = call->state;
    const kiln_conv_params *p = call->params;
    const operand *w = &call->inputs[1];
    (void)error;
    sliding_shape shape = {.op = d->outputs > 1 ? SLIDING_MULTIPLIER : SLIDING_DEPTHWISE,
                           .ukernel = d->outputs > 1 ? ukernels_depthwise_several(d->ukernels)
                                                     : ukernels_depthwise(d->ukernels),
                           .kernel_height = w->dims[1],
                           .kernel_width = w->dims[2],
                           .stride_height = p->stride_height,
                           .stride_width = p->stride_width,
                           .dilation_height = p->dilation_height,
                           .dilation_width = p->dilation_width,
                           .padding_top = p->padding_top,
                           .padding_left = p->padding_left,
                           .weights = d->weights,
                           .bias = d->weights + d->taps * d->outputs * d->row,
                           .tap_stride = d->row,
                           .pool = conv_pool(call),
                           .finish = finish_of(call, p->min, p->max)};
    sliding_run(call, d->ukernels, &shape);
    return KILN_OK;
}
