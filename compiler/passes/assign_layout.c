/* Gives every tensor its physical layout and makes conversions explicit.
 *
 * Dims and axes stay in ONNX order; only the order in memory changes, so that no operator is
 * rewritten. Spatial operators want channels-last; what can take either follows its input; a Layout
 * node converts where producer and consumer disagree, once a tensor. A Transpose between the two
 * orders thereby becomes a view. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "runtime/plan/layout.h"

#include <string.h>

typedef struct layout_pass {
    graph *g;
    size_t position;    /* of the node being treated */
    tensor **converted; /* by tensor->mark: the tensor in its other layout, or NULL */
    size_t *rewrites;
    const op *layout_op;
} layout_pass;

static bool is_runtime(const tensor *t) {
    return t != NULL && !tensor_is_constant(t);
}

/* Gives n its input k in the wanted layout. */
static kiln_status ensure(layout_pass *p, node *n, size_t k, uint8_t layout) {
    tensor *t = n->inputs[k];
    if (t->rank < 3 || t->layout == layout) {
        return KILN_OK;
    }
    bool known = t->mark != 0;
    tensor *other = known ? p->converted[t->mark - 1] : NULL;
    if (other == NULL) {
        other = graph_add_tensor(p->g, NULL, t->dtype);
        if (other == NULL) {
            return KILN_ERROR_MEMORY;
        }
        other->rank = t->rank;
        memcpy(other->dims, t->dims, sizeof t->dims);
        other->shape_known = true;
        other->layout = layout;
        const char *name =
            graph_printf(p->g, "%s as %s", t->name, layout == KILN_ROW_MAJOR ? "NCHW" : "NHWC");
        if (name == NULL ||
            graph_insert_node(p->g, p->position, p->layout_op, name, 1, &t, 1, &other) == NULL) {
            return KILN_ERROR_MEMORY;
        }
        p->position++;
        ++*p->rewrites;
        if (known) {
            p->converted[t->mark - 1] = other;
        }
    }
    return node_set_input(p->g, n, k, other);
}

static kiln_status ensure_all(layout_pass *p, node *n, size_t from, uint32_t rank, uint8_t layout) {
    for (size_t k = from; k < n->input_count; k++) {
        if (is_runtime(n->inputs[k])) {
            uint8_t wanted = rank == 0 || n->inputs[k]->rank == rank ? layout : KILN_ROW_MAJOR;
            kiln_status status = ensure(p, n, k, wanted);
            if (status != KILN_OK) {
                return status;
            }
        }
    }
    return KILN_OK;
}

static void set_outputs(node *n, uint32_t rank, uint8_t layout) {
    for (size_t k = 0; k < n->output_count; k++) {
        tensor *t = n->outputs[k];
        if (t != NULL) {
            bool follows = t->rank >= 3 && (rank == 0 || t->rank == rank);
            t->layout = follows ? layout : KILN_ROW_MAJOR;
        }
    }
}

/* ---- Views and transposes ------------------------------------------------------------------ */

/* Would both layouts put the elements in the same order? */
static bool layouts_agree(const tensor *t) {
    return t->rank < 3 || t->dims[1] == 1 || tensor_elements(t) == t->dims[0] * t->dims[1];
}

static bool wants_channels_last(const tensor *t) {
    for (size_t k = 0; k < t->consumer_count; k++) {
        const node *n = t->consumers[k];
        if (!n->dead && n->op->layout == OP_CHANNELS_LAST && n->inputs[0] == t) {
            return true;
        }
    }
    return false;
}

static kiln_status treat_view(layout_pass *p, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    bool keeps_channels =
        x->rank >= 3 && y->rank >= 3 && x->dims[0] == y->dims[0] && x->dims[1] == y->dims[1];
    if (x->layout == KILN_CHANNELS_LAST && keeps_channels) {
        set_outputs(n, 0, KILN_CHANNELS_LAST);
        return KILN_OK;
    }
    set_outputs(n, 0, KILN_ROW_MAJOR);
    return layouts_agree(x) ? KILN_OK : ensure(p, n, 0, KILN_ROW_MAJOR);
}

