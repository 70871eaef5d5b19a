/* Moves the open batch to the front where the network has put it behind another dimension, as
 * attention does with queries, keys and values ([3,N,heads,..]): a plan knows the batch in dims[0]
 * alone.
 *
 * A tensor whose dims[d] is k times the batch holds, for each index of the dims before d, all
 * samples one after the other. Its stacked form has the samples in front: dims [batch, dims[0], ..,
 * k, ..], one more than before. An operator on such tensors becomes the same operator on the
 * stacked ones, its axes counted from the end (vmap, in other words). What reshapes may only move
 * dims on either side of the batch; all else, and what works along the batch, is refused. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

#include <string.h>

typedef struct mover {
    graph *g;
    size_t position;  /* of the node being treated */
    tensor **stacked; /* by tensor->mark - 1: the tensor's stacked form, or NULL */
    size_t known;     /* tensors have a mark from 1 to this; those made here have none */
} mover;

enum { NO_BATCH = -1, TWO_BATCHES = -2 };

/* ---- Where the batch is -------------------------------------------------------------------- */

static int batch_axis(const tensor *t) {
    int axis = NO_BATCH;
    for (uint32_t d = 0; d < t->rank; d++) {
        if (t->dims[d] > 0 && t->dims[d] % GRAPH_BATCH == 0) {
            axis = axis == NO_BATCH && t->dims[d] / GRAPH_BATCH % GRAPH_BATCH != 0 ? (int)d
                                                                                   : TWO_BATCHES;
        }
    }
    return axis;
}

static bool is_moved(const tensor *t) {
    return t != NULL && !tensor_is_constant(t) && batch_axis(t) != NO_BATCH && batch_axis(t) != 0;
}

static bool touches_moved(const node *n) {
    bool found = false;
    for (size_t k = 0; k < n->input_count; k++) {
        found = found || is_moved(n->inputs[k]);
    }
    for (size_t k = 0; k < n->output_count; k++) {
        found = found || is_moved(n->outputs[k]);
    }
    return found;
}

static kiln_status refuse(const mover *m, const node *n) {
    return node_fail(m->g, n, KILN_ERROR_UNSUPPORTED, "mixes the batch with other dimensions");
}

/* ---- Stacked tensors ----------------------------------------------------------------------- */

static uint32_t stacked_dims(const tensor *t, int64_t out_dims[KILN_MAX_RANK]) {
    int axis = batch_axis(t);
    out_dims[0] = GRAPH_BATCH;
    for (uint32_t d = 0; d < t->rank; d++) {
        out_dims[d + 1] = (int)d == axis ? t->dims[d] / GRAPH_BATCH : t->dims[d];
    }
    return t->rank + 1;
}

