/* QuantizeLinear, DequantizeLinear, and ours: pairs of them, and what DynamicQuantizeLinear needs.
 * Quantised integers of 8 bits are f32 here (element_type.h), of 16 bits i64. */
#include "compiler/ops/quantize.h"
#include "compiler/graph/element_type.h"
#include "compiler/ops/axes.h"
#include "compiler/ops/expand.h"
#include "compiler/ops/support.h"
#include <kiln/element.h>

#include <math.h>
#include <string.h>

typedef struct quantizer {
    kiln_quantize_kind kind;
    float low, high;
    uint32_t axis;       /* where scales or zeros are several */
    int64_t block;       /* so many elements along it share one; 0: one an index of the axis */
    kiln_dtype integers; /* that it makes; 0: none */
} quantizer;

static const struct {
    const char *name;
    kiln_quantize_kind kind;
} kinds[] = {
    {"QuantizeLinear", KILN_QUANTIZE_INTEGERS},
    {"DequantizeLinear", KILN_DEQUANTIZE},
    {OP_QUANTIZE_CENTRED, KILN_QUANTIZE_CENTRED},
    {OP_QUANTIZE_ROUND_TRIP, KILN_QUANTIZE_ROUND_TRIP},
    {OP_REQUANTIZE, KILN_REQUANTIZE_INTEGERS},
    {OP_REQUANTIZE_CENTRED, KILN_REQUANTIZE_CENTRED},
};

static kiln_quantize_kind kind_of(const node *n) {
    size_t k = 0;
    while (strcmp(kinds[k].name, n->op->name) != 0) {
        k++;
    }
    return kinds[k].kind;
}

static tensor *zero_of(const node *n) {
    return n->input_count > 2 ? n->inputs[2] : NULL;
}

/* ---- Types and axes ------------------------------------------------------------------------ */

/* As the node says, or as its zero point is; uint8 where neither tells. */
kiln_status quantized_dtype(const graph *g, const node *n, kiln_dtype *out_dtype) {
    int64_t type = node_int(n, "output_dtype", 0);
    const tensor *zero = zero_of(n);
    *out_dtype = zero != NULL && zero->narrow != 0 ? zero->narrow : KILN_U8;
    bool known = type == 0 || dtype_of_onnx_type(type, out_dtype);
    return known && is_narrow_integer(*out_dtype) && *out_dtype != KILN_U32
               ? KILN_OK
               : node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                           "quantises to %s; supported: integers of 8 and 16 bits",
                           onnx_type_name(type));
}

static void set_range(quantizer *q) {
    bool wide = q->integers == KILN_U16 || q->integers == KILN_I16;
    bool is_signed = q->integers == KILN_I8 || q->integers == KILN_I16;
    float count = wide ? 65536 : 256;
    q->low = is_signed ? -count / 2 : 0;
    q->high = q->low + count - 1;
}

/* As x is, with a block for each `block` elements of the axis. */
static bool fits_blocks(const tensor *t, const tensor *x, uint32_t axis, int64_t block) {
    bool fits = t->rank == x->rank;
    for (uint32_t k = 0; k < x->rank && fits; k++) {
        fits = t->dims[k] == (k == axis ? (x->dims[k] + block - 1) / block : x->dims[k]);
    }
    return fits;
}

/* One scale (zero point) for all, or one an index of the axis, or one a block. */
static kiln_status check_parameter(const graph *g, const node *n, const tensor *t,
                                   const quantizer *q) {
    const tensor *x = n->inputs[0];
    if (q->block != 0 ? fits_blocks(t, x, q->axis, q->block)
                      : tensor_elements(t) == 1 ||
                            (t->rank == 1 && x->rank > 0 && t->dims[0] == x->dims[q->axis])) {
        return KILN_OK;
    }
    char text[80];
    return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                     "'%s' is %s; supported: one value, or one an index of axis %u, or one a block "
                     "of block_size",
                     t->name, tensor_shape_text(t, text, sizeof text), q->axis);
}

