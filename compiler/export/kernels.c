/* One row a kernel: the ONNX nodes that say the same. */
#include "compiler/export/exporting.h"
#include "compiler/graph/element_type.h"
#include "runtime/plan/layout.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t step_operand(const exporting *x, uint32_t k) {
    return k < (uint32_t)x->step->input_count + x->step->output_count
               ? x->v.operands[x->step->first_operand + k]
               : KILN_PLAN_NONE;
}

const kiln_plan_tensor_record *step_tensor(const exporting *x, uint32_t k) {
    return &x->v.tensors[step_operand(x, k)];
}

static uint32_t output_of(const exporting *x) {
    return step_operand(x, x->step->input_count);
}

kiln_status export_fail(exporting *x, const char *format, ...) {
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return kiln_fail(x->error, KILN_ERROR_UNSUPPORTED, "layer '%.80s' (%s) cannot be exported: %s",
                     x->v.strings + x->step->name, kiln_kernel_describe(x->step->kernel)->name,
                     text);
}

static const char *scalar(exporting *x, float value) {
    return model_floats(&x->model, NULL, 0, NULL, &value);
}

kiln_status finish_clamped(exporting *x, const char *value, float min, float max) {
    uint32_t out = output_of(x);
    if (min == 0 && isinf(max)) {
        value = model_node(&x->model, "Relu", value_name(x, out), 1, &value, NULL);
    } else if (!isinf(min) || !isinf(max)) {
        const char *inputs[3] = {value, isinf(min) ? NULL : scalar(x, min),
                                 isinf(max) ? NULL : scalar(x, max)};
        value = model_node(&x->model, "Clip", value_name(x, out), isinf(max) ? 2 : 3, inputs, NULL);
    }
    value_written(x, out, value);
    return KILN_OK;
}

kiln_status finish(exporting *x, const char *value) {
    return finish_clamped(x, value, -INFINITY, INFINITY);
}

bool inputs_of(exporting *x, size_t count, const char **out) {
    for (uint32_t k = 0; k < count; k++) {
        bool absent = k >= x->step->input_count || step_operand(x, k) == KILN_PLAN_NONE;
        out[k] = absent ? NULL : value_of(x, step_operand(x, k));
        if (!absent && out[k] == NULL) {
            return false;
        }
    }
    return true;
}

/* ---- Convolution and dense ----------------------------------------------------------------- */

/* [O][KH][KW][C] to [O][C][KH][KW], or without KH for one spatial dim. */
static const char *filter_value(exporting *x, uint32_t tensor, size_t spatial) {
    const uint32_t *d = x->v.tensors[tensor].dims;
    float *from = constant_floats(x, tensor);
    const char *name = value_name(x, tensor);
    int64_t dims[4] = {d[0], d[3], spatial == 2 ? d[1] : d[2], d[2]};
    float *out = model_floats_room(&x->model, &name, spatial + 2, dims);
    size_t taps = (size_t)d[1] * d[2], channels = d[3];
    for (size_t k = 0; from != NULL && out != NULL && k < d[0] * taps * channels; k++) {
        size_t o = k / (taps * channels), tap = k / channels % taps, c = k % channels;
        out[(o * channels + c) * taps + tap] = from[k];
    }
    free(from);
    return name;
}

/* What a convolution adds to its results. */
static kiln_status add_and_finish(exporting *x, const char *y, const kiln_conv_params *p) {
    if (x->step->input_count > 3 && step_operand(x, 3) != KILN_PLAN_NONE) {
        const char *terms[2] = {y, value_of(x, step_operand(x, 3))};
        if (terms[1] == NULL) {
            return KILN_ERROR_UNSUPPORTED;
        }
        y = model_node(&x->model, "Add", NULL, 2, terms, NULL);
    }
    return finish_clamped(x, y, p->min, p->max);
}

