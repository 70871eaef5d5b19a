/* LAYER_NORM and RMS_NORM in micro-kernels; LP_NORM and LRN in plain C with double accumulators. */
#include "runtime/kernels/axis.h"
#include "runtime/ukernels/ukernels.h"

#include <math.h>

/* ---- Layer norm ---------------------------------------------------------------------------- */

static size_t normalized_size(const kernel_call *call) {
    const kiln_layer_norm_params *p = call->params;
    const operand *x = &call->inputs[0];
    size_t size = 1;
    for (uint32_t k = x->rank - p->axes; k < x->rank; k++) {
        size *= x->dims[k];
    }
    return size;
}

static const char *check_layer(const kernel_call *call) {
    const kiln_layer_norm_params *p = call->params;
    const operand *x = &call->inputs[0];
    if (!isfinite(p->epsilon) || p->axes == 0 || p->axes > x->rank ||
        (x->batched && p->axes == x->rank)) {
        return "parameters out of range";
    }
    size_t size = normalized_size(call);
    bool sound = true;
    for (uint32_t k = 1; k < call->input_count; k++) {
        sound = sound && (!has_input(call, k) || call->inputs[k].elements == size);
    }
    for (uint32_t k = 1; k < call->output_count; k++) {
        const operand *o = &call->outputs[k];
        sound = sound && (!operand_present(o) ||
                          (o->elements == x->elements / size && o->batched == x->batched));
    }
    return sound ? NULL : "the operands do not fit";
}

static void layer_range(void *context, size_t begin, size_t end) {
    const kernel_call *call = context;
    const kiln_layer_norm_params *p = call->params;
    size_t size = normalized_size(call);
    float *mean = optional_output(call, 1);
    float *inverse = optional_output(call, 2);
    layer_norm_rows rows = {.about_zero = call->step->kernel == KILN_KERNEL_RMS_NORM,
                            .x = (const float *)call->inputs[0].data + begin * size,
                            .rows = end - begin,
                            .count = size,
                            .epsilon = p->epsilon,
                            .scale = call->inputs[1].data,
                            .bias = optional_input(call, 2),
                            .y = (float *)call->outputs[0].data + begin * size,
                            .mean = mean == NULL ? NULL : mean + begin,
                            .inverse = inverse == NULL ? NULL : inverse + begin};
    ukernels_layer_norm(ukernels_best())(&rows);
}

static kiln_status run_layer(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *x = &call->inputs[0];
    size_t size = normalized_size(call);
    size_t rows = operand_outer(x, call->run.batch) * x->inner / size;
    kernel_parallel(call, rows, 1 + 2048 / size, call, layer_range);
    return KILN_OK;
}

/* ---- Lp norm ------------------------------------------------------------------------------- */

static const char *check_lp(const kernel_call *call) {
    const kiln_lp_norm_params *p = call->params;
    return axis_is_sound(&call->inputs[0], p->axis) && (p->p == 1 || p->p == 2)
               ? NULL
               : "parameters out of range";
}

static void lp_range(void *context, size_t begin, size_t end) {
    const axis_task *task = context;
    const kiln_lp_norm_params *p = task->call->params;
    axis_view v = task->view;
    for (size_t column = begin; column < end; column++) {
        size_t start = axis_start(&v, column);
        const float *from = (const float *)task->call->inputs[0].data + start;
        float *to = (float *)task->call->outputs[0].data + start;
        double norm = 0.0;
        for (size_t k = 0; k < v.size; k++) {
            double value = (double)from[k * v.inner];
            norm += p->p == 1 ? fabs(value) : value * value;
        }
        norm = p->p == 1 ? norm : sqrt(norm);
        for (size_t k = 0; k < v.size; k++) {
            to[k * v.inner] = norm == 0.0 ? 0.0f : (float)((double)from[k * v.inner] / norm);
        }
    }
}

