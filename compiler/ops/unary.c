/* Elementwise functions of one tensor: one line an operator, which share the rest. */
#include "compiler/ops/unary.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

/* ---- The operators ------------------------------------------------------------------------- */

/* NaN stays, as it does not in fmax and fmin. */
static double bounded(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

/* Each has its name, its first opset, the kernel's function, the types it takes and its value at x.
 * Then come its parameters a and b: the attribute, or NULL where the value is fixed, and the value
 * by default. */
#define OPERATORS(F)                                                                               \
    F(LeakyRelu, 6, LEAKY_RELU, MASK_F32, x < 0 ? a * x : x, "alpha", 0.01f, NULL, 0)              \
    F(Elu, 6, ELU, MASK_F32, x < 0 ? a * (exp(x) - 1) : x, "alpha", 1.0f, NULL, 0)                 \
    F(Selu, 6, SELU, MASK_F32, (x < 0 ? a * (exp(x) - 1) : x) * b, "alpha",                        \
      1.67326319217681884765625f, "gamma", 1.05070102214813232421875f)                             \
    F(Celu, 12, CELU, MASK_F32, x > 0 ? x : a * (exp(x / a) - 1), "alpha", 1.0f, NULL, 0)          \
    F(Sigmoid, 6, SIGMOID, MASK_F32, 1 / (1 + exp(-x)), NULL, 0, NULL, 0)                          \
    F(HardSigmoid, 6, HARD_SIGMOID, MASK_F32, bounded(b + a * x, 0, 1), "alpha", 0.2f, "beta",     \
      0.5f)                                                                                        \
    F(HardSwish, 14, HARD_SWISH, MASK_F32, bounded(x / 6 + 0.5, 0, 1) * x, NULL, 0, NULL, 0)       \
    F(Mish, 18, MISH, MASK_F32, tanh(log1p(exp(x))) * x, NULL, 0, NULL, 0)                         \
    F(Tanh, 6, TANH, MASK_F32, tanh(x), NULL, 0, NULL, 0)                                          \
    F(Softplus, 1, SOFTPLUS, MASK_F32, fmax(x, 0) + log1p(exp(-fabs(x))), NULL, 0, NULL, 0)        \
    F(Softsign, 1, SOFTSIGN, MASK_F32, x / (1 + fabs(x)), NULL, 0, NULL, 0)                        \
    F(Erf, 9, ERF, MASK_F32, erf(x), NULL, 0, NULL, 0)                                             \
    F(Sqrt, 6, SQRT, MASK_F32, sqrt(x), NULL, 0, NULL, 0)                                          \
    F(Exp, 6, EXP, MASK_F32, exp(x), NULL, 0, NULL, 0)                                             \
    F(Log, 6, LOG, MASK_F32, log(x), NULL, 0, NULL, 0)                                             \
    F(Abs, 6, ABS, MASK_NUMBERS, fabs(x), NULL, 0, NULL, 0)                                        \
    F(Neg, 6, NEG, MASK_NUMBERS, -x, NULL, 0, NULL, 0)                                             \
    F(Reciprocal, 6, RECIPROCAL, MASK_F32, 1 / x, NULL, 0, NULL, 0)                                \
    F(Floor, 6, FLOOR, MASK_F32, floor(x), NULL, 0, NULL, 0)                                       \
    F(Ceil, 6, CEIL, MASK_F32, ceil(x), NULL, 0, NULL, 0)                                          \
    F(Round, 11, ROUND, MASK_F32, nearbyint(x), NULL, 0, NULL, 0)                                  \
    F(Sign, 9, SIGN, MASK_NUMBERS, isnan(x) ? x : (x > 0) - (x < 0), NULL, 0, NULL, 0)             \
    F(Relu, 6, CLAMP, MASK_F32, bounded(x, 0, INFINITY), NULL, 0, NULL, INFINITY)                  \
    F(Gelu, 20, GELU_ERF, MASK_F32, 0.5 * x * (1 + erf(x / sqrt(2.0))), NULL, 0, NULL, 0)          \
    F(Sin, 7, SIN, MASK_F32, sin(x), NULL, 0, NULL, 0)                                             \
    F(Cos, 7, COS, MASK_F32, cos(x), NULL, 0, NULL, 0)                                             \
    F(Tan, 7, TAN, MASK_F32, tan(x), NULL, 0, NULL, 0)                                             \
    F(Asin, 7, ASIN, MASK_F32, asin(x), NULL, 0, NULL, 0)                                          \
    F(Acos, 7, ACOS, MASK_F32, acos(x), NULL, 0, NULL, 0)                                          \
    F(Atan, 7, ATAN, MASK_F32, atan(x), NULL, 0, NULL, 0)                                          \
    F(Sinh, 9, SINH, MASK_F32, sinh(x), NULL, 0, NULL, 0)                                          \
    F(Cosh, 9, COSH, MASK_F32, cosh(x), NULL, 0, NULL, 0)                                          \
    F(Asinh, 9, ASINH, MASK_F32, asinh(x), NULL, 0, NULL, 0)                                       \
    F(Acosh, 9, ACOSH, MASK_F32, acosh(x), NULL, 0, NULL, 0)                                       \
    F(Atanh, 9, ATANH, MASK_F32, atanh(x), NULL, 0, NULL, 0)                                       \
    F(ThresholdedRelu, 10, THRESHOLDED_RELU, MASK_F32, x > a ? x : 0, "alpha", 1.0f, NULL, 0)      \
    F(Shrink, 9, SHRINK, MASK_F32, -x > a ? x + b : x > a ? x - b : 0, "lambd", 0.5f, "bias", 0)

/* These are made by passes. */
#define PASSES_OPERATORS(F)                                                                        \
    F(Swish, 1, SWISH, MASK_F32, x / (1 + exp(-a * x)), "alpha", 1.0f, NULL, 0)                    \
    F(Square, 1, SQUARE, MASK_F32, x *x, NULL, 0, NULL, 0)                                         \
    F(Rsqrt, 1, RSQRT, MASK_F32, 1 / sqrt(x), NULL, 0, NULL, 0)                                    \
    F(StarRelu, 1, STAR_RELU, MASK_F32, a *bounded(x, 0, INFINITY) * bounded(x, 0, INFINITY) + b,  \
      "alpha", 1.0f, "beta", 0)

/* GeluTanh is Gelu with the attribute approximate = "tanh". */
#define GELU_TANH(F)                                                                               \
    F(GeluTanh, 20, GELU_TANH, MASK_F32,                                                           \
      0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))), NULL, 0, NULL, 0)