static kiln_status export_conv(exporting *x) {
    PARAMS(kiln_conv_params);
    size_t spatial = step_tensor(x, 0)->rank - 2u;
    uint32_t weights = step_operand(x, 1);
    Onnx__NodeProto *node;
    const char *inputs[3] = {value_of(x, step_operand(x, 0)), filter_value(x, weights, spatial)};
    if (inputs[0] == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    bool bias = x->step->input_count > 2 && step_operand(x, 2) != KILN_PLAN_NONE;
    if (bias && (inputs[2] = value_of(x, step_operand(x, 2))) == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    size_t skip = 2 - spatial;
    int64_t pads[4] = {p.padding_top, p.padding_left, p.padding_bottom, p.padding_right};
    int64_t line_pads[2] = {p.padding_left, p.padding_right};
    int64_t strides[2] = {p.stride_height, p.stride_width};
    int64_t dilations[2] = {p.dilation_height, p.dilation_width};
    const char *y = model_node(&x->model, "Conv", NULL, bias ? 3 : 2, inputs, &node);
    model_ints(&x->model, node, "pads", 2 * spatial, spatial == 2 ? pads : line_pads);
    model_ints(&x->model, node, "strides", spatial, strides + skip);
    model_ints(&x->model, node, "dilations", spatial, dilations + skip);
    model_int(&x->model, node, "group", p.groups);
    return add_and_finish(x, y, &p);
}

static kiln_status export_dense(exporting *x) {
    PARAMS(kiln_fully_connected_params);
    const kiln_plan_tensor_record *in = step_tensor(x, 0), *out = &x->v.tensors[output_of(x)];
    const char *inputs[3];
    Onnx__NodeProto *node;
    if (!inputs_of(x, 3, inputs)) {
        return KILN_ERROR_UNSUPPORTED;
    }
    if (in->rank == 2) {
        const char *y =
            model_node(&x->model, "Gemm", NULL, inputs[2] != NULL ? 3 : 2, inputs, &node);
        model_int(&x->model, node, "transB", 1);
        return finish_clamped(x, y, p.min, p.max);
    }
    if (in->layout != KILN_ROW_MAJOR || out->layout != KILN_ROW_MAJOR) {
        return export_fail(x, "a dense layer over channels-last positions");
    }
    static const int64_t order[2] = {1, 0};
    const char *both[2] = {inputs[0], transposed(x, inputs[1], 2, order, NULL)};
    const char *y = model_node(&x->model, "MatMul", NULL, 2, both, NULL);
    if (inputs[2] != NULL) {
        const char *sum[2] = {y, inputs[2]};
        y = model_node(&x->model, "Add", NULL, 2, sum, NULL);
    }
    return finish_clamped(x, y, p.min, p.max);
}

static kiln_status export_matmul(exporting *x) {
    PARAMS(kiln_matmul_params);
    const char *inputs[2];
    if (!inputs_of(x, 2, inputs)) {
        return KILN_ERROR_UNSUPPORTED;
    }
    return finish_clamped(x, model_node(&x->model, "MatMul", NULL, 2, inputs, NULL), p.min, p.max);
}

/* ---- Pooling ------------------------------------------------------------------------------- */

static kiln_status export_pool(exporting *x) {
    PARAMS(kiln_pool_params);
    bool average = x->step->kernel == KILN_KERNEL_AVERAGE_POOL_2D;
    size_t spatial = step_tensor(x, 0)->rank - 2u, skip = 2 - spatial;
    const char *input = value_of(x, step_operand(x, 0));
    Onnx__NodeProto *node;
    if (input == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    int64_t pads[4] = {p.padding_top, p.padding_left, p.padding_bottom, p.padding_right};
    int64_t line_pads[2] = {p.padding_left, p.padding_right};
    int64_t kernel[2] = {p.kernel_height, p.kernel_width};
    int64_t strides[2] = {p.stride_height, p.stride_width};
    int64_t dilations[2] = {p.dilation_height, p.dilation_width};
    const char *y =
        model_node(&x->model, average ? "AveragePool" : "MaxPool", NULL, 1, &input, &node);
    model_ints(&x->model, node, "kernel_shape", spatial, kernel + skip);
    model_ints(&x->model, node, "pads", 2 * spatial, spatial == 2 ? pads : line_pads);
    model_ints(&x->model, node, "strides", spatial, strides + skip);
    if (!average) {
        model_ints(&x->model, node, "dilations", spatial, dilations + skip);
    }
    return finish_clamped(x, y, p.min, p.max);
}

/* Are the last windows cut off, so that there is one more than whole ones fit? */
static bool rounds_up(const kiln_pool_nd_params *p, const kiln_plan_tensor_record *in,
                      const kiln_plan_tensor_record *out) {
    bool up = false;
    for (uint32_t s = 0; s + 2 < in->rank; s++) {
        uint32_t room = in->dims[s + 2] + p->padding_begin[s] + p->padding_end[s];
        uint32_t window = p->dilation[s] * (p->kernel[s] - 1) + 1;
        up = up || room < window || out->dims[s + 2] > (room - window) / p->stride[s] + 1;
    }
    return up;
}

static kiln_status export_pool_nd(exporting *x) {
    PARAMS(kiln_pool_nd_params);
    bool average = p.kind == KILN_POOL_AVERAGE;
    const kiln_plan_tensor_record *in = step_tensor(x, 0);
    size_t spatial = in->rank - 2u;
    const char *input = value_of(x, step_operand(x, 0));
    Onnx__NodeProto *node;
    if (input == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    if (x->step->output_count > 1) {
        return export_fail(x, "indices of maxima");
    }
    int64_t kernel[3], strides[3], dilations[3], pads[6];
    for (size_t s = 0; s < spatial; s++) {
        kernel[s] = p.kernel[s];
        strides[s] = p.stride[s];
        dilations[s] = p.dilation[s];
        pads[s] = p.padding_begin[s];
        pads[spatial + s] = p.padding_end[s];
    }
    const char *y =
        model_node(&x->model, average ? "AveragePool" : "MaxPool", NULL, 1, &input, &node);
    model_ints(&x->model, node, "kernel_shape", spatial, kernel);
    model_ints(&x->model, node, "pads", 2 * spatial, pads);
    model_ints(&x->model, node, "strides", spatial, strides);
    model_int(&x->model, node, "ceil_mode", rounds_up(&p, in, &x->v.tensors[output_of(x)]));
    if (average) {
        model_int(&x->model, node, "count_include_pad", p.count_include_pad);
    } else {
        model_ints(&x->model, node, "dilations", spatial, dilations);
    }
    return finish_clamped(x, y, p.min, p.max);
}

static kiln_status export_global_pool(exporting *x) {
    PARAMS(kiln_global_pool_params);
    const kiln_plan_tensor_record *in = step_tensor(x, 0), *out = &x->v.tensors[output_of(x)];
    const char *input = value_of(x, step_operand(x, 0));
    int64_t dims[KILN_MAX_RANK];
    if (input == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    const char *y = model_node(&x->model, "GlobalAveragePool", NULL, 1, &input, NULL);
    for (uint32_t k = 0; k < out->rank; k++) {
        dims[k] = out->dims[k];
    }
    if (in->rank != out->rank) {
        y = reshaped(x, y, out->rank, dims, out->batched);
    }
    return finish_clamped(x, y, p.min, p.max);
}

/* ---- Along an axis ------------------------------------------------------------------------- */

int64_t logical_axis_of(const kiln_plan_tensor_record *t, uint32_t axis) {
    return layout_logical_axis(t->layout, t->rank, axis);
}

static kiln_status export_softmax(exporting *x) {
    PARAMS(kiln_softmax_params);
    const char *input = value_of(x, step_operand(x, 0));
    Onnx__NodeProto *node;
    if (input == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    const char *y =
        model_node(&x->model, p.log != 0 ? "LogSoftmax" : "Softmax", NULL, 1, &input, &node);
    model_int(&x->model, node, "axis", logical_axis_of(step_tensor(x, 0), p.axis));
    return finish(x, y);
}

static kiln_status export_lp_norm(exporting *x) {
    PARAMS(kiln_lp_norm_params);
    const char *input = value_of(x, step_operand(x, 0));
    Onnx__NodeProto *node;
    if (input == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    const char *y = model_node(&x->model, "LpNormalization", NULL, 1, &input, &node);
    model_int(&x->model, node, "axis", logical_axis_of(step_tensor(x, 0), p.axis));
    model_int(&x->model, node, "p", p.p);
    return finish(x, y);
}

static kiln_status export_lrn(exporting *x) {
    PARAMS(kiln_lrn_params);
    const char *input = value_of(x, step_operand(x, 0));
    Onnx__NodeProto *node;
    if (input == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    const char *y = model_node(&x->model, "LRN", NULL, 1, &input, &node);
    model_int(&x->model, node, "size", p.size);
    model_float(&x->model, node, "alpha", p.alpha);
    model_float(&x->model, node, "beta", p.beta);
    model_float(&x->model, node, "bias", p.bias);
    return finish(x, y);
}

static kiln_status export_instance_norm(exporting *x) {
    PARAMS(kiln_instance_norm_params);
    const char *inputs[3];
    Onnx__NodeProto *node;
    if (!inputs_of(x, 3, inputs)) {
        return KILN_ERROR_UNSUPPORTED;
    }
    const char *y = model_node(&x->model, "InstanceNormalization", NULL, 3, inputs, &node);
    model_float(&x->model, node, "epsilon", p.epsilon);
    return finish(x, y);
}

static kiln_status export_cast(exporting *x) {
    const kiln_plan_tensor_record *out = &x->v.tensors[output_of(x)];
    const char *input = value_of(x, step_operand(x, 0));
    Onnx__NodeProto *node;
    if (input == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    const char *name = out->place == KILN_PLACE_OUTPUT ? x->v.strings + out->name : NULL;
    const char *y = model_node(&x->model, "Cast", name, 1, &input, &node);
    model_int(&x->model, node, "to", onnx_type_of_dtype((kiln_dtype)out->dtype));
    return finish(x, y);
}

/* ---- The table ----------------------------------------------------------------------------- */

static kiln_status (*const exporters[KILN_KERNEL_COUNT])(exporting *x) = {
    [KILN_KERNEL_COPY] = export_copy,
    [KILN_KERNEL_CAST] = export_cast,
    [KILN_KERNEL_CONV_2D] = export_conv,
    [KILN_KERNEL_FULLY_CONNECTED] = export_dense,
    [KILN_KERNEL_MAX_POOL_2D] = export_pool,
    [KILN_KERNEL_AVERAGE_POOL_2D] = export_pool,
    [KILN_KERNEL_POOL_ND] = export_pool_nd,
    [KILN_KERNEL_GLOBAL_AVERAGE_POOL] = export_global_pool,
    [KILN_KERNEL_UNARY] = export_unary,
    [KILN_KERNEL_BINARY] = export_binary,
    [KILN_KERNEL_PRELU] = export_prelu,
    [KILN_KERNEL_SOFTMAX] = export_softmax,
    [KILN_KERNEL_MATMUL] = export_matmul,
    [KILN_KERNEL_INSTANCE_NORM] = export_instance_norm,
    [KILN_KERNEL_WHERE] = export_where,
    [KILN_KERNEL_REDUCE] = export_reduce,
    [KILN_KERNEL_ARG_REDUCE] = export_arg_reduce,
    [KILN_KERNEL_GATHER] = export_gather,
    [KILN_KERNEL_GATHER_ELEMENTS] = export_gather,
    [KILN_KERNEL_GATHER_ND] = export_gather_nd,
    [KILN_KERNEL_SCATTER_ELEMENTS] = export_scatter,
    [KILN_KERNEL_SCATTER_ND] = export_scatter,
    [KILN_KERNEL_QUANTIZE] = export_quantize,
    [KILN_KERNEL_QUANTIZE_RANGE] = export_quantize_range,
    [KILN_KERNEL_CUMULATIVE_SUM] = export_cumulative_sum,
    [KILN_KERNEL_GRID_SAMPLE] = export_grid_sample,
    [KILN_KERNEL_ROI_ALIGN] = export_roi_align,
    [KILN_KERNEL_LP_NORM] = export_lp_norm,
    [KILN_KERNEL_LRN] = export_lrn,
};

kiln_status export_step(exporting *x) {
    return exporters[x->step->kernel] != NULL ? exporters[x->step->kernel](x)
                                              : export_fail(x, "no ONNX form is known for it");
}
