/* Steps over quantised integers: from real numbers to them, an operator or two, and back. */
#include "tests/fuzz/random_graphs.h"

#include <string.h>

/* Of a tensor: its scale and zero point, of which all are exact in half precision. */
typedef struct quantization {
    tensor *scale, *zero;
} quantization;

/* ---- Constants ----------------------------------------------------------------------------- */

static tensor *bytes_of(generator *r, kiln_dtype dtype, uint32_t rank, const int64_t *dims,
                        int64_t most) {
    tensor *t = graph_add_constant(r->g, NULL, KILN_F32, rank, dims);
    t->narrow = dtype;
    for (int64_t k = 0; k < tensor_elements(t); k++) {
        ((float *)t->owned)[k] = (float)between(r, dtype == KILN_I8 ? -most : 0, most);
    }
    return t;
}

static float some_scale(generator *r) {
    static const float scales[] = {1.0f / 64, 0.03125f, 0.046875f, 0.0625f, 0.25f};
    return CHOOSE(r, scales);
}

static quantization quantization_of(generator *r, kiln_dtype dtype) {
    quantization q = {scalar_of(r, some_scale(r)), bytes_of(r, dtype, 0, NULL, 0)};
    *(float *)q.zero->owned = (float)(dtype == KILN_I8 ? between(r, -60, 60) : between(r, 60, 200));
    return q;
}

static kiln_dtype some_type(generator *r) {
    return chance(r, 40) ? KILN_I8 : KILN_U8;
}

/* One for each of `count`, or one for all. */
static tensor *weight_scales(generator *r, int64_t count) {
    tensor *t = chance(r, 50) ? graph_add_constant(r->g, NULL, KILN_F32, 1, &count)
                              : graph_add_constant(r->g, NULL, KILN_F32, 0, NULL);
    for (int64_t k = 0; k < tensor_elements(t); k++) {
        ((float *)t->owned)[k] = some_scale(r) / 4;
    }
    return t;
}

static tensor *zeros_like(generator *r, const tensor *scales) {
    return bytes_of(r, KILN_I8, scales->rank, scales->dims, 0);
}

/* ---- To integers and back ------------------------------------------------------------------ */

static tensor *quantized(generator *r, tensor *x, quantization q) {
    tensor *inputs[3] = {x, q.scale, q.zero};
    return x != NULL ? end_hidden_node(r, begin_node(r, "QuantizeLinear", 3, inputs, 1)) : NULL;
}

static tensor *dequantized(generator *r, tensor *x, quantization q) {
    tensor *inputs[3] = {x, q.scale, q.zero};
    return x != NULL ? end_node(r, begin_node(r, "DequantizeLinear", 3, inputs, 1)) : NULL;
}

static bool round_trip(generator *r) {
    kiln_dtype dtype = some_type(r);
    quantization q = quantization_of(r, dtype);
    quantization back = chance(r, 80) ? q : quantization_of(r, dtype);
    return dequantized(r, quantized(r, pick(r, 1, 5), q), back) != NULL;
}

/* Scales along an axis. */
static bool round_trip_by_axis(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL || r->g->opset < 13) {
        return false;
    }
    uint32_t axis = some_axis(r, x);
    const int64_t count = x->dims[axis], attribute = any_sign(r, axis, x->rank);
    tensor *inputs[3] = {x, graph_add_constant(r->g, NULL, KILN_F32, 1, &count),
                         bytes_of(r, KILN_U8, 1, &count, 255)};
    for (int64_t k = 0; k < count; k++) {
        ((float *)inputs[1]->owned)[k] = some_scale(r);
    }
    node *n = begin_node(r, "QuantizeLinear", 3, inputs, 1);
    set_int(r, n, "axis", attribute);
    inputs[0] = end_hidden_node(r, n);
    n = inputs[0] != NULL ? begin_node(r, "DequantizeLinear", 3, inputs, 1) : NULL;
    if (n != NULL) {
        set_int(r, n, "axis", attribute);
    }
    return end_node(r, n) != NULL;
}

static bool dynamic(generator *r) {
    tensor *x = pick(r, 1, 4);
    if (x == NULL || r->g->batch_symbolic) { /* its range is that of all samples */
        return false;
    }
    node *n = begin_node(r, "DynamicQuantizeLinear", 1, &x, 3);
    tensor *y = end_hidden_node(r, n);
    return y != NULL && dequantized(r, y, (quantization){n->outputs[1], n->outputs[2]}) != NULL;
}

