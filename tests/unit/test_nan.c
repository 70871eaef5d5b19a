/* What is not a number stays so, and infinities too: operators x positions x kinds, a plan's
 * kernels against the naive evaluator, and that against what arithmetic says. */
#include "runtime/ukernels/ukernels.h"
#include "tests/unit/operator.h"
#include "tests/unit/suite.h"

enum { CHANNELS = 19, SIDE = 7, PIXELS = SIDE * SIDE, COUNT = CHANNELS * PIXELS };
enum { EVEN_CHANNELS = 18 }; /* of groups */

static int64_t kernel3[] = {3, 3}, kernel5[] = {5, 5}, strides2[] = {2, 2}, pads1[] = {1, 1, 1, 1};
static int64_t axes23[] = {2, 3};

typedef enum second {
    NOTHING,
    SAME,
    CHANNEL,
    SCALAR,
    WEIGHTS,
    DEPTHWISE,
    GROUPED,
    TRANSPOSED,
    TRANSPOSED_GROUPS,
    ROWS,
} second;

typedef struct nan_case {
    const char *op;
    int64_t opset;
    second second;
    bool clamps; /* also with a fused clamp */
    attribute attributes[4];
} nan_case;

static const nan_case cases[] = {
    {"Relu", 0, NOTHING, false, {{0}}},
    {"Clip",
     6,
     NOTHING,
     false,
     {{.name = "min", .type = ATTRIBUTE_FLOAT, .f = -1},
      {.name = "max", .type = ATTRIBUTE_FLOAT, .f = 1}}},
    {"LeakyRelu", 0, NOTHING, false, {{0}}},
    {"Elu", 0, NOTHING, false, {{0}}},
    {"Selu", 0, NOTHING, false, {{0}}},
    {"Celu", 0, NOTHING, false, {{0}}},
    {"Sigmoid", 0, NOTHING, false, {{0}}},
    {"HardSigmoid", 0, NOTHING, false, {{0}}},
    {"HardSwish", 14, NOTHING, false, {{0}}},
    {"Mish", 18, NOTHING, false, {{0}}},
    {"Tanh", 0, NOTHING, false, {{0}}},
    {"Softplus", 0, NOTHING, false, {{0}}},
    {"Softsign", 0, NOTHING, false, {{0}}},
    {"Erf", 0, NOTHING, false, {{0}}},
    {"Sqrt", 0, NOTHING, false, {{0}}},
    {"Exp", 0, NOTHING, false, {{0}}},
    {"Log", 0, NOTHING, false, {{0}}},
    {"Abs", 0, NOTHING, false, {{0}}},
    {"Neg", 0, NOTHING, false, {{0}}},
    {"Reciprocal", 0, NOTHING, false, {{0}}},
    {"Floor", 0, NOTHING, false, {{0}}},
    {"Ceil", 0, NOTHING, false, {{0}}},
    {"Round", 0, NOTHING, false, {{0}}},
    {"Sign", 0, NOTHING, false, {{0}}},
    {"Gelu", 20, NOTHING, false, {{0}}},
    {"Softmax", 0, NOTHING, false, {{0}}},
    {"Softmax", 0, NOTHING, false, {{.name = "axis", .type = ATTRIBUTE_INT, .i = 1}}},
    {"LogSoftmax", 0, NOTHING, false, {{0}}},
    {"Add", 0, SAME, true, {{0}}},
    {"Sub", 0, CHANNEL, true, {{0}}},
    {"Mul", 0, SCALAR, true, {{0}}},
    {"Mul", 0, SAME, true, {{0}}},
    {"Div", 0, CHANNEL, true, {{0}}},
    {"Min", 0, SAME, false, {{0}}},
    {"Max", 0, SAME, false, {{0}}},
    {"Min", 0, SCALAR, false, {{0}}},
    {"Max", 0, CHANNEL, false, {{0}}},
    {"PRelu", 0, CHANNEL, false, {{0}}},
    {"Pow", 0, SCALAR, false, {{0}}},
    {"Conv",
     0,
     WEIGHTS,
     true,
     {{.name = "pads", .type = ATTRIBUTE_INTS, .ints = pads1, .count = 4}}},
    {"Conv", 0, DEPTHWISE, true, {{.name = "group", .type = ATTRIBUTE_INT, .i = CHANNELS}}},
    {"Conv", 0, GROUPED, true, {{.name = "group", .type = ATTRIBUTE_INT, .i = 3}}},
    {"Conv",
     0,
     GROUPED,
     true,
     {{.name = "group", .type = ATTRIBUTE_INT, .i = 3},
      {.name = "strides", .type = ATTRIBUTE_INTS, .ints = strides2, .count = 2},
      {.name = "pads", .type = ATTRIBUTE_INTS, .ints = pads1, .count = 4}}},
    {"ConvTranspose", 0, TRANSPOSED, true, {{0}}},
    {"ConvTranspose",
     0,
     TRANSPOSED_GROUPS,
     true,
     {{.name = "group", .type = ATTRIBUTE_INT, .i = 3},
      {.name = "strides", .type = ATTRIBUTE_INTS, .ints = strides2, .count = 2},
      {.name = "pads", .type = ATTRIBUTE_INTS, .ints = pads1, .count = 4}}},
    {"MatMul", 0, ROWS, true, {{0}}},
    {"MaxPool",
     0,
     NOTHING,
     true,
     {{.name = "kernel_shape", .type = ATTRIBUTE_INTS, .ints = kernel3, .count = 2},
      {.name = "strides", .type = ATTRIBUTE_INTS, .ints = strides2, .count = 2}}},
    {"MaxPool",
     0,
     NOTHING,
     true,
     {{.name = "kernel_shape", .type = ATTRIBUTE_INTS, .ints = kernel5, .count = 2}}},
    {"AveragePool",
     0,
     NOTHING,
     true,
     {{.name = "kernel_shape", .type = ATTRIBUTE_INTS, .ints = kernel3, .count = 2}}},
    {"GlobalAveragePool", 0, NOTHING, true, {{0}}},
    {"GlobalMaxPool", 0, NOTHING, true, {{0}}},
    {"ReduceMax",
     0,
     NOTHING,
     true,
     {{.name = "axes", .type = ATTRIBUTE_INTS, .ints = axes23, .count = 2}}},
    {"ReduceMin",
     0,
     NOTHING,
     true,
     {{.name = "axes", .type = ATTRIBUTE_INTS, .ints = axes23, .count = 2}}},
    {"ReduceMean",
     0,
     NOTHING,
     true,
     {{.name = "axes", .type = ATTRIBUTE_INTS, .ints = axes23, .count = 2}}},
    {"ReduceL2",
     0,
     NOTHING,
     true,
     {{.name = "axes", .type = ATTRIBUTE_INTS, .ints = axes23, .count = 2}}},
    {"LRN", 0, NOTHING, false, {{.name = "size", .type = ATTRIBUTE_INT, .i = 3}}},
    {"LpNormalization", 0, NOTHING, false, {{.name = "axis", .type = ATTRIBUTE_INT, .i = 1}}},
};

