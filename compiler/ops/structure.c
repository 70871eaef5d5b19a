/* If, and sequences: they give the graph its structure and compute nothing. If becomes the branch
 * that is taken; a sequence is a list of tensors, which may themselves be computed by a run. */
#include "compiler/ops/support.h"

#include <string.h>

/* ---- What is needed first ------------------------------------------------------------------ */

/* Input k once it is settled as a tensor; NULL: it is not yet, or it is left out. */
static tensor *settled_tensor(const node *n, size_t k, resolution *out) {
    tensor *t = k < n->input_count ? n->inputs[k] : NULL;
    if (t != NULL && !t->shape_known) {
        *out = (resolution){t, "reads a sequence where a tensor is expected"};
    }
    return t != NULL && t->shape_known ? t : NULL;
}

static tensor *sequence_input(const node *n, resolution *out) {
    tensor *t = n->inputs[0];
    if (t == NULL || !t->is_sequence) {
        *out = (resolution){t, "reads a tensor where a sequence is expected"};
        return NULL;
    }
    return t;
}

/* The number in input k, when it is a known one. A batch that is left open is none. */
static bool known_number(const node *n, size_t k, const char *otherwise, int64_t *out_number,
                         resolution *out) {
    tensor *t = settled_tensor(n, k, out);
    bool known = tensor_is_constant(t) && t->dtype == KILN_I64 && tensor_elements(t) == 1 &&
                 !tensor_depends_on_batch(t);
    if (known) {
        *out_number = tensor_i64(t)[0];
    } else if (t != NULL) {
        *out = (resolution){t, otherwise};
    }
    return known;
}

/* ---- What takes a node's place ------------------------------------------------------------- */

static kiln_status set_members(graph *g, tensor *t, size_t count, tensor *const *members) {
    t->is_sequence = true;
    t->member_count = count;
    t->members = graph_allocate(g, (count + 1) * sizeof(tensor *));
    if (t->members != NULL && count > 0) {
        memcpy(t->members, members, count * sizeof(tensor *));
    }
    return t->members != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

static kiln_status add(graph *g, const node *n, const char *op_name, size_t input_count,
                       tensor *const *inputs, size_t output_count, tensor *const *outputs,
                       node **out_node) {
    node *made =
        graph_add_node(g, g->find_op(op_name), n->name, input_count, inputs, output_count, outputs);
    if (out_node != NULL) {
        *out_node = made;
    }
    return made != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

static kiln_status be_same(graph *g, const node *n, tensor *from, tensor *to) {
    return add(g, n, "Identity", 1, &from, 1, &to, NULL);
}

static tensor *add_integers(graph *g, size_t count, const int64_t *values) {
    int64_t dim = (int64_t)count;
    tensor *t = graph_add_constant(g, NULL, KILN_I64, 1, &dim);
    if (t != NULL) {
        memcpy(t->owned, values, count * sizeof *values);
    }
    return t;
}

/* ---- If ------------------------------------------------------------------------------------ */

/* Inputs: the condition, the outputs of the first branch, those of the second. */
static kiln_status resolve_if(graph *g, node *n, resolution *out) {
    static const char unknown[] = "its condition is known in a run only";
    tensor *condition = settled_tensor(n, 0, out);
    if (condition == NULL) {
        return KILN_OK;
    }
    if (!tensor_is_constant(condition) || condition->dtype != KILN_BOOL ||
        tensor_elements(condition) != 1) {
        *out = (resolution){condition, unknown};
        return KILN_OK;
    }
    if (tensor_depends_on_batch(condition)) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "its condition depends on the batch size");
    }
    size_t each = (n->input_count - 1) / 2;
    tensor **chosen = n->inputs + 1 + (tensor_bytes(condition)[0] != 0 ? 0 : each);
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
        if (n->outputs[k] != NULL) {
            status = be_same(g, n, chosen[k], n->outputs[k]);
        }
    }
    return status;
}

/* ---- Sequences made ------------------------------------------------------------------------ */

static kiln_status resolve_construct(graph *g, node *n, resolution *out) {
    (void)out;
    return set_members(g, n->outputs[0], n->input_count, n->inputs);
}

/* A place in a list of `count`, negative ones from its end. */
static kiln_status check_place(const graph *g, const node *n, size_t count, int64_t *inout_place) {
    int64_t place = *inout_place, size = (int64_t)count;
    *inout_place = place < 0 ? place + size : place;
    return *inout_place >= 0 && *inout_place < size
               ? KILN_OK
               : node_fail(g, n, KILN_ERROR_FORMAT, "position %lld in a sequence of %lld",
                           (long long)place, (long long)size);
}

static const char unknown_place[] = "its position is known in a run only";

