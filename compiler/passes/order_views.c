/* Heads, windows and patches are taken out of maps by Reshape and Transpose, and put back so, in
 * the order of channels first. Maps lie channels-last: such a chain then moves whatever it is made
 * of twice, single elements at a time. Where it keeps channels together it is said anew, from and
 * to channels-last: one Transpose moves rows of channels, or nothing at all. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/strided_view.h"

#include <string.h>

#define DEPTH 8 /* operators that are followed, at most, to see how a tensor lies */

/* A chain of views and transposes, each of which has one reader. */
typedef struct chain {
    tensor *base, *end;
    size_t length;
    bool from_last, to_last; /* base lies channels-last; end is wanted so */
    strided_view view;       /* of end on base, as they lie */
} chain;

static bool moves(const node *n) {
    return n != NULL && !n->dead && (n->op->layout == OP_VIEW || node_is(n, "Transpose"));
}

/* Will t lie channels-last? Operators that take either order follow such an input. */
static bool is_map(const tensor *t, size_t depth) {
    const node *n = t->producer;
    if (n == NULL || t->rank < 3 || depth == 0) {
        return false;
    }
    bool last = n->op->layout == OP_CHANNELS_LAST;
    for (size_t k = 0; k < n->input_count && !last && n->op->layout == OP_ANY; k++) {
        const tensor *x = n->inputs[k];
        last = x != NULL && x->rank == t->rank && is_map(x, depth - 1);
    }
    return last;
}

/* Does a reader take t channels-last, by itself or beside another input? */
static bool is_wanted_last(const tensor *t, size_t depth) {
    for (size_t k = 0; k < t->consumer_count && t->rank >= 3 && depth > 0; k++) {
        const node *n = t->consumers[k];
        bool wanted = n->op->layout == OP_CHANNELS_LAST && n->inputs[0] == t;
        if (n->op->layout == OP_ANY && n->output_count == 1 && n->outputs[0]->rank == t->rank) {
            wanted = is_map(n->outputs[0], depth) || is_wanted_last(n->outputs[0], depth - 1);
        }
        if (!n->dead && wanted) {
            return true;
        }
    }
    return false;
}

/* The chain that ends at t. A single transpose is left to the layout pass. */
static bool find_chain(tensor *t, chain *out) {
    bool transposes = false;
    const node *reader = tensor_single_consumer(t);
    *out = (chain){.base = t, .end = t};
    for (node *n = t->producer; moves(n) && n->inputs[0]->dtype == KILN_F32;
         n = n->inputs[0]->producer) {
        if (out->base != t && tensor_single_consumer(out->base) == NULL) {
            break;
        }
        transposes = transposes || node_is(n, "Transpose");
        out->base = n->inputs[0];
        out->length++;
    }
    out->from_last = is_map(out->base, DEPTH);
    out->to_last = is_wanted_last(t, DEPTH);
    return transposes && out->length > 1 && !moves(reader) && (out->from_last || out->to_last) &&
           !tensor_is_constant(out->base) && view_on(t, out->base, &out->view);
}

static int64_t samples_of(const chain *c) {
    int64_t from = c->base->dims[0], to = c->end->dims[0];
    return from < to ? from : to;
}

/* Samples stay where they are, one after the other. Where either end has more in front, as many
 * patches of each sample, that is what the outermost loops of a sample run through. */
static bool keeps_samples(const chain *c) {
    int64_t from = c->base->dims[0], to = c->end->dims[0], count = samples_of(c);
    const view_factor *outer = &c->view.factors[0];
    return c->end->rank > 1 && c->base->rank > 1 && count > 0 && from % count == 0 &&
           to % count == 0 &&
           (count == 1 ||
            (outer->size == count && outer->stride == tensor_elements(c->base) / count));
}

/* The axis of channels-first order that is number k in channels-last order, and back. */
static int64_t axis_at(uint32_t rank, uint32_t k, bool to_last) {
    if (k == 0) {
        return 0;
    }
    return to_last ? (k + 1 == rank ? 1 : (int64_t)k + 1)
                   : (k == 1 ? (int64_t)rank - 1 : (int64_t)k - 1);
}

/* Loops of a sample in the order in which the end has them; where each stands in the base. */
typedef struct loops {
    uint32_t count;
    view_factor items[VIEW_FACTORS];
    int64_t places[KILN_MAX_RANK]; /* of a Transpose: 0 for the samples, then 1 + place */
    int64_t sizes[KILN_MAX_RANK];  /* by place; -1, which Reshape finds out, for the samples */
    bool in_order;                 /* nothing has to be moved */
} loops;

static void gather_loops(const chain *c, loops *out) {
    const strided_view *v = &c->view;
    uint32_t outer = samples_of(c) > 1; /* loops that are the samples' */
    out->count = 0;
    for (uint32_t k = 0; k < v->rank; k++) {
        int64_t axis = c->to_last ? axis_at(v->rank, k, true) : (int64_t)k;
        for (uint32_t f = v->first[axis] + (k == 0 ? outer : 0); f < v->first[axis + 1]; f++) {
            view_factor *last = out->count > 0 ? &out->items[out->count - 1] : NULL;
            if (last != NULL && last->stride == v->factors[f].stride * v->factors[f].size) {
                *last = (view_factor){last->size * v->factors[f].size, v->factors[f].stride};
            } else {
                out->items[out->count++] = v->factors[f];
            }
        }
    }
}

