/* SqueezeExcite (ours): a map whose channels are multiplied by gates, which one or two products
 * make of the channels' means (Hu et al., "Squeeze-and-Excitation Networks", 2018). Inputs x,
 * weight1 [H,C,...], bias1 [H], weight2 [C,H,...], bias2 [C]; biases and the second product may be
 * absent. The functions after the products are attributes: "hidden" and "gate", each of a
 * kiln_unary_op, with "_alpha" and "_beta". pass_fuse_squeeze_excite makes it. */
#include "compiler/ops/squeeze_excite.h"
#include "compiler/ops/support.h"
#include "compiler/ops/unary.h"

#include <math.h>

enum { X, WEIGHT_1, BIAS_1, WEIGHT_2, BIAS_2, INPUTS };

static tensor *input(const node *n, size_t k) {
    return k < n->input_count ? n->inputs[k] : NULL;
}

/* ---- Functions ----------------------------------------------------------------------------- */

static const char *const names[][3] = {{"hidden", "hidden_alpha", "hidden_beta"},
                                       {"gate", "gate_alpha", "gate_beta"}};

static kiln_unary_params function_of(const node *n, size_t which) {
    const char *const *name = names[which];
    return (kiln_unary_params){.op = (uint32_t)node_int(n, name[0], KILN_UNARY_CLAMP),
                               .alpha = node_float(n, name[1], -INFINITY),
                               .beta = node_float(n, name[2], INFINITY)};
}

static kiln_status set_function(graph *g, node *n, size_t which, const kiln_unary_params *f) {
    const char *const *name = names[which];
    kiln_status status = node_set_int(g, n, name[0], f->op);
    status = status == KILN_OK ? node_set_float(g, n, name[1], f->alpha) : status;
    return status == KILN_OK ? node_set_float(g, n, name[2], f->beta) : status;
}

kiln_status squeeze_excite_set(graph *g, node *n, const kiln_unary_params *hidden,
                               const kiln_unary_params *gate) {
    kiln_status status = set_function(g, n, 0, hidden);
    return status == KILN_OK ? set_function(g, n, 1, gate) : status;
}

/* ---- Inference and evaluation -------------------------------------------------------------- */

/* Has t these elements, of rows * columns? */
static bool is_matrix(const tensor *t, int64_t rows, int64_t columns) {
    return t == NULL || (t->rank >= 2 && t->dims[0] == rows && t->dims[1] == columns &&
                         tensor_elements(t) == rows * columns);
}

static bool is_vector(const tensor *t, int64_t size) {
    return t == NULL || (t->rank == 1 && t->dims[0] == size);
}

static kiln_status infer_squeeze_excite(graph *g, node *n) {
    kiln_status status = require_floats(g, n);
    if (status != KILN_OK) {
        return status;
    }
    const tensor *x = n->inputs[X], *first = n->inputs[WEIGHT_1], *second = input(n, WEIGHT_2);
    int64_t channels = x->rank >= 3 ? x->dims[1] : 0, hidden = first->rank > 0 ? first->dims[0] : 0;
    bool fits = x->rank >= 3 && is_matrix(first, second != NULL ? hidden : channels, channels) &&
                is_vector(input(n, BIAS_1), hidden) && is_matrix(second, channels, hidden) &&
                is_vector(input(n, BIAS_2), channels);
    return fits ? infer_same(g, n)
                : node_fail(g, n, KILN_ERROR_FORMAT, "the weights do not fit the channels");
}

/* y = f(weights x + bias), in double. */
static void multiply(const tensor *weights, const tensor *bias, const kiln_unary_params *f,
                     const double *x, double *y) {
    int64_t columns = weights->dims[1];
    for (int64_t row = 0; row < weights->dims[0]; row++) {
        double sum = bias != NULL ? (double)tensor_f32_at(bias, row) : 0;
        for (int64_t k = 0; k < columns; k++) {
            sum += (double)tensor_f32_at(weights, row * columns + k) * x[k];
        }
        y[row] = unary_value(f, sum);
    }
}

