/* Steps in which the batch leaves its place, as attention and patches make it: it is put behind
 * other dims, some operators follow there, and it comes back to the front. */
#include "tests/fuzz/random_graphs.h"

#include <string.h>

/* A tensor whose batch is dims[axis], or a multiple of it with the batch first. */
typedef struct moved {
    tensor *t;
    uint32_t axis;
} moved;

static tensor *end_with(generator *r, node *n, const char *name, const int64_t *values,
                        size_t count) {
    if (n != NULL) {
        set_ints(r, n, name, values, count);
    }
    return end_moved_node(r, n);
}

static tensor *unary(generator *r, const char *op, tensor *x) {
    return end_moved_node(r, x != NULL ? begin_node(r, op, 1, &x, 1) : NULL);
}

static tensor *two(generator *r, const char *op, tensor *a, tensor *b) {
    bool both = a != NULL && b != NULL;
    return end_moved_node(r, both ? begin_node(r, op, 2, (tensor *[]){a, b}, 1) : NULL);
}

/* The batch from the axis it is at to another; the dims around it in any order. */
static bool transpose_to(generator *r, moved *m, uint32_t to) {
    int64_t perm[KILN_MAX_RANK], others[KILN_MAX_RANK];
    uint32_t rank = m->t->rank, count = 0;
    for (uint32_t k = 0; k < rank; k++) {
        if (k != m->axis) {
            others[count++] = k;
        }
    }
    for (uint32_t k = 0; k < rank; k++) {
        uint32_t at = count > 0 ? below(r, count) : 0;
        perm[k] = k == to ? m->axis : others[at];
        if (k != to) {
            others[at] = others[--count];
        }
    }
    m->t = end_with(r, begin_node(r, "Transpose", 1, &m->t, 1), "perm", perm, rank);
    m->axis = to;
    return m->t != NULL;
}

static bool turn(generator *r, moved *m) {
    return transpose_to(r, m, below(r, m->t->rank));
}

/* Any axis but the batch's; false where there is no other. */
static bool other_axis(generator *r, const moved *m, uint32_t *out_axis) {
    *out_axis = below(r, m->t->rank);
    *out_axis = *out_axis == m->axis ? (*out_axis + 1) % m->t->rank : *out_axis;
    return m->t->rank > 1;
}

static bool activate(generator *r, moved *m) {
    static const char *const ops[] = {"Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Identity"};
    m->t = unary(r, CHOOSE(r, ops), m->t);
    return m->t != NULL;
}

static bool with_constant(generator *r, moved *m) {
    static const char *const ops[] = {"Add", "Mul", "Sub", "Max"};
    int64_t dims[KILN_MAX_RANK];
    uint32_t rank = 1 + below(r, m->t->rank), missing = m->t->rank - rank;
    for (uint32_t k = 0; k < rank; k++) {
        dims[k] = k + missing == m->axis || chance(r, 40) ? 1 : m->t->dims[k + missing];
    }
    tensor *c = constant_of(r, rank, dims, OF_UNIT);
    bool swapped = chance(r, 40);
    m->t = two(r, CHOOSE(r, ops), swapped ? c : m->t, swapped ? m->t : c);
    return m->t != NULL;
}