static kiln_status new_shape(mover *m, uint32_t rank, const int64_t *dims, tensor **out) {
    const int64_t count = rank;
    *out = graph_add_constant(m->g, NULL, KILN_I64, 1, &count);
    if (*out == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (rank > 0) {
        memcpy((*out)->owned, dims, rank * sizeof *dims);
    }
    return KILN_OK;
}

/* Adds y = Reshape(x) at the current position, which moves behind it. */
static kiln_status add_reshape(mover *m, const node *n, tensor *x, uint32_t rank,
                               const int64_t *dims, tensor *y) {
    tensor *inputs[2] = {x, NULL};
    kiln_status status = new_shape(m, rank, dims, &inputs[1]);
    node *made = status == KILN_OK ? graph_insert_node(m->g, m->position, op_find("Reshape"),
                                                       n->name, 2, inputs, 1, &y)
                                   : NULL;
    if (made == NULL) {
        return KILN_ERROR_MEMORY;
    }
    made->origin = n->origin;
    m->position++;
    return graph_infer_node(m->g, made);
}

/* Gives a batched tensor its stacked form: one that was made with it, or else a view. */
static kiln_status stack(mover *m, const node *n, tensor *t, tensor **out) {
    int64_t dims[KILN_MAX_RANK + 1];
    tensor **known = t->mark != 0 && t->mark <= m->known ? &m->stacked[t->mark - 1] : out;
    if (known != out && *known != NULL) {
        *out = *known;
        return KILN_OK;
    }
    if (batch_axis(t) != 0 || t->rank == KILN_MAX_RANK) {
        return refuse(m, n);
    }
    tensor *view = graph_add_tensor(m->g, NULL, t->dtype);
    uint32_t rank = stacked_dims(t, dims);
    kiln_status status = view != NULL ? add_reshape(m, n, t, rank, dims, view) : KILN_ERROR_MEMORY;
    *out = *known = view;
    return status;
}

/* Puts dims of 1 behind the batch, until the stacked tensor has the rank. */
static kiln_status pad_rank(mover *m, const node *n, tensor **inout, uint32_t rank) {
    int64_t dims[KILN_MAX_RANK];
    const tensor *t = *inout;
    if (t->rank >= rank) {
        return KILN_OK;
    }
    for (uint32_t d = 0; d < rank; d++) {
        uint32_t missing = rank - t->rank;
        dims[d] = d == 0 ? GRAPH_BATCH : d <= missing ? 1 : t->dims[d - missing];
    }
    tensor *padded = graph_add_tensor(m->g, NULL, t->dtype);
    if (padded == NULL) {
        return KILN_ERROR_MEMORY;
    }
    kiln_status status = add_reshape(m, n, *inout, rank, dims, padded);
    *inout = padded;
    return status;
}

/* Input k, if it is batched, becomes its stacked form, of at least that rank (0: its own). */
static kiln_status stack_input(mover *m, node *n, size_t k, uint32_t rank) {
    tensor *t = k < n->input_count ? n->inputs[k] : NULL;
    if (t == NULL || batch_axis(t) == NO_BATCH) {
        return KILN_OK;
    }
    if (rank > KILN_MAX_RANK || tensor_is_constant(t)) {
        return refuse(m, n);
    }
    kiln_status status = stack(m, n, t, &t);
    if (status == KILN_OK) {
        status = pad_rank(m, n, &t, rank);
    }
    return status == KILN_OK ? node_set_input(m->g, n, k, t) : status;
}

/* ---- Operators ----------------------------------------------------------------------------- */

/* Each rule gives the node stacked inputs and the attributes for them; its outputs stay. */

static kiln_status move_elementwise(mover *m, node *n) {
    return stack_input(m, n, 0, 0);
}

static kiln_status move_broadcast(mover *m, node *n) {
    kiln_status status = KILN_OK;
    uint32_t rank = 0;
    for (size_t k = 0; k < n->input_count; k++) {
        rank = n->inputs[k] != NULL && n->inputs[k]->rank > rank ? n->inputs[k]->rank : rank;
    }
    for (size_t k = 0; k < n->input_count && status == KILN_OK; k++) {
        status = stack_input(m, n, k, rank + 1);
    }
    return status;
}

/* Is axis k from the end the batch? */
static bool is_batch(const tensor *t, uint32_t from_end) {
    return t->rank >= from_end && batch_axis(t) == (int)(t->rank - from_end);
}

static kiln_status move_product(mover *m, node *n) {
    const tensor *a = n->inputs[0], *b = n->inputs[1];
    return is_batch(a, 1) || is_batch(b, b->rank > 1 ? 2 : 1) ? refuse(m, n) : move_broadcast(m, n);
}

static kiln_status move_transpose(mover *m, node *n) {
    int64_t perm[KILN_MAX_RANK + 1] = {0};
    uint32_t rank = n->inputs[0]->rank;
    int count = node_ints(n, "perm", perm + 1, KILN_MAX_RANK);
    for (uint32_t d = 0; d < rank; d++) {
        perm[d + 1] = count < 0 ? rank - d : perm[d + 1] + 1;
    }
    kiln_status status = stack_input(m, n, 0, 0);
    return status == KILN_OK ? node_set_ints(m->g, n, "perm", perm, rank + 1) : status;
}

/* One axis, which may not be the batch; nor may one after it where all of them are worked on. */
static kiln_status move_along(mover *m, node *n, int64_t fallback, bool to_the_end) {
    const tensor *x = n->inputs[0];
    uint32_t axis = 0, rank = x->rank;
    int batch = batch_axis(x);
    kiln_status status = node_axis(m->g, n, node_int(n, "axis", fallback), rank, &axis);
    if (status == KILN_OK && (batch == (int)axis || (to_the_end && batch > (int)axis))) {
        return refuse(m, n);
    }
    for (size_t k = 0; k < n->input_count && status == KILN_OK; k++) {
        status = stack_input(m, n, k, 0);
    }
    return status == KILN_OK ? node_set_int(m->g, n, "axis", (int64_t)axis - rank) : status;
}

static kiln_status move_softmax(mover *m, node *n) {
    bool flat = m->g->opset < 13;
    return move_along(m, n, flat ? 1 : -1, flat);
}

static kiln_status move_layer_norm(mover *m, node *n) {
    return move_along(m, n, -1, true);
}

static kiln_status move_one_axis(mover *m, node *n) {
    return move_along(m, n, 0, false);
}

/* Axes listed in input k or, where that is not there, in the attribute. */
static kiln_status move_listed(mover *m, node *n, size_t k) {
    int64_t axes[KILN_MAX_RANK], rank = n->inputs[0]->rank;
    bool by_input = k < n->input_count && n->inputs[k] != NULL;
    int count = by_input ? node_input_ints(n, k, axes, KILN_MAX_RANK)
                         : node_ints(n, "axes", axes, KILN_MAX_RANK);
    for (int a = 0; a < count; a++) {
        axes[a] -= axes[a] < 0 ? 0 : rank;
        count = is_batch(n->inputs[0], (uint32_t)-axes[a]) ? 0 : count;
    }
    if (count <= 0) {
        return refuse(m, n); /* all axes, or the batch */
    }
    tensor *list = NULL;
    kiln_status status = by_input ? new_shape(m, (uint32_t)count, axes, &list)
                                  : node_set_ints(m->g, n, "axes", axes, (size_t)count);
    if (status == KILN_OK && by_input) {
        status = node_set_input(m->g, n, k, list);
    }
    return status == KILN_OK ? stack_input(m, n, 0, 0) : status;
}

static kiln_status move_slice(mover *m, node *n) {
    return move_listed(m, n, 3);
}

/* The node's input 1 becomes the stacked shape of its output. */
static kiln_status set_stacked_shape(mover *m, node *n, const char *op_name) {
    int64_t dims[KILN_MAX_RANK + 1];
    tensor **inputs = graph_allocate(m->g, 2 * sizeof *inputs);
    if (inputs == NULL) {
        return KILN_ERROR_MEMORY;
    }
    *inputs = n->inputs[0];
    n->inputs = inputs;
    n->input_count = 2;
    n->op = op_find(op_name);
    n->attribute_count = 0;
    return new_shape(m, stacked_dims(n->outputs[0], dims), dims, &inputs[1]);
}

static kiln_status move_expand(mover *m, node *n) {
    kiln_status status = stack_input(m, n, 0, n->outputs[0]->rank + 1);
    return status == KILN_OK ? set_stacked_shape(m, n, "Expand") : status;
}

static int64_t elements_before(const tensor *t, int axis) {
    int64_t count = 1;
    for (int d = 0; d < axis; d++) {
        count *= t->dims[d];
    }
    return count;
}

/* The dims before the batch hold as many elements as they did: then those behind it do. */
static kiln_status move_view(mover *m, node *n) {
    const tensor *x = n->inputs[0], *y = n->outputs[0];
    int from = batch_axis(x), to = batch_axis(y);
    if (from < 0 || to < 0 || elements_before(x, from) != elements_before(y, to)) {
        return refuse(m, n);
    }
    kiln_status status = stack_input(m, n, 0, 0);
    return status == KILN_OK ? set_stacked_shape(m, n, "Reshape") : status;
}

static const struct {
    const char *op;
    kiln_status (*move)(mover *m, node *n);
} rules[] = {
    {"Transpose", move_transpose},
    {"MatMul", move_product},
    {"Softmax", move_softmax},
    {"LogSoftmax", move_softmax},
    {"LayerNormalization", move_layer_norm},
    {"RMSNormalization", move_layer_norm},
    {"Split", move_one_axis},
    {"Concat", move_one_axis},
    {"Gather", move_one_axis},
    {"ArgMax", move_one_axis},
    {"ArgMin", move_one_axis},
    {"Slice", move_slice},
    {"Expand", move_expand},
};

static kiln_status apply_rule(mover *m, node *n) {
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++) {
        if (node_is(n, rules[k].op)) {
            return rules[k].move(m, n);
        }
    }
    if (n->op->layout == OP_VIEW) {
        return move_view(m, n);
    }
    if (strncmp(n->op->name, "Reduce", 6) == 0) {
        return move_listed(m, n, 1);
    }
    if ((n->op->flags & OP_BROADCASTS) != 0 && node_attribute(n, "axis") == NULL) {
        return move_broadcast(m, n);
    }
    return (n->op->flags & OP_ELEMENTWISE) != 0 ? move_elementwise(m, n) : refuse(m, n);
}

