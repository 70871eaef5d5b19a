/* Operators on quantised integers, put together from those on real numbers. Convolutions and
 * products are of the integers themselves, less their zero points (so that padding is the zero
 * point), and what they sum is scaled and rounded; the others work on the real numbers that the
 * integers stand for. */
#include "compiler/graph/element_type.h"
#include "compiler/ops/build.h"
#include "compiler/ops/ops.h"
#include "compiler/ops/quantize.h"
#include "runtime/plan/layout.h"

#include <stdio.h>
#include <string.h>

/* ---- Pieces -------------------------------------------------------------------------------- */

static tensor *dequantized(builder *b, tensor *x, tensor *scale, tensor *zero, int64_t axis) {
    tensor *const inputs[3] = {x, scale, zero};
    tensor *y = build_node(b, "DequantizeLinear", 3, inputs, NULL);
    build_int(b, "axis", axis);
    return y;
}

/* Integers less their zero point. */
static tensor *centred(builder *b, tensor *x, tensor *zero, int64_t axis) {
    return dequantized(b, x, build_number(b, 1), zero, axis);
}

/* To the type of the zero point, as n's output. */
static void quantized(builder *b, const char *op, tensor *x, tensor *scale, tensor *zero,
                      int64_t axis) {
    tensor *const inputs[3] = {x, scale, zero};
    kiln_dtype dtype = zero != NULL && zero->narrow != 0 ? zero->narrow : KILN_U8;
    (void)build_node(b, op, 3, inputs, b->n->outputs[0]);
    build_int(b, "axis", axis);
    build_int(b, "output_dtype", onnx_type_of_dtype(dtype));
}

static tensor *as_float(builder *b, tensor *x) {
    if (x == NULL) {
        return NULL;
    }
    tensor *y = build_node(b, "Cast", 1, &x, NULL);
    build_int(b, "to", onnx_type_of_dtype(KILN_F32));
    return y;
}

/* What sums of products stand for, in steps of the output: (sx * sw) / sy. */
static tensor *multiplier(builder *b, tensor *x_scale, tensor *w_scale, tensor *y_scale) {
    return build_binary(b, "Div", build_binary(b, "Mul", x_scale, w_scale, NULL), y_scale, NULL);
}

static bool is_several(const tensor *t) {
    return t != NULL && t->shape_known && tensor_elements(t) != 1;
}

/* The sums are integers, whatever their type says. */
static void as_integers(builder *b, tensor *sums) {
    (void)build_node(b, "Cast", 1, &sums, b->n->outputs[0]);
    build_int(b, "to", onnx_type_of_dtype(KILN_I32));
    build_int(b, "integral", 1);
}

/* ---- Convolutions and products ------------------------------------------------------------- */

static tensor *convolution(builder *b, tensor *x, tensor *w, tensor *bias) {
    tensor *const inputs[3] = {x, w, bias};
    tensor *y = build_node(b, "Conv", 3, inputs, NULL);
    build_attributes(b);
    build_int(b, "exact", 1);
    return y;
}

/* x, its scale and zero; w, likewise; y's scale and zero; bias */
static kiln_status resolve_qlinear_conv(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    tensor *x = centred(&b, build_input(&b, 0), build_input(&b, 2), 1);
    tensor *w = centred(&b, build_input(&b, 3), build_input(&b, 5), 0);
    tensor *sums = convolution(&b, x, w, as_float(&b, build_input(&b, 8)));
    tensor *scale = multiplier(&b, build_input(&b, 1), build_input(&b, 4), build_input(&b, 6));
    quantized(&b, OP_REQUANTIZE, sums, scale, build_input(&b, 7), 1);
    return b.status;
}

static kiln_status resolve_conv_integer(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    tensor *x = centred(&b, build_input(&b, 0), build_input(&b, 2), 1);
    tensor *w = centred(&b, build_input(&b, 1), build_input(&b, 3), 0);
    as_integers(&b, convolution(&b, x, w, NULL));
    return b.status;
}

/* The first operand's scales or zero points: those of its rows broadcast along them. */
static tensor *by_row(builder *b, tensor *t) {
    const int64_t dims[2] = {-1, 1};
    if (!is_several(t) || t->rank != 1) {
        return t;
    }
    return build_binary(b, "Reshape", t, build_integers(b, 2, dims), NULL);
}

static tensor *centred_rows(builder *b, tensor *x, tensor *zero) {
    if (!is_several(zero)) {
        return centred(b, x, zero, -1);
    }
    tensor *zeros = as_float(b, by_row(b, zero));
    return build_binary(b, "Sub", as_float(b, x), zeros, NULL);
}

