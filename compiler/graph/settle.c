/* What a graph's wanted tensors need, settled in the order in which it is needed: operators that
 * only give a graph its structure are replaced by others, shapes are inferred, and what depends on
 * constants and shapes alone is computed. What nothing wanted needs is dropped unseen, so that an
 * operator that cannot be compiled stands in the way only where it is left. */
#include "compiler/graph/settle.h"
#include "compiler/graph/element_type.h"
#include "compiler/ops/ops.h"

#include <stdlib.h>
#include <string.h>

enum { NODE_NEW = 0, NODE_OPENED, NODE_DONE };

typedef struct walk_node {
    node *n;
    size_t place;   /* of the node of the model that it came from */
    size_t done_at; /* when it was done: after its operands */
    uint8_t state;
} walk_node;

typedef struct walk {
    graph *g;
    walk_node *nodes; /* by node->mark; the graph's own order */
    size_t node_count, node_capacity, done_count;
    tensor **stack;
    size_t depth, stack_capacity;
    refusals refused;
    size_t folded;
    bool structured; /* some node has to be resolved */
} walk;

/* Is its shape known or, of a sequence, its elements? True for NULL. */
static bool is_settled(const tensor *t) {
    return t == NULL || t->shape_known || t->is_sequence;
}

/* ---- Bookkeeping --------------------------------------------------------------------------- */

static kiln_status no_memory(const walk *w) {
    return graph_fail(w->g, KILN_ERROR_MEMORY, "out of memory");
}

/* Makes room for `wanted` items and one more; NULL: there is no memory, and the old array stays. */
static void *room_for(void *items, size_t wanted, size_t *inout_capacity, size_t size) {
    if (wanted < *inout_capacity) {
        return items;
    }
    size_t capacity = 2 * wanted + 64;
    void *grown = realloc(items, capacity * size);
    *inout_capacity = grown != NULL ? capacity : *inout_capacity;
    return grown;
}

/* Takes in nodes of the graph that the walk does not know yet; `place` says where they stand, or
 * NULL that each stands where it is. */
static kiln_status take_nodes(walk *w, const size_t *place) {
    graph *g = w->g;
    void *grown = room_for(w->nodes, g->node_count, &w->node_capacity, sizeof *w->nodes);
    if (grown == NULL) {
        return no_memory(w);
    }
    w->nodes = grown;
    for (; w->node_count < g->node_count; w->node_count++) {
        size_t k = w->node_count;
        g->nodes[k]->mark = k;
        w->structured = w->structured || g->nodes[k]->op->resolve != NULL;
        w->nodes[k] = (walk_node){.n = g->nodes[k], .place = place != NULL ? *place : k};
    }
    return KILN_OK;
}

static kiln_status push(walk *w, tensor *t) {
    void *grown = room_for(w->stack, w->depth + 1, &w->stack_capacity, sizeof *w->stack);
    if (grown == NULL) {
        return no_memory(w);
    }
    w->stack = grown;
    w->stack[w->depth++] = t;
    return KILN_OK;
}

static walk_node *walk_node_of(walk *w, const tensor *t) {
    return t->producer != NULL ? &w->nodes[t->producer->mark] : NULL;
}

static void finish(walk *w, walk_node *at) {
    at->state = NODE_DONE;
    at->done_at = w->done_count++;
}

static bool is_done(walk *w, const tensor *t) {
    const walk_node *made_by = t == NULL ? NULL : walk_node_of(w, t);
    return made_by == NULL || made_by->state == NODE_DONE;
}

/* ---- Constants ----------------------------------------------------------------------------- */

static bool has_batch(const graph *g, const tensor *t) {
    for (uint32_t d = 0; d < t->rank; d++) {
        if (g->batch_symbolic && t->dims[d] > 0 && t->dims[d] % GRAPH_BATCH == 0) {
            return true;
        }
    }
    return false;
}

