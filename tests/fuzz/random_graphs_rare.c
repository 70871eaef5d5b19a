/* Steps of operators that few networks have. */
#include "tests/fuzz/random_graphs.h"

#include <string.h>

static bool function(generator *r) {
    static const char *const plain[] = {
        "Floor", "Ceil", "Round", "Sign", "Gelu", "MeanVarianceNormalization", "Hardmax"};
    tensor *x = pick(r, 2, 4);
    if (chance(r, 20)) { /* -1 to 1, and from 1 on */
        x = APPLY(r, "Tanh", x);
        return x != NULL && APPLY(r, "Atanh", APPLY(r, "Mul", x, scalar_of(r, 0.9f))) != NULL;
    }
    if (chance(r, 10)) {
        x = APPLY(r, "Abs", x);
        return x != NULL && APPLY(r, "Acosh", APPLY(r, "Add", x, scalar_of(r, 1.1f))) != NULL;
    }
    return APPLY(r, CHOOSE(r, plain), x) != NULL;
}

static bool remainder_of(generator *r) {
    tensor *x = pick(r, 1, 5);
    if (x == NULL) {
        return false;
    }
    node *n = begin_node(r, "Mod", 2, (tensor *[]){x, scalar_of(r, 0.75f)}, 1);
    set_int(r, n, "fmod", 1);
    return end_node(r, n) != NULL;
}

static bool float_test(generator *r) {
    tensor *x = pick(r, 1, 5), *y = APPLY(r, chance(r, 50) ? "IsNaN" : "IsInf", x);
    return y != NULL && APPLY(r, "Where", y, scalar_of(r, 0), x) != NULL;
}

static bool rare_reduce(generator *r) {
    static const char *const ops[] = {"ReduceLogSum", "ReduceLogSumExp", "ReduceProd"};
    tensor *x = pick(r, 2, 4);
    if (x == NULL) {
        return false;
    }
    const char *op = CHOOSE(r, ops);
    if (strcmp(op, "ReduceLogSum") == 0) {
        x = APPLY(r, "Add", APPLY(r, "Abs", x), scalar_of(r, 0.5f));
    }
    int64_t axis = x != NULL ? any_sign(r, some_axis(r, x), x->rank) : 0;
    bool operand = r->g->opset >= 18;
    node *n = x != NULL ? begin_node(r, op, operand ? 2 : 1,
                                     (tensor *[]){x, operand ? integers_of(r, 1, &axis) : NULL}, 1)
                        : NULL;
    if (n != NULL && !operand) {
        set_ints(r, n, "axes", &axis, 1);
    }
    if (n != NULL) {
        set_int(r, n, "keepdims", below(r, 2));
    }
    return end_node(r, n) != NULL;
}

/* Constant indices of x's shape but for the axis; only with the batch fixed. */
static bool elements(generator *r) {
    tensor *x = pick(r, 2, 4);
    if (x == NULL || r->g->batch_symbolic) {
        return false;
    }
    int64_t dims[KILN_MAX_RANK];
    uint32_t axis = below(r, x->rank);
    bool scatter = chance(r, 50);
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = between(r, 1, x->dims[axis]);
    tensor *i = graph_add_constant(r->g, NULL, KILN_I64, x->rank, dims);
    int64_t inner = 1;
    for (uint32_t k = axis + 1; k < x->rank; k++) {
        inner *= dims[k];
    }
    for (int64_t k = 0; k < tensor_elements(i); k++) { /* no index twice: its order is not said */
        int64_t at = x->dims[axis] - 1 - k / inner % dims[axis];
        ((int64_t *)i->owned)[k] = chance(r, 30) ? at - x->dims[axis] : at;
    }
    tensor *inputs[3] = {x, i, constant_of(r, x->rank, dims, OF_UNIT)};
    node *n =
        begin_node(r, scatter ? "ScatterElements" : "GatherElements", scatter ? 3 : 2, inputs, 1);
    set_int(r, n, "axis", any_sign(r, axis, x->rank));
    return end_node(r, n) != NULL;
}

/* A pooling and its inverse. */
static bool unpool(generator *r) {
    tensor *x = pick(r, 4, 4);
    if (x == NULL || x->dims[2] % 2 != 0 || x->dims[3] % 2 != 0) {
        return false;
    }
    const int64_t two[2] = {2, 2};
    node *n = begin_node(r, "MaxPool", 1, &x, 2);
    set_ints(r, n, "kernel_shape", two, 2);
    set_ints(r, n, "strides", two, 2);
    tensor *y = end_node(r, n), *places = n->outputs[1];
    n = y != NULL ? begin_node(r, "MaxUnpool", 2, (tensor *[]){y, places}, 1) : NULL;
    if (n != NULL) {
        set_ints(r, n, "kernel_shape", two, 2);
        set_ints(r, n, "strides", two, 2);
    }
    return end_node(r, n) != NULL;
}

const weighted_step rare_steps[] = {
    {function, 3}, {remainder_of, 1}, {float_test, 1}, {rare_reduce, 2},
    {elements, 2}, {unpool, 1},       {NULL, 0},
};
