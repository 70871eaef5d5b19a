/* What is not a number stays so, and infinities too: operators x positions x kinds, a plan's
 * kernels against the naive evaluator, and that against what arithmetic says. */
#include "runtime/ukernels/ukernels.h"
#include "tests/unit/operator_case.h"
#include "tests/unit/suite.h"

enum { CHANNELS = 19, EVEN_CHANNELS = 18, PIXELS = 7 * 7, COUNT = CHANNELS * PIXELS };

#define SAME "f 1 19 7 7 given" /* as the first operand */
#define EVEN "f 1 18 7 7 given" /* of groups */

typedef struct nan_case {
    const char *op, *attributes;
    const char *feeds[2]; /* the second: NULL for none */
    bool clamps;          /* also with a fused clamp */
} nan_case;

static const nan_case cases[] = {
    {"Relu", "", {SAME}, false},
    {"Clip", "@opset=6 min=-1. max=1.", {SAME}, false},
    {"LeakyRelu", "", {SAME}, false},
    {"Elu", "", {SAME}, false},
    {"Selu", "", {SAME}, false},
    {"Celu", "", {SAME}, false},
    {"Sigmoid", "", {SAME}, false},
    {"HardSigmoid", "", {SAME}, false},
    {"HardSwish", "@opset=14", {SAME}, false},
    {"Mish", "@opset=18", {SAME}, false},
    {"Tanh", "", {SAME}, false},
    {"Softplus", "", {SAME}, false},
    {"Softsign", "", {SAME}, false},
    {"Erf", "", {SAME}, false},
    {"Sqrt", "", {SAME}, false},
    {"Exp", "", {SAME}, false},
    {"Log", "", {SAME}, false},
    {"Abs", "", {SAME}, false},
    {"Neg", "", {SAME}, false},
    {"Reciprocal", "", {SAME}, false},
    {"Floor", "", {SAME}, false},
    {"Ceil", "", {SAME}, false},
    {"Round", "", {SAME}, false},
    {"Sign", "", {SAME}, false},
    {"Gelu", "@opset=20", {SAME}, false},
    {"Softmax", "", {SAME}, false},
    {"Softmax", "axis=1", {SAME}, false},
    {"LogSoftmax", "", {SAME}, false},
    {"Add", "", {SAME, SAME}, true},
    {"Sub", "", {SAME, "f 19 1 1 constant"}, true},
    {"Mul", "", {SAME, "f constant"}, true},
    {"Mul", "", {SAME, SAME}, true},
    {"Div", "", {SAME, "f 19 1 1 constant"}, true},
    {"Min", "", {SAME, SAME}, false},
    {"Max", "", {SAME, SAME}, false},
    {"Min", "", {SAME, "f constant"}, false},
    {"Max", "", {SAME, "f 19 1 1 constant"}, false},
    {"PRelu", "", {SAME, "f 19 1 1 constant"}, false},
    {"Pow", "", {SAME, "f constant"}, false},
    {"Conv", "pads=1,1,1,1", {SAME, "f 5 19 3 3 constant"}, true},
    {"Conv", "group=19", {SAME, "f 19 1 3 3 constant"}, true},
    {"Conv", "group=3", {EVEN, "f 12 6 3 3 constant"}, true},
    {"Conv", "group=3 strides=2,2 pads=1,1,1,1", {EVEN, "f 12 6 3 3 constant"}, true},
    {"ConvTranspose", "", {SAME, "f 19 5 3 3 constant"}, true},
    {"ConvTranspose", "group=3 strides=2,2 pads=1,1,1,1", {EVEN, "f 18 4 3 3 constant"}, true},
    {"MatMul", "", {SAME, "f 7 7 constant"}, true},
    {"MaxPool", "kernel_shape=3,3 strides=2,2", {SAME}, true},
    {"MaxPool", "kernel_shape=5,5", {SAME}, true},
    {"AveragePool", "kernel_shape=3,3", {SAME}, true},
    {"GlobalAveragePool", "", {SAME}, true},
    {"GlobalMaxPool", "", {SAME}, true},
    {"ReduceMax", "axes=2,3", {SAME}, true},
    {"ReduceMin", "axes=2,3", {SAME}, true},
    {"ReduceMean", "axes=2,3", {SAME}, true},
    {"ReduceL2", "axes=2,3", {SAME}, true},
    {"LRN", "size=3", {SAME}, false},
    {"LpNormalization", "axis=1", {SAME}, false},
};

