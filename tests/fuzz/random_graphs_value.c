/* Steps that compute: elementwise, normalisation, reduction, dense layers, selection. */
#include "tests/fuzz/random_graphs.h"

#include <math.h>
#include <string.h>

/* Where a function is not defined, or grows fast, its argument is brought where it is tame. */
static bool activation(generator *r) {
    static const char *const plain[] = {
        "Relu",     "Relu",    "Relu", "LeakyRelu",   "Elu",       "Selu",
        "Celu",     "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Softplus",
        "Softsign", "Erf",     "Abs",  "Neg",         "Identity",  "Dropout",
        "Mish",     "Sin",     "Cos",  "Atan",        "Asinh",     "ThresholdedRelu",
        "Shrink"};
    static const char *const positive[] = {"Sqrt", "Log", "Reciprocal"};
    static const char *const bounded[] = {"Exp", "Sinh", "Cosh", "Asin", "Acos", "Tan"};
    tensor *x = pick(r, 1, 5);
    if (chance(r, 10)) {
        x = APPLY(r, "Abs", x);
        x = x != NULL ? APPLY(r, "Add", x, scalar_of(r, 0.5f)) : NULL;
        return APPLY(r, CHOOSE(r, positive), x) != NULL;
    }
    if (chance(r, 10)) {
        return APPLY(r, CHOOSE(r, bounded), APPLY(r, "Tanh", x)) != NULL;
    }
    const char *op = CHOOSE(r, plain);
    node *n = x != NULL ? begin_node(r, op, 1, &x, 1) : NULL;
    if (n != NULL && chance(r, 50)) {
        if (strcmp(op, "LeakyRelu") == 0 || strcmp(op, "Elu") == 0 || strcmp(op, "Celu") == 0) {
            set_float(r, n, "alpha", chance(r, 50) ? 0.3f : 1.5f);
        } else if (strcmp(op, "HardSigmoid") == 0) {
            set_float(r, n, "alpha", chance(r, 50) ? 1.0f / 6 : -0.3f);
        }
    }
    return end_node(r, n) != NULL;
}

static bool clip(generator *r) {
    static const float bounds[][2] = {
        {0, 6},         {-1, 1}, {0, INFINITY},        {-INFINITY, 1.5f},
        {0.25f, 0.75f}, {-6, 0}, {-INFINITY, INFINITY}};
    tensor *x = pick(r, 1, 5);
    const float *b = bounds[below(r, sizeof bounds / sizeof *bounds)];
    return APPLY(r, "Clip", x, isfinite(b[0]) ? scalar_of(r, b[0]) : NULL,
                 isfinite(b[1]) ? scalar_of(r, b[1]) : NULL) != NULL;
}

/* A constant that broadcasts to t, of any rank up to its. */
static tensor *constant_like(generator *r, const tensor *t, constant_kind kind) {
    int64_t dims[KILN_MAX_RANK];
    uint32_t rank = (uint32_t)between(r, 0, t->rank), from = t->rank - rank;
    bool channels = t->rank > 1 && chance(r, 35);
    if (channels) {
        rank = t->rank - 1;
        from = 1;
    }
    for (uint32_t k = 0; k < rank; k++) {
        int64_t dim = t->dims[k + from];
        bool kept = channels ? k == 0 : chance(r, 50);
        dims[k] = kept && dim % GRAPH_BATCH != 0 ? dim : 1;
    }
    return constant_of(r, rank, dims, kind);
}

static bool binary_constant(generator *r) {
    static const char *const ops[] = {"Add", "Add", "Sub", "Mul",   "Mul",
                                      "Div", "Max", "Min", "PRelu", "Pow"};
    tensor *x = pick(r, 1, 5);
    if (x == NULL) {
        return false;
    }
    const char *op = CHOOSE(r, ops);
    bool divides = strcmp(op, "Div") == 0, power = strcmp(op, "Pow") == 0;
    tensor *c = constant_like(r, x, divides || power ? OF_POSITIVE : OF_UNIT);
    if (power) {
        x = APPLY(r, "Abs", x);
        c = chance(r, 50) ? scalar_of(r, 2) : c;
        return x != NULL && APPLY(r, "Pow", x, c) != NULL;
    }
    bool swapped = !divides && strcmp(op, "PRelu") != 0 && chance(r, 40);
    return APPLY(r, op, swapped ? c : x, swapped ? x : c) != NULL;
}