/* The sequence, and the place given as input k, or else `fallback`; NULL: not yet. */
static tensor *sequence_and_place(const node *n, size_t k, int64_t fallback, int64_t *out_place,
                                  resolution *out) {
    tensor *sequence = sequence_input(n, out);
    *out_place = fallback;
    bool given = k < n->input_count && n->inputs[k] != NULL;
    if (sequence != NULL && given && !known_number(n, k, unknown_place, out_place, out)) {
        return NULL;
    }
    return sequence;
}

static kiln_status resolve_insert(graph *g, node *n, resolution *out) {
    int64_t place;
    tensor *from = sequence_and_place(n, 2, INT64_MAX, &place, out);
    if (from == NULL) {
        return KILN_OK;
    }
    size_t count = from->member_count;
    place = place == INT64_MAX ? (int64_t)count : place < 0 ? place + (int64_t)count : place;
    if (place < 0 || place > (int64_t)count) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "position %lld in a sequence of %zu",
                         (long long)place, count);
    }
    size_t at = (size_t)place;
    tensor *y = n->outputs[0];
    kiln_status status = set_members(g, y, count, from->members); /* with room for one more */
    if (status == KILN_OK) {
        memmove(y->members + at + 1, y->members + at, (count - at) * sizeof(tensor *));
        y->members[at] = n->inputs[1];
        y->member_count++;
    }
    return status;
}

static kiln_status resolve_erase(graph *g, node *n, resolution *out) {
    int64_t place;
    tensor *from = sequence_and_place(n, 1, -1, &place, out);
    if (from == NULL) {
        return KILN_OK;
    }
    kiln_status status = check_place(g, n, from->member_count, &place);
    tensor *y = n->outputs[0];
    if (status == KILN_OK) {
        status = set_members(g, y, from->member_count, from->members);
    }
    if (status == KILN_OK) {
        y->member_count--;
        memmove(y->members + place, y->members + place + 1,
                (y->member_count - (size_t)place) * sizeof(tensor *));
    }
    return status;
}

/* ---- Split into a sequence ------------------------------------------------------------------ */

enum { MAX_MEMBERS = 4096 };

/* Sizes along the axis: a list, or one size for all parts but the last, or parts of one. */
static kiln_status part_sizes(graph *g, const node *n, tensor *split, int64_t total,
                              int64_t **out_sizes, size_t *out_count) {
    bool list = split != NULL && split->rank > 0;
    int64_t each = split == NULL || list ? 1 : tensor_i64(split)[0];
    int64_t count = list ? tensor_elements(split) : each > 0 ? (total + each - 1) / each : 0;
    if (count < 1 || count > MAX_MEMBERS) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "a split into %lld parts; at most %d",
                         (long long)count, MAX_MEMBERS);
    }
    int64_t *sizes = graph_allocate(g, (size_t)count * sizeof *sizes);
    for (int64_t k = 0; sizes != NULL && k < count; k++) {
        sizes[k] = list ? tensor_i64(split)[k] : k + 1 < count ? each : total - each * (count - 1);
    }
    *out_sizes = sizes;
    *out_count = (size_t)count;
    return sizes != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

static kiln_status drop_axis(graph *g, const node *n, tensor **inout_t, int64_t axis) {
    tensor *y = graph_add_tensor(g, NULL, KILN_F32);
    node *made;
    kiln_status status =
        y != NULL ? add(g, n, "Squeeze", 1, inout_t, 1, &y, &made) : KILN_ERROR_MEMORY;
    *inout_t = y;
    return status == KILN_OK ? node_set_ints(g, made, "axes", &axis, 1) : status;
}

static kiln_status split_to_members(graph *g, node *n, tensor *split) {
    uint32_t axis;
    int64_t *sizes = NULL;
    size_t count = 0;
    tensor *x = n->inputs[0];
    kiln_status status = node_axis(g, n, node_int(n, "axis", 0), x->rank, &axis);
    if (status == KILN_OK) {
        status = refuse_batch(g, n, x, axis);
    }
    if (status == KILN_OK) {
        status = part_sizes(g, n, split, x->dims[axis], &sizes, &count);
    }
    if (status != KILN_OK) {
        return status;
    }
    tensor **parts = graph_allocate(g, count * sizeof(tensor *));
    tensor *inputs[2] = {x, add_integers(g, count, sizes)};
    for (size_t k = 0; parts != NULL && k < count; k++) {
        parts[k] = graph_add_tensor(g, NULL, KILN_F32);
        status = parts[k] != NULL ? status : KILN_ERROR_MEMORY;
    }
    if (parts == NULL || inputs[1] == NULL || status != KILN_OK) {
        return KILN_ERROR_MEMORY;
    }
    node *made;
    status = add(g, n, "Split", 2, inputs, count, parts, &made);
    if (status == KILN_OK) {
        status = node_set_int(g, made, "axis", axis);
    }
    bool drop = split == NULL && node_int(n, "keepdims", 1) == 0;
    for (size_t k = 0; k < count && drop && status == KILN_OK; k++) {
        status = drop_axis(g, n, &parts[k], axis);
    }
    return status == KILN_OK ? set_members(g, n->outputs[0], count, parts) : status;
}

