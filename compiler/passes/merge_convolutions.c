/* Convolutions side by side that read the same map become one, whose outputs a Split gives back as
 * slices: heads of detectors have a channel or four, and fill a small part of a product's panel
 * each. Depthwise convolutions of all parts of a Split become one of what it splits, so that the
 * Split moves behind them. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

#define PANEL 32 /* outputs that a product computes at a time */
#define MOST_SIBLINGS 16

typedef struct siblings {
    node *nodes[MOST_SIBLINGS]; /* in the order of their channels */
    size_t count;
    int64_t channels; /* of all */
} siblings;

static bool is_depthwise(const node *n) {
    int64_t channels = n->inputs[0]->dims[1];
    return node_int(n, "group", 1) == channels && n->inputs[1]->dims[0] == channels;
}

static bool is_plain(const tensor *t) {
    return tensor_is_constant(t) && t->dtype == KILN_F32 && t->quantized == NULL &&
           !tensor_depends_on_batch(t);
}

/* A convolution of constant weights, whose layout nobody but convolutions must know. */
static bool is_candidate(const node *n) {
    bool bias = n->input_count > 2 && n->inputs[2] != NULL;
    return node_is(n, "Conv") && n->inputs[0]->rank == 4 && !tensor_is_constant(n->inputs[0]) &&
           is_plain(n->inputs[1]) && (!bias || is_plain(n->inputs[2])) && !n->outputs[0]->is_output;
}

/* All of them have two spatial dims, and see the same input. */
static bool same_window(const window *a, const window *b) {
    bool same = true;
    for (uint32_t k = 0; k < a->spatial && same; k++) {
        same = a->kernel[k] == b->kernel[k] && a->stride[k] == b->stride[k] &&
               a->dilation[k] == b->dilation[k] && a->pad_begin[k] == b->pad_begin[k] &&
               a->pad_end[k] == b->pad_end[k];
    }
    return same;
}

/* Do they differ in weights and outputs alone? */
static bool are_alike(graph *g, node *a, node *b) {
    window of_a, of_b;
    const tensor *w = a->inputs[1], *v = b->inputs[1];
    return w->dims[1] == v->dims[1] && w->dims[2] == v->dims[2] && w->dims[3] == v->dims[3] &&
           a->min == b->min && a->max == b->max &&
           window_of_node(g, a, w->dims + 2, false, &of_a) == KILN_OK &&
           window_of_node(g, b, v->dims + 2, false, &of_b) == KILN_OK && same_window(&of_a, &of_b);
}

static void add(siblings *s, node *n) {
    s->nodes[s->count++] = n;
    s->channels += n->inputs[1]->dims[0];
}

/* Are slices of it read by convolutions alone, which take them as they are? */
static bool feeds_convolutions(const tensor *t) {
    for (size_t k = 0; k < t->consumer_count; k++) {
        if (!node_is(t->consumers[k], "Conv")) {
            return false;
        }
    }
    return true;
}

/* The convolutions alike of one group that read the same. */
static void find_readers(graph *g, node *first, siblings *out) {
    const tensor *x = first->inputs[0];
    *out = (siblings){.count = 0};
    add(out, first);
    for (size_t k = 0; k < x->consumer_count && out->count < MOST_SIBLINGS; k++) {
        node *n = x->consumers[k];
        if (n != first && is_candidate(n) && n->inputs[0] == x && node_int(n, "group", 1) == 1 &&
            are_alike(g, first, n)) {
            add(out, n);
        }
    }
}

/* There must be fewer panels, and no slice that has to be copied. */
static bool readers_pay(const siblings *s) {
    int64_t panels = 0;
    bool strided = true;
    for (size_t k = 0; k < s->count; k++) {
        panels += (s->nodes[k]->inputs[1]->dims[0] + PANEL - 1) / PANEL;
        strided = strided && feeds_convolutions(s->nodes[k]->outputs[0]);
    }
    return strided && (s->channels + PANEL - 1) / PANEL < panels;
}

/* The depthwise convolutions alike of all parts of a Split of channels. */
static bool find_parts(graph *g, const node *split, siblings *out) {
    *out = (siblings){.count = 0};
    uint32_t axis = 0;
    if (split->output_count < 2 || split->output_count > MOST_SIBLINGS ||
        node_axis(g, split, node_int(split, "axis", 0), split->inputs[0]->rank, &axis) != KILN_OK ||
        axis != 1) {
        return false;
    }
    for (size_t k = 0; k < split->output_count; k++) {
        tensor *part = split->outputs[k];
        node *n = part != NULL ? tensor_single_consumer(part) : NULL;
        if (n == NULL || !is_candidate(n) || n->inputs[0] != part || !is_depthwise(n) ||
            (k > 0 && !are_alike(g, out->nodes[0], n))) {
            return false;
        }
        add(out, n);
    }
    return out->channels == split->inputs[0]->dims[1];
}

