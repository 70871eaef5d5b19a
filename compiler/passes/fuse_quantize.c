/* Quantising and what undoes it are one rounding; integers that were integers all along pass their
 * casts. What is left of quantised operators after that is explicit, and as right. */
#include "compiler/graph/element_type.h"
#include "compiler/ops/ops.h"
#include "compiler/ops/quantize.h"
#include "compiler/passes/passes.h"

#include <string.h>

static bool same_values(const tensor *a, const tensor *b) {
    if (a == b) {
        return true;
    }
    if (!tensor_is_constant(a) || !tensor_is_constant(b) || a->dtype != b->dtype ||
        tensor_elements(a) != tensor_elements(b)) {
        return false;
    }
    size_t bytes = (size_t)tensor_elements(a) * kiln_dtype_size(a->dtype);
    return bytes == 0 || memcmp(a->data, b->data, bytes) == 0;
}

/* Is every element of a constant this value? False for NULL. */
static bool is_constantly(const tensor *t, float value) {
    if (!tensor_is_constant(t) || t->dtype != KILN_F32) {
        return false;
    }
    for (int64_t k = 0; k < tensor_elements(t); k++) {
        if (tensor_f32_at(t, k) != value) {
            return false;
        }
    }
    return true;
}

static tensor *zero_of(const node *n) {
    return n->input_count > 2 ? n->inputs[2] : NULL;
}

static bool same_axis(const node *a, const node *b) {
    bool single = tensor_elements(a->inputs[1]) == 1 &&
                  (zero_of(a) == NULL || tensor_elements(zero_of(a)) == 1);
    return single || node_int(a, "axis", 1) == node_int(b, "axis", 1);
}

/* The one operator for both; NULL: there is none. */
static const char *joint_operator(const node *quantize, const node *dequantize) {
    bool blocks = node_int(quantize, "block_size", 0) != 0;
    if (!same_values(zero_of(quantize), zero_of(dequantize)) || !same_axis(quantize, dequantize) ||
        blocks || node_int(dequantize, "block_size", 0) != 0) {
        return NULL;
    }
    bool centres = is_constantly(dequantize->inputs[1], 1);
    if (node_is(quantize, "QuantizeLinear")) {
        return centres                                                   ? OP_QUANTIZE_CENTRED
               : same_values(quantize->inputs[1], dequantize->inputs[1]) ? OP_QUANTIZE_ROUND_TRIP
                                                                         : NULL;
    }
    return node_is(quantize, OP_REQUANTIZE) && centres ? OP_REQUANTIZE_CENTRED : NULL;
}

static bool same_type(const node *a, const node *b) {
    return node_int(a, "output_dtype", 0) == node_int(b, "output_dtype", 0);
}

/* Drops a node that nobody reads any more. */
static void drop_unread(node *n) {
    n->dead = n->outputs[0]->consumer_count == 0 && !n->outputs[0]->is_output;
}

/* Finds the node that does this already, since several layers may read the same. */
static node *find_twin(const node *quantize, const node *until, const char *op) {
    const tensor *x = quantize->inputs[0];
    for (size_t k = 0; k < x->consumer_count; k++) {
        node *other = x->consumers[k];
        if (other != until && node_is(other, op) &&
            same_values(quantize->inputs[1], other->inputs[1]) &&
            same_values(zero_of(quantize), zero_of(other)) && same_axis(quantize, other) &&
            same_type(quantize, other)) {
            return other;
        }
    }
    return NULL;
}

static kiln_status join(graph *g, node *quantize, node *dequantize, const char *name) {
    node *twin = find_twin(quantize, dequantize, name);
    if (twin != NULL && !dequantize->outputs[0]->is_output) {
        dequantize->dead = true;
        kiln_status status = node_set_input(g, dequantize, 0, NULL);
        drop_unread(quantize);
        return status == KILN_OK ? graph_replace_uses(g, dequantize->outputs[0], twin->outputs[0])
                                 : status;
    }
    int64_t axis = node_int(quantize, "axis", 1);
    kiln_dtype dtype;
    kiln_status status = quantized_dtype(g, quantize, &dtype);
    const char *origin = graph_printf(g, "%s + %s", quantize->origin, dequantize->origin);
    if (origin == NULL) {
        return KILN_ERROR_MEMORY;
    }
    dequantize->op = op_find(name);
    dequantize->origin = origin;
    for (size_t k = 0; k < quantize->input_count && k < dequantize->input_count; k++) {
        if (status == KILN_OK) {
            status = node_set_input(g, dequantize, k, quantize->inputs[k]);
        }
    }
    drop_unread(quantize);
    if (status == KILN_OK) {
        status = node_set_int(g, dequantize, "axis", axis);
    }
    return status == KILN_OK
               ? node_set_int(g, dequantize, "output_dtype", onnx_type_of_dtype(dtype))
               : status;
}

/* Does the node give back the numbers that were quantised: x -> integers -> x? */
static bool is_identity(const node *n) {
    const tensor *zero = zero_of(n);
    return is_constantly(n->inputs[1], 1) && (zero == NULL || is_constantly(zero, 0)) &&
           n->inputs[0]->dtype == KILN_F32;
}

static bool is_cast_to_float(const node *n) {
    return node_is(n, "Cast") && n->outputs[0]->dtype == KILN_F32 &&
           node_int(n, "boundary", 0) == 0 && node_int(n, "to", 0) == onnx_type_of_dtype(KILN_F32);
}

static kiln_status skip(graph *g, node *n, tensor *x, size_t *inout_rewrites) {
    node *before = n->inputs[0]->producer;
    if (n->outputs[0]->is_output) {
        return KILN_OK;
    }
    n->dead = true;
    ++*inout_rewrites;
    kiln_status status = graph_replace_uses(g, n->outputs[0], x);
    if (status == KILN_OK && x != n->inputs[0]) {
        status = node_set_input(g, n, 0, NULL);
        drop_unread(before);
    }
    return status;
}

static kiln_status treat(graph *g, node *n, size_t *inout_rewrites) {
    tensor *x = n->inputs[0];
    node *before = x != NULL ? x->producer : NULL;
    if (is_cast_to_float(n) && node_is(before, "Cast") && node_int(before, "integral", 0) != 0) {
        return skip(g, n, before->inputs[0], inout_rewrites);
    }
    if (!node_is(n, "DequantizeLinear")) {
        return KILN_OK;
    }
    if (is_identity(n)) {
        return skip(g, n, x, inout_rewrites);
    }
    const char *op = before != NULL && !before->dead &&
                             (node_is(before, "QuantizeLinear") || node_is(before, OP_REQUANTIZE))
                         ? joint_operator(before, n)
                         : NULL;
    if (op == NULL) {
        return KILN_OK;
    }
    ++*inout_rewrites;
    return join(g, before, n, op);
}

kiln_status pass_fuse_quantize(graph *g, size_t *inout_rewrites) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        if (!g->nodes[k]->dead && g->nodes[k]->input_count > 0) {
            status = treat(g, g->nodes[k], inout_rewrites);
        }
    }
    return status;
}