static kiln_status resolve_split(graph *g, node *n, resolution *out) {
    bool given = n->input_count > 1 && n->inputs[1] != NULL;
    tensor *x = settled_tensor(n, 0, out), *split = NULL;
    if (x != NULL && given) {
        split = settled_tensor(n, 1, out);
    }
    if (x == NULL || (given && split == NULL)) {
        return KILN_OK;
    }
    if (given && (!tensor_is_constant(split) || split->dtype != KILN_I64 || split->rank > 1 ||
                  tensor_elements(split) == 0 || tensor_depends_on_batch(split))) {
        *out = (resolution){split, "the sizes of its parts are known in a run only"};
        return KILN_OK;
    }
    return split_to_members(g, n, split);
}

/* ---- Sequences read ------------------------------------------------------------------------ */

static kiln_status resolve_at(graph *g, node *n, resolution *out) {
    int64_t place;
    tensor *from = sequence_and_place(n, 1, 0, &place, out);
    if (from == NULL) {
        return KILN_OK;
    }
    kiln_status status = check_place(g, n, from->member_count, &place);
    return status == KILN_OK ? be_same(g, n, from->members[place], n->outputs[0]) : status;
}

static kiln_status resolve_length(graph *g, node *n, resolution *out) {
    tensor *from = sequence_input(n, out), *y = n->outputs[0];
    if (from == NULL) {
        return KILN_OK;
    }
    y->dtype = KILN_I64;
    kiln_status status = tensor_set_shape(g, n, y, 0, NULL);
    if (status == KILN_OK) {
        status = tensor_allocate(g, y);
    }
    if (status == KILN_OK) {
        *(int64_t *)y->owned = (int64_t)from->member_count;
    }
    return status;
}

/* Members with one more axis, to be put together along it. */
static kiln_status add_axis(graph *g, const node *n, tensor **members, size_t count, int64_t axis) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < count && status == KILN_OK; k++) {
        tensor *y = graph_add_tensor(g, NULL, KILN_F32);
        node *made;
        status =
            y != NULL ? add(g, n, "Unsqueeze", 1, &members[k], 1, &y, &made) : KILN_ERROR_MEMORY;
        members[k] = y;
        if (status == KILN_OK) {
            status = node_set_ints(g, made, "axes", &axis, 1);
        }
    }
    return status;
}

static kiln_status resolve_concat(graph *g, node *n, resolution *out) {
    tensor *from = sequence_input(n, out);
    if (from == NULL) {
        return KILN_OK;
    }
    size_t count = from->member_count;
    int64_t axis = node_int(n, "axis", 0);
    if (count == 0) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "an empty sequence");
    }
    tensor **members = graph_allocate(g, count * sizeof(tensor *));
    if (members == NULL) {
        return KILN_ERROR_MEMORY;
    }
    memcpy(members, from->members, count * sizeof(tensor *));
    kiln_status status =
        node_int(n, "new_axis", 0) != 0 ? add_axis(g, n, members, count, axis) : KILN_OK;
    node *made;
    if (status == KILN_OK) {
        status = add(g, n, "Concat", count, members, 1, n->outputs, &made);
    }
    return status == KILN_OK ? node_set_int(g, made, "axis", axis) : status;
}

#define ROW(op_name, opset, fewest, most, outputs, constants, function)                            \
    {                                                                                              \
        .name = op_name, .min_opset = opset, .min_inputs = fewest, .max_inputs = most,             \
        .min_outputs = 1, .max_outputs = outputs, .constant_inputs = constants,                    \
        .resolve = resolve_##function                                                              \
    }

const op ops_structure[] = {
    ROW("If", 1, 1, 255, 255, 1, if),
    ROW("SequenceEmpty", 11, 0, 0, 1, 0, construct),
    ROW("SequenceConstruct", 11, 1, 255, 1, 0, construct),
    ROW("SequenceInsert", 11, 2, 3, 1, 4, insert),
    ROW("SequenceErase", 11, 1, 2, 1, 2, erase),
    ROW("SplitToSequence", 11, 1, 2, 1, 2, split),
    ROW("SequenceAt", 11, 2, 2, 1, 2, at),
    ROW("SequenceLength", 11, 1, 1, 1, 0, length),
    ROW("ConcatFromSequence", 11, 1, 1, 1, 0, concat),
    {.name = NULL},
};