static node *reducing(generator *r, tensor *x, uint32_t axis, bool keep) {
    static const char *const ops[] = {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2"};
    const char *op = CHOOSE(r, ops);
    const int64_t axes = any_sign(r, axis, x->rank);
    bool by_input = r->g->opset >= (strcmp(op, "ReduceSum") == 0 ? 13 : 18);
    tensor *inputs[2] = {x, by_input ? integers_of(r, 1, &axes) : NULL};
    node *n = begin_node(r, op, by_input ? 2 : 1, inputs, 1);
    if (!by_input) {
        set_ints(r, n, "axes", &axes, 1);
    }
    set_int(r, n, "keepdims", keep);
    return n;
}

static bool reduce(generator *r, moved *m) {
    uint32_t axis;
    bool keep = chance(r, 40);
    if (!other_axis(r, m, &axis)) {
        return true;
    }
    m->t = end_moved_node(r, reducing(r, m->t, axis, keep));
    m->axis -= !keep && axis < m->axis ? 1 : 0;
    return m->t != NULL;
}

/* With what a reduction makes of it, of its rank or of one less: the batch may then be in another
 * place of the two. */
static bool with_itself(generator *r, moved *m) {
    static const char *const ops[] = {"Add", "Mul", "Sub", "Min"};
    uint32_t axis = 0;
    tensor *other = m->t;
    if (chance(r, 60) && other_axis(r, m, &axis)) {
        bool keep = axis != 0 || chance(r, 50);
        other = end_moved_node(r, reducing(r, m->t, axis, keep));
    } else {
        other = unary(r, "Tanh", other);
    }
    bool swapped = chance(r, 50);
    m->t = two(r, CHOOSE(r, ops), swapped ? other : m->t, swapped ? m->t : other);
    return m->t != NULL;
}

/* Softmax was over all axes from its own on until opset 12. */
static bool normalise(generator *r, moved *m) {
    uint32_t axis, kind = below(r, 2);
    bool flat = r->g->opset < 13 || kind == 1;
    if (!other_axis(r, m, &axis) || (flat && axis < m->axis) || (kind == 1 && r->g->opset < 17)) {
        return true;
    }
    tensor *inputs[2] = {m->t, NULL};
    if (kind == 1) {
        inputs[1] = constant_of(r, m->t->rank - axis, m->t->dims + axis, OF_UNIT);
    }
    node *n = kind == 0 ? begin_node(r, chance(r, 70) ? "Softmax" : "LogSoftmax", 1, inputs, 1)
                        : begin_node(r, "LayerNormalization", 2, inputs, 1);
    set_int(r, n, "axis", any_sign(r, axis, m->t->rank));
    if (kind == 1) {
        set_float(r, n, "epsilon", 0.01f);
    }
    m->t = end_moved_node(r, n);
    return m->t != NULL;
}

static bool slice(generator *r, moved *m) {
    uint32_t axis;
    if (!other_axis(r, m, &axis)) {
        return true;
    }
    int64_t dim = m->t->dims[axis], first = between(r, 0, dim - 1),
            last = between(r, first, dim - 1);
    const int64_t start = chance(r, 50) ? first : first - dim, end = last + 1;
    const int64_t axes = any_sign(r, axis, m->t->rank), step = chance(r, 80) ? 1 : 2;
    tensor *inputs[5] = {m->t, integers_of(r, 1, &start), integers_of(r, 1, &end),
                         integers_of(r, 1, &axes), integers_of(r, 1, &step)};
    m->t = end_moved_node(r, begin_node(r, "Slice", chance(r, 50) && step == 1 ? 4 : 5, inputs, 1));
    return m->t != NULL;
}

static bool gather(generator *r, moved *m) {
    uint32_t axis, rank = below(r, 2);
    if (!other_axis(r, m, &axis)) {
        return true;
    }
    int64_t dim = m->t->dims[axis], count = between(r, 1, 3);
    tensor *indices = graph_add_constant(r->g, NULL, KILN_I64, rank, &count);
    for (int64_t k = 0; k < tensor_elements(indices); k++) {
        ((int64_t *)indices->owned)[k] = between(r, -dim, dim - 1);
    }
    node *n = begin_node(r, "Gather", 2, (tensor *[]){m->t, indices}, 1);
    set_int(r, n, "axis", any_sign(r, axis, m->t->rank));
    m->t = end_moved_node(r, n);
    m->axis -= rank == 0 && axis < m->axis ? 1 : 0;
    return m->t != NULL;
}

/* Two parts, and both again the other way round: shifted windows. */
static bool roll(generator *r, moved *m) {
    uint32_t axis;
    if (!other_axis(r, m, &axis) || m->t->dims[axis] < 2) {
        return true;
    }
    int64_t first = between(r, 1, m->t->dims[axis] - 1),
            sizes[2] = {first, m->t->dims[axis] - first};
    bool by_input = r->g->opset >= 13;
    tensor *inputs[2] = {m->t, by_input ? integers_of(r, 2, sizes) : NULL};
    node *n = begin_node(r, "Split", by_input ? 2 : 1, inputs, 2);
    set_int(r, n, "axis", any_sign(r, axis, m->t->rank));
    if (!by_input) {
        set_ints(r, n, "split", sizes, 2);
    }
    if (end_moved_node(r, n) == NULL) {
        return false;
    }
    n = begin_node(r, "Concat", 2, (tensor *[]){n->outputs[1], n->outputs[0]}, 1);
    set_int(r, n, "axis", any_sign(r, axis, m->t->rank));
    m->t = end_moved_node(r, n);
    return m->t != NULL;
}

/* Factors of a size, at least one of them. */
static uint32_t factor(generator *r, int64_t size, uint32_t most, int64_t *out) {
    uint32_t count = 0;
    while (count + 1 < most && chance(r, 50)) {
        int64_t divisor = between(r, 1, size);
        while (size % divisor != 0) {
            divisor--;
        }
        out[count++] = divisor;
        size /= divisor;
    }
    out[count++] = size;
    return count;
}

/* Other dims before the batch, and behind it: some of these may lie in one dim with it. */
static bool reshape(generator *r, moved *m) {
    int64_t dims[KILN_MAX_RANK], behind[3], before = 1, rest = 1;
    uint32_t rank = 0;
    for (uint32_t k = 0; k < m->t->rank; k++) {
        int64_t size = k == m->axis && r->g->batch_symbolic ? sample_size(m->t, k) : m->t->dims[k];
        before *= k < m->axis ? size : 1;
        rest *= k > m->axis || (k == m->axis && r->g->batch_symbolic) ? size : 1;
    }
    if (before > 1 || chance(r, 50)) {
        rank = factor(r, before, 2, dims);
    }
    m->axis = rank;
    dims[rank++] = -1;
    uint32_t count = factor(r, rest, 3, behind), from = chance(r, 40) && count > 1 ? 1 : 0;
    for (uint32_t k = from; k < count; k++) {
        dims[rank++] = behind[k];
    }
    m->t = two(r, "Reshape", m->t, integers_of(r, rank, dims));
    return m->t != NULL;
}

static bool unsqueeze(generator *r, moved *m) {
    const int64_t axis = below(r, m->t->rank + 1);
    bool attribute = r->g->opset < 13;
    if (m->t->rank > 5) {
        return true;
    }
    tensor *inputs[2] = {m->t, attribute ? NULL : integers_of(r, 1, &axis)};
    node *n = begin_node(r, "Unsqueeze", attribute ? 1 : 2, inputs, 1);
    if (attribute) {
        set_ints(r, n, "axes", &axis, 1);
    }
    m->t = end_moved_node(r, n);
    m->axis += (uint32_t)axis <= m->axis ? 1 : 0;
    return m->t != NULL;
}

static bool expand(generator *r, moved *m) {
    int64_t dims[KILN_MAX_RANK];
    for (uint32_t k = 0; k < m->t->rank; k++) {
        dims[k] = k != m->axis && m->t->dims[k] == 1 ? between(r, 1, 3) : 1;
    }
    m->t = two(r, "Expand", m->t, integers_of(r, m->t->rank, dims));
    return m->t != NULL;
}

/* By a matrix of constants, or by itself transposed. */
static bool product(generator *r, moved *m) {
    uint32_t rank = m->t->rank;
    if (rank < 2 || m->axis + 1 == rank) {
        return true;
    }
    if (m->axis + 2 == rank || chance(r, 50)) {
        const int64_t dims[2] = {m->t->dims[rank - 1], between(r, 1, 5)};
        m->t = two(r, "MatMul", m->t, constant_of(r, 2, dims, OF_WEIGHTS));
        return m->t != NULL;
    }
    int64_t perm[KILN_MAX_RANK];
    for (uint32_t k = 0; k < rank; k++) {
        perm[k] = k + 2 < rank ? k : 2 * rank - 3 - k;
    }
    tensor *other = end_with(r, begin_node(r, "Transpose", 1, &m->t, 1), "perm", perm, rank);
    m->t = two(r, "MatMul", m->t, other);
    m->t = two(r, "Mul", m->t, scalar_of(r, 0.1f));
    return m->t != NULL;
}

static bool move_batch(generator *r) {
    static bool (*const ops[])(generator *, moved *) = {
        turn,   turn, activate, with_constant, with_itself, normalise, reduce, slice,
        gather, roll, reshape,  reshape,       unsqueeze,   expand,    product};
    moved m = {pick(r, 2, 4), 0};
    if (m.t == NULL || tensor_is_constant(m.t)) {
        return false;
    }
    bool good = (!chance(r, 40) || reshape(r, &m)) && turn(r, &m);
    for (uint32_t k = 1 + below(r, 6); k > 0 && good; k--) {
        good = CHOOSE(r, ops)(r, &m);
    }
    return good && transpose_to(r, &m, 0) && APPLY(r, "Neg", m.t) != NULL;
}

/* Queries, keys and values of a dense layer, by heads, as exporters cut them apart. */
static bool attend(generator *r) {
    tensor *x = pick(r, 3, 3), *part[3];
    if (x == NULL || tensor_is_constant(x) || x->dims[1] > 30 || x->dims[2] > 30) {
        return false;
    }
    int64_t heads = between(r, 1, 3), size = between(r, 1, 4), tokens = x->dims[1];
    const int64_t weights[] = {x->dims[2], 3 * heads * size},
                  apart[] = {-1, tokens, 3, heads, size};
    const int64_t order[] = {2, 0, 3, 1, 4}, swap[] = {0, 1, 3, 2}, back[] = {0, 2, 1, 3};
    const int64_t zero = 0, flat[] = {-1, tokens, heads * size};
    tensor *y = two(r, "MatMul", x, constant_of(r, 2, weights, OF_WEIGHTS));
    y = two(r, "Reshape", y, integers_of(r, 5, apart));
    y = y != NULL ? end_with(r, begin_node(r, "Transpose", 1, &y, 1), "perm", order, 5) : NULL;
    bool slices = chance(r, 50);
    for (int64_t k = 0; k < 3 && y != NULL; k++) {
        const int64_t end = k + 1;
        tensor *index = graph_add_constant(r->g, NULL, KILN_I64, slices ? 1 : 0, &end);
        if (slices) {
            *(int64_t *)index->owned = k;
            tensor *inputs[] = {y, index, integers_of(r, 1, &end), integers_of(r, 1, &zero)};
            part[k] = end_moved_node(r, begin_node(r, "Slice", 4, inputs, 1));
            bool attribute = r->g->opset < 13;
            node *n =
                part[k] == NULL
                    ? NULL
                    : begin_node(r, "Squeeze", attribute ? 1 : 2,
                                 (tensor *[]){part[k], attribute ? NULL : integers_of(r, 1, &zero)},
                                 1);
            if (n != NULL && attribute) {
                set_ints(r, n, "axes", &zero, 1);
            }
            part[k] = end_moved_node(r, n);
        } else {
            *(int64_t *)index->owned = k;
            part[k] = two(r, "Gather", y, index);
        }
    }
    if (y == NULL || part[0] == NULL || part[1] == NULL || part[2] == NULL) {
        return false;
    }
    y = end_with(r, begin_node(r, "Transpose", 1, &part[1], 1), "perm", swap, 4);
    y = unary(r, "Softmax", two(r, "MatMul", part[0], y));
    y = two(r, "MatMul", y, part[2]);
    y = y != NULL ? end_with(r, begin_node(r, "Transpose", 1, &y, 1), "perm", back, 4) : NULL;
    return y != NULL && APPLY(r, "Reshape", y, integers_of(r, 3, flat)) != NULL;
}

const weighted_step batch_steps[] = {
    {move_batch, 8},
    {attend, 3},
    {NULL, 0},
};