static kiln_status read_quantizer(const graph *g, const node *n, quantizer *out) {
    const tensor *x = n->inputs[0], *scale = n->inputs[1], *zero = zero_of(n);
    *out = (quantizer){.kind = kind_of(n), .block = node_int(n, "block_size", 0)};
    if (out->block < 0) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "blocks of %lld", (long long)out->block);
    }
    if (scale == NULL || scale->dtype != KILN_F32) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "the scale is missing or no float");
    }
    kiln_status status =
        out->kind == KILN_DEQUANTIZE ? KILN_OK : quantized_dtype(g, n, &out->integers);
    bool several = out->block != 0 || tensor_elements(scale) != 1 ||
                   (zero != NULL && tensor_elements(zero) != 1);
    if (status == KILN_OK && several) {
        status = node_axis(g, n, node_int(n, "axis", 1), x->rank, &out->axis);
    }
    if (status == KILN_OK && several) {
        status = refuse_batch(g, n, x, out->axis);
    }
    for (size_t k = 1; k < n->input_count && status == KILN_OK; k++) {
        if (n->inputs[k] != NULL) {
            status = check_parameter(g, n, n->inputs[k], out);
        }
    }
    set_range(out);
    return status;
}

static kiln_status infer_quantize(graph *g, node *n) {
    quantizer q;
    kiln_status status = require_dtype(g, n, 0, MASK_NUMBERS);
    if (status == KILN_OK) {
        status = require_dtype(g, n, 2, MASK_NUMBERS);
    }
    if (status == KILN_OK) {
        status = read_quantizer(g, n, &q);
    }
    if (status == KILN_OK) {
        status = infer_same(g, n);
    }
    if (status == KILN_OK) {
        bool integers = q.kind == KILN_QUANTIZE_INTEGERS || q.kind == KILN_REQUANTIZE_INTEGERS;
        n->outputs[0]->dtype = integers ? inner_dtype(q.integers) : KILN_F32;
    }
    return status;
}

/* ---- Evaluation ---------------------------------------------------------------------------- */

static float element_at(const tensor *t, int64_t k) {
    return t->dtype == KILN_F32 ? tensor_f32_at(t, k) : (float)tensor_i64(t)[k];
}

/* In f32, as ONNX Runtime: the quotient decides how a half rounds. */
static float quantize_value(const quantizer *q, float x, float scale, float zero) {
    if (q->kind == KILN_DEQUANTIZE) {
        return (x - zero) * scale;
    }
    bool multiplies = q->kind == KILN_REQUANTIZE_INTEGERS || q->kind == KILN_REQUANTIZE_CENTRED;
    float rounded = rintf(multiplies ? x * scale : x / scale) + zero;
    float integer = fminf(fmaxf(rounded, q->low), q->high); /* NaN: the lower bound */
    switch (q->kind) {
    case KILN_QUANTIZE_ROUND_TRIP:
        return (integer - zero) * scale;
    case KILN_QUANTIZE_CENTRED:
    case KILN_REQUANTIZE_CENTRED:
        return integer - zero;
    default:
        return integer;
    }
}

/* Weights are remembered as the integers that they are in the model. */
static kiln_status remember_integers(graph *g, const node *n, uint32_t axis) {
    const tensor *x = n->inputs[0], *scale = n->inputs[1], *zero = zero_of(n);
    bool narrow = x->narrow == KILN_U8 || x->narrow == KILN_I8;
    if (!narrow || x->producer != NULL || node_int(n, "block_size", 0) != 0) {
        return KILN_OK;
    }
    size_t scales = (size_t)tensor_elements(scale), elements = (size_t)tensor_elements(x);
    size_t count =
        zero != NULL && tensor_elements(zero) != 1 ? (size_t)tensor_elements(zero) : scales;
    quantized_constant *q = graph_allocate(g, sizeof *q);
    uint8_t *integers = graph_allocate(g, elements);
    float *parameters = graph_allocate(g, 2 * count * sizeof *parameters);
    if (q == NULL || integers == NULL || parameters == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < elements; k++) {
        kiln_element_put_number(x->narrow, integers, k, (double)tensor_f32_at(x, (int64_t)k));
    }
    for (size_t k = 0; k < count; k++) {
        bool single = zero == NULL || tensor_elements(zero) == 1;
        parameters[k] = tensor_f32_at(scale, scales == 1 ? 0 : (int64_t)k);
        parameters[count + k] = zero == NULL ? 0 : element_at(zero, single ? 0 : (int64_t)k);
    }
    *q = (quantized_constant){x->narrow, integers, count, axis, parameters, parameters + count};
    n->outputs[0]->quantized = q;
    return KILN_OK;
}

