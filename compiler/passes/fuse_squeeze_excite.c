/* A map multiplied by gates of its channels, which one or two dense layers make of the channels'
 * means (Hu et al., "Squeeze-and-Excitation Networks", 2018; of one layer: Lee and Park,
 * "CenterMask", 2020), becomes one operator. Exporters write the layers as convolutions of 1x1 or
 * as products, with views before, between and behind them. */
#include "compiler/ops/ops.h"
#include "compiler/ops/squeeze_excite.h"
#include "compiler/ops/unary.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/scale_bias.h"
#include "compiler/passes/terms.h"

#include <math.h>
#include <string.h>

typedef struct dense {
    tensor *weights; /* [outputs,inputs,...]; of a product [inputs,outputs] where `transposed` */
    tensor *bias;    /* NULL: none */
    bool transposed;
    kiln_unary_params function; /* of the results */
} dense;

typedef struct excitation {
    tensor *x;
    dense layers[2]; /* the last one first */
    size_t count;
} excitation;

/* ---- Reading ------------------------------------------------------------------------------- */

/* Does t hold some values a sample of x, one after the other? */
static bool is_of_samples(const tensor *t, const tensor *x) {
    return t->dtype == KILN_F32 && t->rank >= 1 && t->dims[0] == x->dims[0];
}

static bool is_line(const tensor *t) {
    int64_t along = 1;
    for (uint32_t k = 1; k < t->rank; k++) {
        if (t->dims[k] != 1 && along != 1) {
            return false;
        }
        along = t->dims[k] != 1 ? t->dims[k] : along;
    }
    return true;
}

/* Does a node leave each sample's values in their order? */
static bool is_view(const node *n) {
    int64_t perm[KILN_MAX_RANK];
    return node_is(n, "Reshape") || node_is(n, "Flatten") || node_is(n, "Squeeze") ||
           node_is(n, "Unsqueeze") ||
           (node_is(n, "Transpose") && is_line(n->inputs[0]) &&
            node_ints(n, "perm", perm, KILN_MAX_RANK) > 0 && perm[0] == 0);
}

/* The operator that makes t, which it alone reads; NULL: none. */
static node *maker_of(const tensor *t) {
    return t->producer != NULL && t->consumer_count == 1 && !t->is_output && !t->producer->dead
               ? t->producer
               : NULL;
}

static tensor *behind_views(tensor *t, const tensor *x) {
    node *n;
    while (is_of_samples(t, x) && (n = maker_of(t)) != NULL && is_view(n) &&
           is_of_samples(n->inputs[0], x)) {
        t = n->inputs[0];
    }
    return t;
}

/* A function that results may go through, or none: then everything up to t stays as it was. */
static tensor *behind_function(tensor *t, kiln_unary_params *out) {
    node *n = maker_of(t);
    *out = (kiln_unary_params){KILN_UNARY_CLAMP, -INFINITY, INFINITY, 0};
    if (n != NULL && unary_function_of(n, out) &&
        kiln_step_takes_function(KILN_KERNEL_SQUEEZE_EXCITE, out->op)) {
        return n->inputs[0];
    }
    *out = (kiln_unary_params){KILN_UNARY_CLAMP, -INFINITY, INFINITY, 0};
    return t;
}

static bool read_weights(graph *g, node *n, dense *out) {
    bool conv = node_is(n, "Conv") && node_int(n, "group", 1) == 1 && is_unpadded(g, n);
    bool gemm = node_is(n, "Gemm") && is_plain_gemm(n) && n->flattened_channels == 0;
    out->weights = n->inputs[1];
    out->bias = n->input_count > 2 ? n->inputs[2] : NULL;
    out->transposed = !conv && node_int(n, "transB", 0) == 0;
    const tensor *w = out->weights;
    return (conv || gemm || node_is(n, "MatMul")) && w->rank >= 2 && tensor_is_constant(w) &&
           w->dtype == KILN_F32 && w->quantized == NULL && (conv || w->rank == 2) &&
           tensor_elements(w) == w->dims[0] * w->dims[1] &&
           (out->bias == NULL || (tensor_is_constant(out->bias) &&
                                  tensor_elements(out->bias) == w->dims[out->transposed ? 1 : 0]));
}

/* Takes off the dense layer that ends in t. NULL: there is none. */
static tensor *behind_layer(graph *g, tensor *t, const tensor *x, dense *out) {
    tensor *result = behind_function(behind_views(t, x), &out->function);
    node *n = maker_of(behind_views(result, x));
    if (n == NULL || n->input_count < 2 || !read_weights(g, n, out) ||
        !is_of_samples(n->outputs[0], x) || !is_of_samples(n->inputs[0], x)) {
        return NULL;
    }
    int64_t samples = x->dims[0], outputs = out->weights->dims[out->transposed ? 1 : 0];
    int64_t inputs = out->weights->dims[out->transposed ? 0 : 1];
    bool clamped = !is_unclamped(n), free = out->function.op == KILN_UNARY_CLAMP &&
                                            isinf(out->function.alpha) && isinf(out->function.beta);
    if ((clamped && !free) || tensor_elements(n->outputs[0]) != samples * outputs ||
        tensor_elements(n->inputs[0]) != samples * inputs) {
        return NULL;
    }
    if (clamped) {
        out->function.alpha = n->min;
        out->function.beta = n->max;
    }
    return behind_views(n->inputs[0], x);
}

