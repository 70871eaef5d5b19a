/* Elementwise functions of one tensor: one specification a function, the rows share the rest. */
#include "compiler/ops/unary.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

/* NaN stays, as it does not in fmax and fmin. */
static double bounded(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

static double f_relu(double x, double a, double b) {
    (void)a, (void)b;
    return bounded(x, 0, INFINITY);
}
static double f_leaky(double x, double a, double b) {
    (void)b;
    return x < 0 ? a * x : x;
}
static double f_elu(double x, double a, double b) {
    (void)b;
    return x < 0 ? a * (exp(x) - 1) : x;
}
static double f_selu(double x, double a, double b) {
    return b * (x < 0 ? a * (exp(x) - 1) : x);
}
static double f_celu(double x, double a, double b) {
    (void)b;
    return x > 0 ? x : a * (exp(x / a) - 1);
}
static double f_sigmoid(double x, double a, double b) {
    (void)a, (void)b;
    return 1 / (1 + exp(-x));
}
static double f_hard_sigmoid(double x, double a, double b) {
    return bounded(a * x + b, 0, 1);
}
static double f_hard_swish(double x, double a, double b) {
    (void)a, (void)b;
    return x * bounded(x / 6 + 0.5, 0, 1);
}
static double f_mish(double x, double a, double b) {
    (void)a, (void)b;
    return x * tanh(log1p(exp(x)));
}
static double f_tanh(double x, double a, double b) {
    (void)a, (void)b;
    return tanh(x);
}
static double f_softplus(double x, double a, double b) {
    (void)a, (void)b;
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}
static double f_softsign(double x, double a, double b) {
    (void)a, (void)b;
    return x / (1 + fabs(x));
}
static double f_erf(double x, double a, double b) {
    (void)a, (void)b;
    return erf(x);
}
static double f_sqrt(double x, double a, double b) {
    (void)a, (void)b;
    return sqrt(x);
}
static double f_exp(double x, double a, double b) {
    (void)a, (void)b;
    return exp(x);
}
static double f_log(double x, double a, double b) {
    (void)a, (void)b;
    return log(x);
}
static double f_abs(double x, double a, double b) {
    (void)a, (void)b;
    return fabs(x);
}
static double f_neg(double x, double a, double b) {
    (void)a, (void)b;
    return -x;
}
static double f_reciprocal(double x, double a, double b) {
    (void)a, (void)b;
    return 1 / x;
}
static double f_floor(double x, double a, double b) {
    (void)a, (void)b;
    return floor(x);
}
static double f_ceil(double x, double a, double b) {
    (void)a, (void)b;
    return ceil(x);
}
static double f_round(double x, double a, double b) {
    (void)a, (void)b;
    return nearbyint(x);
}
static double f_sign(double x, double a, double b) {
    (void)a, (void)b;
    return isnan(x) ? x : (x > 0) - (x < 0);
}
static double f_swish(double x, double a, double b) {
    (void)b;
    return x / (1 + exp(-a * x));
}
static double f_gelu(double x, double a, double b) {
    (void)a, (void)b;
    return 0.5 * x * (1 + erf(x / sqrt(2.0)));
}
static double f_gelu_tanh(double x, double a, double b) {
    (void)a, (void)b;
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

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
};

static const unary_spec gelu_tanh = {"Gelu", KILN_UNARY_GELU_TANH, MASK_F32, NULL, NULL, 0,
                                     0,      f_gelu_tanh};

static const unary_spec *spec_of(const node *n) {
    if (strcmp(n->op->name, "Gelu") == 0 &&
        strcmp(node_string(n, "approximate", "none"), "tanh") == 0) {
        return &gelu_tanh;
    }
    for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
        if (strcmp(specs[k].name, n->op->name) == 0) {
            return &specs[k];
        }
    }
    const unary_spec *spec = unary_more_specs;
    while (strcmp(spec->name, n->op->name) != 0) {
        spec++;
    }
    return spec;
}

static float parameter(const node *n, const char *name, float fallback) {
    return name != NULL ? node_float(n, name, fallback) : fallback;
}

/* Opset 6 lists what an operator consumed; it means nothing. */
kiln_status infer_unary(graph *g, node *n) {
    kiln_status status = require_dtype(g, n, 0, spec_of(n)->dtypes);
    return status == KILN_OK ? infer_same(g, n) : status;
}

kiln_status evaluate_unary(graph *g, node *n) {
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

static kiln_status emit_unary(lowering *l, node *n, kiln_unary_op op, float alpha, float beta) {
    kiln_unary_params params = {.op = op, .alpha = alpha, .beta = beta};
    uint32_t x = lower_input(l, n, 0), y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_UNARY, &params, sizeof params, 1, &x, 1, &y);
}