/* ---- Convolutions and products ------------------------------------------------------------- */

typedef struct filters {
    tensor *weights, *scales, *zeros, *bias;
    int64_t groups;
} filters;

static filters some_filters(generator *r, const tensor *x) {
    static const int64_t channels[] = {1, 2, 3, 5, 8, 16, 17};
    filters f = {.groups = chance(r, 70) ? 1 : x->dims[1]};
    int64_t dims[KILN_MAX_RANK] = {
        f.groups == 1 ? CHOOSE(r, channels) : f.groups * (1 + below(r, 2)), x->dims[1] / f.groups};
    for (uint32_t k = 2; k < x->rank; k++) {
        dims[k] = between(r, 1, x->dims[k] < 3 ? x->dims[k] : 3);
    }
    f.weights = bytes_of(r, KILN_I8, x->rank, dims, 127);
    f.scales = weight_scales(r, dims[0]);
    f.zeros = zeros_like(r, f.scales);
    if (chance(r, 50)) {
        f.bias = graph_add_constant(r->g, NULL, KILN_I64, 1, dims);
        f.bias->narrow = KILN_I32;
        for (int64_t k = 0; k < dims[0]; k++) {
            ((int64_t *)f.bias->owned)[k] = between(r, -2000, 2000);
        }
    }
    return f;
}

static node *set_convolution(generator *r, node *n, const filters *f) {
    const tensor *w = f->weights;
    int64_t pads[2 * KILN_MAX_RANK], spatial = w->rank - 2;
    for (int64_t k = 0; k < spatial; k++) {
        pads[k] = between(r, 0, w->dims[k + 2] - 1);
        pads[k + spatial] = between(r, 0, w->dims[k + 2] - 1);
    }
    set_ints(r, n, "pads", pads, (size_t)(2 * spatial));
    set_int(r, n, "group", f->groups);
    return n;
}

static bool qlinear_conv(generator *r) {
    tensor *x = pick(r, 4, 4);
    if (x == NULL) {
        return false;
    }
    kiln_dtype dtype = some_type(r);
    quantization q = quantization_of(r, dtype), result = quantization_of(r, dtype);
    filters f = some_filters(r, x);
    result.scale = scalar_of(r, 0.25f);
    tensor *inputs[9] = {quantized(r, x, q), q.scale,     q.zero, f.weights, f.scales, f.zeros,
                         result.scale,       result.zero, f.bias};
    if (inputs[0] == NULL) {
        return false;
    }
    node *n = begin_node(r, "QLinearConv", f.bias != NULL ? 9 : 8, inputs, 1);
    return dequantized(r, end_hidden_node(r, set_convolution(r, n, &f)), result) != NULL;
}

static tensor *scaled_integers(generator *r, tensor *sums) {
    node *n = sums != NULL ? begin_node(r, "Cast", 1, &sums, 1) : NULL;
    if (n != NULL) {
        set_int(r, n, "to", 1);
    }
    return APPLY(r, "Mul", end_node(r, n), scalar_of(r, 0.0009765625f));
}

static bool conv_integer(generator *r) {
    tensor *x = pick(r, 4, 4);
    quantization q = quantization_of(r, some_type(r));
    if (x == NULL) {
        return false;
    }
    filters f = some_filters(r, x);
    tensor *inputs[3] = {quantized(r, x, q), f.weights, q.zero};
    node *n = inputs[0] != NULL ? begin_node(r, "ConvInteger", 3, inputs, 1) : NULL;
    n = n != NULL ? set_convolution(r, n, &f) : NULL;
    return scaled_integers(r, end_hidden_node(r, n)) != NULL;
}

