/* Elementwise functions of one tensor: one specification a function, the rows share the rest. */
#include "compiler/ops/unary.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

/* ---- The functions ------------------------------------------------------------------------- */

/* NaN stays, as it does not in fmax and fmin. */
static double bounded(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

/* f_NAME is the value at x; a and b are the operator's parameters, if it has any. */
#define FUNCTION(name, value)                                                                      \
    static double f_##name(double x, double a, double b) {                                         \
        (void)a, (void)b;                                                                          \
        return value;                                                                              \
    }

FUNCTION(relu, bounded(x, 0, INFINITY))
FUNCTION(leaky, x < 0 ? a * x : x)
FUNCTION(elu, x < 0 ? a * (exp(x) - 1) : x)
FUNCTION(selu, (x < 0 ? a * (exp(x) - 1) : x) * b)
FUNCTION(celu, x > 0 ? x : a * (exp(x / a) - 1))
FUNCTION(sigmoid, 1 / (1 + exp(-x)))
FUNCTION(hard_sigmoid, bounded(b + a * x, 0, 1))
FUNCTION(hard_swish, bounded(x / 6 + 0.5, 0, 1) * x)
FUNCTION(mish, tanh(log1p(exp(x))) * x)
FUNCTION(tanh, tanh(x))
FUNCTION(softplus, fmax(x, 0) + log1p(exp(-fabs(x))))
FUNCTION(softsign, x / (1 + fabs(x)))
FUNCTION(erf, erf(x))
FUNCTION(sqrt, sqrt(x))
FUNCTION(exp, exp(x))
FUNCTION(log, log(x))
FUNCTION(abs, fabs(x))
FUNCTION(neg, -x)
FUNCTION(reciprocal, 1 / x)
FUNCTION(floor, floor(x))
FUNCTION(ceil, ceil(x))
FUNCTION(round, nearbyint(x))
FUNCTION(sign, isnan(x) ? x : (x > 0) - (x < 0))
FUNCTION(swish, x / (1 + exp(-a * x)))
FUNCTION(gelu, 0.5 * x * (1 + erf(x / sqrt(2.0))))
FUNCTION(gelu_tanh, 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))))
FUNCTION(sin, sin(x))
FUNCTION(cos, cos(x))
FUNCTION(tan, tan(x))
FUNCTION(asin, asin(x))
FUNCTION(acos, acos(x))
FUNCTION(atan, atan(x))
FUNCTION(sinh, sinh(x))
FUNCTION(cosh, cosh(x))
FUNCTION(asinh, asinh(x))
FUNCTION(acosh, acosh(x))
FUNCTION(atanh, atanh(x))
FUNCTION(thresholded_relu, x > a ? x : 0)
FUNCTION(shrink, -x > a ? x + b : x > a ? x - b : 0)

typedef struct unary_spec {
    const char *name;
    kiln_unary_op kernel;
    uint32_t dtypes;
    const char *alpha, *beta; /* attributes; NULL: the value is fixed */
    float alpha_default, beta_default;
    double (*f)(double x, double a, double b);
} unary_spec;