static operator_case with_operand(const nan_case *n, float *x, float *other) {
    operator_case c = {.op = n->op,
                       .opset = n->opset,
                       .inputs = {{.rank = 4, .dims = {1, CHANNELS, SIDE, SIDE}, .values = x},
                                  {.rank = 4, .dims = {1, CHANNELS, SIDE, SIDE}, .values = other}}};
    operator_input *in = &c.inputs[1];
    memcpy(c.attributes, n->attributes, sizeof n->attributes);
    in->constant = n->second != SAME;
    switch (n->second) {
    case NOTHING:
        in->values = NULL;
        break;
    case CHANNEL:
        *in = (operator_input){3, {CHANNELS, 1, 1}, other, NULL, true};
        break;
    case SCALAR:
        in->rank = 0;
        break;
    case WEIGHTS:
        *in = (operator_input){4, {5, CHANNELS, 3, 3}, other, NULL, true};
        break;
    case DEPTHWISE:
        *in = (operator_input){4, {CHANNELS, 1, 3, 3}, other, NULL, true};
        break;
    case GROUPED:
        c.inputs[0].dims[1] = EVEN_CHANNELS;
        *in = (operator_input){4, {12, EVEN_CHANNELS / 3, 3, 3}, other, NULL, true};
        break;
    case TRANSPOSED:
        *in = (operator_input){4, {CHANNELS, 5, 3, 3}, other, NULL, true};
        break;
    case TRANSPOSED_GROUPS:
        c.inputs[0].dims[1] = EVEN_CHANNELS;
        *in = (operator_input){4, {EVEN_CHANNELS, 4, 3, 3}, other, NULL, true};
        break;
    case ROWS:
        *in = (operator_input){2, {SIDE, 7}, other, NULL, true};
        break;
    default:
        break;
    }
    return c;
}

static bool has_nan(const operator_result *r) {
    size_t k = 0;
    while (k < r->count && !isnan(r->values[k])) {
        k++;
    }
    return k < r->count;
}

/* Every position in turn is one of these. */
static const float specials[] = {NAN, -NAN, INFINITY, -INFINITY};

START_TEST(is_kept) {
    const nan_case *n = &cases[_i];
    static float x[COUNT], other[COUNT * 2];
    uint64_t state = 7;
    size_t wrong = 0;
    for (size_t k = 0; k < 24; k++) {
        for (size_t i = 0; i < COUNT; i++) {
            x[i] = random_normal(&state);
            other[2 * i] = random_normal(&state);
            other[2 * i + 1] = random_normal(&state);
        }
        size_t at = k < 4 ? k : random_below(&state, EVEN_CHANNELS * PIXELS);
        bool first = n->second != SAME || k % 3 != 0;
        (first ? x : other)[at] = specials[k % 4];
        for (size_t i = 0; i < COUNT && strcmp(n->op, "MaxPool") == 0; i++) {
            x[i] = specials[k % 4]; /* where only some are NaN is not specified */
        }
        operator_case c = with_operand(n, x, other);
        if (n->clamps && k % 2 == 0) {
            c.min = -2;
            c.max = 2.5f;
        }
        operator_result expected = operator_evaluate(&c), found = operator_run(&c);
        ck_assert_msg(k % 4 > 1 || has_nan(&expected), "%s: the evaluator loses NaN", n->op);
        if (!operator_agree(&found, &expected, 1e-4f)) {
            wrong++;
        }
        operator_free(&expected);
        operator_free(&found);
    }
    ck_assert_msg(wrong == 0, "%s: %zu", n->op, wrong);
}
END_TEST

