/* Elementwise functions of two and more tensors with multidirectional broadcasting, PRelu. */
#include "compiler/ops/scalar.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct binary_spec {
    const char *name;
    kiln_binary_op kernel;
    uint32_t dtypes;
    bool compares; /* result is bool */
} binary_spec;

static const binary_spec specs[] = {
    {"Add", KILN_BINARY_ADD, MASK_NUMBERS, false},
    {"Sub", KILN_BINARY_SUB, MASK_NUMBERS, false},
    {"Mul", KILN_BINARY_MUL, MASK_NUMBERS, false},
    {"Div", KILN_BINARY_DIV, MASK_NUMBERS, false},
    {"Pow", KILN_BINARY_POW, MASK_NUMBERS, false},
    {"PRelu", KILN_BINARY_PRELU, MASK_F32, false},
    {"Min", KILN_BINARY_MIN, MASK_NUMBERS, false},
    {"Max", KILN_BINARY_MAX, MASK_NUMBERS, false},
    {"Sum", KILN_BINARY_ADD, MASK_NUMBERS, false},
    {"Mean", KILN_BINARY_ADD, MASK_F32, false},
    {"Equal", KILN_BINARY_EQUAL, MASK_ALL, true},
    {"Less", KILN_BINARY_LESS, MASK_NUMBERS, true},
    {"Greater", KILN_BINARY_GREATER, MASK_NUMBERS, true},
    {"And", KILN_BINARY_AND, MASK_BOOL, false},
    {"Or", KILN_BINARY_OR, MASK_BOOL, false},
    {"Xor", KILN_BINARY_XOR, MASK_BOOL, false},
    {"LessOrEqual", KILN_BINARY_LESS_OR_EQUAL, MASK_NUMBERS, true},
    {"GreaterOrEqual", KILN_BINARY_GREATER_OR_EQUAL, MASK_NUMBERS, true},
    {"Mod", KILN_BINARY_MODULO, 1u << KILN_I64, false},
    {"BitShift", KILN_BINARY_SHIFT_LEFT, 1u << KILN_I64, false},
    {"BitwiseAnd", KILN_BINARY_BIT_AND, 1u << KILN_I64, false},
    {"BitwiseOr", KILN_BINARY_BIT_OR, 1u << KILN_I64, false},
    {"BitwiseXor", KILN_BINARY_BIT_XOR, 1u << KILN_I64, false},
};

/* What an attribute makes of them. */
static const binary_spec fmod_spec = {"Mod", KILN_BINARY_REMAINDER, MASK_NUMBERS, false};
static const binary_spec shift_right = {"BitShift", KILN_BINARY_SHIFT_RIGHT, 1u << KILN_I64, false};

static const binary_spec *spec_of(const node *n) {
    if (strcmp(n->op->name, "Mod") == 0 && node_int(n, "fmod", 0) != 0) {
        return &fmod_spec;
    }
    if (strcmp(n->op->name, "BitShift") == 0 &&
        strcmp(node_string(n, "direction", ""), "RIGHT") == 0) {
        return &shift_right;
    }
    const binary_spec *spec = specs;
    while (strcmp(spec->name, n->op->name) != 0) {
        spec++;
    }
    return spec;
}

/* ---- Inference ----------------------------------------------------------------------------- */

/* Constant operand k with other dims. */
static kiln_status reshape_constant(graph *g, node *n, size_t k, uint32_t rank,
                                    const int64_t *dims) {
    tensor *old = n->inputs[k];
    if (!tensor_is_constant(old)) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "operand '%s' broadcast by axis must be "
                         "constant",
                         old->name);
    }
    tensor *t = graph_add_constant(g, NULL, old->dtype, rank, dims);
    if (t == NULL) {
        return KILN_ERROR_MEMORY;
    }
    kiln_status status = tensor_copy_elements(g, old, t);
    return status == KILN_OK ? node_set_input(g, n, k, t) : status;
}

/* Before opset 7, broadcast=1 aligned operand 1 with operand 0 at `axis`. */
static kiln_status align_at_axis(graph *g, node *n) {
    const tensor *a = n->inputs[0], *b = n->inputs[1];
    int64_t axis = node_int(n, "axis", (int64_t)a->rank - b->rank), dims[KILN_MAX_RANK];
    if (g->opset >= 7 || node_int(n, "broadcast", 0) == 0 || tensor_elements(b) == 1) {
        return KILN_OK;
    }
    axis += axis < 0 ? a->rank : 0;
    if (axis < 0 || axis + b->rank > a->rank) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "axis %lld", (long long)axis);
    }
    uint32_t rank = a->rank - (uint32_t)axis;
    for (uint32_t k = 0; k < rank; k++) {
        dims[k] = k < b->rank ? b->dims[k] : 1;
    }
    return rank == b->rank ? KILN_OK : reshape_constant(g, n, 1, rank, dims);
}

