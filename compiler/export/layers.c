/* Convolution, dense layers and pooling as ONNX nodes. */
#include "compiler/export/exporting.h"

#include <stdlib.h>

/* ---- Convolution and dense ----------------------------------------------------------------- */

/* Brings [O][KH][KW][C] to [O][C][KH][KW], or without KH for one spatial dim. */
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

/* Adds what a convolution adds to its results, and clamps. */
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

kiln_status export_conv(exporting *x) {
    PARAMS(kiln_conv_params);
    size_t spatial = step_tensor(x, 0)->rank - 2u;
    uint32_t weights = step_operand(x, 1);
    Onnx__NodeProto *node;
    const char *inputs[3] = {value_of(x, step_operand(x, 0)), filter_value(x, weights, spatial)};
    if (inputs[0] == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    if (x->step->input_count > 4 && step_operand(x, 4) != KILN_PLAN_NONE) {
        const char *scaled[2] = {inputs[0], gates_value(x, step_operand(x, 4), step_tensor(x, 0))};
        if (scaled[1] == NULL) {
            return KILN_ERROR_UNSUPPORTED;
        }
        inputs[0] = model_node(&x->model, "Mul", NULL, 2, scaled, NULL);
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
    if ((x->step->flags & KILN_STEP_POOLED) != 0) { /* bounds may as well come after it */
        static const int64_t two[2] = {2, 2};
        y = model_node(&x->model, "MaxPool", NULL, 1, &y, &node);
        model_ints(&x->model, node, "kernel_shape", 2, two);
        model_ints(&x->model, node, "strides", 2, two);
    }
    return add_and_finish(x, y, &p);
}

kiln_status export_dense(exporting *x) {
    PARAMS(kiln_fully_connected_params);
    const kiln_plan_tensor_record *in = step_tensor(x, 0), *out = &x->v.tensors[step_result(x)];
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

kiln_status export_matmul(exporting *x) {
    PARAMS(kiln_matmul_params);
    const char *inputs[2];
    if (!inputs_of(x, 2, inputs)) {
        return KILN_ERROR_UNSUPPORTED;
    }
    return finish_clamped(x, model_node(&x->model, "MatMul", NULL, 2, inputs, NULL), p.min, p.max);
}

/* ---- Pooling ------------------------------------------------------------------------------- */

kiln_status export_pool(exporting *x) {
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

kiln_status export_pool_nd(exporting *x) {
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
    model_int(&x->model, node, "ceil_mode", rounds_up(&p, in, &x->v.tensors[step_result(x)]));
    if (average) {
        model_int(&x->model, node, "count_include_pad", p.count_include_pad);
    } else {
        model_ints(&x->model, node, "dilations", spatial, dilations);
    }
    return finish_clamped(x, y, p.min, p.max);
}

kiln_status export_global_pool(exporting *x) {
    PARAMS(kiln_global_pool_params);
    const kiln_plan_tensor_record *in = step_tensor(x, 0), *out = &x->v.tensors[step_result(x)];
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