static kiln_status resolve_qlinear_matmul(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    tensor *x_scale = build_input(&b, 1);
    tensor *x = centred_rows(&b, build_input(&b, 0), build_input(&b, 2));
    tensor *w = centred(&b, build_input(&b, 3), build_input(&b, 5), -1);
    tensor *sums = build_binary(&b, "MatMul", x, w, NULL);
    tensor *scale = multiplier(&b, by_row(&b, x_scale), build_input(&b, 4), build_input(&b, 6));
    if (is_several(x_scale)) { /* a scale an element */
        tensor *steps = build_binary(&b, "Mul", sums, scale, NULL);
        quantized(&b, "QuantizeLinear", steps, build_number(&b, 1), build_input(&b, 7), -1);
    } else {
        quantized(&b, OP_REQUANTIZE, sums, scale, build_input(&b, 7), -1);
    }
    return b.status;
}

static kiln_status resolve_matmul_integer(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    tensor *x = centred_rows(&b, build_input(&b, 0), build_input(&b, 2));
    tensor *w = centred(&b, build_input(&b, 1), build_input(&b, 3), -1);
    as_integers(&b, build_binary(&b, "MatMul", x, w, NULL));
    return b.status;
}

/* a, scale, zero; b, likewise; bias in steps of alpha * sa * sb; y's scale and zero, or the result
 * is real. */
static kiln_status resolve_qgemm(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    int64_t axis = node_int(n, "transB", 0) != 0 ? 0 : 1;
    if (is_several(build_input(&b, 1)) || is_several(build_input(&b, 2))) {
        build_refusal(&b, "a scale or zero point for each row of the first operand; supported: one "
                          "for all");
    }
    tensor *const operands[3] = {centred(&b, build_input(&b, 0), build_input(&b, 2), 1),
                                 centred(&b, build_input(&b, 3), build_input(&b, 5), axis),
                                 as_float(&b, build_input(&b, 6))};
    tensor *sums = build_node(&b, "Gemm", 3, operands, NULL);
    build_attributes(&b);
    if (b.status == KILN_OK) {
        b.status = node_set_float(g, b.made, "alpha", 1);
    }
    tensor *x_scale = build_binary(&b, "Mul", build_input(&b, 1),
                                   build_number(&b, node_float(n, "alpha", 1)), NULL);
    if (build_input(&b, 7) == NULL) {
        (void)build_binary(&b, "Mul", sums,
                           build_binary(&b, "Mul", x_scale, build_input(&b, 4), NULL),
                           n->outputs[0]);
        return b.status;
    }
    tensor *scale = multiplier(&b, x_scale, build_input(&b, 4), build_input(&b, 7));
    quantized(&b, OP_REQUANTIZE, sums, scale, build_input(&b, 8), 1);
    return b.status;
}

/* ---- On real numbers ----------------------------------------------------------------------- */

/* The operator on real numbers. */
static const char *plain_name(const node *n) {
    return n->op->name + strlen("com.microsoft.QLinear");
}

/* Operands {x, scale, zero} ..., then y's scale and zero. */
static kiln_status resolve_elementwise(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    size_t operands = (n->input_count - 1) / 3;
    tensor *real[2] = {NULL, NULL};
    for (size_t k = 0; k < operands && k < 2; k++) {
        real[k] = dequantized(&b, build_input(&b, 3 * k), build_input(&b, 3 * k + 1),
                              build_input(&b, 3 * k + 2), 1);
    }
    tensor *y = build_node(&b, plain_name(n), operands, real, NULL);
    build_attributes(&b);
    quantized(&b, "QuantizeLinear", y, build_input(&b, 3 * operands),
              build_input(&b, 3 * operands + 1), 1);
    return b.status;
}

/* The channels of a map moved to its front, or to its end. */
static tensor *channels_moved(builder *b, tensor *x, uint32_t rank, bool to_front) {
    int64_t order[KILN_MAX_RANK] = {0};
    for (uint32_t k = 0; k < rank; k++) {
        order[k] = to_front ? layout_physical_axis(KILN_CHANNELS_LAST, rank, k)
                            : layout_logical_axis(KILN_CHANNELS_LAST, rank, k);
    }
    return build_transpose(b, x, rank, order, NULL);
}

static kiln_status resolve_pool(graph *g, node *n, resolution *out) {
    builder b = {.g = g, .n = n};
    tensor *x = build_input(&b, 0);
    bool last = node_int(n, "channels_last", 0) != 0;
    if (last && !x->shape_known) {
        *out = (resolution){x, "its rank is not known"};
        return KILN_OK;
    }
    tensor *y = dequantized(&b, x, build_input(&b, 1), build_input(&b, 2), 1);
    y = last ? channels_moved(&b, y, x->rank, true) : y;
    y = build_unary(&b, plain_name(n), y, NULL);
    build_attributes(&b);
    y = last ? channels_moved(&b, y, x->rank, false) : y;
    quantized(&b, "QuantizeLinear", y, build_input(&b, 3), build_input(&b, 4), 1);
    return b.status;
}

