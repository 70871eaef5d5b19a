/* Steps of several nodes: what exporters write and passes rewrite, with a second reader in between
 * now and then, which forbids the rewriting. */
#include "tests/fuzz/random_graphs.h"

/* A convolution that keeps the size. */
static tensor *same_conv(generator *r, tensor *x, int64_t outputs, int64_t kernel, int64_t stride,
                         int64_t groups) {
    if (x == NULL) {
        return NULL;
    }
    const int64_t dims[4] = {outputs, x->dims[1] / groups, kernel, kernel}, half = kernel / 2;
    bool bias = chance(r, 50);
    tensor *inputs[3] = {x, constant_of(r, 4, dims, OF_WEIGHTS),
                         bias ? constant_of(r, 1, dims, OF_UNIT) : NULL};
    node *n = begin_node(r, "Conv", bias ? 3 : 2, inputs, 1);
    set_ints(r, n, "pads", (int64_t[]){half, half, half, half}, 4);
    set_ints(r, n, "strides", (int64_t[]){stride, stride}, 2);
    set_int(r, n, "group", groups);
    return end_node(r, n);
}

/* Nobody else is to read what was made since, most of the time. */
static void hide_since(generator *r, size_t first, tensor *kept) {
    if (kept != NULL && chance(r, 75)) {
        r->pool_count = first;
        r->pool[r->pool_count++] = kept;
    }
}

static tensor *norm(generator *r, tensor *x) {
    if (x == NULL) {
        return NULL;
    }
    const int64_t *c = &x->dims[1];
    return APPLY(r, "BatchNormalization", x, constant_of(r, 1, c, OF_UNIT),
                 constant_of(r, 1, c, OF_UNIT), constant_of(r, 1, c, OF_UNIT),
                 constant_of(r, 1, c, OF_POSITIVE));
}

static tensor *relu6(generator *r, tensor *x) {
    return APPLY(r, "Clip", x, scalar_of(r, 0), scalar_of(r, 6));
}

static bool residual(generator *r) {
    tensor *x = pick(r, 4, 4);
    size_t first = r->pool_count;
    if (x == NULL || x->dims[1] > 32) {
        return false;
    }
    int64_t kernel = chance(r, 50) ? 1 : 3;
    tensor *y = same_conv(r, x, x->dims[1], kernel, 1, 1);
    y = chance(r, 60) ? norm(r, y) : y;
    y = chance(r, 40) ? APPLY(r, "Relu", y) : y;
    bool swapped = chance(r, 50);
    y = y != NULL ? APPLY(r, "Add", swapped ? x : y, swapped ? y : x) : NULL;
    y = chance(r, 80) ? APPLY(r, "Relu", y) : y;
    hide_since(r, first, y);
    return y != NULL;
}

static bool separable(generator *r) {
    tensor *x = pick(r, 4, 4);
    size_t first = r->pool_count;
    if (x == NULL || x->dims[1] > 16) {
        return false;
    }
    int64_t inner = x->dims[1] * between(r, 1, 4), stride = between(r, 1, 2);
    tensor *y = relu6(r, same_conv(r, x, inner, 1, 1, 1));
    y = relu6(r, same_conv(r, y, inner, chance(r, 60) ? 3 : 5, stride, inner));
    y = same_conv(r, y, chance(r, 60) ? x->dims[1] : 8, 1, 1, 1);
    if (y != NULL && tensor_same_shape(x, y)) {
        y = APPLY(r, "Add", y, x);
    }
    hide_since(r, first, y);
    return y != NULL;
}

/* A map scaled by gates of its channels, of their means or not, and what may take the scale over.
 */
static bool squeeze_excitation(generator *r) {
    static const char *const hidden[] = {"Relu", "HardSwish", "LeakyRelu"};
    static const char *const gates[] = {"Sigmoid", "HardSigmoid", "Relu"};
    tensor *x = pick(r, 4, 4);
    size_t first = r->pool_count;
    if (x == NULL) {
        return false;
    }
    tensor *y = APPLY(r, chance(r, 85) ? "GlobalAveragePool" : "GlobalMaxPool", x);
    if (chance(r, 75)) {
        y = APPLY(r, CHOOSE(r, hidden), same_conv(r, y, between(r, 1, 4), 1, 1, 1));
    }
    y = APPLY(r, CHOOSE(r, gates), same_conv(r, y, x->dims[1], 1, 1, 1));
    bool swapped = chance(r, 50);
    y = y != NULL ? APPLY(r, "Mul", swapped ? x : y, swapped ? y : x) : NULL;
    if (chance(r, 40)) {
        y = same_conv(r, y, between(r, 1, 3), 1, between(r, 1, 2), 1);
    } else if (chance(r, 40) && y != NULL) {
        y = APPLY(r, "Add", y, x);
    }
    y = chance(r, 30) ? APPLY(r, "Relu", y) : y;
    hide_since(r, first, y);
    return y != NULL;
}

