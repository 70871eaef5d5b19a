/* Scaling the weights of convolutions, dense layers and norms by output channel, and those of
 * convolutions by input channel. */
#include "compiler/passes/scale_bias.h"
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

static const char *const scalable[] = {
    "Conv", "ConvTranspose", "Gemm", "BatchNormalization", "InstanceNormalization", "GroupNorm"};

/* Gemm's alpha, beta and a C that differs from row to row are left to the operator. */
bool is_plain_gemm(const node *n) {
    const tensor *c = n->input_count > 2 ? n->inputs[2] : NULL;
    bool bias = c == NULL || c->rank < 2 || c->dims[0] == 1;
    return node_float(n, "alpha", 1.0f) == 1.0f && node_float(n, "beta", 1.0f) == 1.0f &&
           node_int(n, "transA", 0) == 0 && bias;
}

node *scalable_bounded_producer(const tensor *t) {
    node *n = NULL;
    for (size_t k = 0; k < sizeof scalable / sizeof *scalable && n == NULL; k++) {
        n = sole_producer(t, scalable[k]);
    }
    if (n == NULL || n->outputs[0] != t || t->dtype != KILN_F32) {
        return NULL;
    }
    for (size_t k = 1; k < n->input_count; k++) {
        if (n->inputs[k] != NULL && !tensor_is_constant(n->inputs[k])) {
            return NULL;
        }
    }
    if (node_is(n, "Gemm") && !is_plain_gemm(n)) {
        return NULL;
    }
    if (node_is(n, "BatchNormalization") && node_int(n, "training_mode", 0) != 0) {
        return NULL;
    }
    return n;
}

node *scalable_producer(const tensor *t) {
    node *n = scalable_bounded_producer(t);
    return n != NULL && is_unclamped(n) ? n : NULL;
}

bool linear_form(const node *n, const tensor *constant, const float *values, int64_t channels,
                 float *scale, float *bias) {
    bool constant_right = n->inputs[1] == constant;
    for (int64_t c = 0; c < channels; c++) {
        scale[c] = 1.0f;
        bias[c] = 0.0f;
        if (node_is(n, "Add")) {
            bias[c] = values[c];
        } else if (node_is(n, "Sub")) {
            scale[c] = constant_right ? 1.0f : -1.0f;
            bias[c] = constant_right ? -values[c] : values[c];
        } else if (node_is(n, "Mul")) {
            scale[c] = values[c];
        } else if (node_is(n, "Div") && constant_right && values[c] != 0.0f) {
            scale[c] = 1.0f / values[c];
        } else {
            return false;
        }
    }
    return true;
}

/* The output channel to which weight element (a, b, rest) belongs: a in Conv and norms, b in the
 * group of a in ConvTranspose, a or b by transB in Gemm. */
static int64_t output_channel(const node *n, const tensor *w, int64_t a, int64_t b) {
    if (node_is(n, "ConvTranspose")) {
        int64_t groups = node_int(n, "group", 1);
        return a / (w->dims[0] / groups) * w->dims[1] + b;
    }
    if (node_is(n, "Gemm") && node_int(n, "transB", 0) == 0) {
        return b;
    }
    return a;
}

static tensor *scaled_weight(graph *g, const node *n, const tensor *w, const float *scale) {
    tensor *result = graph_add_constant(g, NULL, KILN_F32, w->rank, w->dims);
    if (result == NULL) {
        return NULL;
    }
    float *to = result->owned;
    int64_t second = w->rank > 1 ? w->dims[1] : 1;
    int64_t rest = tensor_elements(w) / (w->dims[0] * second);
    for (int64_t a = 0; a < w->dims[0]; a++) {
        for (int64_t b = 0; b < second; b++) {
            float factor = scale[output_channel(n, w, a, b)];
            int64_t at = (a * second + b) * rest;
            for (int64_t k = 0; k < rest; k++) {
                to[at + k] = tensor_f32_at(w, at + k) * factor;
            }
        }
    }
    return result;
}

