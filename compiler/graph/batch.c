/* While the batch is left open, constants computed from it (Shape, and arithmetic on it) are known
 * for two batches more than the placeholder's. An element that is the same at all of them does not
 * depend on the batch, whatever operators it went through; one that is a multiple may shape a
 * tensor; any other cannot stand in a plan, and the compiler falls back to a batch of one. */
#include "compiler/ops/ops.h"

#include <stdlib.h>
#include <string.h>

static const int64_t other_batches[GRAPH_OTHER_BATCHES] = {1, 2};

static bool depends_on_batch(const graph *g, const node *n) {
    bool shape_only = (n->op->flags & OP_SHAPE_ONLY) != 0;
    for (size_t k = 0; k < n->input_count; k++) {
        const tensor *t = n->inputs[k];
        if (tensor_depends_on_batch(t) || (shape_only && t != NULL && tensor_is_batched(g, t))) {
            return true;
        }
    }
    return false;
}

/* ---- A node at another batch --------------------------------------------------------------- */

typedef struct node_at {
    node n;
    tensor *tensors; /* its inputs, then its outputs */
} node_at;

static int64_t dim_at(int64_t dim, int64_t batch) {
    return dim > 0 && dim % GRAPH_BATCH == 0 ? dim / GRAPH_BATCH * batch : dim;
}

static void input_at(const tensor *t, size_t other, tensor *out) {
    *out = *t;
    out->owned = NULL;
    if (tensor_depends_on_batch(t)) {
        out->data = t->other[other];
        memset(out->other, 0, sizeof out->other);
    }
    for (uint32_t d = 0; d < t->rank && !tensor_is_constant(t); d++) {
        out->dims[d] = dim_at(t->dims[d], other_batches[other]);
    }
}

/* A copy of n with operands of its own, whose shapes and values are those at another batch. */
static kiln_status make_node_at(graph *g, const node *n, size_t other, node_at *out) {
    size_t count = n->input_count + n->output_count;
    tensor **operands = graph_allocate(g, count * sizeof(tensor *));
    out->tensors = calloc(count + 1, sizeof *out->tensors);
    if (operands == NULL || out->tensors == NULL) {
        return graph_fail(g, KILN_ERROR_MEMORY, "out of memory");
    }
    out->n = *n;
    out->n.inputs = operands;
    out->n.outputs = operands + n->input_count;
    for (size_t k = 0; k < count; k++) {
        bool input = k < n->input_count;
        const tensor *t = input ? n->inputs[k] : n->outputs[k - n->input_count];
        operands[k] = t != NULL ? &out->tensors[k] : NULL;
        if (t != NULL && input) {
            input_at(t, other, &out->tensors[k]);
        } else if (t != NULL) {
            out->tensors[k] = (tensor){.name = t->name};
        }
    }
    return KILN_OK;
}

static void release_node_at(node_at *at) {
    size_t count = at->tensors != NULL ? at->n.input_count + at->n.output_count : 0;
    for (size_t k = 0; k < count; k++) {
        free(at->tensors[k].owned);
    }
    free(at->tensors);
}

static kiln_status infer_at(graph *g, node_at *at, size_t other) {
    bool symbolic = g->batch_symbolic;
    g->batch_symbolic = false;
    kiln_status status = at->n.op->infer(g, &at->n);
    g->batch_symbolic = symbolic;
    return status == KILN_OK || status == KILN_ERROR_MEMORY
               ? status
               : node_fail(g, &at->n, KILN_ERROR_UNSUPPORTED, "fails at a batch of %lld",
                           (long long)other_batches[other]);
}

/* Is the shape at another batch the one at the placeholder, with that batch in its place? */
static bool is_shape_at(const tensor *t, const tensor *at, size_t other) {
    bool same = t->rank == at->rank && t->dtype == at->dtype;
    for (uint32_t d = 0; d < t->rank && same; d++) {
        same = at->dims[d] == dim_at(t->dims[d], other_batches[other]);
    }
    return same;
}