static bool product(generator *r) {
    tensor *x = pick(r, 2, 3);
    kiln_dtype dtype = some_type(r);
    quantization q = quantization_of(r, dtype), result = quantization_of(r, dtype);
    if (x == NULL) {
        return false;
    }
    const int64_t dims[2] = {x->dims[x->rank - 1], between(r, 1, 17)};
    tensor *w = bytes_of(r, KILN_I8, 2, dims, 127), *scales = weight_scales(r, dims[1]);
    result.scale = scalar_of(r, 0.25f);
    tensor *xq = quantized(r, x, q);
    if (xq == NULL) {
        return false;
    }
    if (chance(r, 40)) {
        tensor *inputs[3] = {xq, w, q.zero};
        return scaled_integers(
                   r, end_hidden_node(r, begin_node(r, "MatMulInteger", 3, inputs, 1))) != NULL;
    }
    tensor *inputs[8] = {xq,           q.scale,    q.zero, w, scales, zeros_like(r, scales),
                         result.scale, result.zero};
    return dequantized(r, end_hidden_node(r, begin_node(r, "QLinearMatMul", 8, inputs, 1)),
                       result) != NULL;
}

/* A layer on real numbers whose weights are integers. */
static bool layer(generator *r) {
    tensor *x = pick(r, 4, 4);
    if (x == NULL || r->g->opset < 13) {
        return false;
    }
    filters f = some_filters(r, x);
    node *n = begin_node(r, "DequantizeLinear", 2, (tensor *[]){f.weights, f.scales}, 1);
    set_int(r, n, "axis", 0);
    tensor *w = end_hidden_node(r, n);
    n = w != NULL ? begin_node(r, "Conv", 2, (tensor *[]){x, w}, 1) : NULL;
    return n != NULL && end_node(r, set_convolution(r, n, &f)) != NULL;
}

/* ---- Of com.microsoft ---------------------------------------------------------------------- */

static bool unary(generator *r) {
    static const char *const ops[] = {"Sigmoid", "LeakyRelu", "GlobalAveragePool", "AveragePool"};
    const char *op = CHOOSE(r, ops);
    bool pools = strstr(op, "Pool") != NULL;
    tensor *x = pools ? pick(r, 4, 4) : pick(r, 1, 4);
    kiln_dtype dtype = some_type(r);
    quantization q = quantization_of(r, dtype), result = quantization_of(r, dtype);
    char name[64];
    if (x == NULL) {
        return false;
    }
    snprintf(name, sizeof name, "com.microsoft.QLinear%s", op);
    tensor *inputs[5] = {quantized(r, x, q), q.scale, q.zero, result.scale, result.zero};
    node *n = inputs[0] != NULL ? begin_node(r, name, 5, inputs, 1) : NULL;
    if (n != NULL && strcmp(op, "AveragePool") == 0) {
        const int64_t kernel[2] = {between(r, 1, 3), between(r, 1, 3)};
        set_ints(r, n, "kernel_shape", kernel, 2);
    }
    if (n != NULL && pools) {
        set_int(r, n, "channels_last", below(r, 2));
    }
    return dequantized(r, end_hidden_node(r, n), result) != NULL;
}

static bool binary(generator *r) {
    static const char *const ops[] = {"QLinearAdd", "QLinearMul", "QLinearConcat"};
    tensor *x = pick(r, 2, 4), *y = x != NULL ? pick_like(r, x, -1) : NULL;
    kiln_dtype dtype = some_type(r);
    quantization a = quantization_of(r, dtype), b = quantization_of(r, dtype);
    quantization c = quantization_of(r, dtype);
    if (y == NULL) {
        return false;
    }
    const char *op = CHOOSE(r, ops);
    char name[64];
    snprintf(name, sizeof name, "com.microsoft.%s", op);
    tensor *xq = quantized(r, x, a), *yq = quantized(r, y, b);
    bool joins = strcmp(op, "QLinearConcat") == 0;
    tensor *joined[8] = {c.scale, c.zero, xq, a.scale, a.zero, yq, b.scale, b.zero};
    tensor *plain[8] = {xq, a.scale, a.zero, yq, b.scale, b.zero, c.scale, c.zero};
    node *n = xq != NULL && yq != NULL ? begin_node(r, name, 8, joins ? joined : plain, 1) : NULL;
    if (n != NULL && joins) {
        set_int(r, n, "axis", some_axis(r, x));
    }
    return dequantized(r, end_hidden_node(r, n), c) != NULL;
}

const weighted_step quantized_steps[] = {
    {round_trip, 3},   {round_trip_by_axis, 2},
    {dynamic, 1},      {qlinear_conv, 3},
    {conv_integer, 1}, {product, 3},
    {layer, 2},        {unary, 3},
    {binary, 3},       {NULL, 0},
};
