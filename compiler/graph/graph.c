/* Making and freeing graphs, their nodes and tensors. */
#include "compiler/graph/graph.h"
#include "compiler/graph/arena.h"
#include "compiler/ops/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

kiln_status graph_create(const char *file, op_finder find_op, kiln_error *error,
                         graph **out_graph) {
    *out_graph = NULL;
    graph *g = calloc(1, sizeof *g);
    arena *a = arena_create();
    if (g == NULL || a == NULL) {
        free(g);
        arena_free(a);
        return kiln_fail(error, KILN_ERROR_MEMORY, "%s: out of memory", file);
    }
    g->arena = a;
    g->find_op = find_op;
    g->error = error;
    g->file = file; /* until there is a copy of it, for the message */
    g->file = graph_strdup(g, file);
    if (g->file == NULL) {
        graph_free(g);
        return KILN_ERROR_MEMORY;
    }
    *out_graph = g;
    return KILN_OK;
}

void graph_free(graph *g) {
    if (g == NULL) {
        return;
    }
    for (size_t k = 0; k < g->tensor_count; k++) {
        tensor_release(g->tensors[k]);
    }
    if (g->release_file != NULL) {
        g->release_file(g->file_context);
    }
    names_free(&g->names);
    arena_free(g->arena);
    free(g);
}

/* ---- Tensors ------------------------------------------------------------------------------- */

static const char *fresh_name(graph *g, const char *name) {
    const char *fresh = name;
    while (fresh == NULL || names_find(&g->names, fresh) != NULL) {
        fresh = graph_printf(g, "%s.%zu", name == NULL ? "t" : name, ++g->fresh_names);
        if (fresh == NULL) {
            return NULL;
        }
    }
    return fresh == name ? graph_strdup(g, name) : fresh;
}

tensor *graph_add_tensor(graph *g, const char *name, kiln_dtype dtype) {
    tensor *t = graph_allocate(g, sizeof *t);
    const char *unique = t == NULL ? NULL : fresh_name(g, name);
    if (unique == NULL) {
        return NULL;
    }
    t->name = unique;
    t->dtype = dtype;
    tensor **tensors = graph_grow(g, g->tensors, g->tensor_count, &g->tensor_capacity);
    if (tensors == NULL) {
        return NULL;
    }
    g->tensors = tensors;
    if (!names_enter(&g->names, unique, t)) {
        graph_fail(g, KILN_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    g->tensors[g->tensor_count++] = t;
    return t;
}

void graph_swap_names(graph *g, tensor *a, tensor *b) {
    const char *name = a->name;
    name_slot *slot_a = names_find(&g->names, a->name);
    name_slot *slot_b = names_find(&g->names, b->name);
    slot_a->value = b;
    slot_b->value = a;
    a->name = b->name;
    b->name = name;
}

tensor *graph_find_tensor(const graph *g, const char *name) {
    name_slot *slot = names_find(&g->names, name);
    return slot != NULL ? slot->value : NULL;
}

tensor *graph_add_constant(graph *g, const char *name, kiln_dtype dtype, uint32_t rank,
                           const int64_t *dims) {
    tensor *t = graph_add_tensor(g, name, dtype);
    if (t == NULL || tensor_set_shape(g, NULL, t, rank, dims) != KILN_OK ||
        tensor_allocate(g, t) != KILN_OK) {
        return NULL;
    }
    return t;
}

/* ---- Nodes --------------------------------------------------------------------------------- */

static tensor **copy_operands(graph *g, size_t count, tensor *const *operands) {
    tensor **copy = graph_allocate(g, count * sizeof *copy);
    if (copy != NULL && count > 0) {
        memcpy(copy, operands, count * sizeof *copy);
    }
    return copy;
}

/* Names a node after its first output when it has no name of its own. */
static const char *name_of_node(graph *g, const char *name, size_t output_count,
                                tensor *const *outputs) {
    if (name != NULL && *name != '\0') {
        return graph_strdup(g, name);
    }
    for (size_t k = 0; k < output_count; k++) {
        if (outputs[k] != NULL) {
            return outputs[k]->name;
        }
    }
    return "?";
}

static bool connect(graph *g, node *n) {
    for (size_t k = 0; k < n->output_count; k++) {
        if (n->outputs[k] != NULL) {
            n->outputs[k]->producer = n;
        }
    }
    for (size_t k = 0; k < n->input_count; k++) {
        if (n->inputs[k] != NULL && tensor_add_consumer(g, n->inputs[k], n) != KILN_OK) {
            return false;
        }
    }
    return true;
}

node *graph_insert_node(graph *g, size_t position, const op *op, const char *name,
                        size_t input_count, tensor *const *inputs, size_t output_count,
                        tensor *const *outputs) {
    node *n = graph_allocate(g, sizeof *n);
    if (n == NULL) {
        return NULL;
    }
    *n = (node){.op = op,
                .name = name_of_node(g, name, output_count, outputs),
                .origin = op->name,
                .input_count = input_count,
                .output_count = output_count,
                .inputs = copy_operands(g, input_count, inputs),
                .outputs = copy_operands(g, output_count, outputs),
                .min = -INFINITY,
                .max = INFINITY};
    if (n->name == NULL || n->inputs == NULL || n->outputs == NULL) {
        return NULL;
    }
    node **nodes = graph_grow(g, g->nodes, g->node_count, &g->node_capacity);
    if (nodes == NULL) {
        return NULL;
    }
    g->nodes = nodes;
    if (!connect(g, n)) {
        return NULL;
    }
    memmove(g->nodes + position + 1, g->nodes + position,
            (g->node_count - position) * sizeof *g->nodes);
    g->nodes[position] = n;
    g->node_count++;
    return n;
}

node *graph_add_node(graph *g, const op *op, const char *name, size_t input_count,
                     tensor *const *inputs, size_t output_count, tensor *const *outputs) {
    return graph_insert_node(g, g->node_count, op, name, input_count, inputs, output_count,
                             outputs);
}
