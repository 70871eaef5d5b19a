/* Rewiring: consumer lists, and what passes leave behind swept up. */
#include "compiler/graph/graph.h"

#include <string.h>

kiln_status tensor_add_consumer(graph *g, tensor *t, node *n) {
    node **consumers = graph_grow(g, t->consumers, t->consumer_count, &t->consumer_capacity);
    if (consumers == NULL) {
        return KILN_ERROR_MEMORY;
    }
    t->consumers = consumers;
    t->consumers[t->consumer_count++] = n;
    return KILN_OK;
}

static void remove_consumer(tensor *t, const node *n) {
    for (size_t k = 0; k < t->consumer_count; k++) {
        if (t->consumers[k] == n) {
            memmove(t->consumers + k, t->consumers + k + 1,
                    (t->consumer_count - k - 1) * sizeof *t->consumers);
            t->consumer_count--;
            return;
        }
    }
}

static void drop_dead_nodes(graph *g) {
    size_t kept = 0;
    for (size_t k = 0; k < g->node_count; k++) {
        if (!g->nodes[k]->dead) {
            g->nodes[kept++] = g->nodes[k];
        }
    }
    g->node_count = kept;
}

/* Releases constants that were read once and no longer are: folded weights would lie twice in
 * memory. */
static void release_unread_constants(graph *g) {
    for (size_t k = 0; k < g->tensor_count; k++) {
        tensor *t = g->tensors[k];
        bool was_read = t->consumer_capacity > 0;
        if (was_read && t->consumer_count == 0 && !t->is_output && !t->is_input) {
            tensor_release(t);
        }
    }
}

void graph_clear_marks(const graph *g) {
    for (size_t k = 0; k < g->tensor_count; k++) {
        g->tensors[k]->mark = 0;
    }
}

kiln_status graph_refresh(graph *g) {
    drop_dead_nodes(g);
    for (size_t k = 0; k < g->tensor_count; k++) {
        g->tensors[k]->producer = NULL;
        g->tensors[k]->consumer_count = 0;
    }
    for (size_t k = 0; k < g->node_count; k++) {
        node *n = g->nodes[k];
        for (size_t o = 0; o < n->output_count; o++) {
            if (n->outputs[o] != NULL) {
                n->outputs[o]->producer = n;
            }
        }
        for (size_t i = 0; i < n->input_count; i++) {
            kiln_status status =
                n->inputs[i] == NULL ? KILN_OK : tensor_add_consumer(g, n->inputs[i], n);
            if (status != KILN_OK) {
                return status;
            }
        }
    }
    release_unread_constants(g);
    return KILN_OK;
}

kiln_status node_set_input(graph *g, node *n, size_t k, tensor *t) {
    tensor *old = n->inputs[k];
    if (old == t) {
        return KILN_OK;
    }
    kiln_status status = t == NULL ? KILN_OK : tensor_add_consumer(g, t, n);
    if (status == KILN_OK) {
        n->inputs[k] = t;
        if (old != NULL) {
            remove_consumer(old, n);
        }
    }
    return status;
}

kiln_status graph_replace_uses(graph *g, tensor *from, tensor *to) {
    if (from == to) {
        return KILN_OK;
    }
    for (size_t c = 0; c < from->consumer_count; c++) {
        kiln_status status = tensor_add_consumer(g, to, from->consumers[c]);
        if (status != KILN_OK) {
            return status;
        }
    }
    for (size_t c = 0; c < from->consumer_count; c++) {
        node *n = from->consumers[c];
        for (size_t k = 0; k < n->input_count; k++) {
            n->inputs[k] = n->inputs[k] == from ? to : n->inputs[k];
        }
    }
    from->consumer_count = 0;
    return KILN_OK;
}

node *tensor_single_consumer(const tensor *t) {
    return t->consumer_count == 1 && !t->is_output ? t->consumers[0] : NULL;
}