/* Swish, HardSwish and HardSigmoid written out, and GELU. */
static bool spelled(generator *r) {
    tensor *x = pick(r, 2, 5), *y;
    size_t first = r->pool_count;
    uint32_t kind = below(r, 4);
    if (x == NULL) {
        return false;
    }
    if (kind == 0) {
        y = APPLY(r, "Sigmoid", x);
    } else if (kind == 1) {
        y = APPLY(r, "Div", x, scalar_of(r, 1.4142135f));
        y = APPLY(r, "Add", APPLY(r, "Erf", y), scalar_of(r, 1));
        x = APPLY(r, "Mul", x, scalar_of(r, 0.5f));
    } else {
        y = relu6(r, APPLY(r, "Add", x, scalar_of(r, 3)));
        bool divides = chance(r, 50);
        y = APPLY(r, divides ? "Div" : "Mul", y, scalar_of(r, divides ? 6 : 1.0f / 6));
    }
    if (kind != 3 && x != NULL && y != NULL) {
        bool swapped = chance(r, 50);
        y = APPLY(r, "Mul", swapped ? x : y, swapped ? y : x);
    }
    hide_since(r, first, y);
    return y != NULL;
}

static bool shuffle(generator *r) {
    tensor *x = pick(r, 4, 4);
    size_t first = r->pool_count;
    if (x == NULL || x->dims[1] < 2) {
        return false;
    }
    int64_t groups = between(r, 1, x->dims[1]);
    while (x->dims[1] % groups != 0) {
        groups--;
    }
    const int64_t apart[] = {0, groups, x->dims[1] / groups, x->dims[2], x->dims[3]};
    const int64_t back[] = {0, -1, x->dims[2], x->dims[3]}, perm[] = {0, 2, 1, 3, 4};
    tensor *y = APPLY(r, "Reshape", x, integers_of(r, 5, apart));
    node *n = y != NULL ? begin_node(r, "Transpose", 1, &y, 1) : NULL;
    if (n != NULL) {
        set_ints(r, n, "perm", perm, 5);
    }
    y = end_node(r, n);
    y = y != NULL ? APPLY(r, "Reshape", y, integers_of(r, 4, back)) : NULL;
    hide_since(r, first, y);
    return y != NULL;
}

/* Scales and shifts behind what may take them into its weights. */
static bool scaled_conv(generator *r) {
    tensor *x = pick(r, 4, 4);
    size_t first = r->pool_count;
    if (x == NULL) {
        return false;
    }
    tensor *y = same_conv(r, x, between(r, 1, 8), chance(r, 50) ? 1 : 3, 1, 1);
    for (int k = 0; k < 2 && y != NULL; k++) {
        static const char *const ops[] = {"Mul", "Add", "Sub", "Div"};
        const int64_t shapes[][3] = {{y->dims[1], 1, 1},
                                     {1, 1, 1},
                                     {1, y->dims[2], 1},
                                     {1, 1, y->dims[3]},
                                     {y->dims[1], 1, y->dims[3]}};
        const char *op = CHOOSE(r, ops);
        tensor *c = constant_of(r, 3, shapes[chance(r, 60) ? 0 : below(r, 5)],
                                op[0] == 'D' ? OF_POSITIVE : OF_UNIT);
        bool swapped = op[0] != 'D' && chance(r, 30);
        y = APPLY(r, op, swapped ? c : y, swapped ? y : c);
    }
    y = chance(r, 50) ? APPLY(r, "Relu", y) : y;
    hide_since(r, first, y);
    return y != NULL;
}

/* A classifier's end. */
static bool head(generator *r) {
    tensor *x = pick(r, 4, 4);
    if (x == NULL) {
        return false;
    }
    x = chance(r, 50) ? APPLY(r, "GlobalAveragePool", x) : x;
    x = chance(r, 50) ? APPLY(r, "Relu", x) : x;
    x = x != NULL ? APPLY(r, "Flatten", x) : NULL;
    x = chance(r, 20) ? APPLY(r, "Tanh", x) : x;
    if (x == NULL || x->dims[1] > 600) {
        return false;
    }
    const int64_t dims[] = {x->dims[1], between(r, 1, 9)};
    return APPLY(r, "Gemm", x, constant_of(r, 2, dims, OF_WEIGHTS),
                 constant_of(r, 1, dims + 1, OF_UNIT)) != NULL;
}

const weighted_step pattern_steps[] = {
    {residual, 4}, {separable, 3}, {squeeze_excitation, 3},
    {spelled, 4},  {shuffle, 2},   {scaled_conv, 4},
    {head, 3},     {NULL, 0},
};