/* So do weights, and a bias, that are none. */
START_TEST(is_kept_in_weights) {
    static float x[COUNT], weights[COUNT * 2], bias[12];
    uint64_t state = 5;
    for (size_t k = 0; k < 8; k++) {
        for (size_t i = 0; i < COUNT; i++) {
            x[i] = random_normal(&state);
            weights[2 * i] = random_normal(&state);
            weights[2 * i + 1] = random_normal(&state);
        }
        memset(bias, 0, sizeof bias);
        (k < 4 ? weights : bias)[k] = specials[k % 4];
        nan_case grouped = {
            "Conv", 0, GROUPED, true, {{.name = "group", .type = ATTRIBUTE_INT, .i = 3}}};
        operator_case c = with_operand(&grouped, x, weights);
        c.inputs[2] = (operator_input){1, {12}, bias, NULL, true};
        operator_result expected = operator_evaluate(&c), found = operator_run(&c);
        ck_assert_msg(operator_agree(&found, &expected, 1e-4f), "%zu", k);
        operator_free(&expected);
        operator_free(&found);
    }
}
END_TEST

static float plainly(int op, float a, float b) {
    switch (op) {
    case ELEMENTWISE_ADD:
        return a + b;
    case ELEMENTWISE_SUB:
        return a - b;
    case ELEMENTWISE_MUL:
        return a * b;
    case ELEMENTWISE_DIV:
        return a / b;
    case ELEMENTWISE_MIN:
        return isnan(a) || a < b ? a : b;
    case ELEMENTWISE_MAX:
        return isnan(a) || a > b ? a : b;
    default:
        return a < 0 ? a * b : a;
    }
}

static bool same(float a, float b) {
    return isnan(a) ? isnan(b) : a == b;
}

/* Rows of every length, operands of one element or of all, for each set of instructions here. */
START_TEST(every_lane_keeps_it) {
    uint64_t state = 3;
    for (size_t l = 0; ukernels_at(l) != NULL; l++) {
        const elementwise_ukernels *e = ukernels_at(l)->elementwise;
        for (size_t round = 0; round < 700; round++) {
            size_t count = 1 + round % 50, single = random_below(&state, 3);
            int op = (int)random_below(&state, ELEMENTWISE_BINARY);
            float a[100], b[100], y[100];
            for (size_t k = 0; k < 100; k++) {
                a[k] = random_below(&state, 5) == 0 ? specials[random_below(&state, 4)]
                                                    : random_normal(&state);
                b[k] = random_below(&state, 5) == 0 ? specials[random_below(&state, 4)]
                                                    : random_normal(&state);
            }
            e->binary[op](&(elementwise_rows){a, b, single == 1, single == 2, -1, 1, y, 50, 50, 50,
                                              2, count});
            for (size_t k = 0; k < 2 * count; k++) {
                size_t row = k / count * 50, at = row + k % count;
                float v = plainly(op, a[single == 1 ? row : at], b[single == 2 ? row : at]);
                v = v < -1 ? -1 : v > 1 ? 1 : v;
                ck_assert_msg(same(v, y[at]), "%s, %d: %g, expected %g", ukernels_at(l)->name, op,
                              (double)y[at], (double)v);
            }
            for (int unary = 0; unary < UNARY_FUNCTIONS; unary++) {
                ukernels_at(l)->unary[unary](a, count, 0.5f, 1, y);
                for (size_t k = 0; k < count; k++) {
                    ck_assert(!isnan(a[k]) || isnan(y[k]));
                }
            }
            bool wild = false;
            for (size_t k = 0; k < count; k++) {
                wild = wild || !(a[k] < INFINITY);
            }
            ck_assert_int_eq(e->wild(a, count), wild);
        }
    }
}
END_TEST

START_TEST(bounds_that_are_none_are_refused) {
    float x[2] = {1, 2}, bound = NAN;
    operator_case c = {.op = "Clip",
                       .inputs = {{.rank = 1, .dims = {2}, .values = x},
                                  {.rank = 0, .values = &bound, .constant = true}}};
    network n;
    node *made = operator_build(&n, &c, true);
    kiln_error error = {0};
    n.g->error = &error;
    ck_assert_int_eq(graph_infer_node(n.g, made), KILN_ERROR_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "a bound is not a number (NaN)"));
    graph_free(n.g);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("operators", is_kept, cases),
        TEST("operators", is_kept_in_weights),
        TEST("kernels", every_lane_keeps_it),
        TEST("bounds", bounds_that_are_none_are_refused),
    };
    return SUITE("nan", tests);
}
