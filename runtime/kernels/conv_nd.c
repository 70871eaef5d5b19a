/* CONV_ND: direct convolution in plain C, for what XNNPACK has not (three spatial dims). */
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

static bool sizes_follow(const conv_task *task) {
    for (int k = 0; k < 3; k++) {
        const window_axis *a = &task->axes[k];
        size_t padded = a->in + a->pad_begin + a->pad_end;
        size_t extent = (a->kernel - 1) * a->dilation + 1;
        if (padded < extent || (padded - extent) / a->stride + 1 != a->out) {
            return false;
        }
    }
    return true;
}

static kiln_status check(const kernel_call *call, kiln_error *error) {
    const kiln_conv_nd_params *p = call->params;
    const operand *x = &call->inputs[0], *w = &call->inputs[1], *y = &call->outputs[0];
    bool bias = call->input_count > 2 && operand_present(&call->inputs[2]);
    conv_task task;
    bool sound = x->dtype == KILN_F32 && y->dtype == KILN_F32 && x->rank >= 3 && x->rank <= 5 &&
                 x->rank == y->rank && x->layout == KILN_CHANNELS_LAST &&
                 y->layout == KILN_CHANNELS_LAST && x->batched == y->batched &&
                 x->dims[0] == y->dims[0] && w->constant && w->dtype == KILN_F32 &&
                 w->rank == x->rank && p->groups > 0 && w->dims[0] == y->row &&
                 y->row % p->groups == 0 && x->row % p->groups == 0 &&
                 w->dims[w->rank - 1] == x->row / p->groups;
    if (sound && bias) {
        const operand *b = &call->inputs[2];
        sound = b->constant && b->dtype == KILN_F32 && b->elements == y->row;
    }
    if (!sound) {
        return kernel_fail(call, error, "the operands do not fit");
    }
    if (!(p->min < p->max) || !make_task(call, &task) || !sizes_follow(&task)) {
        return kernel_fail(call, error, "parameters out of range");
    }
    return KILN_OK;
}

static double dot(const float *a, const float *b, size_t count) {
    double sum = 0.0;
    for (size_t k = 0; k < count; k++) {
        sum += (double)a[k] * (double)b[k];
    }
    return sum;
}

static float conv_value(const conv_task *task, size_t sample, const size_t o[3], size_t channel) {
    const operand *x = &task->call->inputs[0], *w = &task->call->inputs[1];
    const kiln_conv_nd_params *p = task->call->params;
    const window_axis *a = task->axes;
    size_t depth = x->row / p->groups, group = channel / (task->call->outputs[0].row / p->groups);
    size_t taps = a[0].kernel * a[1].kernel * a[2].kernel;
    const float *weights = (const float *)w->data + channel * taps * depth;
    double sum = 0.0;
    if (task->call->input_count > 2 && operand_present(&task->call->inputs[2])) {
        sum = (double)((const float *)task->call->inputs[2].data)[channel];
    }
    for (size_t t = 0; t < taps; t++) {
        size_t at[3] = {window_position(&a[0], o[0], t / (a[1].kernel * a[2].kernel)),
                        window_position(&a[1], o[1], t / a[2].kernel % a[1].kernel),
                        window_position(&a[2], o[2], t % a[2].kernel)};
        if (at[0] != SIZE_MAX && at[1] != SIZE_MAX && at[2] != SIZE_MAX) {
            size_t from = ((sample * a[0].in + at[0]) * a[1].in + at[1]) * a[2].in + at[2];
            sum += dot((const float *)x->data + from * x->row_stride + group * depth,
                       weights + t * depth, depth);
        }
    }
    float value = (float)sum;
    return value < p->min ? p->min : value > p->max ? p->max : value;
}

static void conv_range(void *context, size_t begin, size_t end) {
    const conv_task *task = context;
    const operand *y = &task->call->outputs[0];
    const window_axis *a = task->axes;
    size_t pixels = a[0].out * a[1].out * a[2].out;
    for (size_t r = begin; r < end; r++) {
        size_t pixel = r % pixels;
        size_t o[3] = {pixel / (a[1].out * a[2].out), pixel / a[2].out % a[1].out,
                       pixel % a[2].out};
        float *out = (float *)y->data + r * y->row_stride;
        for (size_t c = 0; c < y->row; c++) {
            out[c] = conv_value(task, r / pixels, o, c);
        }
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    conv_task task;
    (void)make_task(call, &task);
    kernel_parallel(call, operand_rows(&call->outputs[0], call->batch), 8, &task, conv_range);
    return KILN_OK;
}

const kernel kernel_conv_nd = {
    .traits = {.name = "conv_nd",
               .runs_on = "Kiln",
               .strided_inputs = 1,
               .strided_outputs = 1,
               .params_bytes = sizeof(kiln_conv_nd_params)},
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .check = check,
    .run = run,
};