static bool binary(generator *r) {
    static const char *const ops[] = {"Add", "Add", "Add", "Sub",  "Mul",
                                      "Max", "Min", "Sum", "Mean", "PRelu"};
    tensor *inputs[5] = {pick(r, 1, 5)}, *x = inputs[0];
    const char *op = CHOOSE(r, ops);
    bool variadic = op[1] == 'a' || op[0] == 'M' || strcmp(op, "Sum") == 0;
    size_t count = variadic && strcmp(op, "Mul") != 0 ? 1 + below(r, 5) : 2;
    if (x == NULL) {
        return false;
    }
    for (size_t k = 1; k < count; k++) {
        inputs[k] = chance(r, 70) ? pick_like(r, x, -1) : constant_like(r, x, OF_UNIT);
        inputs[k] = inputs[k] != NULL ? inputs[k] : x;
    }
    size_t swapped = strcmp(op, "PRelu") == 0 ? 0 : below(r, (uint32_t)count);
    inputs[0] = inputs[swapped];
    inputs[swapped] = x;
    return apply(r, op, count, inputs) != NULL;
}

static bool where(generator *r) {
    static const char *const ops[] = {"Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal"};
    tensor *x = pick(r, 1, 5);
    if (x == NULL) {
        return false;
    }
    tensor *condition = APPLY(r, CHOOSE(r, ops), x, constant_like(r, x, OF_UNIT));
    if (condition == NULL) {
        return false;
    }
    if (chance(r, 30)) {
        node *n = begin_node(r, "Cast", 1, &condition, 1);
        set_int(r, n, "to", 1);
        return end_node(r, n) != NULL;
    }
    if (chance(r, 30)) {
        condition = APPLY(r, "Not", condition);
    }
    tensor *other = chance(r, 50) ? pick_like(r, x, -1) : constant_like(r, x, OF_UNIT);
    other = other != NULL ? other : x;
    bool swapped = chance(r, 50);
    return APPLY(r, "Where", condition, swapped ? other : x, swapped ? x : other) != NULL;
}

static bool batch_norm(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    const int64_t *c = &x->dims[1];
    node *n =
        begin_node(r, "BatchNormalization", 5,
                   (tensor *[]){x, constant_of(r, 1, c, OF_UNIT), constant_of(r, 1, c, OF_UNIT),
                                constant_of(r, 1, c, OF_UNIT), constant_of(r, 1, c, OF_POSITIVE)},
                   1);
    if (chance(r, 50)) {
        set_float(r, n, "epsilon", 1e-3f);
    }
    return end_node(r, n) != NULL;
}

static bool other_norm(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    uint32_t kind = below(r, 3), axis = some_axis(r, x);
    node *n = NULL;
    if (kind == 0) {
        const int64_t *c = &x->dims[1];
        n = begin_node(
            r, "InstanceNormalization", 3,
            (tensor *[]){x, constant_of(r, 1, c, OF_UNIT), constant_of(r, 1, c, OF_UNIT)}, 1);
    } else if (kind == 1 && r->g->opset >= 17) {
        const int64_t *dims = &x->dims[axis];
        bool bias = chance(r, 60) && axis > 0;
        uint32_t rank = x->rank - axis;
        n = axis == 0 ? NULL
                      : begin_node(r, "LayerNormalization", bias ? 3 : 2,
                                   (tensor *[]){x, constant_of(r, rank, dims, OF_UNIT),
                                                bias ? constant_of(r, rank, dims, OF_UNIT) : NULL},
                                   1);
    } else {
        n = begin_node(r, "LpNormalization", 1, &x, 1);
        set_int(r, n, "p", 1 + below(r, 2));
    }
    if (n != NULL && kind != 0) {
        set_int(r, n, "axis", any_sign(r, axis, x->rank));
    }
    if (n != NULL && strcmp(n->op->name, "LpNormalization") != 0) {
        set_float(r, n, "epsilon", 0.01f);
    }
    return end_node(r, n) != NULL;
}

static bool softmax(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    node *n = begin_node(r, chance(r, 60) ? "Softmax" : "LogSoftmax", 1, &x, 1);
    if (chance(r, 80)) {
        set_int(r, n, "axis", any_sign(r, some_axis(r, x), x->rank));
    }
    return end_node(r, n) != NULL;
}

