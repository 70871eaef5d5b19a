/* POOL_ND: the pools that XNNPACK has not. Plain C, all channels of a pixel at a time. */
#include "runtime/kernels/window.h"

#include <math.h>

typedef struct pool_task {
    const kernel_call *call;
    window_axis axes[3];
} pool_task;

static const char *check(const kernel_call *call) {
    const kiln_pool_nd_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    window_axis axes[3];
    bool sound = x->rank >= 3 && x->rank <= 5 && x->rank == y->rank && x->inner == y->inner;
    if (sound && has_output(call, 1)) {
        const operand *i = &call->outputs[1];
        sound = p->kind == KILN_POOL_MAX && i->batched == y->batched &&
                i->elements == y->elements && operand_is_dense(i) && i->rank == y->rank &&
                i->record->dims[0] == y->record->dims[0];
    }
    if (!sound) {
        return "the operands do not fit";
    }
    window_axes_of(call, axes);
    return p->kind <= KILN_POOL_AVERAGE && p->count_include_pad <= 1 && p->storage_order <= 1 &&
                   p->min < p->max && window_is_sound(axes)
               ? NULL
               : "parameters out of range";
}

/* Index in the dense ONNX-ordered tensor [N,C,D,H,W]; storage_order 1 counts H fastest. */
static int64_t onnx_index(const pool_task *task, size_t sample, size_t channel,
                          const size_t at[3]) {
    const kiln_pool_nd_params *p = task->call->params;
    const window_axis *a = task->axes;
    size_t plane = a[0].in * a[1].in * a[2].in;
    size_t pixel = p->storage_order == 0 ? (at[0] * a[1].in + at[1]) * a[2].in + at[2]
                                         : (at[2] * a[1].in + at[1]) * a[0].in + at[0];
    return (int64_t)((sample * task->call->inputs[0].inner + channel) * plane + pixel);
}

/* Where channel c of output pixel r lies in the indices, which may be of either layout. */
static size_t index_slot(const operand *indices, size_t pixels, size_t r, size_t c) {
    const operand *o = indices;
    size_t channels = o->record->dims[1];
    return o->layout == KILN_CHANNELS_LAST ? r * channels + c
                                           : (r / pixels * channels + c) * pixels + r % pixels;
}

static void start_pixel(const kiln_pool_nd_params *p, float *y, size_t channels) {
    for (size_t c = 0; c < channels; c++) {
        y[c] = p->kind == KILN_POOL_MAX ? -INFINITY : 0.0f;
    }
}

static void add_tap(const pool_task *task, const float *x, float *y, int64_t *indices,
                    size_t pixels, size_t r, size_t sample, const size_t at[3]) {
    const kiln_pool_nd_params *p = task->call->params;
    size_t channels = task->call->inputs[0].inner;
    if (p->kind == KILN_POOL_AVERAGE) {
        for (size_t c = 0; c < channels; c++) {
            y[c] += x[c];
        }
        return;
    }
    for (size_t c = 0; c < channels; c++) {
        if (indices != NULL && (x[c] > y[c] || y[c] == -INFINITY)) {
            indices[index_slot(&task->call->outputs[1], pixels, r, c)] =
                onnx_index(task, sample, c, at);
        }
        y[c] = x[c] > y[c] || isnan(x[c]) ? x[c] : y[c];
    }
}

/* The number of a window's taps along one axis that the average's divisor counts. */
static size_t counted(const window_axis *a, size_t o, window_taps inside, bool include_pad) {
    size_t at = o * a->stride, padded = a->pad_begin + a->in + a->pad_end;
    if (!include_pad) {
        return inside.end > inside.begin ? inside.end - inside.begin : 0;
    }
    size_t taps = at < padded ? (padded - at + a->dilation - 1) / a->dilation : 0;
    return taps < a->kernel ? taps : a->kernel;
}

/* Averages are divided; all are clamped. */
static void finish_pixel(const kiln_pool_nd_params *p, size_t divisor, float *y, size_t channels) {
    float scale = divisor == 0 ? 0.0f : 1.0f / (float)divisor;
    for (size_t c = 0; c < channels; c++) {
        float value = p->kind == KILN_POOL_AVERAGE ? y[c] * scale : y[c];
        y[c] = value < p->min ? p->min : value > p->max ? p->max : value;
    }
}

static void pool_pixel(const pool_task *task, size_t r) {
    const kernel_call *call = task->call;
    const kiln_pool_nd_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    const window_axis *a = task->axes;
    size_t pixels = a[0].out * a[1].out * a[2].out, sample = r / pixels, pixel = r % pixels;
    size_t o[3] = {pixel / (a[1].out * a[2].out), pixel / a[2].out % a[1].out, pixel % a[2].out};
    int64_t *indices = optional_output(call, 1);
    float *out = (float *)y->data + r * y->row_stride;
    window_taps taps[3];
    size_t divisor = 1, at[3];
    for (int k = 0; k < 3; k++) {
        taps[k] = window_taps_inside(&a[k], o[k]);
        divisor *= counted(&a[k], o[k], taps[k], p->count_include_pad != 0);
    }
    start_pixel(p, out, x->inner);
    for (size_t d = taps[0].begin; d < taps[0].end; d++) {
        at[0] = window_position(&a[0], o[0], d);
        for (size_t h = taps[1].begin; h < taps[1].end; h++) {
            at[1] = window_position(&a[1], o[1], h);
            for (size_t w = taps[2].begin; w < taps[2].end; w++) {
                at[2] = window_position(&a[2], o[2], w);
                size_t from = ((sample * a[0].in + at[0]) * a[1].in + at[1]) * a[2].in + at[2];
                add_tap(task, (const float *)x->data + from * x->row_stride, out, indices, pixels,
                        r, sample, at);
            }
        }
    }
    finish_pixel(p, divisor, out, x->inner);
}

static void pool_range(void *context, size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
        pool_pixel(context, r);
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    pool_task task = {.call = call};
    window_axes_of(call, task.axes);
    kernel_parallel(call, operand_outer(&call->outputs[0], call->run.batch), 8, &task, pool_range);
    return KILN_OK;
}

const kernel kernel_pool_nd = {
    KERNEL("pool_nd", kiln_pool_nd_params, NULL, KERNEL_INPUTS(1, 1, IS_F32 | IS_CHANNELS_LAST),
           KERNEL_OUTPUTS(1, 2, IS_F32 | IS_CHANNELS_LAST | IS_BATCHED_LIKE_X, IS_I64),
           KERNEL_STRIDED(1, 1)),
    .check = check,
    .run = run,
};
