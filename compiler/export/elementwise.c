/* CAST, UNARY, BINARY, WHERE and PRELU as ONNX nodes. */
#include "compiler/export/exporting.h"
#include "compiler/graph/element_type.h"

#include <math.h>
#include <stdlib.h>

/* Functions that are one ONNX operator, and the attributes that alpha and beta are there. */
static const struct {
    const char *name, *alpha, *beta;
} unary_forms[KILN_UNARY_COUNT] = {
    [KILN_UNARY_LEAKY_RELU] = {"LeakyRelu", "alpha", NULL},
    [KILN_UNARY_ELU] = {"Elu", "alpha", NULL},
    [KILN_UNARY_SELU] = {"Selu", "alpha", "gamma"},
    [KILN_UNARY_CELU] = {"Celu", "alpha", NULL},
    [KILN_UNARY_SIGMOID] = {"Sigmoid", NULL, NULL},
    [KILN_UNARY_HARD_SIGMOID] = {"HardSigmoid", "alpha", "beta"},
    [KILN_UNARY_HARD_SWISH] = {"HardSwish", NULL, NULL},
    [KILN_UNARY_TANH] = {"Tanh", NULL, NULL},
    [KILN_UNARY_SOFTPLUS] = {"Softplus", NULL, NULL},
    [KILN_UNARY_SOFTSIGN] = {"Softsign", NULL, NULL},
    [KILN_UNARY_ERF] = {"Erf", NULL, NULL},
    [KILN_UNARY_SQRT] = {"Sqrt", NULL, NULL},
    [KILN_UNARY_EXP] = {"Exp", NULL, NULL},
    [KILN_UNARY_LOG] = {"Log", NULL, NULL},
    [KILN_UNARY_ABS] = {"Abs", NULL, NULL},
    [KILN_UNARY_NEG] = {"Neg", NULL, NULL},
    [KILN_UNARY_RECIPROCAL] = {"Reciprocal", NULL, NULL},
    [KILN_UNARY_FLOOR] = {"Floor", NULL, NULL},
    [KILN_UNARY_CEIL] = {"Ceil", NULL, NULL},
    [KILN_UNARY_ROUND] = {"Round", NULL, NULL},
    [KILN_UNARY_SIGN] = {"Sign", NULL, NULL},
    [KILN_UNARY_NOT] = {"Not", NULL, NULL},
    [KILN_UNARY_SIN] = {"Sin", NULL, NULL},
    [KILN_UNARY_COS] = {"Cos", NULL, NULL},
    [KILN_UNARY_TAN] = {"Tan", NULL, NULL},
    [KILN_UNARY_ASIN] = {"Asin", NULL, NULL},
    [KILN_UNARY_ACOS] = {"Acos", NULL, NULL},
    [KILN_UNARY_ATAN] = {"Atan", NULL, NULL},
    [KILN_UNARY_SINH] = {"Sinh", NULL, NULL},
    [KILN_UNARY_COSH] = {"Cosh", NULL, NULL},
    [KILN_UNARY_ASINH] = {"Asinh", NULL, NULL},
    [KILN_UNARY_ACOSH] = {"Acosh", NULL, NULL},
    [KILN_UNARY_ATANH] = {"Atanh", NULL, NULL},
    [KILN_UNARY_THRESHOLDED_RELU] = {"ThresholdedRelu", "alpha", NULL},
    [KILN_UNARY_SHRINK] = {"Shrink", "lambd", "bias"},
    [KILN_UNARY_IS_NAN] = {"IsNaN", NULL, NULL},
};

static const char *is_inf_value(exporting *x, const char *input, const kiln_unary_params *p) {
    Onnx__NodeProto *node;
    const char *y = model_node(&x->model, "IsInf", NULL, 1, &input, &node);
    model_int(&x->model, node, "detect_negative", p->alpha != 0);
    model_int(&x->model, node, "detect_positive", p->beta != 0);
    return y;
}

/* x sigmoid(alpha x) */
static const char *swish_value(exporting *x, const char *input, float alpha) {
    const char *scaled[2] = {input, model_floats(&x->model, NULL, 0, NULL, &alpha)};
    const char *at = alpha == 1 ? input : model_node(&x->model, "Mul", NULL, 2, scaled, NULL);
    const char *factors[2] = {input, model_node(&x->model, "Sigmoid", NULL, 1, &at, NULL)};
    return model_node(&x->model, "Mul", NULL, 2, factors, NULL);
}

