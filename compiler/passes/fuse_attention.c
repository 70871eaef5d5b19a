/* softmax(scale Q K^T + bias) V becomes one operator that reads heads where they lie and writes
 * them back so: no transposes of heads, and no scores in memory. Whatever is not recognised stays
 * as it is. */
#include "compiler/ops/ops.h"
#include "compiler/passes/attention_match.h"
#include "compiler/passes/passes.h"

/* Inserts a Transpose of a map between channels first and last. */
static kiln_status move_channels(graph *g, size_t *inout_position, const node *like, tensor *x,
                                 tensor *y, bool to_last) {
    int64_t perm[KILN_MAX_RANK];
    for (uint32_t k = 0; k < x->rank; k++) {
        int64_t last = k + 1 == x->rank ? 1 : (int64_t)k + 1;
        int64_t first = k == 1 ? (int64_t)x->rank - 1 : (int64_t)k - 1;
        perm[k] = k == 0 ? 0 : to_last ? last : first;
    }
    node *n = graph_insert_node(g, *inout_position, op_find("Transpose"), like->name, 1, &x, 1, &y);
    if (n == NULL) {
        return KILN_ERROR_MEMORY;
    }
    ++*inout_position;
    kiln_status status = node_set_ints(g, n, "perm", perm, x->rank);
    y->producer = n;
    return status == KILN_OK ? graph_infer_node(g, n) : status;
}

/* The tensors that are read: bases of views, channels-last where the views are so. */
static kiln_status find_inputs(graph *g, size_t *inout_position, const attention_match *m,
                               tensor *inputs[ATTENTION_Y]) {
    for (size_t k = 0; k < ATTENTION_Y; k++) {
        bool there = k < ATTENTION_BIAS || m->sums[k - ATTENTION_BIAS] != NULL;
        inputs[k] = there ? m->views[k].base : NULL;
        if (!there || !m->channels_last[k]) {
            continue;
        }
        for (size_t other = 0; other < k; other++) {
            if (m->channels_last[other] && m->views[other].base == m->views[k].base) {
                inputs[k] = inputs[other];
            }
        }
        if (inputs[k] == m->views[k].base) {
            inputs[k] = graph_add_tensor(g, NULL, KILN_F32);
            kiln_status status =
                inputs[k] == NULL
                    ? KILN_ERROR_MEMORY
                    : move_channels(g, inout_position, m->first, m->views[k].base, inputs[k], true);
            if (status != KILN_OK) {
                return status;
            }
        }
    }
    return KILN_OK;
}

static kiln_status rewrite(graph *g, const attention_match *m) {
    node *last = m->y->producer;
    tensor *inputs[ATTENTION_Y], *y = m->y;
    size_t position = 0, count = m->sums[1] != NULL ? 5 : m->sums[0] != NULL ? 4 : 3;
    while (g->nodes[position] != last) {
        position++;
    }
    last->dead = true;
    kiln_status status = find_inputs(g, &position, m, inputs);
    if (m->channels_last[ATTENTION_Y]) {
        y = graph_add_tensor(g, NULL, KILN_F32);
    }
    const char *origin =
        graph_printf(g, "%s + %s + %s", m->first->origin, m->softmax->origin, m->second->origin);
    if (status != KILN_OK || y == NULL || origin == NULL) {
        return status != KILN_OK ? status : KILN_ERROR_MEMORY;
    }
    node *n = graph_insert_node(g, position++, op_find("DotProductAttention"), m->second->name,
                                count, inputs, 1, &y);
    if (n == NULL) {
        return KILN_ERROR_MEMORY;
    }
    n->origin = origin;
    y->producer = n;
    status = attention_set(g, n, &m->geometry);
    if (status == KILN_OK) {
        status = node_set_float(g, n, "scale", m->scale);
    }
    if (status == KILN_OK) {
        status = graph_infer_node(g, n);
    }
    return status == KILN_OK && y != m->y ? move_channels(g, &position, m->second, y, m->y, false)
                                          : status;
}

kiln_status pass_fuse_attention(graph *g, size_t *inout_rewrites) {
    size_t found = 0, unread = 0;
    for (size_t k = 0; k < g->node_count; k++) {
        attention_match m;
        if (!node_is(g->nodes[k], "Softmax") || !attention_match_softmax(g, g->nodes[k], &m)) {
            continue;
        }
        node *softmax = g->nodes[k];
        kiln_status status = rewrite(g, &m);
        if (status != KILN_OK) {
            return status;
        }
        found++;
        softmax->dead = true; /* nobody reads it now, and it is not to be found again */
    }
    *inout_rewrites += found;
    kiln_status status = found > 0 ? graph_refresh(g) : KILN_OK;
    return status == KILN_OK && found > 0 ? pass_remove_dead_code(g, &unread) : status;
}