/* The condition; x, scale, zero; y, likewise; the result's scale and zero. */
static kiln_status resolve_where(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    tensor *operands[3] = {build_input(&b, 0)};
    for (size_t k = 0; k < 2; k++) {
        operands[1 + k] = dequantized(&b, build_input(&b, 1 + 3 * k), build_input(&b, 2 + 3 * k),
                                      build_input(&b, 3 + 3 * k), 1);
    }
    tensor *y = build_node(&b, "Where", 3, operands, NULL);
    quantized(&b, "QuantizeLinear", y, build_input(&b, 7), build_input(&b, 8), 1);
    return b.status;
}

/* y's scale and zero, then operands {x, scale, zero}, as many as there are. */
static kiln_status resolve_concat(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    size_t operands = (n->input_count - 2) / 3;
    tensor **real = graph_allocate(g, (operands + 1) * sizeof *real);
    if (real == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < operands; k++) {
        real[k] = dequantized(&b, build_input(&b, 2 + 3 * k), build_input(&b, 3 + 3 * k),
                              build_input(&b, 4 + 3 * k), 1);
    }
    tensor *y = build_node(&b, "Concat", operands, real, NULL);
    build_attributes(&b);
    quantized(&b, "QuantizeLinear", y, build_input(&b, 0), build_input(&b, 1), 1);
    return b.status;
}

/* Scale and zero point from the range of all that there is. */
static kiln_status resolve_dynamic(graph *g, node *n, resolution *out) {
    (void)out;
    builder b = {.g = g, .n = n};
    tensor *pair[2], *x = build_input(&b, 0);
    for (size_t k = 0; k < 2; k++) {
        bool wanted = n->output_count > k + 1 && n->outputs[k + 1] != NULL;
        pair[k] = wanted ? n->outputs[k + 1] : graph_add_tensor(g, NULL, KILN_F32);
        if (pair[k] == NULL) {
            return KILN_ERROR_MEMORY;
        }
    }
    if (graph_add_node(g, g->find_op("QuantizeRange"), n->name, 1, &x, 2, pair) == NULL) {
        return KILN_ERROR_MEMORY;
    }
    pair[1]->narrow = KILN_U8;
    if (n->outputs[0] != NULL) {
        quantized(&b, "QuantizeLinear", x, pair[0], pair[1], 1);
    }
    return b.status;
}

/* ---- The rows ------------------------------------------------------------------------------ */

#define CONV_ROW(op_name, opset, least, most, constants, its_resolve)                              \
    {                                                                                              \
        .name = op_name, .min_opset = opset, .min_inputs = least, .max_inputs = most,              \
        .min_outputs = 1, .max_outputs = 1, .constant_inputs = constants, .resolve = its_resolve   \
    }
#define ROW(op_name, opset, least, most, its_resolve)                                              \
    CONV_ROW(op_name, opset, least, most, 0, its_resolve)
#define UNARY(op_name) ROW("com.microsoft.QLinear" op_name, 1, 4, 5, resolve_elementwise)
#define POOL(op_name) ROW("com.microsoft.QLinear" op_name, 1, 4, 5, resolve_pool)

const op ops_quantized[] = {
    CONV_ROW("QLinearConv", 10, 8, 9, 1u << 3 | 1u << 5 | 1u << 8, resolve_qlinear_conv),
    CONV_ROW("ConvInteger", 10, 2, 4, 1u << 1 | 1u << 3, resolve_conv_integer),
    ROW("QLinearMatMul", 10, 8, 8, resolve_qlinear_matmul),
    ROW("MatMulInteger", 10, 2, 4, resolve_matmul_integer),
    ROW("com.microsoft.QGemm", 1, 6, 9, resolve_qgemm),
    ROW("com.microsoft.QLinearAdd", 1, 7, 8, resolve_elementwise),
    ROW("com.microsoft.QLinearMul", 1, 7, 8, resolve_elementwise),
    ROW("com.microsoft.QLinearConcat", 1, 5, 255, resolve_concat),
    ROW("com.microsoft.QLinearWhere", 1, 8, 9, resolve_where),
    POOL("AveragePool"),
    POOL("GlobalAveragePool"),
    UNARY("Sigmoid"),
    UNARY("LeakyRelu"),
    UNARY("Softmax"),
    UNARY("ReduceMean"),
    {"DynamicQuantizeLinear", 11, OP_INPUTS(1, 1), OP_OUTPUTS(1, 3), .resolve = resolve_dynamic},
    {.name = NULL},
};
