/* SOFTMAX, LP_NORM, LRN, INSTANCE_NORM and GROUP_NORM as ONNX nodes. */
#include "compiler/export/exporting.h"

kiln_status export_softmax(exporting *x) {
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

kiln_status export_lp_norm(exporting *x) {
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

kiln_status export_lrn(exporting *x) {
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

kiln_status export_instance_norm(exporting *x) {
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

/* A vector of ones, or of zeros. */
static const char *numbers(exporting *x, int64_t count, float value) {
    const char *name = NULL;
    float *to = model_floats_room(&x->model, &name, 1, &count);
    for (int64_t k = 0; to != NULL && k < count; k++) {
        to[k] = value;
    }
    return name;
}

/* An operand of one value a channel, to broadcast with [N,C,...]. */
static const char *by_channel(exporting *x, uint32_t operand, uint32_t rank, int64_t channels) {
    int64_t dims[KILN_MAX_RANK] = {channels, 1, 1, 1, 1, 1, 1, 1};
    const char *value = value_of(x, step_operand(x, operand));
    return value != NULL ? reshaped(x, value, rank - 1, dims, false) : NULL;
}

/* An InstanceNormalization of groups for channels, then scales and biases: GroupNormalization
 * itself takes those of channels from opset 21 on only. */
kiln_status export_group_norm(exporting *x) {
    PARAMS(kiln_group_norm_params);
    const kiln_plan_tensor_record *t = step_tensor(x, 0);
    int64_t dims[KILN_MAX_RANK], lying[KILN_MAX_RANK], channels;
    const char *value = value_of(x, step_operand(x, 0));
    Onnx__NodeProto *node;
    record_dims(t, lying);
    dims[0] = lying[0];
    dims[1] = channels = lying[t->rank - 1];
    for (uint32_t k = 2; k < t->rank; k++) {
        dims[k] = lying[k - 1];
    }
    const char *scale = by_channel(x, 1, t->rank, channels);
    const char *bias = by_channel(x, 2, t->rank, channels);
    if (value == NULL || scale == NULL || bias == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    int64_t groups = channels / p.group_channels;
    int64_t grouped[3] = {dims[0], groups, (int64_t)elements_of(t) / dims[0] / groups};
    const char *inputs[3] = {reshaped(x, value, 3, grouped, t->batched), numbers(x, groups, 1),
                             numbers(x, groups, 0)};
    const char *y = model_node(&x->model, "InstanceNormalization", NULL, 3, inputs, &node);
    model_float(&x->model, node, "epsilon", p.epsilon);
    const char *scaled[2] = {reshaped(x, y, t->rank, dims, t->batched), scale};
    const char *shifted[2] = {model_node(&x->model, "Mul", NULL, 2, scaled, NULL), bias};
    return finish(x, model_node(&x->model, "Add", NULL, 2, shifted, NULL));
}

/* In operators of every opset: x scale / sqrt(mean(x x) + epsilon). */
kiln_status export_rms_norm(exporting *x) {
    PARAMS(kiln_rms_norm_params);
    uint32_t rank = step_tensor(x, 0)->rank;
    int64_t axes[KILN_MAX_RANK];
    const char *operands[2], *squares[2], *sum[2], *norm[2], *scaled[2];
    Onnx__NodeProto *node;
    if (!inputs_of(x, 2, operands)) {
        return KILN_ERROR_UNSUPPORTED;
    }
    for (uint32_t k = 0; k < p.axes; k++) {
        axes[k] = (int64_t)rank - p.axes + k;
    }
    squares[0] = squares[1] = operands[0];
    const char *square = model_node(&x->model, "Mul", NULL, 2, squares, NULL);
    sum[0] = model_node(&x->model, "ReduceMean", NULL, 1, &square, &node);
    model_ints(&x->model, node, "axes", p.axes, axes);
    sum[1] = model_floats(&x->model, NULL, 0, NULL, &p.epsilon);
    const char *total = model_node(&x->model, "Add", NULL, 2, sum, NULL);
    norm[0] = operands[0];
    norm[1] = model_node(&x->model, "Sqrt", NULL, 1, &total, NULL);
    scaled[0] = model_node(&x->model, "Div", NULL, 2, norm, NULL);
    scaled[1] = operands[1];
    return finish(x, model_node(&x->model, "Mul", NULL, 2, scaled, NULL));
}