/* ---- Merging ------------------------------------------------------------------------------- */

/* Input k of all, one after the other; zeros where a bias is missing. */
static tensor *join(graph *g, const siblings *s, size_t k) {
    const tensor *like = s->nodes[0]->inputs[1];
    int64_t dims[4] = {s->channels, like->dims[1], like->dims[2], like->dims[3]}, at = 0;
    tensor *joined = graph_add_constant(g, NULL, KILN_F32, k == 1 ? 4 : 1, dims);
    for (size_t i = 0; joined != NULL && i < s->count; i++) {
        const node *n = s->nodes[i];
        const tensor *from = k < n->input_count ? n->inputs[k] : NULL;
        int64_t count = k == 1 ? tensor_elements(n->inputs[1]) : n->inputs[1]->dims[0];
        for (int64_t e = 0; from != NULL && e < count; e++) {
            ((float *)joined->owned)[at + e] = tensor_f32_at(from, e);
        }
        at += count;
    }
    return joined;
}

/* Inserts the convolution of all, which reads x, at `position`; NULL: it cannot be. */
static tensor *insert_all(graph *g, size_t position, const siblings *s, tensor *x, int64_t groups) {
    const node *first = s->nodes[0];
    tensor *inputs[3] = {x, join(g, s, 1), join(g, s, 2)};
    tensor *y = graph_add_tensor(g, NULL, KILN_F32);
    node *all = y == NULL || inputs[1] == NULL || inputs[2] == NULL
                    ? NULL
                    : graph_insert_node(g, position, first->op, first->name, 3, inputs, 1, &y);
    if (all == NULL) {
        return NULL;
    }
    all->origin = first->origin;
    for (size_t k = 1; k < s->count && all->origin != NULL; k++) {
        all->origin = graph_printf(g, "%s + %s", all->origin, s->nodes[k]->origin);
    }
    all->attributes = first->attributes;
    all->attribute_count = first->attribute_count;
    all->min = first->min;
    all->max = first->max;
    bool made = all->origin != NULL && node_set_int(g, all, "group", groups) == KILN_OK &&
                graph_infer_node(g, all) == KILN_OK;
    return made ? y : NULL;
}

/* Inserts what splits y into the outputs of each. */
static kiln_status split_again(graph *g, size_t position, const siblings *s, tensor *y) {
    tensor *outputs[MOST_SIBLINGS];
    int64_t count = (int64_t)s->count;
    tensor *inputs[2] = {y, graph_add_constant(g, NULL, KILN_I64, 1, &count)};
    if (inputs[1] == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < s->count; k++) {
        outputs[k] = s->nodes[k]->outputs[0];
        ((int64_t *)inputs[1]->owned)[k] = s->nodes[k]->inputs[1]->dims[0];
        s->nodes[k]->dead = true;
    }
    node *split = graph_insert_node(g, position, g->find_op("Split"), s->nodes[0]->name, 2, inputs,
                                    s->count, outputs);
    return split == NULL ? KILN_ERROR_MEMORY : node_set_int(g, split, "axis", 1);
}

static kiln_status merge(graph *g, size_t position, const siblings *s, tensor *x, int64_t groups) {
    tensor *y = insert_all(g, position, s, x, groups);
    kiln_status status = y == NULL ? KILN_ERROR_MEMORY : split_again(g, position + 1, s, y);
    return status == KILN_OK ? graph_refresh(g) : status;
}

static kiln_status merge_at(graph *g, size_t position, bool *out_merged) {
    node *n = g->nodes[position];
    siblings s;
    *out_merged = true;
    if (is_candidate(n) && node_int(n, "group", 1) == 1) {
        find_readers(g, n, &s);
        if (readers_pay(&s)) {
            return merge(g, position, &s, n->inputs[0], 1);
        }
    }
    if (node_is(n, "Split") && find_parts(g, n, &s)) {
        n->dead = true;
        return merge(g, position + 1, &s, n->inputs[0], s.channels);
    }
    *out_merged = false;
    return KILN_OK;
}

kiln_status pass_merge_convolutions(graph *g, size_t *inout_rewrites) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        bool merged = false;
        status = merge_at(g, k, &merged);
        *inout_rewrites += merged;
    }
    return status;
}
