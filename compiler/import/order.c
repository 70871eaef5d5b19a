/* The order of nodes. ONNX asks for a topological one; some exporters do not keep to it. */
#include "compiler/import/importing.h"

#include <string.h>

static bool is_made_by_node(const tensor *t) {
    return t != NULL && t->producer != NULL;
}

/* Each node's mark becomes the number of its operands that nodes make. Those without any are put on
 * the stack, the first one on top. */
static size_t stack_ready_nodes(graph *g, node **stack) {
    size_t waiting = 0;
    for (size_t k = g->node_count; k-- > 0;) {
        node *n = g->nodes[k];
        n->mark = 0;
        for (size_t i = 0; i < n->input_count; i++) {
            n->mark += is_made_by_node(n->inputs[i]);
        }
        if (n->mark == 0) {
            stack[waiting++] = n;
        }
    }
    return waiting;
}

/* A. B. Kahn, "Topological sorting of large networks", 1962. */
static kiln_status sort_nodes(graph *g) {
    node **sorted = graph_allocate(g, g->node_count * sizeof *sorted);
    node **stack = graph_allocate(g, g->node_count * sizeof *stack);
    if (sorted == NULL || stack == NULL) {
        return KILN_ERROR_MEMORY;
    }
    size_t count = 0, waiting = stack_ready_nodes(g, stack);
    while (waiting > 0) {
        node *n = stack[--waiting];
        sorted[count++] = n;
        for (size_t o = 0; o < n->output_count; o++) {
            const tensor *t = n->outputs[o];
            for (size_t c = 0; t != NULL && c < t->consumer_count; c++) {
                if (--t->consumers[c]->mark == 0) {
                    stack[waiting++] = t->consumers[c];
                }
            }
        }
    }
    if (count < g->node_count) {
        return graph_fail(g, KILN_ERROR_FORMAT, "the graph has a cycle");
    }
    memcpy(g->nodes, sorted, count * sizeof *sorted);
    return KILN_OK;
}

kiln_status import_order(importing *im) {
    graph *g = im->g;
    bool ordered = true;
    for (size_t k = 0; k < g->node_count; k++) {
        g->nodes[k]->mark = 0;
    }
    for (size_t k = 0; k < g->node_count; k++) {
        const node *n = g->nodes[k];
        for (size_t i = 0; i < n->input_count; i++) {
            const tensor *t = n->inputs[i];
            if (t != NULL && t->producer == NULL && !t->is_input && t->data == NULL) {
                return node_fail(g, n, KILN_ERROR_FORMAT, "input '%s' is not defined anywhere",
                                 t->name);
            }
            ordered = ordered && (!is_made_by_node(t) || t->producer->mark != 0);
        }
        g->nodes[k]->mark = 1;
    }
    return ordered ? KILN_OK : sort_nodes(g);
}