/* Scales one sample, [channels][pixels]. */
static void scale_sample(const node *n, const float *x, int64_t channels, int64_t pixels,
                         double *means, double *inner, float *y) {
    const kiln_unary_params hidden = function_of(n, 0), gate = function_of(n, 1);
    const tensor *second = input(n, WEIGHT_2);
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0;
        for (int64_t k = 0; k < pixels; k++) {
            sum += (double)x[c * pixels + k];
        }
        means[c] = sum / (double)pixels;
    }
    multiply(n->inputs[WEIGHT_1], input(n, BIAS_1), second != NULL ? &hidden : &gate, means, inner);
    if (second != NULL) {
        multiply(second, input(n, BIAS_2), &gate, inner, means);
    }
    for (int64_t k = 0; k < channels * pixels; k++) {
        y[k] = (float)((double)x[k] * (second != NULL ? means : inner)[k / pixels]);
    }
}

static kiln_status evaluate_squeeze_excite(graph *g, node *n) {
    const tensor *x = n->inputs[X];
    int64_t samples = x->dims[0], channels = x->dims[1];
    int64_t pixels = tensor_elements(x) / samples / channels;
    int64_t hidden = n->inputs[WEIGHT_1]->dims[0];
    double *means = graph_allocate(g, (size_t)channels * sizeof *means);
    double *inner = graph_allocate(g, (size_t)hidden * sizeof *inner);
    if (means == NULL || inner == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (int64_t k = 0; k < samples; k++) {
        int64_t at = k * channels * pixels;
        scale_sample(n, tensor_f32(x) + at, channels, pixels, means, inner,
                     (float *)n->outputs[0]->owned + at);
    }
    return KILN_OK;
}

static double work_of_squeeze_excite(const node *n) {
    const tensor *x = n->inputs[X];
    double products = (double)tensor_elements(n->inputs[WEIGHT_1]) * 2;
    return 2 * (double)tensor_elements(x) + products * (double)x->dims[0];
}

/* ---- Lowering ------------------------------------------------------------------------------ */

static uint32_t lower_matrix(lowering *l, tensor *t) {
    return t != NULL ? lower_constant_view(l, t, 2, t->dims, NULL) : KILN_PLAN_NONE;
}

static kiln_status lower_squeeze_excite(lowering *l, node *n) {
    kiln_squeeze_excite_params params = {function_of(n, 0), function_of(n, 1), n->min, n->max};
    uint32_t x = lower_input(l, n, X);
    bool two = input(n, WEIGHT_2) != NULL;
    size_t last = two ? WEIGHT_2 : WEIGHT_1;
    uint32_t inputs[] = {x,
                         lower_matrix(l, n->inputs[last]),
                         lower_tensor(l, input(n, last + 1)),
                         two ? lower_matrix(l, n->inputs[WEIGHT_1]) : KILN_PLAN_NONE,
                         two ? lower_tensor(l, input(n, BIAS_1)) : KILN_PLAN_NONE,
                         x};
    uint32_t y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_SQUEEZE_EXCITE, &params, sizeof params,
                      sizeof inputs / sizeof *inputs, inputs, 1, &y);
}

const op ops_excitation[] = {
    {"SqueezeExcite", 1, OP_INPUTS(2, INPUTS), OP_OUTPUTS(1, 1), .layout = OP_CHANNELS_LAST,
     .constant_inputs = 1u << WEIGHT_1 | 1u << BIAS_1 | 1u << WEIGHT_2 | 1u << BIAS_2,
     .flags = OP_NOT_ONNX | OP_CLAMPS, .infer = infer_squeeze_excite,
     .evaluate = evaluate_squeeze_excite, .work = work_of_squeeze_excite,
     .lower = lower_squeeze_excite},
    {.name = NULL},
};