static const unary_spec specs[] = {
    {"LeakyRelu", KILN_UNARY_LEAKY_RELU, MASK_F32, "alpha", NULL, 0.01f, 0, f_leaky},
    {"Elu", KILN_UNARY_ELU, MASK_F32, "alpha", NULL, 1.0f, 0, f_elu},
    {"Selu", KILN_UNARY_SELU, MASK_F32, "alpha", "gamma", 1.67326319217681884765625f,
     1.05070102214813232421875f, f_selu},
    {"Celu", KILN_UNARY_CELU, MASK_F32, "alpha", NULL, 1.0f, 0, f_celu},
    {"Sigmoid", KILN_UNARY_SIGMOID, MASK_F32, NULL, NULL, 0, 0, f_sigmoid},
    {"HardSigmoid", KILN_UNARY_HARD_SIGMOID, MASK_F32, "alpha", "beta", 0.2f, 0.5f, f_hard_sigmoid},
    {"HardSwish", KILN_UNARY_HARD_SWISH, MASK_F32, NULL, NULL, 0, 0, f_hard_swish},
    {"Mish", KILN_UNARY_MISH, MASK_F32, NULL, NULL, 0, 0, f_mish},
    {"Tanh", KILN_UNARY_TANH, MASK_F32, NULL, NULL, 0, 0, f_tanh},
    {"Softplus", KILN_UNARY_SOFTPLUS, MASK_F32, NULL, NULL, 0, 0, f_softplus},
    {"Softsign", KILN_UNARY_SOFTSIGN, MASK_F32, NULL, NULL, 0, 0, f_softsign},
    {"Erf", KILN_UNARY_ERF, MASK_F32, NULL, NULL, 0, 0, f_erf},
    {"Sqrt", KILN_UNARY_SQRT, MASK_F32, NULL, NULL, 0, 0, f_sqrt},
    {"Exp", KILN_UNARY_EXP, MASK_F32, NULL, NULL, 0, 0, f_exp},
    {"Log", KILN_UNARY_LOG, MASK_F32, NULL, NULL, 0, 0, f_log},
    {"Abs", KILN_UNARY_ABS, MASK_NUMBERS, NULL, NULL, 0, 0, f_abs},
    {"Neg", KILN_UNARY_NEG, MASK_NUMBERS, NULL, NULL, 0, 0, f_neg},
    {"Reciprocal", KILN_UNARY_RECIPROCAL, MASK_F32, NULL, NULL, 0, 0, f_reciprocal},
    {"Floor", KILN_UNARY_FLOOR, MASK_F32, NULL, NULL, 0, 0, f_floor},
    {"Ceil", KILN_UNARY_CEIL, MASK_F32, NULL, NULL, 0, 0, f_ceil},
    {"Round", KILN_UNARY_ROUND, MASK_F32, NULL, NULL, 0, 0, f_round},
    {"Sign", KILN_UNARY_SIGN, MASK_NUMBERS, NULL, NULL, 0, 0, f_sign},
    {"Swish", KILN_UNARY_SWISH, MASK_F32, "alpha", NULL, 1.0f, 0, f_swish},
    {"Relu", KILN_UNARY_CLAMP, MASK_F32, NULL, NULL, 0, INFINITY, f_relu},
    {"Gelu", KILN_UNARY_GELU_ERF, MASK_F32, NULL, NULL, 0, 0, f_gelu},
    {"Sin", KILN_UNARY_SIN, MASK_F32, NULL, NULL, 0, 0, f_sin},
    {"Cos", KILN_UNARY_COS, MASK_F32, NULL, NULL, 0, 0, f_cos},
    {"Tan", KILN_UNARY_TAN, MASK_F32, NULL, NULL, 0, 0, f_tan},
    {"Asin", KILN_UNARY_ASIN, MASK_F32, NULL, NULL, 0, 0, f_asin},
    {"Acos", KILN_UNARY_ACOS, MASK_F32, NULL, NULL, 0, 0, f_acos},
    {"Atan", KILN_UNARY_ATAN, MASK_F32, NULL, NULL, 0, 0, f_atan},
    {"Sinh", KILN_UNARY_SINH, MASK_F32, NULL, NULL, 0, 0, f_sinh},
    {"Cosh", KILN_UNARY_COSH, MASK_F32, NULL, NULL, 0, 0, f_cosh},
    {"Asinh", KILN_UNARY_ASINH, MASK_F32, NULL, NULL, 0, 0, f_asinh},
    {"Acosh", KILN_UNARY_ACOSH, MASK_F32, NULL, NULL, 0, 0, f_acosh},
    {"Atanh", KILN_UNARY_ATANH, MASK_F32, NULL, NULL, 0, 0, f_atanh},
    {"ThresholdedRelu", KILN_UNARY_THRESHOLDED_RELU, MASK_F32, "alpha", NULL, 1.0f, 0,
     f_thresholded_relu},
    {"Shrink", KILN_UNARY_SHRINK, MASK_F32, "lambd", "bias", 0.5f, 0, f_shrink},
};

static const unary_spec gelu_tanh = {"Gelu", KILN_UNARY_GELU_TANH, MASK_F32, NULL, NULL, 0,
                                     0,      f_gelu_tanh};

static const unary_spec *spec_of(const node *n) {
    if (strcmp(n->op->name, "Gelu") == 0 &&
        strcmp(node_string(n, "approximate", "none"), "tanh") == 0) {
        return &gelu_tanh;
    }
    const unary_spec *spec = specs;
    while (strcmp(spec->name, n->op->name) != 0) {
        spec++;
    }
    return spec;
}

/* ---- What the rows share ------------------------------------------------------------------- */

static float parameter(const node *n, const char *name, float fallback) {
    return name != NULL ? node_float(n, name, fallback) : fallback;
}