static bool has_nan(const network_values *v) {
    size_t k = 0;
    while (k < v->count[0] && !isnan(v->data[0][k])) {
        k++;
    }
    return k < v->count[0];
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
        bool first = n->feeds[1] == NULL || strcmp(n->feeds[1], SAME) != 0 || k % 3 != 0;
        (first ? x : other)[at] = specials[k % 4];
        for (size_t i = 0; i < COUNT && strcmp(n->op, "MaxPool") == 0; i++) {
            x[i] = specials[k % 4]; /* where only some are NaN is not specified */
        }
        char attributes[64];
        snprintf(attributes, sizeof attributes, "%s%s", n->attributes,
                 n->clamps && k % 2 == 0 ? " @min=-2 @max=2.5" : "");
        const operator_case c = {n->op, attributes, {n->feeds[0], n->feeds[1]}};
        case_values given = {x, other};
        network_values expected = case_evaluated(&c, given), found = case_ran(&c, given);
        ck_assert_msg(k % 4 > 1 || has_nan(&expected), "%s: the evaluator loses NaN", n->op);
        wrong += !case_agree(&found, &expected, 1e-4f);
        network_free_values(&expected);
        network_free_values(&found);
    }
    ck_assert_msg(wrong == 0, "%s: %zu", n->op, wrong);
}
END_TEST

/* So do weights, and a bias, that are none. */
START_TEST(is_kept_in_weights) {
    static const operator_case c = {
        "Conv", "group=3", {EVEN, "f 12 6 3 3 constant", "f 12 constant"}};
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
        case_values given = {x, weights, bias};
        network_values expected = case_evaluated(&c, given), found = case_ran(&c, given);
        ck_assert_msg(case_agree(&found, &expected, 1e-4f), "%zu", k);
        network_free_values(&expected);
        network_free_values(&found);
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
    case ELEMENTWISE_POW:
        return (float)pow((double)a, (double)b);
    case ELEMENTWISE_REMAINDER:
        return fmodf(a, b);
    default:
        return a < 0 ? a * b : a;
    }
}

/* But for the last bit, which powers may have wrong. */
static bool same(float a, float b) {
    return isnan(a) ? isnan(b) : a == b || fabsf(a - b) <= 1e-7f * fabsf(a);
}

/* Rows of every length, operands of one element or of all, for each set of instructions here. */
START_TEST(every_lane_keeps_it) {
    uint64_t state = 3;
    for (size_t l = 0; ukernels_at(l) != NULL; l++) {
        const elementwise_ukernels *e = ukernels_elementwise(ukernels_at(l));
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
            for (unsigned unary = 0; unary < UNARY_FUNCTIONS; unary++) {
                ukernels_unary(ukernels_at(l), unary)(a, count, 0.5f, 1, y);
                for (size_t k = 0; k < count; k++) {
                    ck_assert(!isnan(a[k]) || isnan(y[k]));
                }
            }
        }
    }
}
END_TEST

START_TEST(bounds_that_are_none_are_refused) {
    const operator_case c = {"Clip", "", {"f 2 = 1 2", "f = nan"}};
    network n;
    node *made = case_begin(&n, &c, 1, true);
    ck_assert_int_eq(graph_infer_node(n.g, made), KILN_ERROR_FORMAT);
    ck_assert_ptr_nonnull(strstr(network_error.message, "a bound is not a number (NaN)"));
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
