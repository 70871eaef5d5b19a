/* What must hold between passes. A failure is a bug of the last pass, not of the model. */
#include "compiler/ops/ops.h"

#include <stdlib.h>

/* What is known while walking in order, by the tensor's place in graph.tensors. */
typedef struct walk {
    const graph *g;
    bool *defined;
    size_t *uses;
} walk;

/* Tensors find their place in graph.tensors through `mark`, which is put back afterwards. */
static bool is_listed(const graph *g, const tensor *t) {
    return t->mark < g->tensor_count && g->tensors[t->mark] == t;
}

static kiln_status check_tensor(const walk *w, const node *n, const tensor *t) {
    const graph *g = w->g;
    if (!is_listed(g, t)) {
        return node_fail(g, n, KILN_ERROR_INTERNAL, "tensor '%s' is not the graph's", t->name);
    }
    if (kiln_dtype_size(t->dtype) == 0) {
        return node_fail(g, n, KILN_ERROR_INTERNAL, "tensor '%s' has no type", t->name);
    }
    tensor checked = *t;
    if (!t->shape_known || tensor_set_shape(g, n, &checked, t->rank, t->dims) != KILN_OK) {
        return node_fail(g, n, KILN_ERROR_INTERNAL, "tensor '%s' has no valid shape", t->name);
    }
    return KILN_OK;
}

static kiln_status check_inputs(walk *w, const node *n) {
    for (size_t k = 0; k < n->input_count; k++) {
        const tensor *t = n->inputs[k];
        kiln_status status = t == NULL ? KILN_OK : check_tensor(w, n, t);
        if (status != KILN_OK) {
            return status;
        }
        if (t == NULL) {
            continue;
        }
        if (!t->is_input && !tensor_is_constant(t) && !w->defined[t->mark]) {
            return node_fail(w->g, n, KILN_ERROR_INTERNAL, "reads '%s' before it is made", t->name);
        }
        w->uses[t->mark]++;
    }
    return KILN_OK;
}

static kiln_status check_outputs(walk *w, const node *n) {
    for (size_t k = 0; k < n->output_count; k++) {
        const tensor *t = n->outputs[k];
        kiln_status status = t == NULL ? KILN_OK : check_tensor(w, n, t);
        if (status != KILN_OK) {
            return status;
        }
        if (t == NULL) {
            continue;
        }
        if (w->defined[t->mark] || t->is_input || tensor_is_constant(t)) {
            return node_fail(w->g, n, KILN_ERROR_INTERNAL, "makes '%s' a second time", t->name);
        }
        if (t->producer != n) {
            return node_fail(w->g, n, KILN_ERROR_INTERNAL, "is not the producer of '%s'", t->name);
        }
        w->defined[t->mark] = true;
    }
    return KILN_OK;
}

static kiln_status check_node(walk *w, const node *n) {
    const op *op = n->op;
    if (n->dead) {
        return node_fail(w->g, n, KILN_ERROR_INTERNAL, "is dead");
    }
    bool counts = n->input_count >= op->min_inputs &&
                  (op->max_inputs == 255 || n->input_count <= op->max_inputs) &&
                  n->output_count >= op->min_outputs &&
                  (op->max_outputs == 255 || n->output_count <= op->max_outputs);
    if (!counts) {
        return node_fail(w->g, n, KILN_ERROR_INTERNAL, "has %zu inputs and %zu outputs",
                         n->input_count, n->output_count);
    }
    if (!(n->min <= n->max)) {
        return node_fail(w->g, n, KILN_ERROR_INTERNAL, "clamps to nothing");
    }
    kiln_status status = check_inputs(w, n);
    return status == KILN_OK ? check_outputs(w, n) : status;
}

static kiln_status check_ends(const walk *w) {
    const graph *g = w->g;
    for (size_t k = 0; k < g->output_count; k++) {
        const tensor *t = g->outputs[k];
        if (!t->is_output || !is_listed(g, t) ||
            (!t->is_input && !tensor_is_constant(t) && !w->defined[t->mark])) {
            return graph_fail(g, KILN_ERROR_INTERNAL, "output '%s' is made by nobody", t->name);
        }
    }
    for (size_t k = 0; k < g->input_count; k++) {
        if (!g->inputs[k]->is_input || !is_listed(g, g->inputs[k])) {
            return graph_fail(g, KILN_ERROR_INTERNAL, "input '%s' is none", g->inputs[k]->name);
        }
    }
    for (size_t k = 0; k < g->tensor_count; k++) {
        if (g->tensors[k]->consumer_count != w->uses[k]) {
            return graph_fail(g, KILN_ERROR_INTERNAL, "tensor '%s' is read %zu times, not %zu",
                              g->tensors[k]->name, w->uses[k], g->tensors[k]->consumer_count);
        }
    }
    return KILN_OK;
}

kiln_status graph_validate(const graph *g) {
    size_t count = g->tensor_count > 0 ? g->tensor_count : 1;
    walk w = {g, calloc(count, sizeof *w.defined), calloc(count, sizeof *w.uses)};
    size_t *marks = calloc(count, sizeof *marks);
    kiln_status status = KILN_OK;
    if (w.defined == NULL || w.uses == NULL || marks == NULL) {
        status = graph_fail(g, KILN_ERROR_MEMORY, "out of memory");
        goto cleanup;
    }
    for (size_t k = 0; k < g->tensor_count; k++) {
        marks[k] = g->tensors[k]->mark;
        g->tensors[k]->mark = k;
    }
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        status = check_node(&w, g->nodes[k]);
    }
    if (status == KILN_OK) {
        status = check_ends(&w);
    }
    for (size_t k = 0; k < g->tensor_count; k++) {
        g->tensors[k]->mark = marks[k];
    }
cleanup:
    free(w.defined);
    free(w.uses);
    free(marks);
    return status;
}