/* Are they the means of x's channels? */
static bool is_mean(const tensor *t, const tensor *x) {
    node *n = maker_of(t);
    if (n == NULL || n->inputs[0] != x || !is_unclamped(n)) {
        return false;
    }
    int64_t axes[KILN_MAX_RANK];
    int count = !node_is(n, "ReduceMean") ? 0
                : n->input_count > 1      ? node_input_ints(n, 1, axes, KILN_MAX_RANK)
                                          : node_ints(n, "axes", axes, KILN_MAX_RANK);
    uint32_t found = 0, wanted = (1u << x->rank) - 4;
    for (int k = 0; k < count; k++) {
        int64_t axis = axes[k] + (axes[k] < 0 ? x->rank : 0);
        found |= axis >= 0 && axis < x->rank ? 1u << axis : 0;
    }
    return node_is(n, "GlobalAveragePool") || (count > 0 && found == wanted);
}

/* Is it one value for each channel of each sample of x, to be multiplied with x? */
static bool is_gate(const tensor *t, const tensor *x) {
    return is_of_samples(t, x) && t->rank == x->rank && t->dims[1] == x->dims[1] &&
           tensor_elements(t) == x->dims[0] * x->dims[1];
}

/* Reads what the operand on one side of a product is gated by. */
static bool read_gates(graph *g, const node *mul, size_t side, excitation *out) {
    tensor *x = mul->inputs[1 - side], *t = mul->inputs[side];
    node *expand = sole_producer(t, "Expand");
    t = expand != NULL ? expand->inputs[0] : t;
    *out = (excitation){.x = x};
    if (x->dtype != KILN_F32 || x->rank < 3 || x->rank > KILN_MAX_RANK || tensor_is_constant(x) ||
        !tensor_same_shape(x, mul->outputs[0]) || !is_gate(t, x)) {
        return false;
    }
    while (out->count < 2) {
        dense *layer = &out->layers[out->count];
        if ((t = behind_layer(g, t, x, layer)) == NULL) {
            return false;
        }
        out->count++;
        if (is_mean(t, x)) {
            const dense *first = layer, *last = &out->layers[0];
            return first->weights->dims[first->transposed ? 0 : 1] == x->dims[1] &&
                   last->weights->dims[last->transposed ? 1 : 0] == x->dims[1];
        }
    }
    return false;
}

/* ---- Rewriting ----------------------------------------------------------------------------- */

static tensor *weights_of(graph *g, const dense *layer) {
    const tensor *w = layer->weights;
    if (!layer->transposed) {
        return layer->weights;
    }
    int64_t inputs = w->dims[0], outputs = w->dims[1];
    tensor *result = graph_add_constant(g, NULL, KILN_F32, 2, (int64_t[]){outputs, inputs});
    for (int64_t k = 0; result != NULL && k < inputs * outputs; k++) {
        ((float *)result->owned)[k] = tensor_f32_at(w, k % inputs * outputs + k / inputs);
    }
    return result;
}

static kiln_status rewrite(graph *g, node *mul, const excitation *e) {
    tensor **inputs = graph_allocate(g, 5 * sizeof *inputs);
    if (inputs == NULL) {
        return KILN_ERROR_MEMORY;
    }
    inputs[0] = e->x;
    for (size_t k = 0; k < e->count; k++) {
        const dense *layer = &e->layers[e->count - 1 - k];
        tensor *bias = layer->bias;
        inputs[1 + 2 * k] = weights_of(g, layer);
        inputs[2 + 2 * k] =
            bias == NULL || bias->rank == 1 ? bias : as_vector(g, bias, tensor_elements(bias));
        if (inputs[1 + 2 * k] == NULL || (bias != NULL && inputs[2 + 2 * k] == NULL)) {
            return KILN_ERROR_MEMORY;
        }
    }
    mul->inputs = inputs;
    mul->input_count = 1 + 2 * e->count;
    mul->attribute_count = 0;
    mul->op = op_find("SqueezeExcite");
    mul->origin = e->count == 2 ? "mean + product + product + Mul" : "mean + product + Mul";
    return squeeze_excite_set(g, mul, &e->layers[e->count - 1].function, &e->layers[0].function);
}

kiln_status pass_fuse_squeeze_excite(graph *g, size_t *inout_rewrites) {
    size_t found = 0;
    for (size_t k = 0; k < g->node_count; k++) {
        node *mul = g->nodes[k];
        excitation e;
        if (!node_is(mul, "Mul") || mul->input_count != 2 ||
            !(read_gates(g, mul, 0, &e) || read_gates(g, mul, 1, &e))) {
            continue;
        }
        kiln_status status = rewrite(g, mul, &e);
        if (status != KILN_OK) {
            return status;
        }
        found++;
    }
    return sweep_formulas(g, found, inout_rewrites);
}
