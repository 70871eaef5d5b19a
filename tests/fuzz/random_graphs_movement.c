/* Steps that compute nothing: the same elements elsewhere. */
#include "tests/fuzz/random_graphs.h"

#include <string.h>

static bool concat(generator *r) {
    tensor *parts[4] = {pick(r, 2, 5)}, *x = parts[0];
    if (x == NULL) {
        return false;
    }
    uint32_t axis = some_axis(r, x);
    size_t count = 2 + below(r, 3);
    for (size_t k = 1; k < count; k++) {
        parts[k] = chance(r, 85) ? pick_like(r, x, axis) : NULL;
        if (parts[k] == NULL) {
            int64_t dims[KILN_MAX_RANK];
            memcpy(dims, x->dims, sizeof dims);
            dims[axis] = between(r, 1, 3);
            if (dims[0] % GRAPH_BATCH == 0) { /* no constant has it: the input again */
                parts[k] = x;
                continue;
            }
            parts[k] = constant_of(r, x->rank, dims, OF_UNIT);
        }
    }
    size_t swapped = below(r, (uint32_t)count);
    parts[0] = parts[swapped];
    parts[swapped] = x;
    node *n = begin_node(r, "Concat", count, parts, 1);
    set_int(r, n, "axis", any_sign(r, axis, x->rank));
    return end_node(r, n) != NULL;
}

static bool split(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    uint32_t axis = some_axis(r, x);
    int64_t total = x->dims[axis], count = between(r, 2, total < 4 ? total : 4), sizes[4];
    if (total < 2) {
        return false;
    }
    for (int64_t k = 0, left = total; k < count; k++) {
        int64_t others = count - 1 - k;
        sizes[k] = others == 0 ? left : between(r, 1, left - others);
        left -= sizes[k];
    }
    bool even = total % count == 0 && chance(r, 40), by_attribute = r->g->opset < 13;
    tensor *inputs[2] = {x, even || by_attribute ? NULL : integers_of(r, (size_t)count, sizes)};
    node *n = begin_node(r, "Split", inputs[1] != NULL ? 2 : 1, inputs, (size_t)count);
    set_int(r, n, "axis", any_sign(r, axis, x->rank));
    if (even && r->g->opset >= 18) {
        set_int(r, n, "num_outputs", count);
    } else if (!even && by_attribute) {
        set_ints(r, n, "split", sizes, (size_t)count);
    }
    return end_node(r, n) != NULL;
}

static bool slice(generator *r) {
    static const int64_t steps[] = {1, 1, 1, 2, 3, -1, -2};
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    int64_t lists[4][KILN_MAX_RANK]; /* starts, ends, axes, steps */
    size_t count = 0, most = chance(r, 60) ? 1 : x->rank;
    for (uint32_t axis = x->rank; axis-- > 1 && count < most;) {
        int64_t dim = x->dims[axis], step = CHOOSE(r, steps);
        if (!chance(r, 60)) {
            continue;
        }
        int64_t first = between(r, 0, dim - 1);
        int64_t last = step > 0 ? between(r, first, dim - 1) : between(r, 0, first);
        lists[0][count] = chance(r, 30) ? first - dim : first;
        lists[1][count] = step > 0 ? (chance(r, 30) ? INT32_MAX : last + 1)
                                   : (last == 0 || chance(r, 30) ? INT64_MIN + 1 : last - 1);
        lists[2][count] = any_sign(r, axis, x->rank);
        lists[3][count++] = step;
    }
    tensor *inputs[5] = {x};
    for (size_t k = 0; k < 4; k++) {
        inputs[k + 1] = integers_of(r, count, lists[k]);
    }
    return count > 0 && apply(r, "Slice", 5, inputs) != NULL;
}

static bool transpose(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    int64_t perm[KILN_MAX_RANK], last[] = {0, 2, 3, 1}, first[] = {0, 3, 1, 2};
    for (uint32_t k = 0; k < x->rank; k++) {
        perm[k] = k;
    }
    uint32_t from = chance(r, 90) ? 1 : 0;
    for (uint32_t k = x->rank - 1; k > from; k--) {
        uint32_t other = from + below(r, k - from + 1);
        int64_t kept = perm[k];
        perm[k] = perm[other];
        perm[other] = kept;
    }
    if (x->rank == 4 && chance(r, 60)) {
        memcpy(perm, chance(r, 50) ? last : first, sizeof last);
    }
    node *n = begin_node(r, "Transpose", 1, &x, 1);
    set_ints(r, n, "perm", perm, x->rank);
    return end_node(r, n) != NULL;
}