/* The scale, or zero point, of x's element k. */
static float parameter_at(const quantizer *q, const tensor *t, const tensor *x, int64_t k) {
    if (tensor_elements(t) == 1) {
        return element_at(t, 0);
    }
    axis_span v = axis_span_of(x, q->axis);
    int64_t index = k / v.inner % v.size;
    if (q->block == 0) {
        return element_at(t, index);
    }
    int64_t blocks = t->dims[q->axis], outer = k / v.inner / v.size;
    return element_at(t, (outer * blocks + index / q->block) * v.inner + k % v.inner);
}

static kiln_status evaluate_quantize(graph *g, node *n) {
    const tensor *x = n->inputs[0], *scale = n->inputs[1], *zero = zero_of(n);
    tensor *y = n->outputs[0];
    quantizer q;
    kiln_status status = read_quantizer(g, n, &q);
    if (status != KILN_OK) {
        return status;
    }
    for (int64_t k = 0; k < tensor_elements(x); k++) {
        float s = parameter_at(&q, scale, x, k);
        float z = zero == NULL ? 0 : parameter_at(&q, zero, x, k);
        float value = quantize_value(&q, element_at(x, k), s, z);
        if (y->dtype == KILN_F32) {
            ((float *)y->owned)[k] = value;
        } else {
            ((int64_t *)y->owned)[k] = (int64_t)value;
        }
    }
    return q.kind == KILN_DEQUANTIZE ? remember_integers(g, n, q.axis) : KILN_OK;
}

/* ---- Lowering ------------------------------------------------------------------------------ */

static uint32_t lower_cast_step(lowering *l, const node *n, uint32_t from, uint32_t to) {
    kiln_cast_params params = {0};
    return lower_step(l, n, KILN_KERNEL_CAST, &params, sizeof params, 1, &from, 1, &to) == KILN_OK
               ? to
               : KILN_PLAN_NONE;
}

/* An operand as f32, which is what the kernel reads. */
static uint32_t lower_float(lowering *l, const node *n, tensor *t) {
    uint32_t id = lower_tensor(l, t);
    if (t == NULL || t->dtype == KILN_F32) {
        return id;
    }
    return lower_cast_step(l, n, id, lower_temporary(l, KILN_F32, t->rank, t->dims, t->layout));
}

static kiln_status lower_quantize(lowering *l, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    quantizer q;
    kiln_status status = read_quantizer(lower_graph(l), n, &q);
    if (status != KILN_OK) {
        return status;
    }
    kiln_quantize_params params = {.kind = q.kind, .low = q.low, .high = q.high};
    params.axis = x->rank > 0 ? physical_axis(x, q.axis) : 0;
    uint32_t inputs[3] = {lower_float(l, n, x), lower_tensor(l, n->inputs[1]),
                          lower_float(l, n, zero_of(n))};
    uint32_t to = lower_tensor(l, y), result = to;
    if (y->dtype != KILN_F32) {
        result = lower_temporary(l, KILN_F32, y->rank, y->dims, y->layout);
    }
    if (lower_status(l) != KILN_OK) {
        return lower_status(l);
    }
    status = lower_step(l, n, KILN_KERNEL_QUANTIZE, &params, sizeof params, 3, inputs, 1, &result);
    if (status == KILN_OK && result != to) {
        (void)lower_cast_step(l, n, result, to);
    }
    return lower_status(l);
}

/* ---- Blocks -------------------------------------------------------------------------------- */

/* A scale, or zero point, for each element: that of its block. */
static tensor *each_element(expansion *e, const quantizer *q, tensor *t, const tensor *x) {
    const attribute axis = {.name = "axis", .type = ATTRIBUTE_INT, .i = q->axis};
    tensor *block = expand_constant(e, KILN_I64, 1, &x->dims[q->axis]);
    for (int64_t k = 0; block != NULL && k < x->dims[q->axis]; k++) {
        ((int64_t *)block->owned)[k] = k / q->block;
    }
    tensor *const inputs[2] = {expand_cast(e, t, KILN_F32), block};
    return expand_apply(e, "Gather", 2, inputs, &axis);
}

