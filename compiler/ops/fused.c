/* Operators that ONNX Runtime's optimiser writes (com.microsoft, ContribOperators.md): each is
 * several of the standard's, and becomes those. */
#include "compiler/ops/build.h"
#include "compiler/ops/ops.h"

#include <math.h>
#include <string.h>

/* ---- Activations --------------------------------------------------------------------------- */

/* Parameter k of the activation: of a list (FusedConv), or under a name (FusedGemm). */
static float parameter(const node *n, size_t k, float fallback) {
    static const char *const names[] = {"activation_alpha", "activation_beta"};
    const attribute *list = node_attribute(n, "activation_params");
    if (list != NULL && list->type == ATTRIBUTE_FLOATS && k < list->count) {
        return list->floats[k];
    }
    return node_float(n, names[k], fallback);
}

/* The node's activation on x, which is its result. */
static void activate(builder *b, tensor *x) {
    const char *name = node_string(b->n, "activation", "Identity");
    bool bare = strcmp(name, "Relu") == 0 || strcmp(name, "Sigmoid") == 0 ||
                strcmp(name, "Tanh") == 0 || strcmp(name, "Identity") == 0;
    bool leaky = strcmp(name, "LeakyRelu") == 0, clip = strcmp(name, "Clip") == 0;
    bool hard = strcmp(name, "HardSigmoid") == 0;
    if (!bare && !leaky && !clip && !hard) {
        build_refusal(b, "its activation; supported: Relu, Sigmoid, Tanh, LeakyRelu, Clip, "
                         "HardSigmoid");
        return;
    }
    (void)build_unary(b, name, x, b->n->outputs[0]);
    if (leaky) {
        build_float(b, "alpha", parameter(b->n, 0, 0.01f));
    } else if (hard) {
        build_float(b, "alpha", parameter(b->n, 0, 0.2f));
        build_float(b, "beta", parameter(b->n, 1, 0.5f));
    } else if (clip) {
        build_float(b, "min", parameter(b->n, 0, -INFINITY));
        build_float(b, "max", parameter(b->n, 1, INFINITY));
    }
}

/* X, W, B; Z is added before the activation. */
static kiln_status resolve_conv(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    tensor *y = build_node(&b, "Conv", n->input_count < 3 ? n->input_count : 3, n->inputs, NULL);
    build_attributes(&b);
    if (build_input(&b, 3) != NULL) {
        y = build_binary(&b, "Add", y, build_input(&b, 3), NULL);
    }
    activate(&b, y);
    return b.status;
}

static kiln_status resolve_gemm(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    tensor *y = build_node(&b, "Gemm", n->input_count, n->inputs, NULL);
    build_attributes(&b);
    activate(&b, y);
    return b.status;
}

/* ---- Gelu and its kin ---------------------------------------------------------------------- */

static kiln_status resolve_quick_gelu(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    float alpha = node_float(n, "alpha", 1.702f);
    tensor *x = build_input(&b, 0), *scaled = x;
    if (alpha != 1) {
        scaled = build_binary(&b, "Mul", x, build_number(&b, alpha), NULL);
    }
    (void)build_binary(&b, "Mul", x, build_unary(&b, "Sigmoid", scaled, NULL), n->outputs[0]);
    return b.status;
}

/* Gelu, BiasGelu; FastGelu is the one with tanh. A bias is added before. */
static kiln_status resolve_gelu(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    tensor *x = build_input(&b, 0);
    if (build_input(&b, 1) != NULL) {
        x = build_binary(&b, "Add", x, build_input(&b, 1), NULL);
    }
    (void)build_unary(&b, "Gelu", x, n->outputs[0]);
    if (strcmp(n->op->name, "com.microsoft.FastGelu") == 0) {
        build_string(&b, "approximate", "tanh");
    }
    return b.status;
}

/* ---- Products and norms -------------------------------------------------------------------- */

/* Operand k, its last two axes exchanged if asked for. */
static tensor *operand(builder *b, size_t k, const char *transposed) {
    tensor *x = build_input(b, k);
    int64_t order[KILN_MAX_RANK];
    if (x == NULL || node_int(b->n, transposed, 0) == 0 || x->rank < 2) {
        return x;
    }
    for (uint32_t d = 0; d < x->rank; d++) {
        bool swapped = d + 2 >= x->rank;
        order[d] = swapped ? 2 * (int64_t)x->rank - 3 - d : d;
    }
    return build_transpose(b, x, x->rank, order, NULL);
}

static kiln_status resolve_matmul(graph *g, node *n, resolution *out) {
    builder b = {.g = g, .n = n};
    if (node_int(n, "transBatchA", 0) != 0 || node_int(n, "transBatchB", 0) != 0) {
        build_refusal(&b, "transBatchA or transBatchB; supported: transA, transB, alpha");
        return b.status;
    }
    for (size_t k = 0; k < 2; k++) { /* their ranks are needed */
        const tensor *x = build_input(&b, k);
        if (x != NULL && !x->shape_known) {
            *out = (resolution){n->inputs[k], "reads a sequence where a tensor is expected"};
            return KILN_OK;
        }
    }
    float alpha = node_float(n, "alpha", 1);
    tensor *x = operand(&b, 0, "transA"), *w = operand(&b, 1, "transB");
    tensor *y = build_binary(&b, "MatMul", x, w, alpha == 1 ? n->outputs[0] : NULL);
    if (alpha != 1) {
        (void)build_binary(&b, "Mul", y, build_number(&b, alpha), n->outputs[0]);
    }
    return b.status;
}

