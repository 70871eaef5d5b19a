/* SOFTMAX, LP_NORM, LRN and INSTANCE_NORM as ONNX nodes. */
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