kiln_status lower_unary(lowering *l, node *n) {
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

/* ---- Clip ---------------------------------------------------------------------------------- */

/* Bounds by attribute (until opset 10) or by constant input. */
static float clip_bound(const node *n, size_t k, const char *name, float fallback) {
    if (k < n->input_count && n->inputs[k] != NULL) {
        const float *value = n->inputs[k]->dtype == KILN_F32 ? tensor_f32(n->inputs[k]) : NULL;
        return value != NULL ? value[0] : fallback;
    }
    return node_float(n, name, fallback);
}

static int64_t clip_integer_bound(const node *n, size_t k, int64_t fallback) {
    bool given = k < n->input_count && n->inputs[k] != NULL;
    const int64_t *value = given ? tensor_i64(n->inputs[k]) : NULL;
    return value != NULL ? value[0] : fallback;
}

static kiln_status infer_clip(graph *g, node *n) {
    kiln_status status = require_dtype(g, n, 0, MASK_NUMBERS);
    if (status == KILN_OK) {
        status = require_same_dtype(g, n, 0);
    }
    for (size_t k = 1; k < n->input_count && status == KILN_OK; k++) {
        if (n->inputs[k] != NULL && tensor_elements(n->inputs[k]) != 1) {
            status =
                node_fail(g, n, KILN_ERROR_FORMAT, "bound '%s' is no scalar", n->inputs[k]->name);
        }
    }
    if (status == KILN_OK &&
        (isnan(clip_bound(n, 1, "min", -INFINITY)) || isnan(clip_bound(n, 2, "max", INFINITY)))) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "a bound is not a number (NaN)");
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status evaluate_clip(graph *g, node *n) {
    (void)g;
    int64_t count = tensor_elements(n->inputs[0]);
    if (n->inputs[0]->dtype == KILN_F32) {
        const float *from = tensor_f32(n->inputs[0]);
        float low = clip_bound(n, 1, "min", -INFINITY), high = clip_bound(n, 2, "max", INFINITY);
        float *to = n->outputs[0]->owned;
        for (int64_t k = 0; k < count; k++) {
            float raised = from[k] < low ? low : from[k];
            to[k] = raised > high ? high : raised;
        }
        return KILN_OK;
    }
    const int64_t *from = tensor_i64(n->inputs[0]);
    int64_t low = clip_integer_bound(n, 1, INT64_MIN), high = clip_integer_bound(n, 2, INT64_MAX);
    int64_t *to = n->outputs[0]->owned;
    for (int64_t k = 0; k < count; k++) {
        int64_t raised = from[k] < low ? low : from[k];
        to[k] = raised > high ? high : raised;
    }
    return KILN_OK;
}

static uint32_t scalar_i64(lowering *l, int64_t value) {
    return lower_constant_data(l, NULL, KILN_I64, 0, NULL, &value);
}

static kiln_status lower_clip(lowering *l, node *n) {
    if (n->inputs[0]->dtype == KILN_F32) {
        /* With min > max, everything is max. */
        float high = clip_bound(n, 2, "max", INFINITY);
        float low = fminf(clip_bound(n, 1, "min", -INFINITY), high);
        return emit_unary(l, n, KILN_UNARY_CLAMP, low, high);
    }
    kiln_binary_params params = {.op = KILN_BINARY_MAX, .min = -INFINITY, .max = INFINITY};
    tensor *x = n->inputs[0];
    uint32_t raised = lower_temporary(l, KILN_I64, x->rank, x->dims, n->outputs[0]->layout);
    uint32_t low[2] = {lower_input(l, n, 0), scalar_i64(l, clip_integer_bound(n, 1, INT64_MIN))};
    kiln_status status =
        lower_step(l, n, KILN_KERNEL_BINARY, &params, sizeof params, 2, low, 1, &raised);
    uint32_t high[2] = {raised, scalar_i64(l, clip_integer_bound(n, 2, INT64_MAX))};
    uint32_t y = lower_output(l, n, 0);
    params.op = KILN_BINARY_MIN;
    return status != KILN_OK
               ? status
               : lower_step(l, n, KILN_KERNEL_BINARY, &params, sizeof params, 2, high, 1, &y);
}

/* ---- Identity, Dropout --------------------------------------------------------------------- */

static kiln_status evaluate_identity(graph *g, node *n) {
    (void)g;
    const tensor *x = n->inputs[0];
    memcpy(n->outputs[0]->owned, tensor_bytes(n->inputs[0]),
           (size_t)tensor_elements(x) * kiln_dtype_size(x->dtype));
    if (n->output_count > 1 && n->outputs[1] != NULL) {
        memset(n->outputs[1]->owned, 1, (size_t)tensor_elements(x));
    }
    return KILN_OK;
}

static kiln_status lower_identity(lowering *l, node *n) {
    return lower_alias(l, n, n->outputs[0], n->inputs[0]);
}

/* Training mode drops at random, unless nothing is to be dropped. */
static kiln_status infer_dropout(graph *g, node *n) {
    bool training = false;
    const tensor *mode = n->input_count > 2 ? n->inputs[2] : NULL;
    if (mode != NULL && tensor_is_constant(mode)) {
        training = tensor_bytes(n->inputs[2])[0] != 0;
    }
    const tensor *ratio = n->input_count > 1 ? n->inputs[1] : NULL;
    float dropped = ratio != NULL && ratio->dtype == KILN_F32 ? tensor_f32(n->inputs[1])[0] : 0.5f;
    if (training && dropped != 0.0f) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "training_mode with ratio %g drops at random; supported: inference",
                         (double)dropped);
    }
    if (n->output_count > 1 && n->outputs[1] != NULL) {
        n->outputs[1]->dtype = g->opset < 10 ? n->inputs[0]->dtype : KILN_BOOL;
        kiln_status status =
            tensor_set_shape(g, n, n->outputs[1], n->inputs[0]->rank, n->inputs[0]->dims);
        if (status != KILN_OK) {
            return status;
        }
    }
    return infer_same(g, n);
}

