/* What several passes ask of nodes and constants. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

#include <math.h>
#include <string.h>

bool node_is(const node *n, const char *op_name) {
    return n != NULL && !n->dead && strcmp(n->op->name, op_name) == 0;
}

node *sole_producer(const tensor *t, const char *op_name) {
    bool sole = t != NULL && t->consumer_count == 1 && !t->is_output && t->producer != NULL;
    return sole && node_is(t->producer, op_name) ? t->producer : NULL;
}

bool is_unclamped(const node *n) {
    return n->min == -INFINITY && n->max == INFINITY;
}

void absorb(graph *g, node *into, node *n) {
    into->outputs[0] = n->outputs[0];
    into->outputs[0]->producer = into;
    const char *origin = graph_printf(g, "%s + %s", into->origin, n->origin);
    into->origin = origin != NULL ? origin : into->origin;
    n->dead = true;
}

bool scalar_value(tensor *t, float *out_value) {
    if (!tensor_is_constant(t) || t->dtype != KILN_F32 || tensor_elements(t) != 1) {
        return false;
    }
    *out_value = tensor_f32_at(t, 0);
    return true;
}

bool clamp_bounds(const node *n, float *out_min, float *out_max) {
    if (node_is(n, "Relu")) {
        *out_min = 0;
        *out_max = INFINITY;
        return true;
    }
    if (!node_is(n, "Clip")) {
        return false;
    }
    *out_min = node_float(n, "min", -INFINITY);
    *out_max = node_float(n, "max", INFINITY);
    for (size_t k = 1; k < n->input_count && k < 3; k++) {
        float *bound = k == 1 ? out_min : out_max;
        if (n->inputs[k] != NULL && !scalar_value(n->inputs[k], bound)) {
            return false;
        }
    }
    return *out_min < *out_max;
}

bool split_constant(const node *n, tensor **out_constant, tensor **out_other) {
    if (n->input_count != 2 || n->inputs[0] == NULL || n->inputs[1] == NULL) {
        return false;
    }
    for (size_t k = 0; k < 2; k++) {
        if (tensor_is_constant(n->inputs[k]) && !tensor_is_constant(n->inputs[1 - k])) {
            *out_constant = n->inputs[k];
            *out_other = n->inputs[1 - k];
            return true;
        }
    }
    return false;
}

node *added_vector(const node *n, tensor **out_vector) {
    tensor *y = n->outputs[0], *vector = NULL, *other = NULL;
    node *add = tensor_single_consumer(y);
    if (!node_is(add, "Add") || !is_unclamped(add) || !split_constant(add, &vector, &other) ||
        other != y || vector->dtype != KILN_F32 || vector->rank < 1 || y->rank < 1 ||
        !tensor_same_shape(y, add->outputs[0])) {
        return NULL;
    }
    int64_t size = y->dims[y->rank - 1];
    *out_vector = vector;
    return tensor_elements(vector) == size && vector->dims[vector->rank - 1] == size ? add : NULL;
}