/* Opset 6 lists what an operator consumed; it means nothing. */
static kiln_status infer_unary(graph *g, node *n) {
    kiln_status status = require_dtype(g, n, 0, spec_of(n)->dtypes);
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status evaluate_unary(graph *g, node *n) {
    (void)g;
    const unary_spec *spec = spec_of(n);
    const tensor *x = n->inputs[0];
    int64_t count = tensor_elements(x);
    double a = (double)parameter(n, spec->alpha, spec->alpha_default);
    double b = (double)parameter(n, spec->beta, spec->beta_default);
    if (x->dtype == KILN_F32) {
        const float *from = tensor_f32(n->inputs[0]);
        float *to = n->outputs[0]->owned;
        for (int64_t k = 0; k < count; k++) {
            to[k] = (float)spec->f((double)from[k], a, b);
        }
        return KILN_OK;
    }
    const int64_t *from = tensor_i64(n->inputs[0]);
    int64_t *to = n->outputs[0]->owned;
    for (int64_t k = 0; k < count; k++) {
        int64_t v = from[k], negated = (int64_t)(0 - (uint64_t)v);
        bool negate = spec->kernel == KILN_UNARY_NEG || (spec->kernel == KILN_UNARY_ABS && v < 0);
        to[k] = spec->kernel == KILN_UNARY_SIGN ? (v > 0) - (v < 0) : negate ? negated : v;
    }
    return KILN_OK;
}

kiln_status emit_unary(lowering *l, node *n, kiln_unary_op op, float alpha, float beta) {
    kiln_unary_params params = {.op = op, .alpha = alpha, .beta = beta};
    uint32_t x = lower_input(l, n, 0), y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_UNARY, &params, sizeof params, 1, &x, 1, &y);
}

static kiln_status lower_unary(lowering *l, node *n) {
    const unary_spec *spec = spec_of(n);
    return emit_unary(l, n, spec->kernel, parameter(n, spec->alpha, spec->alpha_default),
                      parameter(n, spec->beta, spec->beta_default));
}

/* ---- Not ----------------------------------------------------------------------------------- */

static kiln_status infer_not(graph *g, node *n) {
    kiln_status status = require_dtype(g, n, 0, MASK_BOOL);
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status evaluate_not(graph *g, node *n) {
    (void)g;
    const uint8_t *from = tensor_bytes(n->inputs[0]);
    uint8_t *to = n->outputs[0]->owned;
    for (int64_t k = 0; k < tensor_elements(n->inputs[0]); k++) {
        to[k] = from[k] == 0;
    }
    return KILN_OK;
}

static kiln_status lower_not(lowering *l, node *n) {
    return emit_unary(l, n, KILN_UNARY_NOT, 0, 0);
}

/* ---- Rows ---------------------------------------------------------------------------------- */

/* For an operator that has a specification. */
#define ROW(op_name, opset, extra)                                                                 \
    {                                                                                              \
        op_name, opset, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1),                                         \
            .layout = OP_ANY, .flags = OP_ELEMENTWISE | (extra), .infer = infer_unary,             \
            .evaluate = evaluate_unary, .lower = lower_unary                                       \
    }

const op ops_unary[] = {
    ROW("Relu", 6, 0),
    ROW("LeakyRelu", 6, 0),
    ROW("Elu", 6, 0),
    ROW("Selu", 6, 0),
    ROW("Celu", 12, 0),
    ROW("Sigmoid", 6, 0),
    ROW("HardSigmoid", 6, 0),
    ROW("HardSwish", 14, 0),
    ROW("Mish", 18, 0),
    ROW("Gelu", 20, 0),
    ROW("Tanh", 6, 0),
    ROW("Softplus", 1, 0),
    ROW("Softsign", 1, 0),
    ROW("Erf", 9, 0),
    ROW("Sqrt", 6, 0),
    ROW("Exp", 6, 0),
    ROW("Log", 6, 0),
    ROW("Abs", 6, 0),
    ROW("Neg", 6, 0),
    ROW("Reciprocal", 6, 0),
    ROW("Floor", 6, 0),
    ROW("Ceil", 6, 0),
    ROW("Round", 11, 0),
    ROW("Sign", 9, 0),
    ROW("Swish", 1, OP_NOT_ONNX),
    ROW("Sin", 7, 0),
    ROW("Cos", 7, 0),
    ROW("Tan", 7, 0),
    ROW("Asin", 7, 0),
    ROW("Acos", 7, 0),
    ROW("Atan", 7, 0),
    ROW("Sinh", 9, 0),
    ROW("Cosh", 9, 0),
    ROW("Asinh", 9, 0),
    ROW("Acosh", 9, 0),
    ROW("Atanh", 9, 0),
    ROW("ThresholdedRelu", 10, 0),
    ROW("Shrink", 9, 0),
    {"Not", 1, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .layout = OP_ANY, .flags = OP_ELEMENTWISE,
     .infer = infer_not, .evaluate = evaluate_not, .lower = lower_not},
    {.name = NULL},
};
