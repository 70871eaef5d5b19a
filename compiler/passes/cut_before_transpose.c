/* Parts of a transposed tensor, as attention takes its queries, keys and values, are cut off before
 * it is transposed: each is copied once then, straight to its place, where the whole was copied
 * before, and the parts of it. Parts that lie in one piece in the whole, or in the columns of its
 * last dim, need no copy of their own (lower/concat_views.c). */
#include "compiler/ops/ops.h"
#include "compiler/passes/cut.h"
#include "compiler/passes/passes.h"

#include <string.h>

/* Along this axis, does each part lie in several pieces? */
static bool is_scattered(const tensor *t, int64_t axis) {
    int64_t outer = 1;
    for (int64_t d = 0; d < axis; d++) {
        outer *= t->dims[d];
    }
    return outer > 1 && axis + 1 < t->rank;
}

/* Do only cuts along one axis read it, and no part of it twice? */
static bool is_read_in_parts(const tensor *t) {
    int64_t axis = -1, sum = 0;
    bool parts = t->consumer_count > 0 && !t->is_output;
    for (size_t r = 0; r < t->consumer_count && parts; r++) {
        const node *reader = t->consumers[r];
        for (size_t k = 0; k < reader->output_count && parts; k++) {
            cut c;
            parts = reader->inputs[0] == t && read_cut(reader, k, &c) && c.size > 0 &&
                    (axis < 0 || axis == c.axis);
            axis = parts ? c.axis : axis;
            sum += parts ? c.size : 0;
        }
    }
    return parts && is_scattered(t, axis) && sum <= t->dims[axis];
}

/* ---- Rewriting ----------------------------------------------------------------------------- */

/* Adds a node that makes y, where it is given, before `position`, which moves behind it. */
static tensor *add(graph *g, size_t *inout_position, const node *like, const char *op_name,
                   size_t count, tensor *const *inputs, tensor *y) {
    y = y != NULL ? y : graph_add_tensor(g, NULL, inputs[0]->dtype);
    node *n = y != NULL ? graph_insert_node(g, *inout_position, g->find_op(op_name), like->name,
                                            count, inputs, 1, &y)
                        : NULL;
    if (n == NULL) {
        return NULL;
    }
    n->origin = like->origin;
    ++*inout_position;
    return y;
}

static tensor *integers(graph *g, size_t count, const int64_t *values) {
    const int64_t dims = (int64_t)count;
    tensor *t = graph_add_constant(g, NULL, KILN_I64, 1, &dims);
    if (t != NULL) {
        memcpy(t->owned, values, count * sizeof *values);
    }
    return t;
}

/* Makes y, a cut of the transpose's output, of the transpose's input. */
static kiln_status cut_first(graph *g, size_t *inout_position, const node *n, const node *transpose,
                             const cut *c, tensor *y) {
    tensor *x = transpose->inputs[0];
    uint32_t rank = x->rank;
    int64_t perm[KILN_MAX_RANK];
    int count = node_ints(transpose, "perm", perm, KILN_MAX_RANK);
    int64_t axis = count < 0 ? (int64_t)rank - 1 - c->axis : perm[c->axis],
            end = c->start + c->size;
    tensor *inputs[4] = {x, integers(g, 1, &c->start), integers(g, 1, &end), integers(g, 1, &axis)};
    tensor *shape = y->rank != rank ? integers(g, y->rank, y->dims) : NULL;
    bool made = inputs[1] != NULL && inputs[2] != NULL && inputs[3] != NULL &&
                (shape != NULL) == (y->rank != rank);
    tensor *part = made ? add(g, inout_position, n, "Slice", 4, inputs, NULL) : NULL;
    if (part == NULL || graph_infer_node(g, g->nodes[*inout_position - 1]) != KILN_OK) {
        return KILN_ERROR_MEMORY;
    }
    tensor *moved =
        add(g, inout_position, transpose, "Transpose", 1, &part, shape != NULL ? NULL : y);
    node *last = moved != NULL ? g->nodes[*inout_position - 1] : NULL;
    kiln_status status = last == NULL ? KILN_ERROR_MEMORY
                         : count >= 0 ? node_set_ints(g, last, "perm", perm, rank)
                                      : KILN_OK;
    if (status == KILN_OK) {
        status = graph_infer_node(g, last);
    }
    if (status == KILN_OK && shape != NULL) {
        tensor *viewed[2] = {moved, shape};
        status = add(g, inout_position, n, "Reshape", 2, viewed, y) != NULL ? KILN_OK
                                                                            : KILN_ERROR_MEMORY;
    }
    return status;
}

kiln_status pass_cut_before_transpose(graph *g, size_t *inout_rewrites) {
    graph_clear_marks(g);
    for (size_t position = 0; position < g->node_count; position++) {
        node *n = g->nodes[position];
        if (node_is(n, "Transpose") && is_read_in_parts(n->outputs[0])) {
            n->dead = true;
            n->outputs[0]->mark = 1;
            ++*inout_rewrites;
        }
        if (n->dead || n->input_count == 0 || n->inputs[0] == NULL || n->inputs[0]->mark == 0) {
            continue;
        }
        kiln_status status = KILN_OK;
        for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
            cut c = {0};
            (void)read_cut(n, k, &c);
            status = cut_first(g, &position, n, n->inputs[0]->producer, &c, n->outputs[k]);
        }
        if (status != KILN_OK) {
            return status;
        }
        n->dead = true;
    }
    return KILN_OK;
}