static kiln_status check_shapes_at(const graph *g, const node *n, const node_at *at, size_t other) {
    for (size_t k = 0; k < n->output_count; k++) {
        const tensor *t = n->outputs[k];
        if (t != NULL && !is_shape_at(t, at->n.outputs[k], other)) {
            return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                             "the shape of '%s' is no multiple of the batch", t->name);
        }
    }
    return KILN_OK;
}

/* ---- Constants ----------------------------------------------------------------------------- */

static kiln_status evaluate_at(graph *g, node *n, size_t other) {
    node_at at = {0};
    kiln_status status = make_node_at(g, n, other, &at);
    if (status == KILN_OK) {
        status = infer_at(g, &at, other);
    }
    if (status == KILN_OK) {
        status = check_shapes_at(g, n, &at, other);
    }
    for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
        status = at.n.outputs[k] != NULL ? tensor_allocate(g, at.n.outputs[k]) : KILN_OK;
    }
    if (status == KILN_OK) {
        status = n->op->evaluate(g, &at.n);
    }
    for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
        if (n->outputs[k] != NULL) {
            n->outputs[k]->other[other] = at.n.outputs[k]->owned;
            at.n.outputs[k]->owned = NULL;
        }
    }
    release_node_at(&at);
    return status;
}

/* Drops the values at other batches where they are the same at every batch. */
static void drop_equal(tensor *t) {
    size_t bytes = (size_t)tensor_elements(t) * kiln_dtype_size(t->dtype);
    for (size_t other = 0; other < GRAPH_OTHER_BATCHES; other++) {
        if (bytes > 0 && memcmp(t->data, t->other[other], bytes) != 0) {
            return;
        }
    }
    tensor_release_other(t);
}

kiln_status graph_evaluate_other_batches(graph *g, node *n) {
    if (!g->batch_symbolic || !depends_on_batch(g, n)) {
        return KILN_OK;
    }
    kiln_status status = KILN_OK;
    for (size_t other = 0; other < GRAPH_OTHER_BATCHES && status == KILN_OK; other++) {
        status = evaluate_at(g, n, other);
    }
    for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
        if (n->outputs[k] != NULL) {
            drop_equal(n->outputs[k]);
        }
    }
    return status;
}

/* ---- Nodes that a run computes ------------------------------------------------------------- */

/* Is each element the same at every batch, or a multiple of it? */
static bool is_multiple(const tensor *t) {
    const int64_t *values = t->data, *const *others = (const int64_t *const *)t->other;
    for (int64_t k = 0; k < tensor_elements(t) && t->dtype == KILN_I64; k++) {
        int64_t each = values[k] % GRAPH_BATCH == 0 ? values[k] / GRAPH_BATCH : 0;
        for (size_t other = 0; other < GRAPH_OTHER_BATCHES; other++) {
            int64_t there = others[other][k];
            if (there != values[k] && (each == 0 || there != each * other_batches[other])) {
                return false;
            }
        }
    }
    return t->dtype == KILN_I64;
}

kiln_status graph_check_batch(graph *g, node *n) {
    bool depends = false;
    for (size_t k = 0; k < n->input_count; k++) {
        const tensor *t = n->inputs[k];
        bool shapes = k < 32 && (n->op->constant_inputs >> k & 1) != 0;
        if (tensor_depends_on_batch(t) && (!shapes || !is_multiple(t))) {
            return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "computes with the batch size");
        }
        depends = depends || tensor_depends_on_batch(t);
    }
    kiln_status status = KILN_OK;
    for (size_t other = 0; depends && other < GRAPH_OTHER_BATCHES && status == KILN_OK; other++) {
        node_at at = {0};
        status = make_node_at(g, n, other, &at);
        if (status == KILN_OK) {
            status = infer_at(g, &at, other);
        }
        if (status == KILN_OK) {
            status = check_shapes_at(g, n, &at, other);
        }
        release_node_at(&at);
    }
    return status;
}