/* What is quantised by blocks is said in plain arithmetic. */
static kiln_status expand_blocks(expansion *e, node *n) {
    tensor *x = n->inputs[0], *zero = zero_of(n), *y;
    quantizer q;
    kiln_status status = read_quantizer(e->g, n, &q);
    if (status != KILN_OK || q.block == 0) {
        return status;
    }
    tensor *scale = each_element(e, &q, n->inputs[1], x);
    zero = zero != NULL ? each_element(e, &q, zero, x) : NULL;
    if (q.kind == KILN_DEQUANTIZE) {
        y = expand_cast(e, x, KILN_F32);
        y = zero != NULL ? expand_binary(e, "Sub", y, zero) : y;
        expand_result(e, 0, expand_binary(e, "Mul", y, scale));
        return KILN_OK;
    }
    y = expand_unary(e, "Round", expand_binary(e, "Div", x, scale));
    y = zero != NULL ? expand_binary(e, "Add", y, zero) : y;
    tensor *const bounds[3] = {y, expand_number(e, KILN_F32, (double)q.low),
                               expand_number(e, KILN_F32, (double)q.high)};
    y = expand_apply(e, "Clip", 3, bounds, NULL);
    expand_result(e, 0, expand_cast(e, y, n->outputs[0]->dtype));
    return KILN_OK;
}

/* ---- Ranges -------------------------------------------------------------------------------- */

/* Ours: scale and zero point of a tensor, from its range. */
static kiln_status infer_range(graph *g, node *n) {
    kiln_status status = require_dtype(g, n, 0, MASK_F32);
    for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
        if (n->outputs[k] == NULL) {
            continue;
        }
        n->outputs[k]->dtype = KILN_F32;
        status = tensor_set_shape(g, n, n->outputs[k], 0, NULL);
    }
    return status;
}

static kiln_status evaluate_range(graph *g, node *n) {
    (void)g;
    const tensor *x = n->inputs[0];
    float least = 0, most = 0;
    for (int64_t k = 0; k < tensor_elements(x); k++) {
        float value = tensor_f32_at(x, k);
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    float scale = most > least ? (most - least) / 255 : 1;
    *(float *)n->outputs[0]->owned = scale;
    if (n->outputs[1] != NULL) {
        *(float *)n->outputs[1]->owned = rintf(fminf(fmaxf(-least / scale, 0), 255));
    }
    return KILN_OK;
}

static kiln_status lower_range(lowering *l, node *n) {
    kiln_quantize_range_params params = {0};
    uint32_t x = lower_input(l, n, 0);
    uint32_t outputs[2] = {lower_output(l, n, 0), lower_output(l, n, 1)};
    return lower_step(l, n, KILN_KERNEL_QUANTIZE_RANGE, &params, sizeof params, 1, &x, 2, outputs);
}

/* ---- The rows ------------------------------------------------------------------------------ */

#define ROW(op_name, its_flags)                                                                    \
    {                                                                                              \
        .name = op_name, .min_opset = 10, .min_inputs = 2, .max_inputs = 3, .min_outputs = 1,      \
        .max_outputs = 1, .layout = OP_ANY, .flags = its_flags, .infer = infer_quantize,           \
        .evaluate = evaluate_quantize, .lower = lower_quantize, .expand = expand_blocks            \
    }

const op ops_quantize[] = {
    ROW("QuantizeLinear", 0),
    ROW("DequantizeLinear", 0),
    ROW(OP_QUANTIZE_CENTRED, OP_NOT_ONNX),
    ROW(OP_QUANTIZE_ROUND_TRIP, OP_NOT_ONNX),
    ROW(OP_REQUANTIZE, OP_NOT_ONNX),
    ROW(OP_REQUANTIZE_CENTRED, OP_NOT_ONNX),
    {.name = "QuantizeRange",
     .min_inputs = 1,
     .max_inputs = 1,
     .min_outputs = 2,
     .max_outputs = 2,
     .layout = OP_ANY,
     .flags = OP_NOT_ONNX,
     .infer = infer_range,
     .evaluate = evaluate_range,
     .lower = lower_range},
    {.name = NULL},
};