/* A slope for each channel is often given as [C], which does not broadcast as the standard has
 * it. */
static kiln_status align_slope(graph *g, node *n) {
    const tensor *x = n->inputs[0], *slope = n->inputs[1];
    int64_t dims[KILN_MAX_RANK];
    bool per_channel = slope->rank == 1 && x->rank > 2 && slope->dims[0] == x->dims[1] &&
                       (g->opset < 7 || slope->dims[0] != x->dims[x->rank - 1]);
    if (!per_channel || slope->dims[0] == 1) {
        return KILN_OK;
    }
    for (uint32_t k = 0; k < x->rank - 1; k++) {
        dims[k] = k == 0 ? slope->dims[0] : 1;
    }
    return reshape_constant(g, n, 1, x->rank - 1, dims);
}

/* Pow takes an exponent of another type: a constant is converted here, where that is exact. */
static kiln_status align_exponent(graph *g, node *n) {
    tensor *b = n->inputs[1];
    if (n->inputs[0]->dtype == b->dtype || !tensor_is_constant(b)) {
        return KILN_OK;
    }
    tensor *y = graph_add_tensor(g, NULL, n->inputs[0]->dtype);
    kiln_status status =
        y != NULL ? tensor_set_shape(g, n, y, b->rank, b->dims) : KILN_ERROR_MEMORY;
    status = status == KILN_OK ? tensor_allocate(g, y) : status;
    for (int64_t k = 0; status == KILN_OK && k < tensor_elements(b); k++) {
        if (y->dtype == KILN_F32) {
            ((float *)y->owned)[k] = (float)tensor_i64(b)[k];
            continue;
        }
        float exponent = tensor_f32_at(b, k);
        if (!(fabsf(exponent) < 1e6f) || truncf(exponent) != exponent) {
            return KILN_OK;
        }
        ((int64_t *)y->owned)[k] = (int64_t)exponent;
    }
    return status == KILN_OK ? node_set_input(g, n, 1, y) : status;
}

static kiln_status infer_binary(graph *g, node *n) {
    const binary_spec *spec = spec_of(n);
    int64_t dims[KILN_MAX_RANK];
    uint32_t rank;
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < n->input_count && status == KILN_OK; k++) {
        status = n->inputs[k] != NULL
                     ? require_dtype(g, n, k, spec->dtypes)
                     : node_fail(g, n, KILN_ERROR_FORMAT, "input %zu is missing", k);
    }
    if (status == KILN_OK && n->input_count == 2) {
        status = align_at_axis(g, n);
    }
    if (status == KILN_OK && spec->kernel == KILN_BINARY_POW) {
        status = align_exponent(g, n);
    }
    if (status == KILN_OK && spec->kernel == KILN_BINARY_PRELU) {
        status = align_slope(g, n);
    }
    if (status == KILN_OK && spec->kernel != KILN_BINARY_POW) {
        status = require_same_dtype(g, n, 0);
    }
    if (status == KILN_OK) {
        status = infer_broadcast(g, n, &rank, dims);
    }
    if (status != KILN_OK) {
        return status;
    }
    n->outputs[0]->dtype = spec->compares ? KILN_BOOL : n->inputs[0]->dtype;
    status = tensor_set_shape(g, n, n->outputs[0], rank, dims);
    if (status == KILN_OK && spec->kernel == KILN_BINARY_PRELU &&
        !tensor_same_shape(n->inputs[0], n->outputs[0])) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "the slope does not broadcast to the input");
    }
    return status;
}

/* ---- Evaluation ---------------------------------------------------------------------------- */

static void store_result(const binary_spec *spec, const tensor *a, const void *a_data, int64_t ia,
                         const void *b_data, int64_t ib, void *y, int64_t k) {
    kiln_binary_op op = spec->kernel;
    if (a->dtype == KILN_F32) {
        float u = ((const float *)a_data)[ia], v = ((const float *)b_data)[ib];
        if (spec->compares) {
            ((uint8_t *)y)[k] = scalar_comparison(op, u<v, u == v, u> v);
        } else {
            ((float *)y)[k] = scalar_float(op, (double)u, (double)v);
        }
    } else if (a->dtype == KILN_I64) {
        int64_t u = ((const int64_t *)a_data)[ia], v = ((const int64_t *)b_data)[ib];
        if (spec->compares) {
            ((uint8_t *)y)[k] = scalar_comparison(op, u<v, u == v, u> v);
        } else {
            ((int64_t *)y)[k] = scalar_integer(op, u, v);
        }
    } else {
        bool u = ((const uint8_t *)a_data)[ia] != 0, v = ((const uint8_t *)b_data)[ib] != 0;
        ((uint8_t *)y)[k] = scalar_logic(op, u, v);
    }
}