static tensor *scaled_bias(graph *g, const tensor *old, int64_t channels, const float *scale,
                           const float *bias) {
    tensor *result = graph_add_constant(g, NULL, KILN_F32, 1, &channels);
    if (result == NULL) {
        return NULL;
    }
    float *to = result->owned;
    bool single = old != NULL && tensor_elements(old) == 1; /* Gemm's C may be one value for all */
    for (int64_t c = 0; c < channels; c++) {
        to[c] = (old != NULL ? tensor_f32_at(old, single ? 0 : c) : 0.0f) * scale[c] + bias[c];
    }
    return result;
}

/* This is right for norms too: s ((x - mean) gamma + beta) + b is (x - mean) gamma s + beta s + b.
 */
kiln_status scale_weights(graph *g, node *n, const float *scale, const float *bias) {
    size_t count = n->input_count < 3 ? 3 : n->input_count;
    tensor **inputs = graph_allocate(g, count * sizeof *inputs);
    if (inputs == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < n->input_count; k++) {
        inputs[k] = n->inputs[k];
    }
    int64_t channels = n->outputs[0]->dims[1];
    inputs[1] = scaled_weight(g, n, inputs[1], scale);
    inputs[2] = scaled_bias(g, inputs[2], channels, scale, bias);
    if (inputs[1] == NULL || inputs[2] == NULL) {
        return KILN_ERROR_MEMORY;
    }
    n->inputs = inputs;
    n->input_count = count;
    return KILN_OK;
}

bool is_unpadded(graph *g, node *conv) {
    window w;
    bool padded = window_of_node(g, conv, conv->inputs[1]->dims + 2, false, &w) != KILN_OK;
    for (uint32_t k = 0; !padded && k < w.spatial; k++) {
        padded = w.pad_begin[k] != 0 || w.pad_end[k] != 0;
    }
    return !padded;
}

node *scalable_reader(graph *g, const tensor *t) {
    node *n = tensor_single_consumer(t);
    if (!node_is(n, "Conv") || n->inputs[0] != t || t->dtype != KILN_F32 ||
        !tensor_is_constant(n->inputs[1]) || n->inputs[1]->dtype != KILN_F32 ||
        n->inputs[1]->quantized != NULL || node_int(n, "exact", 0) != 0 ||
        (n->input_count > 2 && n->inputs[2] != NULL && !tensor_is_constant(n->inputs[2])) ||
        !is_unpadded(g, n)) {
        return NULL;
    }
    return n;
}

kiln_status scale_inputs(graph *g, node *n, const float *scale, const float *bias) {
    const tensor *w = n->inputs[1], *old = n->input_count > 2 ? n->inputs[2] : NULL;
    int64_t outputs = w->dims[0], depth = w->dims[1], groups = node_int(n, "group", 1);
    int64_t taps = tensor_elements(w) / (outputs * depth);
    tensor **inputs = graph_allocate(g, 3 * sizeof *inputs);
    tensor *weights = graph_add_constant(g, NULL, KILN_F32, w->rank, w->dims);
    tensor *shifts = graph_add_constant(g, NULL, KILN_F32, 1, &outputs);
    if (inputs == NULL || weights == NULL || shifts == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (int64_t o = 0; o < outputs; o++) {
        int64_t first = o / (outputs / groups) * depth; /* channel of the group */
        double sum = old != NULL ? (double)tensor_f32_at(old, o) : 0;
        for (int64_t k = 0; k < depth * taps; k++) {
            float weight = tensor_f32_at(w, o * depth * taps + k);
            sum += (double)weight * (double)bias[first + k / taps];
            ((float *)weights->owned)[o * depth * taps + k] = weight * scale[first + k / taps];
        }
        ((float *)shifts->owned)[o] = (float)sum;
    }
    inputs[0] = n->inputs[0];
    inputs[1] = weights;
    inputs[2] = shifts;
    n->inputs = inputs;
    n->input_count = 3;
    return KILN_OK;
}