/* X, scale: RMSNormalization by its name of before there was one. */
static kiln_status resolve_simplified_norm(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    if (n->output_count > 1 && n->outputs[1] != NULL) {
        build_refusal(&b, "the inverse root mean square as an output");
    }
    (void)build_node(&b, "RMSNormalization", 2, n->inputs, n->outputs[0]);
    build_attributes(&b);
    return b.status;
}

/* Input, skip, gamma, beta, bias: LayerNormalization of the sum, along the last axis; without beta
 * the simplified one, RMSNormalization. */
static kiln_status resolve_skip_norm(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    bool simplified = strcmp(n->op->name, "com.microsoft.SkipSimplifiedLayerNormalization") == 0;
    tensor *sum_output = n->output_count > 3 ? n->outputs[3] : NULL;
    tensor *bias = build_input(&b, simplified ? 3 : 4);
    for (size_t k = 1; k < n->output_count && k < 3; k++) {
        if (n->outputs[k] != NULL) {
            build_refusal(&b, "mean or variance as outputs");
        }
    }
    tensor *sum = build_binary(&b, "Add", build_input(&b, 0), build_input(&b, 1),
                               bias == NULL ? sum_output : NULL);
    if (bias != NULL) {
        sum = build_binary(&b, "Add", sum, bias, sum_output);
    }
    tensor *const inputs[3] = {sum, build_input(&b, 2), simplified ? NULL : build_input(&b, 3)};
    if (n->outputs[0] != NULL) {
        (void)build_node(&b, simplified ? "RMSNormalization" : "LayerNormalization",
                         simplified ? 2 : 3, inputs, n->outputs[0]);
        build_float(&b, "epsilon", node_float(n, "epsilon", 1e-12f));
    }
    return b.status;
}

/* ---- Channels last ------------------------------------------------------------------------- */

static kiln_status channels_last(graph *g, node *n, const char *name, size_t rank) {
    builder b = {.g = g, .n = n};
    int64_t first[KILN_MAX_RANK], last[KILN_MAX_RANK];
    first[0] = last[0] = 0;
    first[1] = (int64_t)rank - 1;
    last[rank - 1] = 1;
    for (size_t d = 2; d < rank; d++) {
        first[d] = (int64_t)d - 1;
        last[d - 1] = (int64_t)d;
    }
    tensor *inputs[KILN_MAX_RANK + 1] = {
        build_transpose(&b, build_input(&b, 0), rank, first, NULL)};
    for (size_t k = 1; k < n->input_count; k++) {
        inputs[k] = n->inputs[k];
    }
    tensor *y = build_node(&b, name, n->input_count, inputs, NULL);
    build_attributes(&b);
    (void)build_transpose(&b, y, rank, last, n->outputs[0]);
    return b.status;
}

static kiln_status resolve_nhwc_pool(graph *g, node *n, resolution *out) {
    (void)out;
    int64_t kernel[KILN_MAX_RANK];
    int spatial = node_ints(n, "kernel_shape", kernel, KILN_MAX_RANK - 2);
    return spatial >= 1 ? channels_last(g, n, "MaxPool", (size_t)spatial + 2)
                        : node_fail(g, n, KILN_ERROR_FORMAT, "no kernel_shape");
}

static kiln_status resolve_qlinear_conv(graph *g, node *n, resolution *out) {
    builder b = {.g = g, .n = n};
    tensor *w = build_input(&b, 3);
    bool last = node_int(n, "channels_last", 0) != 0;
    if (last && w != NULL && !w->shape_known) {
        *out = (resolution){w, "reads a sequence where a tensor is expected"};
        return KILN_OK;
    }
    if (last && w != NULL && w->rank >= 3) {
        return channels_last(g, n, "QLinearConv", w->rank);
    }
    (void)build_node(&b, "QLinearConv", n->input_count, n->inputs, n->outputs[0]);
    build_attributes(&b);
    return b.status;
}

#define ROW(op_name, fewest, most, outputs, function)                                              \
    ROW_OF("com.microsoft." op_name, fewest, most, outputs, function)
#define ROW_OF(op_name, fewest, most, outputs, function)                                           \
    {                                                                                              \
        .name = op_name, .min_opset = 1, .min_inputs = fewest, .max_inputs = most,                 \
        .min_outputs = 1, .max_outputs = outputs, .resolve = resolve_##function                    \
    }

const op ops_fused[] = {
    ROW("FusedConv", 2, 4, 1, conv),
    ROW("FusedGemm", 2, 3, 1, gemm),
    ROW("FusedMatMul", 2, 2, 1, matmul),
    ROW("Gelu", 1, 1, 1, gelu),
    ROW("BiasGelu", 2, 2, 1, gelu),
    ROW("FastGelu", 1, 2, 1, gelu),
    ROW("QuickGelu", 1, 1, 1, quick_gelu),
    ROW("SkipLayerNormalization", 3, 5, 4, skip_norm),
    ROW("SkipSimplifiedLayerNormalization", 3, 4, 4, skip_norm),
    ROW_OF("SimplifiedLayerNormalization", 2, 2, 2, simplified_norm), /* in ONNX's own domain */
    ROW("NhwcMaxPool", 1, 1, 1, nhwc_pool),
    ROW("QLinearConv", 8, 9, 1, qlinear_conv),
    {.name = NULL},
};