/* y = f(a, b), a of y's shape when `running` (the variadic operators' intermediate results). */
static void evaluate_pair(const node *n, tensor *a, bool running, tensor *b, tensor *y) {
    const binary_spec *spec = spec_of(n);
    int64_t a_strides[KILN_MAX_RANK], b_strides[KILN_MAX_RANK], index[KILN_MAX_RANK];
    const void *a_data = running ? y->owned : tensor_bytes(a), *b_data = tensor_bytes(b);
    broadcast_strides(running ? y : a, y, a_strides);
    broadcast_strides(b, y, b_strides);
    bool plain = (running || tensor_same_shape(a, y)) && tensor_same_shape(b, y);
    for (int64_t k = 0; k < tensor_elements(y); k++) {
        int64_t ia = k, ib = k;
        if (!plain) {
            index_of(y, k, index);
            ia = dot_index(y->rank, index, a_strides);
            ib = dot_index(y->rank, index, b_strides);
        }
        store_result(spec, running ? y : a, a_data, ia, b_data, ib, y->owned, k);
    }
}

static double number_at(const tensor *t, const void *data, int64_t k) {
    return t->dtype == KILN_F32 ? (double)((const float *)data)[k]
                                : (double)((const int64_t *)data)[k];
}

/* Base and exponent of different types: computed in floating point. */
static void evaluate_mixed_pow(tensor *a, tensor *b, tensor *y) {
    int64_t a_strides[KILN_MAX_RANK], b_strides[KILN_MAX_RANK], index[KILN_MAX_RANK];
    const void *a_data = tensor_bytes(a), *b_data = tensor_bytes(b);
    broadcast_strides(a, y, a_strides);
    broadcast_strides(b, y, b_strides);
    for (int64_t k = 0; k < tensor_elements(y); k++) {
        index_of(y, k, index);
        float result = (float)pow(number_at(a, a_data, dot_index(y->rank, index, a_strides)),
                                  number_at(b, b_data, dot_index(y->rank, index, b_strides)));
        if (y->dtype == KILN_F32) {
            ((float *)y->owned)[k] = result;
        } else {
            ((int64_t *)y->owned)[k] = integer_of_float(result);
        }
    }
}

static void evaluate_single(tensor *x, tensor *y) {
    memcpy(y->owned, tensor_bytes(x), (size_t)tensor_elements(x) * kiln_dtype_size(x->dtype));
}

static kiln_status evaluate_binary(graph *g, node *n) {
    (void)g;
    tensor *y = n->outputs[0];
    if (n->input_count == 1) {
        evaluate_single(n->inputs[0], y);
    } else if (n->inputs[0]->dtype != n->inputs[1]->dtype) {
        evaluate_mixed_pow(n->inputs[0], n->inputs[1], y);
        return KILN_OK;
    }
    for (size_t k = 1; k < n->input_count; k++) {
        evaluate_pair(n, n->inputs[0], k > 1, n->inputs[k], y);
    }
    if (strcmp(n->op->name, "Mean") == 0) {
        for (int64_t k = 0; k < tensor_elements(y); k++) {
            ((float *)y->owned)[k] /= (float)n->input_count;
        }
    }
    return KILN_OK;
}

/* ---- Lowering ------------------------------------------------------------------------------ */

/* Full-rank dims of t in out's physical order, and t's strides by them. */
static uint32_t broadcast_view(const tensor *t, const tensor *out, int64_t dims[KILN_MAX_RANK],
                               int64_t strides[KILN_MAX_RANK]) {
    int64_t dense[KILN_MAX_RANK];
    uint32_t missing = out->rank - t->rank, wide = 0;
    dense_strides(t->rank, t->dims, dense);
    for (uint32_t position = 0; position < out->rank; position++) {
        uint32_t axis = logical_axis(out, position);
        dims[position] = axis < missing ? 1 : t->dims[axis - missing];
        strides[position] = axis < missing ? 0 : dense[axis - missing];
        wide += dims[position] != 1;
    }
    return wide;
}