/* Does the transpose keep the order in memory when its output has this layout? */
static bool transpose_is_view(const node *n, uint8_t layout) {
    const tensor *x = n->inputs[0];
    int64_t perm[KILN_MAX_RANK];
    int count = node_ints(n, "perm", perm, KILN_MAX_RANK);
    int64_t last = -1;
    for (uint32_t position = 0; position < x->rank; position++) {
        uint32_t axis = layout_logical_axis(layout, x->rank, position);
        uint32_t source = count < 0 ? x->rank - 1 - axis : (uint32_t)perm[axis];
        uint32_t lies = layout_physical_axis(x->layout, x->rank, source);
        if (x->dims[source] != 1) {
            if ((int64_t)lies < last) {
                return false;
            }
            last = lies;
        }
    }
    return true;
}

static kiln_status treat_transpose(node *n) {
    tensor *y = n->outputs[0];
    bool row_view = transpose_is_view(n, KILN_ROW_MAJOR);
    bool last_view = y->rank >= 3 && transpose_is_view(n, KILN_CHANNELS_LAST);
    bool wanted = wants_channels_last(y);
    bool channels_last =
        y->rank >= 3 && ((last_view && (wanted || !row_view)) || (wanted && !row_view));
    y->layout = channels_last ? KILN_CHANNELS_LAST : KILN_ROW_MAJOR;
    return KILN_OK;
}

/* ---- All nodes ----------------------------------------------------------------------------- */

static kiln_status treat_any(layout_pass *p, node *n) {
    const tensor *y = NULL;
    for (size_t k = 0; k < n->output_count && y == NULL; k++) {
        y = n->outputs[k];
    }
    uint8_t layout = KILN_ROW_MAJOR;
    for (size_t k = 0; k < n->input_count; k++) {
        const tensor *t = n->inputs[k];
        if (is_runtime(t) && y != NULL && t->rank == y->rank && t->layout == KILN_CHANNELS_LAST) {
            layout = KILN_CHANNELS_LAST;
        }
    }
    uint32_t rank = y != NULL ? y->rank : 0;
    set_outputs(n, rank, layout);
    bool changes_rank = n->input_count > 0 && n->inputs[0] != NULL && n->inputs[0]->rank > rank;
    return changes_rank ? ensure_all(p, n, 1, rank, KILN_ROW_MAJOR)
                        : ensure_all(p, n, 0, rank, layout);
}

static kiln_status treat_node(layout_pass *p, node *n) {
    if (strcmp(n->op->name, "Transpose") == 0) {
        return treat_transpose(n);
    }
    switch (n->op->layout) {
    case OP_CHANNELS_LAST: {
        set_outputs(n, 0, KILN_ROW_MAJOR);
        if (n->outputs[0] != NULL && n->outputs[0]->rank >= 3) {
            n->outputs[0]->layout = KILN_CHANNELS_LAST;
        }
        kiln_status status = ensure(p, n, 0, KILN_CHANNELS_LAST);
        return status == KILN_OK ? ensure_all(p, n, 1, 0, KILN_ROW_MAJOR) : status;
    }
    case OP_ANY:
        return treat_any(p, n);
    case OP_VIEW:
        return treat_view(p, n);
    case OP_ROW_MAJOR:
        break;
    }
    set_outputs(n, 0, KILN_ROW_MAJOR);
    return ensure_all(p, n, 0, 0, KILN_ROW_MAJOR);
}

kiln_status pass_assign_layout(graph *g, size_t *inout_rewrites) {
    layout_pass p = {.g = g, .rewrites = inout_rewrites, .layout_op = op_find("Layout")};
    p.converted = graph_allocate(g, (g->tensor_count + 1) * sizeof *p.converted);
    if (p.converted == NULL || p.layout_op == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < g->tensor_count; k++) {
        g->tensors[k]->mark = k + 1;
        g->tensors[k]->layout = KILN_ROW_MAJOR;
    }
    for (p.position = 0; p.position < g->node_count; p.position++) {
        node *n = g->nodes[p.position];
        kiln_status status = n->dead ? KILN_OK : treat_node(&p, n);
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}