/* Dims other than the batch are merged, split and set apart by ones. */
static bool reshape(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    int64_t dims[KILN_MAX_RANK] = {0}, rest = 1;
    size_t rank = 1;
    for (uint32_t k = 1; k < x->rank; k++) {
        rest *= x->dims[k];
    }
    while (rank < 5 && chance(r, 70)) {
        int64_t divisor = chance(r, 20) ? 1 : between(r, 1, rest);
        while (rest % divisor != 0) {
            divisor--;
        }
        rest /= divisor;
        dims[rank++] = divisor;
    }
    dims[rank++] = chance(r, 40) ? -1 : rest;
    if (chance(r, 20)) { /* keeps channels */
        dims[1] = 0;
        dims[2] = -1;
        rank = 3;
    }
    return APPLY(r, "Reshape", x, integers_of(r, rank, dims)) != NULL;
}

static bool flatten(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    node *n = begin_node(r, "Flatten", 1, &x, 1);
    set_int(r, n, "axis", chance(r, 80) ? 1 : between(r, 1, x->rank));
    return end_node(r, n) != NULL;
}

/* Axes are an attribute until opset 12. */
static bool apply_to_axes(generator *r, const char *op, tensor *x, const int64_t *axes,
                          size_t count) {
    bool attribute = r->g->opset < 13;
    node *n = begin_node(r, op, attribute ? 1 : 2,
                         (tensor *[]){x, attribute ? NULL : integers_of(r, count, axes)}, 1);
    if (attribute) {
        set_ints(r, n, "axes", axes, count);
    }
    return end_node(r, n) != NULL;
}

static bool squeeze(generator *r) {
    tensor *x = pick(r, 3, 5);
    int64_t axes[KILN_MAX_RANK];
    size_t count = 0;
    for (uint32_t k = 1; x != NULL && k < x->rank; k++) {
        if (x->dims[k] == 1 && (count == 0 || chance(r, 60))) {
            axes[count++] = any_sign(r, k, x->rank);
        }
    }
    return count > 0 && apply_to_axes(r, "Squeeze", x, axes, count);
}

static bool unsqueeze(generator *r) {
    tensor *x = pick(r, 2, 4);
    if (x == NULL) {
        return false;
    }
    int64_t axis = any_sign(r, between(r, 1, x->rank), x->rank + 1);
    return apply_to_axes(r, "Unsqueeze", x, &axis, 1);
}

static bool gather(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    uint32_t axis = some_axis(r, x);
    int64_t indices[6], dims[2] = {1, 1}, dim = x->dims[axis];
    uint32_t rank = below(r, 3);
    dims[rank > 0 ? rank - 1 : 0] = rank > 0 ? between(r, 1, 5) : 1;
    tensor *t = graph_add_constant(r->g, NULL, KILN_I64, rank, dims);
    for (int64_t k = 0; k < tensor_elements(t); k++) {
        indices[k] = between(r, -dim, dim - 1);
    }
    memcpy(t->owned, indices, (size_t)tensor_elements(t) * sizeof *indices);
    node *n = begin_node(r, "Gather", 2, (tensor *[]){x, t}, 1);
    set_int(r, n, "axis", any_sign(r, axis, x->rank));
    return end_node(r, n) != NULL;
}

static bool expand(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    int64_t dims[KILN_MAX_RANK] = {1};
    bool tile = chance(r, 50);
    for (uint32_t k = 1; k < x->rank; k++) {
        dims[k] = tile || x->dims[k] == 1 ? between(r, 1, 3) : chance(r, 50) ? 1 : x->dims[k];
    }
    return APPLY(r, tile ? "Tile" : "Expand", x, integers_of(r, x->rank, dims)) != NULL;
}

const weighted_step movement_steps[] = {
    {concat, 9},  {split, 6},     {slice, 7},  {transpose, 4}, {reshape, 4}, {flatten, 2},
    {squeeze, 2}, {unsqueeze, 2}, {gather, 3}, {expand, 3},    {NULL, 0},
};