/* Each loop's place is the number of loops with larger strides; strides are what lies within. */
static bool order_loops(loops *l) {
    if (l->count == 0 || l->count >= KILN_MAX_RANK) {
        return false;
    }
    l->in_order = true;
    for (uint32_t k = 0; k < l->count; k++) {
        int64_t place = 0, within = 1;
        for (uint32_t o = 0; o < l->count; o++) {
            place += l->items[o].stride > l->items[k].stride;
            within *= l->items[o].stride < l->items[k].stride ? l->items[o].size : 1;
        }
        if (within != l->items[k].stride) {
            return false;
        }
        l->in_order = l->in_order && place == k;
        l->places[1 + k] = 1 + place;
        l->sizes[1 + place] = l->items[k].size;
    }
    l->places[0] = 0;
    l->sizes[0] = -1;
    return l->items[l->count - 1].stride == 1;
}

/* ---- Rewriting ----------------------------------------------------------------------------- */

typedef struct writing {
    graph *g;
    size_t position;
    const node *like;
    kiln_status status;
} writing;

/* Adds a node of x that makes y, or a new tensor where that is NULL. */
static tensor *add(writing *w, const char *op_name, tensor *x, uint32_t count,
                   const int64_t *numbers, tensor *y) {
    bool reshapes = strcmp(op_name, "Reshape") == 0;
    const int64_t length = count;
    tensor *inputs[2] = {x, NULL};
    if (w->status != KILN_OK) {
        return NULL;
    }
    w->status = KILN_ERROR_MEMORY;
    if (reshapes) {
        inputs[1] = graph_add_constant(w->g, NULL, KILN_I64, 1, &length);
        if (inputs[1] == NULL) {
            return NULL;
        }
        memcpy(inputs[1]->owned, numbers, count * sizeof *numbers);
    }
    y = y != NULL ? y : graph_add_tensor(w->g, NULL, KILN_F32);
    node *n = y != NULL ? graph_insert_node(w->g, w->position, op_find(op_name), w->like->name,
                                            1 + reshapes, inputs, 1, &y)
                        : NULL;
    if (n == NULL) {
        return NULL;
    }
    n->origin = w->like->origin;
    y->producer = n;
    w->position++;
    w->status = reshapes ? KILN_OK : node_set_ints(w->g, n, "perm", numbers, count);
    if (w->status == KILN_OK) {
        w->status = graph_infer_node(w->g, n);
    }
    return w->status == KILN_OK ? y : NULL;
}

static tensor *move_channels(writing *w, tensor *x, bool to_last, tensor *y) {
    int64_t perm[KILN_MAX_RANK];
    for (uint32_t k = 0; k < x->rank; k++) {
        perm[k] = axis_at(x->rank, k, to_last);
    }
    return add(w, "Transpose", x, x->rank, perm, y);
}

static kiln_status rewrite(graph *g, size_t position, const chain *c, const loops *l) {
    writing w = {g, position, c->end->producer, KILN_OK};
    int64_t dims[KILN_MAX_RANK] = {-1};
    c->end->producer->dead = true;
    for (uint32_t k = 1; k < c->end->rank; k++) {
        dims[k] = c->end->dims[c->to_last ? axis_at(c->end->rank, k, true) : (int64_t)k];
    }
    tensor *t = c->from_last ? move_channels(&w, c->base, true, NULL) : c->base;
    if (!l->in_order) {
        t = add(&w, "Reshape", t, 1 + l->count, l->sizes, NULL);
        t = add(&w, "Transpose", t, 1 + l->count, l->places, NULL);
    }
    t = add(&w, "Reshape", t, c->end->rank, dims, c->to_last ? NULL : c->end);
    if (c->to_last && w.status == KILN_OK) {
        (void)move_channels(&w, t, false, c->end);
    }
    return w.status;
}

kiln_status pass_order_views(graph *g, size_t *inout_rewrites) {
    size_t before = *inout_rewrites;
    for (size_t k = 0; k < g->node_count; k++) {
        chain c;
        loops l;
        if (!moves(g->nodes[k]) || !find_chain(g->nodes[k]->outputs[0], &c) || !keeps_samples(&c) ||
            (c.from_last && !view_channels_last(&c.view))) {
            continue;
        }
        gather_loops(&c, &l);
        if (!order_loops(&l)) {
            continue;
        }
        kiln_status status = rewrite(g, k, &c, &l);
        if (status != KILN_OK) {
            return status;
        }
        ++*inout_rewrites;
        while (g->nodes[k] != c.end->producer) {
            k++;
        }
    }
    kiln_status status = *inout_rewrites > before ? graph_refresh(g) : KILN_OK;
    return status == KILN_OK ? pass_remove_dead_code(g, &(size_t){0}) : status;
}