/* Types of the graph's boundary are made by a run only, and so are tensors over the open batch. */
static bool can_evaluate(const graph *g, const node *n) {
    bool shape_only = (n->op->flags & OP_SHAPE_ONLY) != 0;
    for (size_t k = 0; k < n->input_count; k++) {
        const tensor *t = n->inputs[k];
        if (t != NULL && !tensor_is_constant(t) && !(shape_only && t->shape_known)) {
            return false;
        }
    }
    for (size_t k = 0; k < n->output_count; k++) {
        const tensor *t = n->outputs[k];
        if (t != NULL && (t->dtype != inner_dtype(t->dtype) || has_batch(g, t))) {
            return false;
        }
    }
    return n->op->evaluate != NULL;
}

/* Refuses inputs that the operator needs now but that only a run could tell. */
static kiln_status check_constant_inputs(const graph *g, const node *n) {
    for (size_t k = 0; k < n->input_count && k < 32; k++) {
        const tensor *t = n->inputs[k];
        if ((n->op->constant_inputs >> k & 1) != 0 && t != NULL && !tensor_is_constant(t)) {
            return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                             "input %zu ('%s') must be known when compiling%s", k, t->name,
                             t->is_input ? "; settle it with --input NAME=@FILE" : "");
        }
    }
    return KILN_OK;
}

/* Outputs without elements are constants, whatever computes them: nothing is left to compute. A
 * graph's output stays, and is refused. */
static kiln_status settle_empty_outputs(graph *g, node *n) {
    bool all = n->output_count > 0;
    for (size_t k = 0; k < n->output_count; k++) {
        tensor *t = n->outputs[k];
        if (t == NULL) {
            continue;
        }
        if (tensor_elements(t) != 0 || t->is_output) {
            all = false;
            continue;
        }
        kiln_status status = tensor_allocate(g, t);
        if (status != KILN_OK) {
            return status;
        }
        n->outputs[k] = NULL;
    }
    n->dead = all;
    return KILN_OK;
}

/* Releases constants that n was the last to read. A tensor's mark counts the readers that have been
 * folded; nodes of structure may bring in others later. */
static void release_read(const walk *w, const node *n) {
    for (size_t k = 0; k < n->input_count && !w->structured; k++) {
        tensor *t = n->inputs[k];
        if (t != NULL && ++t->mark == t->consumer_count && !t->is_output) {
            tensor_release(t);
        }
    }
}

static kiln_status infer_and_fold(walk *w, node *n) {
    graph *g = w->g;
    kiln_status status = check_constant_inputs(g, n);
    if (status == KILN_OK) {
        status = graph_infer_node(g, n);
    }
    if (status != KILN_OK) {
        return status;
    }
    if (!can_evaluate(g, n)) {
        status = graph_check_batch(g, n);
        return status == KILN_OK ? settle_empty_outputs(g, n) : status;
    }
    status = graph_fold_node(g, n);
    if (status == KILN_OK) {
        n->dead = true;
        w->folded++;
        release_read(w, n);
    }
    return status;
}

/* ---- Nodes --------------------------------------------------------------------------------- */

static void forget_outputs(const node *n) {
    for (size_t k = 0; k < n->output_count; k++) {
        if (n->outputs[k] != NULL) {
            n->outputs[k]->shape_known = false;
        }
    }
}

/* Identity gives a sequence another name; all other operators read tensors. */
static kiln_status settle_sequence(walk *w, node *n) {
    if (strcmp(n->op->name, "Identity") != 0 || n->outputs[0] == NULL) {
        return refuse_node(w->g, &w->refused, n, "reads a sequence");
    }
    n->outputs[0]->is_sequence = true;
    n->outputs[0]->members = n->inputs[0]->members;
    n->outputs[0]->member_count = n->inputs[0]->member_count;
    n->dead = true;
    return KILN_OK;
}

/* Settles a node whose inputs are done. What stands behind a node that cannot be compiled stays
 * unknown. */