static kiln_status run_lp(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_lp_norm_params *p = call->params;
    axis_run(call, p->axis, 2048, lp_range);
    return KILN_OK;
}

/* ---- LRN ----------------------------------------------------------------------------------- */

static const char *check_lrn(const kernel_call *call) {
    const kiln_lrn_params *p = call->params;
    return p->size > 0 && p->size <= 65536 && isfinite(p->alpha) && isfinite(p->beta) &&
                   isfinite(p->bias)
               ? NULL
               : "parameters out of range";
}

static double squares_of(const float *x, size_t begin, size_t end) {
    double sum = 0.0;
    for (size_t c = begin; c < end; c++) {
        sum += (double)x[c] * (double)x[c];
    }
    return sum;
}

/* The sum over the window slides along the channels, in double: what enters is added, what leaves
 * is subtracted. */
static void lrn_range(void *context, size_t begin, size_t end) {
    const kernel_call *call = context;
    const kiln_lrn_params *p = call->params;
    size_t channels = call->inputs[0].inner, before = (p->size - 1) / 2, after = p->size / 2;
    for (size_t r = begin; r < end; r++) {
        const float *x = (const float *)call->inputs[0].data + r * channels;
        float *y = (float *)call->outputs[0].data + r * channels;
        double sum = squares_of(x, 0, after < channels ? after : channels);
        for (size_t c = 0; c < channels; c++) {
            size_t begin = c > before ? c - before : 0;
            if (c + after < channels) {
                sum += (double)x[c + after] * (double)x[c + after];
            }
            if (c > before) {
                sum -= (double)x[begin - 1] * (double)x[begin - 1];
            }
            if (!isfinite(sum)) { /* NaN would never leave it */
                sum = squares_of(x, begin, c + after < channels ? c + after + 1 : channels);
            }
            double base =
                (double)p->bias + (double)p->alpha / (double)p->size * (sum < 0.0 ? 0.0 : sum);
            y[c] = (float)((double)x[c] * (p->beta == 0.75f ? 1.0 / (sqrt(base) * sqrt(sqrt(base)))
                                                            : pow(base, -(double)p->beta)));
        }
    }
}

static kiln_status run_lrn(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *x = &call->inputs[0];
    kernel_parallel(call, operand_outer(x, call->run.batch), 1 + 512 / x->inner, call, lrn_range);
    return KILN_OK;
}

const kernel kernel_layer_norm = {
    KERNEL("layer_norm", kiln_layer_norm_params, NULL,
           KERNEL_INPUTS(2, 3, IS_F32 | IS_ROW_MAJOR, IS_F32 | IS_UNBATCHED, IS_F32 | IS_UNBATCHED),
           KERNEL_OUTPUTS(1, 3, IS_F32 | IS_ROW_MAJOR | IS_SHAPED_LIKE_X, IS_F32, IS_F32)),
    .check = check_layer,
    .run = run_layer,
};

const kernel kernel_rms_norm = {
    KERNEL("rms_norm", kiln_rms_norm_params, NULL,
           KERNEL_INPUTS(2, 2, IS_F32 | IS_ROW_MAJOR, IS_F32 | IS_UNBATCHED),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_ROW_MAJOR | IS_SHAPED_LIKE_X)),
    .check = check_layer,
    .run = run_layer,
};

const kernel kernel_lp_norm = {
    KERNEL("lp_norm", kiln_lp_norm_params, NULL, KERNEL_INPUTS(1, 1, IS_F32),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_SHAPED_LIKE_X)),
    .check = check_lp,
    .run = run_lp,
};

const kernel kernel_lrn = {
    KERNEL("lrn", kiln_lrn_params, NULL, KERNEL_INPUTS(1, 1, IS_F32 | IS_CHANNELS_LAST),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_CHANNELS_LAST | IS_SHAPED_LIKE_X)),
    .check = check_lrn,
    .run = run_lrn,
};