static kiln_status lower_dropout(lowering *l, node *n) {
    tensor *mask = n->output_count > 1 ? n->outputs[1] : NULL;
    if (mask != NULL && mask->dtype != KILN_BOOL) {
        return node_fail(lower_graph(l), n, KILN_ERROR_UNSUPPORTED,
                         "the mask output before opset 10");
    }
    if (mask != NULL) {
        const uint8_t kept = 1;
        const int64_t strides[KILN_MAX_RANK] = {0};
        uint32_t one = lower_constant_data(l, NULL, KILN_BOOL, 0, NULL, &kept);
        kiln_status status = lower_copy(l, n, one, lower_tensor(l, mask), strides, 0);
        if (status != KILN_OK) {
            return status;
        }
    }
    return lower_identity(l, n);
}

/* ---- Rows ---------------------------------------------------------------------------------- */

const op ops_unary[] = {
    UNARY_ROW("Relu", 6, 0),
    UNARY_ROW("LeakyRelu", 6, 0),
    UNARY_ROW("Elu", 6, 0),
    UNARY_ROW("Selu", 6, 0),
    UNARY_ROW("Celu", 12, 0),
    UNARY_ROW("Sigmoid", 6, 0),
    UNARY_ROW("HardSigmoid", 6, 0),
    UNARY_ROW("HardSwish", 14, 0),
    UNARY_ROW("Mish", 18, 0),
    UNARY_ROW("Gelu", 20, 0),
    UNARY_ROW("Tanh", 6, 0),
    UNARY_ROW("Softplus", 1, 0),
    UNARY_ROW("Softsign", 1, 0),
    UNARY_ROW("Erf", 9, 0),
    UNARY_ROW("Sqrt", 6, 0),
    UNARY_ROW("Exp", 6, 0),
    UNARY_ROW("Log", 6, 0),
    UNARY_ROW("Abs", 6, 0),
    UNARY_ROW("Neg", 6, 0),
    UNARY_ROW("Reciprocal", 6, 0),
    UNARY_ROW("Floor", 6, 0),
    UNARY_ROW("Ceil", 6, 0),
    UNARY_ROW("Round", 11, 0),
    UNARY_ROW("Sign", 9, 0),
    UNARY_ROW("Swish", 1, OP_NOT_ONNX),
    {.name = "Not",
     .min_opset = 1,
     .min_inputs = 1,
     .max_inputs = 1,
     .min_outputs = 1,
     .max_outputs = 1,
     .layout = OP_ANY,
     .flags = OP_ELEMENTWISE,
     .infer = infer_not,
     .evaluate = evaluate_not,
     .lower = lower_not},
    {.name = "Clip",
     .min_opset = 6,
     .min_inputs = 1,
     .max_inputs = 3,
     .min_outputs = 1,
     .max_outputs = 1,
     .constant_inputs = 6,
     .layout = OP_ANY,
     .flags = OP_ELEMENTWISE,
     .infer = infer_clip,
     .evaluate = evaluate_clip,
     .lower = lower_clip},
    {.name = "Identity",
     .min_opset = 1,
     .min_inputs = 1,
     .max_inputs = 1,
     .min_outputs = 1,
     .max_outputs = 1,
     .layout = OP_ANY,
     .flags = OP_ELEMENTWISE,
     .infer = infer_same,
     .evaluate = evaluate_identity,
     .lower = lower_identity},
    {.name = "Dropout",
     .min_opset = 6,
     .min_inputs = 1,
     .max_inputs = 3,
     .min_outputs = 1,
     .max_outputs = 2,
     .constant_inputs = 6,
     .layout = OP_ANY,
     .flags = OP_ELEMENTWISE,
     .infer = infer_dropout,
     .evaluate = evaluate_identity,
     .lower = lower_dropout},
    {.name = NULL},
};
