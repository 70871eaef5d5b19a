/* CONV_ND: direct convolution in plain C, for what XNNPACK has not: three spatial dims, and
 * transposed ones with an adjustment of the stride and more, or an output smaller than it. */
#include "runtime/kernels/window.h"

typedef struct conv_task {
    const kernel_call *call;
    window_axis axes[3];
} conv_task;

static bool make_task(const kernel_call *call, conv_task *task) {
    const kiln_conv_nd_params *p = call->params;
    const operand *w = &call->inputs[1];
    uint32_t kernel[3] = {1, 1, 1};
    for (uint32_t s = 0; s + 2 < w->rank; s++) {
        if (w->dims[s + 1] > WINDOW_MAX_EXTENT) {
            return false;
        }
        kernel[s] = (uint32_t)w->dims[s + 1];
    }
    task->call = call;
    return window_axes(&call->inputs[0], &call->outputs[0], kernel, p->stride, p->dilation,
                       p->padding_begin, p->padding_end, task->axes);
}

static bool sizes_follow(const conv_task *task, bool transposed) {
    for (int k = 0; k < 3; k++) {
        const window_axis *a = &task->axes[k];
        size_t padding = a->pad_begin + a->pad_end, extent = (a->kernel - 1) * a->dilation + 1;
        bool follows = transposed ? a->out + padding >= (a->in - 1) * a->stride + extent
                                  : a->in + padding >= extent &&
                                        (a->in + padding - extent) / a->stride + 1 == a->out;
        if (!follows) {
            return false;
        }
    }
    return true;
}

static const char *check(const kernel_call *call) {
    const kiln_conv_nd_params *p = call->params;
    const operand *x = &call->inputs[0], *w = &call->inputs[1], *y = &call->outputs[0];
    conv_task task;
    bool sound = x->rank >= 3 && x->rank <= 5 && x->rank == y->rank && w->rank == x->rank &&
                 p->groups > 0 && w->dims[0] == y->inner && y->inner % p->groups == 0 &&
                 x->inner % p->groups == 0 && w->dims[w->rank - 1] == x->inner / p->groups &&
                 !(has_input(call, 2) && call->inputs[2].elements != y->inner);
    if (!sound) {
        return "the operands do not fit";
    }
    return p->min < p->max && p->transposed <= 1 && make_task(call, &task) &&
                   sizes_follow(&task, p->transposed != 0)
               ? NULL
               : "parameters out of range";
}

static double dot(const float *a, const float *b, size_t count) {
    double sum = 0.0;
    for (size_t k = 0; k < count; k++) {
        sum += (double)a[k] * (double)b[k];
    }
    return sum;
}

/* Adds up the taps of one kernel row, over the inputs of a group. */
static double row_value(const conv_task *task, const float *x, size_t o, window_taps taps,
                        const float *weights, size_t depth) {
    const kiln_conv_nd_params *p = task->call->params;
    const window_axis *a = &task->axes[2];
    double sum = 0.0;
    for (size_t k = taps.begin; k < taps.end; k++) {
        size_t at = p->transposed ? window_position_transposed(a, o, k) : window_position(a, o, k);
        if (at != SIZE_MAX) {
            sum += dot(x + at * task->call->inputs[0].row_stride, weights + k * depth, depth);
        }
    }
    return sum;
}

static float conv_value(const conv_task *task, size_t sample, const size_t o[3],
                        const window_taps taps[3], size_t channel) {
    const kernel_call *call = task->call;
    const operand *x = &call->inputs[0], *w = &call->inputs[1];
    const kiln_conv_nd_params *p = call->params;
    const window_axis *a = task->axes;
    size_t depth = x->inner / p->groups, group = channel / (call->outputs[0].inner / p->groups);
    const float *weights =
        (const float *)w->data + channel * a[0].kernel * a[1].kernel * a[2].kernel * depth;
    const float *bias = optional_input(call, 2);
    double sum = bias != NULL ? (double)bias[channel] : 0.0;
    for (size_t d = taps[0].begin; d < taps[0].end; d++) {
        for (size_t h = taps[1].begin; h < taps[1].end; h++) {
            size_t slice = p->transposed ? window_position_transposed(&a[0], o[0], d)
                                         : window_position(&a[0], o[0], d);
            size_t row = p->transposed ? window_position_transposed(&a[1], o[1], h)
                                       : window_position(&a[1], o[1], h);
            if (slice != SIZE_MAX && row != SIZE_MAX) {
                size_t from = ((sample * a[0].in + slice) * a[1].in + row) * a[2].in;
                sum += row_value(
                    task, (const float *)x->data + from * x->row_stride + group * depth, o[2],
                    taps[2], weights + (d * a[1].kernel + h) * a[2].kernel * depth, depth);
            }
        }
    }
    float value = (float)sum;
    return value < p->min ? p->min : value > p->max ? p->max : value;
}

static void conv_range(void *context, size_t begin, size_t end) {
    const conv_task *task = context;
    const kiln_conv_nd_params *p = task->call->params;
    const operand *y = &task->call->outputs[0];
    const window_axis *a = task->axes;
    size_t pixels = a[0].out * a[1].out * a[2].out;
    for (size_t r = begin; r < end; r++) {
        size_t pixel = r % pixels;
        size_t o[3] = {pixel / (a[1].out * a[2].out), pixel / a[2].out % a[1].out,
                       pixel % a[2].out};
        float *out = (float *)y->data + r * y->row_stride;
        window_taps taps[3];
        for (int k = 0; k < 3; k++) {
            taps[k] = p->transposed ? window_taps_transposed(&a[k], o[k])
                                    : window_taps_inside(&a[k], o[k]);
        }
        for (size_t c = 0; c < y->inner; c++) {
            out[c] = conv_value(task, r / pixels, o, taps, c);
        }
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    conv_task task;
    (void)make_task(call, &task);
    kernel_parallel(call, operand_outer(&call->outputs[0], call->run.batch), 8, &task, conv_range);
    return KILN_OK;
}

static uint64_t macs_of_conv(const kernel_call *call) {
    const kiln_conv_nd_params *p = call->params;
    return conv_macs(call, p->transposed != 0 ? &call->inputs[0] : &call->outputs[0]);
}

const kernel kernel_conv_nd = {
    KERNEL(
        "conv_nd", kiln_conv_nd_params, macs_of_conv,
        KERNEL_INPUTS(2, 3, IS_F32 | IS_CHANNELS_LAST, IS_F32 | IS_CONSTANT, IS_F32 | IS_CONSTANT),
        KERNEL_OUTPUTS(1, 1, IS_F32 | IS_CHANNELS_LAST | IS_BATCHED_LIKE_X), KERNEL_STRIDED(1, 1)),
    .check = check,
    .run = run,
};
