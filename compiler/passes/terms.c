/* Reading formulas that exporters spell out in several operators. */
#include "compiler/passes/terms.h"
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

bool collect_terms(const node *n, const char *op_name, terms *out) {
    for (size_t k = 0; k < 2; k++) {
        node *inner = sole_producer(n->inputs[k], op_name);
        if (inner != NULL && is_unclamped(inner) && inner->input_count == 2) {
            if (!collect_terms(inner, op_name, out)) {
                return false;
            }
        } else if (out->count == TERMS) {
            return false;
        } else {
            out->each[out->count++] = n->inputs[k];
        }
    }
    return true;
}

bool read_monomial(tensor *t, const tensor *x, monomial *out) {
    terms factors = {.count = 1, .each = {t}};
    float value;
    if (t != x && node_is(t->producer, "Mul")) {
        factors.count = 0;
        if (!is_unclamped(t->producer) || !collect_terms(t->producer, "Mul", &factors)) {
            return false;
        }
    }
    *out = (monomial){1, 0};
    for (size_t k = 0; k < factors.count; k++) {
        tensor *factor = factors.each[k];
        if (factor == x) {
            out->power++;
        } else if (node_is(factor->producer, "Square") && factor->producer->inputs[0] == x) {
            out->power += 2;
        } else if (scalar_value(factor, &value)) {
            out->factor *= (double)value;
        } else {
            return false;
        }
    }
    return true;
}

bool reduces(const node *n, const char *op_name, uint32_t axes) {
    int64_t values[KILN_MAX_RANK];
    if (!node_is(n, op_name) || !is_unclamped(n) || node_int(n, "keepdims", 1) == 0) {
        return false;
    }
    int count = n->input_count > 1 ? node_input_ints(n, 1, values, KILN_MAX_RANK)
                                   : node_ints(n, "axes", values, KILN_MAX_RANK);
    uint32_t found = 0;
    for (int k = 0; k < count; k++) {
        int64_t axis = values[k] + (values[k] < 0 ? n->inputs[0]->rank : 0);
        found |= axis >= 0 && axis < n->inputs[0]->rank ? 1u << axis : 0;
    }
    return count > 0 && found == axes;
}

kiln_status become_function(graph *g, node *n, const char *op_name, tensor *x, const char *origin) {
    tensor **inputs = graph_allocate(g, sizeof *inputs);
    const op *function = op_find(op_name);
    if (inputs == NULL || function == NULL) {
        return KILN_ERROR_MEMORY;
    }
    inputs[0] = x;
    n->inputs = inputs;
    n->input_count = 1;
    n->attribute_count = 0;
    n->op = function;
    n->origin = origin;
    return KILN_OK;
}

tensor *as_vector(graph *g, const tensor *t, int64_t count) {
    tensor *vector = graph_add_constant(g, NULL, KILN_F32, 1, &count);
    for (int64_t k = 0; vector != NULL && k < count; k++) {
        ((float *)vector->owned)[k] = t != NULL ? tensor_f32_at(t, k) : 1;
    }
    return vector;
}

tensor *move_channels(graph *g, size_t *inout_position, const node *like, tensor *x, tensor *y,
                      bool first) {
    int64_t perm[KILN_MAX_RANK], last = (int64_t)x->rank - 1;
    for (int64_t k = 0; k <= last; k++) {
        perm[k] = k == 0 ? 0 : first ? (k == 1 ? last : k - 1) : (k == last ? 1 : k + 1);
    }
    y = y != NULL ? y : graph_add_tensor(g, NULL, KILN_F32);
    node *n = y != NULL ? graph_insert_node(g, *inout_position, op_find("Transpose"), like->name, 1,
                                            &x, 1, &y)
                        : NULL;
    if (n == NULL || node_set_ints(g, n, "perm", perm, x->rank) != KILN_OK ||
        graph_infer_node(g, n) != KILN_OK) {
        return NULL;
    }
    ++*inout_position;
    return y;
}

kiln_status sweep_formulas(graph *g, size_t found, size_t *inout_rewrites) {
    size_t unread = 0;
    *inout_rewrites += found;
    kiln_status status = found > 0 ? graph_refresh(g) : KILN_OK;
    return status == KILN_OK && found > 0 ? pass_remove_dead_code(g, &unread) : status;
}