uint32_t lower_broadcast(lowering *l, const node *n, tensor *t, const tensor *out) {
    int64_t dims[KILN_MAX_RANK], strides[KILN_MAX_RANK];
    bool constant = tensor_is_constant(t);
    if (out->layout == KILN_ROW_MAJOR || (!constant && t->rank == out->rank)) {
        return lower_tensor(l, t);
    }
    uint32_t wide = broadcast_view(t, out, dims, strides);
    if (constant) {
        return lower_constant_view(l, t, out->rank, dims, strides);
    }
    if (wide <= 1) {
        return lower_reshaped(l, lower_tensor(l, t), out->rank, dims);
    }
    uint32_t moved = lower_temporary(l, t->dtype, out->rank, dims, KILN_ROW_MAJOR);
    kiln_status status = moved == KILN_PLAN_NONE
                             ? lower_status(l)
                             : lower_copy(l, n, lower_tensor(l, t), moved, strides, 0);
    return status == KILN_OK ? moved : KILN_PLAN_NONE;
}

static kiln_status emit(lowering *l, const node *n, kiln_binary_op op, uint32_t a, uint32_t b,
                        uint32_t y, bool last) {
    kiln_binary_params params = {
        .op = op, .min = last ? n->min : -INFINITY, .max = last ? n->max : INFINITY};
    const uint32_t inputs[2] = {a, b};
    return lower_step(l, n, KILN_KERNEL_BINARY, &params, sizeof params, 2, inputs, 1, &y);
}

/* One slope a channel, channels being the last physical dim. */
static bool is_channel_slope(tensor *slope, const tensor *x) {
    int64_t dims[KILN_MAX_RANK], strides[KILN_MAX_RANK], physical[KILN_MAX_RANK];
    if (!tensor_is_constant(slope) || x->rank < 2) {
        return false;
    }
    physical_dims(x, physical);
    uint32_t wide = broadcast_view(slope, x, dims, strides);
    return wide == 1 && dims[x->rank - 1] == physical[x->rank - 1] && dims[x->rank - 1] > 1;
}

static kiln_status lower_prelu(lowering *l, node *n) {
    tensor *x = n->inputs[0], *slope = n->inputs[1];
    if (!is_channel_slope(slope, n->outputs[0])) {
        return emit(l, n, KILN_BINARY_PRELU, lower_tensor(l, x),
                    lower_broadcast(l, n, slope, n->outputs[0]), lower_output(l, n, 0), true);
    }
    int64_t channels = tensor_elements(slope);
    kiln_prelu_params params = {0};
    uint32_t inputs[2] = {lower_tensor(l, x), lower_constant_view(l, slope, 1, &channels, NULL)};
    uint32_t y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_PRELU, &params, sizeof params, 2, inputs, 1, &y);
}

/* dims, by out's axes, become those of a result that t takes part in. */
static void widen(const tensor *t, const tensor *out, int64_t dims[KILN_MAX_RANK]) {
    uint32_t missing = out->rank - t->rank;
    for (uint32_t k = 0; k < t->rank; k++) {
        dims[k + missing] = t->dims[k] != 1 ? t->dims[k] : dims[k + missing];
    }
}

static kiln_status lower_binary(lowering *l, node *n) {
    const binary_spec *spec = spec_of(n);
    tensor *out = n->outputs[0];
    bool mean = strcmp(n->op->name, "Mean") == 0;
    if (n->input_count == 1) {
        return lower_alias(l, n, out, n->inputs[0]);
    }
    int64_t dims[KILN_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1}; /* of what has been summed so far */
    uint32_t a = lower_broadcast(l, n, n->inputs[0], out);
    widen(n->inputs[0], out, dims);
    for (size_t k = 1; k < n->input_count; k++) {
        bool last = k + 1 == n->input_count && !mean;
        uint32_t b = lower_broadcast(l, n, n->inputs[k], out);
        widen(n->inputs[k], out, dims);
        uint32_t y = last ? lower_tensor(l, out)
                          : lower_temporary(l, out->dtype, out->rank, dims, out->layout);
        kiln_status status =
            lower_status(l) == KILN_OK ? emit(l, n, spec->kernel, a, b, y, last) : lower_status(l);
        if (status != KILN_OK) {
            return status;
        }
        a = y;
    }
    if (!mean) {
        return KILN_OK;
    }
    float share = 1.0f / (float)n->input_count;
    uint32_t b = lower_constant_data(l, NULL, KILN_F32, 0, NULL, &share);
    return emit(l, n, KILN_BINARY_MUL, a, b, lower_tensor(l, out), true);
}