/* ---- Nodes --------------------------------------------------------------------------------- */

static kiln_status check_batches(const mover *m, const node *n) {
    bool sound = true;
    for (size_t k = 0; k < n->input_count; k++) {
        sound = sound && (n->inputs[k] == NULL || batch_axis(n->inputs[k]) != TWO_BATCHES);
    }
    for (size_t k = 0; k < n->output_count; k++) {
        const tensor *y = n->outputs[k];
        sound = sound && (y == NULL || (batch_axis(y) >= 0 && y->rank < KILN_MAX_RANK &&
                                        !(y->is_output && is_moved(y))));
    }
    return sound ? KILN_OK : refuse(m, n);
}

/* Gives the node stacked outputs, from which those with the batch in front are made again. */
static kiln_status stack_outputs(mover *m, node *n, tensor *const *wanted) {
    for (size_t k = 0; k < n->output_count; k++) {
        n->outputs[k] = wanted[k] != NULL ? graph_add_tensor(m->g, NULL, wanted[k]->dtype) : NULL;
        if (wanted[k] != NULL && n->outputs[k] == NULL) {
            return KILN_ERROR_MEMORY;
        }
    }
    kiln_status status = graph_infer_node(m->g, n);
    m->position++; /* what follows stands behind it */
    for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
        const tensor *y = n->outputs[k];
        int64_t dims[KILN_MAX_RANK + 1];
        if (y == NULL) {
            continue;
        }
        uint32_t rank = stacked_dims(wanted[k], dims);
        if (y->rank != rank || memcmp(y->dims, dims, rank * sizeof *dims) != 0) {
            return refuse(m, n);
        }
        m->stacked[wanted[k]->mark - 1] = n->outputs[k];
        if (!is_moved(wanted[k])) {
            status = add_reshape(m, n, n->outputs[k], wanted[k]->rank, wanted[k]->dims, wanted[k]);
        }
    }
    m->position--;
    return status;
}