typedef struct unary_spec {
    const char *name;
    kiln_unary_op kernel;
    uint32_t dtypes;
    const char *alpha, *beta; /* attributes; NULL: the value is fixed */
    float alpha_default, beta_default;
    double (*f)(double x, double a, double b);
} unary_spec;

#define FUNCTION(name, opset, kernel, types, value, alpha, alpha_default, beta, beta_default)      \
    static double value_of_##name(double x, double a, double b) {                                  \
        (void)a, (void)b;                                                                          \
        return value;                                                                              \
    }
OPERATORS(FUNCTION)
PASSES_OPERATORS(FUNCTION)
GELU_TANH(FUNCTION)

#define SPEC(name, opset, kernel, types, value, alpha, alpha_default, beta, beta_default)          \
    {#name, KILN_UNARY_##kernel, types, alpha, beta, alpha_default, beta_default, value_of_##name},
static const unary_spec specs[] = {OPERATORS(SPEC) PASSES_OPERATORS(SPEC) GELU_TANH(SPEC)};

static const unary_spec *find_spec(const char *name) {
    const unary_spec *spec = specs;
    while (strcmp(spec->name, name) != 0) {
        spec++;
    }
    return spec;
}

static const unary_spec *spec_of(const node *n) {
    bool tanh = strcmp(n->op->name, "Gelu") == 0 &&
                strcmp(node_string(n, "approximate", "none"), "tanh") == 0;
    return find_spec(tanh ? "GeluTanh" : n->op->name);
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

bool unary_function_of(const node *n, kiln_unary_params *out) {
    if (n->op->evaluate != evaluate_unary || n->inputs[0]->dtype != KILN_F32) {
        return false;
    }
    const unary_spec *spec = spec_of(n);
    *out = (kiln_unary_params){spec->kernel, parameter(n, spec->alpha, spec->alpha_default),
                               parameter(n, spec->beta, spec->beta_default), 0};
    return true;
}

double unary_value(const kiln_unary_params *f, double x) {
    const unary_spec *spec = specs;
    if (f->op == KILN_UNARY_CLAMP) {
        return bounded(x, (double)f->alpha, (double)f->beta);
    }
    while (spec->kernel != f->op) {
        spec++;
    }
    return spec->f(x, (double)f->alpha, (double)f->beta);
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

#define ROW_OF(op_name, opset, its_flags)                                                          \
    {                                                                                              \
        op_name, opset, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1),                                         \
            .layout = OP_ANY, .flags = OP_ELEMENTWISE | (its_flags), .infer = infer_unary,         \
            .evaluate = evaluate_unary, .lower = lower_unary                                       \
    }
#define ROW(name, opset, kernel, types, value, alpha, alpha_default, beta, beta_default)           \
    ROW_OF(#name, opset, 0),

#define OWN_ROW(name, opset, kernel, types, value, alpha, alpha_default, beta, beta_default)       \
    ROW_OF(#name, opset, OP_NOT_ONNX),

const op ops_unary[] = {
    {"Not", 1, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .layout = OP_ANY, .flags = OP_ELEMENTWISE,
     .infer = infer_not, .evaluate = evaluate_not, .lower = lower_not},
    OPERATORS(ROW) PASSES_OPERATORS(OWN_ROW){.name = NULL},
};