/* alpha max(0, x)^2 + beta */
static const char *star_relu_value(exporting *x, const char *input, float alpha, float beta) {
    const char *positive = model_node(&x->model, "Relu", NULL, 1, &input, NULL);
    const char *factors[2] = {positive, positive}, *terms[2];
    factors[0] = model_node(&x->model, "Mul", NULL, 2, factors, NULL);
    factors[1] = model_floats(&x->model, NULL, 0, NULL, &alpha);
    terms[0] = alpha == 1 ? factors[0] : model_node(&x->model, "Mul", NULL, 2, factors, NULL);
    terms[1] = model_floats(&x->model, NULL, 0, NULL, &beta);
    return beta == 0 ? terms[0] : model_node(&x->model, "Add", NULL, 2, terms, NULL);
}

static const char *of_two(exporting *x, const char *op, const char *a, const char *b) {
    const char *inputs[2] = {a, b};
    return model_node(&x->model, op, NULL, 2, inputs, NULL);
}

static const char *times(exporting *x, const char *value, double factor) {
    const float number = (float)factor;
    return of_two(x, "Mul", value, model_floats(&x->model, NULL, 0, NULL, &number));
}

/* x (1 + erf(x / sqrt 2)) / 2, or with tanh(sqrt(2 / pi) (x + 0.044715 x^3)) for erf: ONNX has GELU
 * from opset 20 on. */
static const char *gelu_value(exporting *x, const char *input, bool tanh) {
    const float one = 1;
    const char *inner = input;
    if (tanh) {
        inner = of_two(x, "Mul", input, of_two(x, "Mul", input, input));
        inner = of_two(x, "Add", input, times(x, inner, 0.044715));
    }
    inner = times(x, inner, tanh ? sqrt(2 / M_PI) : sqrt(0.5));
    inner = model_node(&x->model, tanh ? "Tanh" : "Erf", NULL, 1, &inner, NULL);
    inner = of_two(x, "Add", inner, model_floats(&x->model, NULL, 0, NULL, &one));
    return times(x, of_two(x, "Mul", input, inner), 0.5);
}

const char *function_value(exporting *x, const char *input, const kiln_unary_params *p) {
    const char *twice[2] = {input, input};
    Onnx__NodeProto *node;
    switch (p->op) {
    case KILN_UNARY_SQUARE:
        return model_node(&x->model, "Mul", NULL, 2, twice, NULL);
    case KILN_UNARY_SWISH:
        return swish_value(x, input, p->alpha);
    case KILN_UNARY_STAR_RELU:
        return star_relu_value(x, input, p->alpha, p->beta);
    case KILN_UNARY_RSQRT:
        twice[0] = model_node(&x->model, "Sqrt", NULL, 1, &input, NULL);
        return model_node(&x->model, "Reciprocal", NULL, 1, twice, NULL);
    case KILN_UNARY_MISH: {
        const char *soft = model_node(&x->model, "Softplus", NULL, 1, &input, NULL);
        twice[1] = model_node(&x->model, "Tanh", NULL, 1, &soft, NULL);
        return model_node(&x->model, "Mul", NULL, 2, twice, NULL);
    }
    case KILN_UNARY_GELU_ERF:
    case KILN_UNARY_GELU_TANH:
        return gelu_value(x, input, p->op == KILN_UNARY_GELU_TANH);
    case KILN_UNARY_IS_INF:
        return is_inf_value(x, input, p);
    default:
        break;
    }
    if (p->op >= KILN_UNARY_COUNT || unary_forms[p->op].name == NULL) {
        (void)export_fail(x, "function %u", p->op);
        return NULL;
    }
    const char *y = model_node(&x->model, unary_forms[p->op].name, NULL, 1, &input, &node);
    if (unary_forms[p->op].alpha != NULL) {
        model_float(&x->model, node, unary_forms[p->op].alpha, p->alpha);
    }
    if (unary_forms[p->op].beta != NULL) {
        model_float(&x->model, node, unary_forms[p->op].beta, p->beta);
    }
    return y;
}

