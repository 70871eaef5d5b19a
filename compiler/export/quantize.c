/* QUANTIZE and QUANTIZE_RANGE in operators on floats: what they round are floats that hold
 * integers. */
#include "compiler/export/exporting.h"

#include <math.h>

/* Adds a node of one output. NULL stands for a value that cannot be told, and leads to NULL. */
static const char *apply(exporting *x, const char *op, const char *a, const char *b) {
    const char *inputs[2] = {a, b};
    return a == NULL ? NULL : model_node(&x->model, op, NULL, b == NULL ? 1 : 2, inputs, NULL);
}

static const char *number(exporting *x, float value) {
    return model_floats(&x->model, NULL, 0, NULL, &value);
}

static const char *clipped(exporting *x, const char *value, float low, float high) {
    const char *inputs[3] = {value, number(x, low), number(x, high)};
    return model_node(&x->model, "Clip", NULL, 3, inputs, NULL);
}

/* The value of scales or zeros, shaped so as to broadcast along their axis. */
static const char *parameter(exporting *x, uint32_t k, uint32_t axis) {
    const kiln_plan_tensor_record *like = step_tensor(x, 0), *t;
    if (step_operand(x, k) == KILN_PLAN_NONE) {
        return NULL;
    }
    t = step_tensor(x, k);
    const char *value = value_of(x, step_operand(x, k));
    if (value == NULL || elements_of(t) == 1) {
        return value;
    }
    int64_t dims[KILN_MAX_RANK] = {(int64_t)elements_of(t), 1, 1, 1, 1, 1, 1, 1};
    size_t rank = like->rank - (size_t)logical_axis_of(like, axis);
    return reshaped(x, value, rank, dims, false);
}

static const char *rounded(exporting *x, const kiln_quantize_params *p, const char *value,
                           const char *scale, const char *zero) {
    bool multiplies = p->kind == KILN_REQUANTIZE_INTEGERS || p->kind == KILN_REQUANTIZE_CENTRED;
    value = apply(x, "Round", apply(x, multiplies ? "Mul" : "Div", value, scale), NULL);
    value = zero != NULL ? apply(x, "Add", value, zero) : value;
    return clipped(x, value, p->low, p->high);
}

kiln_status export_quantize(exporting *x) {
    PARAMS(kiln_quantize_params);
    const char *value = value_of(x, step_operand(x, 0));
    const char *scale = parameter(x, 1, p.axis);
    bool has_zero = x->step->input_count > 2 && step_operand(x, 2) != KILN_PLAN_NONE;
    const char *zero = has_zero ? parameter(x, 2, p.axis) : NULL;
    if (value == NULL || scale == NULL || (has_zero && zero == NULL)) {
        return KILN_ERROR_UNSUPPORTED;
    }
    if (p.kind != KILN_DEQUANTIZE) {
        value = rounded(x, &p, value, scale, zero);
    }
    bool integers = p.kind == KILN_QUANTIZE_INTEGERS || p.kind == KILN_REQUANTIZE_INTEGERS;
    bool scales = p.kind == KILN_QUANTIZE_ROUND_TRIP || p.kind == KILN_DEQUANTIZE;
    value = !integers && zero != NULL ? apply(x, "Sub", value, zero) : value;
    return finish(x, scales ? apply(x, "Mul", value, scale) : value);
}

/* The least or greatest of a tensor and 0. */
static const char *extreme(exporting *x, const char *value, const char *reduce,
                           const char *choose) {
    Onnx__NodeProto *node;
    const char *found = model_node(&x->model, reduce, NULL, 1, &value, &node);
    model_int(&x->model, node, "keepdims", 0);
    return apply(x, choose, found, number(x, 0));
}

kiln_status export_quantize_range(exporting *x) {
    const char *value = value_of(x, step_operand(x, 0));
    if (value == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    const char *least = extreme(x, value, "ReduceMin", "Min");
    const char *most = extreme(x, value, "ReduceMax", "Max");
    const char *choice[3] = {apply(x, "Greater", most, least),
                             apply(x, "Div", apply(x, "Sub", most, least), number(x, 255)),
                             number(x, 1)};
    const char *scale = model_node(&x->model, "Where", NULL, 3, choice, NULL);
    value_written(x, step_operand(x, 1), scale);
    if (step_operand(x, 2) != KILN_PLAN_NONE) {
        const char *zero = apply(x, "Div", apply(x, "Neg", least, NULL), scale);
        value_written(x, step_operand(x, 2), apply(x, "Round", clipped(x, zero, 0, 255), NULL));
    }
    return KILN_OK;
}