static kiln_status treat_node(mover *m, node *n) {
    kiln_status status = check_batches(m, n);
    tensor **wanted = graph_allocate(m->g, n->output_count * sizeof *wanted);
    if (status == KILN_OK && wanted == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (status == KILN_OK) {
        status = apply_rule(m, n);
    }
    if (status == KILN_OK) {
        memcpy(wanted, n->outputs, n->output_count * sizeof *wanted);
        status = stack_outputs(m, n, wanted);
    }
    return status;
}

kiln_status pass_move_batch_first(graph *g, size_t *inout_rewrites) {
    mover m = {.g = g, .known = g->tensor_count};
    m.stacked = graph_allocate(g, (m.known + 1) * sizeof *m.stacked);
    if (m.stacked == NULL) {
        return KILN_ERROR_MEMORY;
    }
    graph_clear_marks(g);
    for (size_t k = 0; k < m.known; k++) {
        g->tensors[k]->mark = k + 1;
    }
    for (; m.position < g->node_count && g->batch_symbolic; m.position++) {
        node *n = g->nodes[m.position];
        if (n->dead || !touches_moved(n)) {
            continue;
        }
        kiln_status status = treat_node(&m, n);
        if (status != KILN_OK) {
            return node_explain(g, n, status);
        }
        ++*inout_rewrites;
    }
    return KILN_OK;
}