static kiln_status lower_conversion(lowering *l, const node *n, uint32_t x, uint32_t y) {
    kiln_cast_params params = {0};
    return lower_step(l, n, KILN_KERNEL_CAST, &params, sizeof params, 1, &x, 1, &y);
}

/* An operand of Pow as f32; a constant is converted now. */
static uint32_t lower_as_float(lowering *l, const node *n, tensor *t) {
    if (t->dtype == KILN_F32) {
        return lower_broadcast(l, n, t, n->outputs[0]);
    }
    if (tensor_is_constant(t)) {
        tensor *constant = graph_add_constant(lower_graph(l), NULL, KILN_F32, t->rank, t->dims);
        if (constant == NULL) {
            return lower_fail(l, KILN_ERROR_MEMORY);
        }
        for (int64_t k = 0; k < tensor_elements(t); k++) {
            ((float *)constant->owned)[k] = (float)tensor_i64(t)[k];
        }
        return lower_broadcast(l, n, constant, n->outputs[0]);
    }
    uint32_t y = lower_temporary(l, KILN_F32, t->rank, t->dims, t->layout);
    return lower_conversion(l, n, lower_tensor(l, t), y) == KILN_OK ? y : KILN_PLAN_NONE;
}

/* Base and exponent of different types, not both constant. */
static kiln_status lower_pow(lowering *l, node *n) {
    tensor *base = n->inputs[0], *exponent = n->inputs[1], *out = n->outputs[0];
    if (base->dtype == exponent->dtype) {
        return lower_binary(l, n);
    }
    const tensor *integer = base->dtype == KILN_I64 ? base : exponent;
    if (out->layout != KILN_ROW_MAJOR && integer->rank != out->rank &&
        !tensor_is_constant(integer)) {
        return node_fail(lower_graph(l), n, KILN_ERROR_UNSUPPORTED,
                         "a broadcast exponent of another type than the base");
    }
    uint32_t a = lower_as_float(l, n, base), b = lower_as_float(l, n, exponent);
    if (out->dtype == KILN_F32) {
        return emit(l, n, KILN_BINARY_POW, a, b, lower_tensor(l, out), true);
    }
    uint32_t y = lower_temporary(l, KILN_F32, out->rank, out->dims, out->layout);
    kiln_status status = emit(l, n, KILN_BINARY_POW, a, b, y, false);
    return status == KILN_OK ? lower_conversion(l, n, y, lower_tensor(l, out)) : status;
}

/* ---- Rows ----------------------------------------------------------------------------------- */

#define ROW(op_name, opset, most, extra, lowering_function)                                        \
    {                                                                                              \
        .name = op_name, .min_opset = opset, .min_inputs = (most) == 2 ? 2 : 1,                    \
        .max_inputs = most, .min_outputs = 1, .max_outputs = 1, .layout = OP_ANY,                  \
        .flags = OP_BROADCASTS | (extra), .infer = infer_binary, .evaluate = evaluate_binary,      \
        .lower = lowering_function                                                                 \
    }

const op ops_binary[] = {
    ROW("Add", 6, 2, OP_CLAMPS, lower_binary),
    ROW("Sub", 6, 2, OP_CLAMPS, lower_binary),
    ROW("Mul", 6, 2, OP_CLAMPS, lower_binary),
    ROW("Div", 6, 2, OP_CLAMPS, lower_binary),
    ROW("Pow", 1, 2, 0, lower_pow),
    ROW("PRelu", 6, 2, 0, lower_prelu),
    ROW("Min", 6, 255, 0, lower_binary),
    ROW("Max", 6, 255, 0, lower_binary),
    ROW("Sum", 6, 255, OP_CLAMPS, lower_binary),
    ROW("Mean", 6, 255, 0, lower_binary),
    ROW("Equal", 1, 2, 0, lower_binary),
    ROW("Less", 1, 2, 0, lower_binary),
    ROW("Greater", 1, 2, 0, lower_binary),
    ROW("And", 1, 2, 0, lower_binary),
    ROW("Or", 1, 2, 0, lower_binary),
    ROW("Xor", 1, 2, 0, lower_binary),
    ROW("LessOrEqual", 12, 2, 0, lower_binary),
    ROW("GreaterOrEqual", 12, 2, 0, lower_binary),
    ROW("Mod", 10, 2, 0, lower_binary),
    ROW("BitShift", 11, 2, 0, lower_binary),
    ROW("BitwiseAnd", 18, 2, 0, lower_binary),
    ROW("BitwiseOr", 18, 2, 0, lower_binary),
    ROW("BitwiseXor", 18, 2, 0, lower_binary),
    {.name = NULL},
};