kiln_status export_function(exporting *x, const char *value, const kiln_unary_params *p) {
    const char *y = function_value(x, value, p);
    return y != NULL ? finish(x, y) : KILN_ERROR_UNSUPPORTED;
}

kiln_status export_unary(exporting *x) {
    PARAMS(kiln_unary_params);
    const char *input = value_of(x, step_operand(x, 0));
    return input == NULL              ? KILN_ERROR_UNSUPPORTED
           : p.op == KILN_UNARY_CLAMP ? finish_clamped(x, input, p.alpha, p.beta)
                                      : export_function(x, input, &p);
}

static const char *const binary_names[KILN_BINARY_COUNT] = {
    [KILN_BINARY_ADD] = "Add",
    [KILN_BINARY_SUB] = "Sub",
    [KILN_BINARY_MUL] = "Mul",
    [KILN_BINARY_DIV] = "Div",
    [KILN_BINARY_POW] = "Pow",
    [KILN_BINARY_MIN] = "Min",
    [KILN_BINARY_MAX] = "Max",
    [KILN_BINARY_PRELU] = "PRelu",
    [KILN_BINARY_EQUAL] = "Equal",
    [KILN_BINARY_LESS] = "Less",
    [KILN_BINARY_GREATER] = "Greater",
    [KILN_BINARY_AND] = "And",
    [KILN_BINARY_OR] = "Or",
    [KILN_BINARY_LESS_OR_EQUAL] = "LessOrEqual",
    [KILN_BINARY_GREATER_OR_EQUAL] = "GreaterOrEqual",
    [KILN_BINARY_XOR] = "Xor",
    [KILN_BINARY_MODULO] = "Mod",
    [KILN_BINARY_REMAINDER] = "Mod",
};

kiln_status export_binary(exporting *x) {
    PARAMS(kiln_binary_params);
    const kiln_plan_tensor_record *out = &x->v.tensors[step_result(x)];
    Onnx__NodeProto *node;
    if (p.op >= KILN_BINARY_COUNT || binary_names[p.op] == NULL) {
        return export_fail(x, "function %u", p.op);
    }
    const char *inputs[2] = {broadcast_value(x, step_operand(x, 0), out), NULL};
    inputs[1] = inputs[0] != NULL ? broadcast_value(x, step_operand(x, 1), out) : NULL;
    if (inputs[1] == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    const char *y = model_node(&x->model, binary_names[p.op], NULL, 2, inputs, &node);
    if (p.op == KILN_BINARY_REMAINDER) {
        model_int(&x->model, node, "fmod", 1);
    }
    return finish_clamped(x, y, p.min, p.max);
}

kiln_status export_where(exporting *x) {
    const kiln_plan_tensor_record *out = &x->v.tensors[step_result(x)];
    const char *inputs[3];
    for (uint32_t k = 0; k < 3; k++) {
        inputs[k] = broadcast_value(x, step_operand(x, k), out);
        if (inputs[k] == NULL) {
            return KILN_ERROR_UNSUPPORTED;
        }
    }
    return finish(x, model_node(&x->model, "Where", NULL, 3, inputs, NULL));
}

/* There is one slope a channel, the last physical dim. */
kiln_status export_prelu(exporting *x) {
    const kiln_plan_tensor_record *out = &x->v.tensors[step_result(x)];
    const char *inputs[2] = {value_of(x, step_operand(x, 0)), NULL};
    float *slopes = constant_floats(x, step_operand(x, 1));
    int64_t dims[KILN_MAX_RANK] = {(int64_t)elements_of(step_tensor(x, 1)), 1, 1, 1, 1, 1, 1, 1};
    size_t rank = out->layout == KILN_CHANNELS_LAST ? out->rank - 1u : 1;
    if (inputs[0] == NULL || slopes == NULL) {
        free(slopes);
        return KILN_ERROR_UNSUPPORTED;
    }
    inputs[1] = model_floats(&x->model, NULL, rank, dims, slopes);
    free(slopes);
    return finish(x, model_node(&x->model, "PRelu", NULL, 2, inputs, NULL));
}

kiln_status export_cast(exporting *x) {
    const kiln_plan_tensor_record *out = &x->v.tensors[step_result(x)];
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