static bool reduce(generator *r) {
    static const char *const ops[] = {"ReduceMean", "ReduceMean", "ReduceSum", "ReduceMax",
                                      "ReduceMin",  "ReduceL1",   "ReduceL2",  "ReduceSumSquare"};
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    const char *op = CHOOSE(r, ops);
    int64_t axes[KILN_MAX_RANK];
    size_t count = 0;
    for (uint32_t k = 1; k < x->rank; k++) {
        if (chance(r, 50)) {
            axes[count++] = any_sign(r, k, x->rank);
        }
    }
    if (count == 0) {
        axes[count++] = some_axis(r, x);
    }
    bool operand = r->g->opset >= (strcmp(op, "ReduceSum") == 0 ? 13 : 18);
    node *n = begin_node(r, op, operand ? 2 : 1,
                         (tensor *[]){x, operand ? integers_of(r, count, axes) : NULL}, 1);
    if (!operand) {
        set_ints(r, n, "axes", axes, count);
    }
    if (chance(r, 60)) {
        set_int(r, n, "keepdims", below(r, 2));
    }
    return end_node(r, n) != NULL;
}

static bool select(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    uint32_t axis = some_axis(r, x);
    if (chance(r, 40)) {
        int64_t k = between(r, 1, sample_size(x, axis));
        node *n = begin_node(r, "TopK", 2, (tensor *[]){x, integers_of(r, 1, &k)}, 2);
        set_int(r, n, "axis", any_sign(r, axis, x->rank));
        set_int(r, n, "largest", below(r, 2));
        return end_node(r, n) != NULL;
    }
    node *n = begin_node(r, chance(r, 60) ? "ArgMax" : "ArgMin", 1, &x, 1);
    set_int(r, n, "axis", any_sign(r, axis, x->rank));
    set_int(r, n, "keepdims", below(r, 2));
    set_int(r, n, "select_last_index", below(r, 2));
    return end_node(r, n) != NULL;
}

static bool gemm(generator *r) {
    static const float factors[] = {1, 1, 1, 0.5f, 2};
    tensor *x = pick(r, 2, 2);
    if (x == NULL) {
        return false;
    }
    bool turned = chance(r, 50);
    int64_t depth = x->dims[1], columns = between(r, 1, 10);
    int64_t dims[2] = {turned ? columns : depth, turned ? depth : columns};
    int64_t row = sample_size(x, 0) == x->dims[0] ? x->dims[0] : 1; /* open: no row of its own */
    const int64_t shapes[][2] = {{1, 1}, {1, columns}, {row, 1}, {row, columns}};
    uint32_t rank = below(r, 4);
    const int64_t *shape = shapes[below(r, 4)];
    tensor *inputs[3] = {x, constant_of(r, 2, dims, OF_WEIGHTS), NULL};
    if (rank < 3) {
        inputs[2] = constant_of(r, rank, rank < 2 ? shape + 1 : shape, OF_UNIT);
    }
    node *n = begin_node(r, "Gemm", inputs[2] != NULL ? 3 : 2, inputs, 1);
    set_int(r, n, "transB", turned);
    set_float(r, n, "alpha", CHOOSE(r, factors));
    set_float(r, n, "beta", CHOOSE(r, factors));
    tensor *y = end_node(r, n);
    return y != NULL && (chance(r, 60) || APPLY(r, chance(r, 60) ? "Add" : "Mul", y,
                                                constant_of(r, 1, &columns, OF_UNIT)) != NULL);
}

static bool matmul(generator *r) {
    tensor *x = pick(r, 2, 4);
    if (x == NULL) {
        return false;
    }
    if (chance(r, 60)) {
        int64_t dims[2] = {x->dims[x->rank - 1], between(r, 1, 8)};
        tensor *y = APPLY(r, "MatMul", x, constant_of(r, 2, dims, OF_WEIGHTS));
        return y != NULL &&
               (chance(r, 50) || APPLY(r, "Add", y, constant_of(r, 1, &dims[1], OF_UNIT)) != NULL);
    }
    int64_t perm[] = {0, 1, 2, 3};
    perm[x->rank - 1] = x->rank - 2;
    perm[x->rank - 2] = x->rank - 1;
    node *n = x->rank > 2 ? begin_node(r, "Transpose", 1, &x, 1) : NULL;
    if (n == NULL) {
        return false;
    }
    set_ints(r, n, "perm", perm, x->rank);
    tensor *turned = end_node(r, n);
    return turned != NULL &&
           APPLY(r, "MatMul", chance(r, 50) ? x : turned, chance(r, 50) ? turned : x) != NULL;
}

const weighted_step value_steps[] = {
    {activation, 12}, {clip, 3},    {binary_constant, 9}, {binary, 9}, {where, 3}, {batch_norm, 5},
    {other_norm, 3},  {softmax, 3}, {reduce, 4},          {select, 2}, {gemm, 5},  {matmul, 3},
    {NULL, 0},
};