static kiln_status settle_node(walk *w, node *n) {
    if ((n->op->flags & OP_UNKNOWN) != 0) {
        return refuse_node(w->g, &w->refused, n, NULL);
    }
    for (size_t k = 0; k < n->input_count; k++) {
        if (!is_settled(n->inputs[k])) {
            return KILN_OK;
        }
        if (n->inputs[k] != NULL && n->inputs[k]->is_sequence) {
            return settle_sequence(w, n);
        }
    }
    kiln_status status = infer_and_fold(w, n);
    if (status == KILN_ERROR_UNSUPPORTED) {
        forget_outputs(n);
        status = refuse_failed_node(w->g, &w->refused, n);
    }
    return status;
}

/* Goes one step with a node of structure, which waits for an operand, is replaced or is refused. */
static kiln_status resolve_node(walk *w, walk_node *at) {
    node *n = at->n;
    size_t place = at->place;
    resolution r = {0};
    kiln_status status = n->op->resolve(w->g, n, &r);
    if (status == KILN_ERROR_UNSUPPORTED) {
        finish(w, at);
        return refuse_failed_node(w->g, &w->refused, n);
    }
    if (status != KILN_OK) {
        return status;
    }
    if (r.needed != NULL && !is_done(w, r.needed)) {
        return push(w, r.needed);
    }
    finish(w, at);
    if (r.needed != NULL) {
        return is_settled(r.needed) ? refuse_node(w->g, &w->refused, n, r.otherwise) : KILN_OK;
    }
    n->dead = true;
    w->folded++;
    for (size_t k = 0; k < n->output_count; k++) {
        const tensor *t = n->outputs[k];
        if (t != NULL && t->producer == n && !is_settled(t)) {
            return node_fail(w->g, n, KILN_ERROR_FORMAT, "an input is missing");
        }
    }
    return take_nodes(w, &place);
}

static kiln_status open_node(walk *w, walk_node *at) {
    node *n = at->n;
    kiln_status status = KILN_OK;
    at->state = NODE_OPENED;
    for (size_t k = n->input_count; k-- > 0 && status == KILN_OK;) {
        if (!is_done(w, n->inputs[k])) {
            status = push(w, n->inputs[k]);
        }
    }
    return status;
}

static kiln_status settle_stack(walk *w) {
    kiln_status status = KILN_OK;
    while (w->depth > 0 && status == KILN_OK) {
        tensor *t = w->stack[w->depth - 1];
        if (is_done(w, t)) {
            w->depth--;
            continue;
        }
        walk_node *at = walk_node_of(w, t);
        if (at->n->op->resolve != NULL) {
            status = resolve_node(w, at);
        } else if (at->state == NODE_NEW) {
            status = open_node(w, at);
        } else {
            finish(w, at);
            status = settle_node(w, at->n);
        }
    }
    return status;
}

/* ---- All ----------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b) {
    const walk_node *x = a, *y = b;
    if (x->place != y->place) {
        return x->place < y->place ? -1 : 1;
    }
    return x->done_at < y->done_at ? -1 : x->done_at > y->done_at;
}

/* Keeps the nodes that were needed, in the model's order. */
static void keep_order(walk *w) {
    graph *g = w->g;
    qsort(w->nodes, w->node_count, sizeof *w->nodes, by_place);
    for (size_t k = 0; k < w->node_count; k++) {
        g->nodes[k] = w->nodes[k].n;
        g->nodes[k]->dead = g->nodes[k]->dead || w->nodes[k].state != NODE_DONE;
    }
}

kiln_status graph_settle(graph *g, tensor *const *wanted, size_t count, size_t *inout_folded) {
    walk w = {.g = g};
    graph_clear_marks(g);
    kiln_status status = take_nodes(&w, NULL);
    for (size_t k = count; k-- > 0 && status == KILN_OK;) {
        status = push(&w, wanted[k]);
    }
    if (status == KILN_OK) {
        status = settle_stack(&w);
    }
    if (status == KILN_OK) {
        status = refusals_fail(g, &w.refused, wanted, count);
    }
    if (status == KILN_OK) {
        keep_order(&w);
    }
    *inout_folded += w.folded;
    refusals_free(&w.refused);
    free(w.nodes);
    free(w.stack);
    return status;
}
