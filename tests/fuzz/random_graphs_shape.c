/* Steps on shapes, integers and truth values: what exporters compute shapes with, and what follows
 * a selection. */
#include "tests/fuzz/random_graphs.h"

#include <string.h>

static tensor *cast(generator *r, tensor *x, int64_t type) {
    node *n = x != NULL ? begin_node(r, "Cast", 1, &x, 1) : NULL;
    if (n != NULL) {
        set_int(r, n, "to", type);
    }
    return end_node(r, n);
}

/* One size of a tensor, as torch exports it. */
static tensor *size_of_axis(generator *r, tensor *x, int64_t axis) {
    tensor *shape = APPLY(r, "Shape", x);
    node *n = shape != NULL
                  ? begin_node(r, "Gather", 2, (tensor *[]){shape, integers_of(r, 1, &axis)}, 1)
                  : NULL;
    return end_node(r, n);
}

static void forget_since(generator *r, size_t first, tensor *kept) {
    r->pool_count = first;
    if (kept != NULL) {
        r->pool[r->pool_count++] = kept;
    }
}

/* x.view(x.size(0), -1), x.view(x.size(0), x.size(1), -1) or x.view(x.size(0), c / k, k, -1) */
static bool view_by_size(generator *r) {
    tensor *x = pick(r, 3, 5);
    size_t first = r->pool_count;
    if (x == NULL || tensor_is_constant(x)) {
        return false;
    }
    const int64_t open = -1, two = 2;
    tensor *parts[4] = {size_of_axis(r, x, 0)};
    size_t count = 1;
    if (chance(r, 60)) {
        parts[count++] = size_of_axis(r, x, 1);
        if (x->dims[1] % 2 == 0 && chance(r, 40) && parts[1] != NULL) {
            parts[1] = APPLY(r, "Div", parts[1], integers_of(r, 1, &two));
            parts[count++] = integers_of(r, 1, &two);
        }
    }
    parts[count++] = integers_of(r, 1, &open);
    for (size_t k = 0; k < count; k++) {
        if (parts[k] == NULL) {
            return false;
        }
    }
    node *n = begin_node(r, "Concat", count, parts, 1);
    set_int(r, n, "axis", 0);
    tensor *shape = end_node(r, n), *y = shape != NULL ? APPLY(r, "Reshape", x, shape) : NULL;
    forget_since(r, first, y);
    return y != NULL;
}

/* Coordinates, a class token, a position: a constant given the batch of what it meets. */
static bool expand_by_size(generator *r) {
    tensor *x = pick(r, 2, 5);
    size_t first = r->pool_count;
    if (x == NULL || tensor_is_constant(x)) {
        return false;
    }
    int64_t dims[KILN_MAX_RANK];
    uint32_t axis = x->rank > 1 ? 1 + below(r, x->rank - 1) : 0;
    memcpy(dims, x->dims, sizeof dims);
    dims[0] = 1;
    dims[axis] = between(r, 1, 2);
    tensor *parts[2] = {size_of_axis(r, x, 0), integers_of(r, x->rank - 1, dims + 1)};
    node *n = parts[0] != NULL ? begin_node(r, "Concat", 2, parts, 1) : NULL;
    if (n != NULL) {
        set_int(r, n, "axis", 0);
    }
    tensor *shape = end_node(r, n);
    tensor *token =
        shape != NULL ? APPLY(r, "Expand", constant_of(r, x->rank, dims, OF_UNIT), shape) : NULL;
    tensor *both[2] = {x, token}, *turned[2] = {token, x};
    n = token != NULL ? begin_node(r, "Concat", 2, chance(r, 50) ? both : turned, 1) : NULL;
    if (n != NULL) {
        set_int(r, n, "axis", any_sign(r, axis, x->rank));
    }
    tensor *y = end_node(r, n);
    forget_since(r, first, y);
    return y != NULL;
}

/* Positions of maxima, reckoned with and looked up. */
static bool look_up(generator *r) {
    static const char *const ops[] = {"Add", "Sub", "Mul", "Max", "Min"};
    tensor *x = pick(r, 2, 4);
    if (x == NULL) {
        return false;
    }
    uint32_t axis = some_axis(r, x);
    int64_t size = sample_size(x, axis), dims[2] = {size, between(r, 1, 4)};
    node *n = begin_node(r, "ArgMax", 1, &x, 1);
    set_int(r, n, "axis", any_sign(r, axis, x->rank));
    set_int(r, n, "keepdims", below(r, 2));
    tensor *i = end_node(r, n);
    if (i != NULL && chance(r, 40)) {
        const int64_t value = between(r, -2, 3);
        tensor *y = APPLY(r, CHOOSE(r, ops), i, integers_of(r, 1, &value));
        return cast(r, y, 1) != NULL;
    }
    n = i != NULL ? begin_node(r, "Gather", 2,
                               (tensor *[]){constant_of(r, 1 + below(r, 2), dims, OF_UNIT), i}, 1)
                  : NULL;
    return end_node(r, n) != NULL;
}

/* Conditions of conditions. */
static bool logic(generator *r) {
    static const char *const tests[] = {"Less", "Greater", "Equal"};
    static const char *const joins[] = {"And", "Or", "Xor", "Equal"};
    tensor *x = pick(r, 1, 5), *other = x != NULL ? pick_like(r, x, -1) : NULL;
    if (other == NULL) {
        return false;
    }
    tensor *a = APPLY(r, CHOOSE(r, tests), x, scalar_of(r, 0.25f));
    tensor *b = APPLY(r, CHOOSE(r, tests), scalar_of(r, 0), other);
    tensor *c = a != NULL && b != NULL ? APPLY(r, CHOOSE(r, joins), a, b) : NULL;
    if (c == NULL) {
        return false;
    }
    return chance(r, 50) ? cast(r, c, chance(r, 50) ? 1 : 7) != NULL
                         : APPLY(r, "Where", c, x, other) != NULL;
}

/* A part of a table of constants, which folds. */
static bool fold(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    int64_t dims[KILN_MAX_RANK];
    memcpy(dims, x->dims, sizeof dims);
    dims[0] = 1;
    tensor *c = constant_of(r, x->rank, dims, OF_UNIT);
    c = APPLY(r, chance(r, 50) ? "Tanh" : "Relu", c);
    return c != NULL && APPLY(r, chance(r, 50) ? "Add" : "Mul", c, x) != NULL;
}

const weighted_step shape_steps[] = {
    {view_by_size, 3}, {expand_by_size, 3}, {look_up, 2}, {logic, 2}, {fold, 2}, {NULL, 0},
};
