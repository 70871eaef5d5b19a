/* Passes that recognise formulas which exporters spell out: powers, activations, norms. */
#include "tests/unit/pass_case.h"

static tensor *power(network *n, tensor *x, float exponent) {
    return APPLY(n, "Pow", x, scalar(n, exponent));
}

/* Of what is positive, so that all have a value. */
static tensor *powers(network *n, tensor *x) {
    static const float exponents[] = {1, 2, 3, 4, 0.5f, 0.25f, -0.5f, -1, -2};
    tensor *positive = APPLY(n, "Add", APPLY(n, "Abs", x), scalar(n, 0.5f)), *sum = positive;
    for (size_t k = 0; k < sizeof exponents / sizeof *exponents; k++) {
        sum = APPLY(n, "Add", sum, power(n, positive, exponents[k]));
    }
    return sum;
}

static tensor *other_powers(network *n, tensor *x) {
    float each[6] = {2, 2, 2, 3, 2, 2};
    tensor *by_channel = network_constant_of(n, 3, (int64_t[]){6, 1, 1}, each);
    tensor *positive = APPLY(n, "Abs", x);
    return APPLY(n, "Add", power(n, positive, 1.7f), APPLY(n, "Pow", positive, by_channel));
}

static tensor *product_with_itself(network *n, tensor *x) {
    return APPLY(n, "Mul", x, x);
}

static tensor *inverse_roots(network *n, tensor *x) {
    tensor *positive = APPLY(n, "Add", APPLY(n, "Abs", x), scalar(n, 0.5f));
    tensor *a = APPLY(n, "Reciprocal", APPLY(n, "Sqrt", positive));
    return APPLY(n, "Add", a, APPLY(n, "Div", scalar(n, 1), APPLY(n, "Sqrt", positive)));
}

static tensor *quick_gelu(network *n, tensor *x) {
    tensor *gate = APPLY(n, "Sigmoid", APPLY(n, "Mul", x, scalar(n, 1.702f)));
    return APPLY(n, "Mul", x, gate);
}

static tensor *gate_of_erf(network *n, tensor *x) {
    tensor *erf = APPLY(n, "Erf", APPLY(n, "Div", x, scalar(n, 1.41421356f)));
    return APPLY(n, "Add", erf, scalar(n, 1));
}

static tensor *gelu(network *n, tensor *x) {
    return APPLY(n, "Mul", APPLY(n, "Mul", x, gate_of_erf(n, x)), scalar(n, 0.5f));
}

static tensor *gelu_of_half(network *n, tensor *x) {
    tensor *erf = APPLY(n, "Erf", APPLY(n, "Mul", x, scalar(n, 0.70710678f)));
    tensor *half = APPLY(n, "Mul", scalar(n, 0.5f), x);
    return APPLY(n, "Mul", half, APPLY(n, "Add", scalar(n, 1), erf));
}

static tensor *gelu_of_other_scale(network *n, tensor *x) {
    tensor *erf = APPLY(n, "Erf", APPLY(n, "Mul", x, scalar(n, 0.8f)));
    tensor *half = APPLY(n, "Mul", scalar(n, 0.5f), x);
    return APPLY(n, "Mul", half, APPLY(n, "Add", scalar(n, 1), erf));
}

static tensor *gelu_of_cubic(network *n, tensor *x, tensor *cubic) {
    tensor *gate = APPLY(n, "Add", APPLY(n, "Tanh", cubic), scalar(n, 1));
    return APPLY(n, "Mul", APPLY(n, "Mul", x, scalar(n, 0.5f)), gate);
}

/* sqrt(2 / pi) (x + 0.044715 x^3) */
static tensor *gelu_of_tanh(network *n, tensor *x) {
    tensor *cube = APPLY(n, "Mul", APPLY(n, "Square", x), x);
    tensor *sum = APPLY(n, "Add", x, APPLY(n, "Mul", cube, scalar(n, 0.044715f)));
    return gelu_of_cubic(n, x, APPLY(n, "Mul", sum, scalar(n, 0.7978845608f)));
}

/* sqrt(2 / pi) x (1 + 0.044715 x^2) */
static tensor *gelu_of_factored_tanh(network *n, tensor *x) {
    tensor *square = APPLY(n, "Mul", APPLY(n, "Square", x), scalar(n, 0.044715f));
    tensor *sum = APPLY(n, "Add", square, scalar(n, 1));
    tensor *scaled = APPLY(n, "Mul", x, scalar(n, 0.7978845608f));
    return gelu_of_cubic(n, x, APPLY(n, "Mul", scaled, sum));
}

static tensor *tanh_of_other_cubic(network *n, tensor *x) {
    tensor *cube = APPLY(n, "Mul", APPLY(n, "Square", x), x);
    tensor *sum = APPLY(n, "Add", x, APPLY(n, "Mul", cube, scalar(n, 0.05f)));
    return gelu_of_cubic(n, x, APPLY(n, "Mul", sum, scalar(n, 0.7978845608f)));
}

static tensor *star_relu(network *n, tensor *x) {
    tensor *square = APPLY(n, "Square", APPLY(n, "Relu", x));
    return APPLY(n, "Add", APPLY(n, "Mul", scalar(n, 0.9f), square), scalar(n, -0.4f));
}

static tensor *squared_relu(network *n, tensor *x) {
    return APPLY(n, "Square", APPLY(n, "Relu", x));
}

/* Squares of what is read elsewhere, too. */
static tensor *squared_shared_relu(network *n, tensor *x) {
    tensor *relu = APPLY(n, "Relu", x);
    return APPLY(n, "Add", relu, APPLY(n, "Square", relu));
}

static tensor *mean_along(network *n, tensor *x, int64_t axis) {
    tensor *y = APPLY(n, "ReduceMean", x);
    ck_assert_int_eq(node_set_ints(n->g, last_node(n), "axes", &axis, 1), KILN_OK);
    return y;
}

static tensor *divided(network *n, tensor *d, int64_t axis) {
    tensor *mean = mean_along(n, APPLY(n, "Square", d), axis);
    tensor *root = APPLY(n, "Sqrt", APPLY(n, "Add", mean, scalar(n, 1e-3f)));
    return APPLY(n, "Div", d, root);
}

static tensor *centred(network *n, tensor *x, int64_t axis) {
    return APPLY(n, "Sub", x, mean_along(n, x, axis));
}

static tensor *layer_norm_of_rows(network *n, tensor *x) {
    tensor *y = divided(n, centred(n, x, -1), -1);
    y = APPLY(n, "Mul", y, constant(n, 1, (int64_t[]){7}));
    return APPLY(n, "Add", y, constant(n, 1, (int64_t[]){7}));
}

static tensor *layer_norm_of_channels(network *n, tensor *x) {
    tensor *y = divided(n, centred(n, x, 1), 1);
    y = APPLY(n, "Mul", constant(n, 3, (int64_t[]){6, 1, 1}), y);
    return APPLY(n, "Add", y, constant(n, 3, (int64_t[]){6, 1, 1}));
}

static tensor *rms_norm_of_rows(network *n, tensor *x) {
    return APPLY(n, "Mul", divided(n, x, 3), constant(n, 1, (int64_t[]){7}));
}

static tensor *rms_norm_of_channels(network *n, tensor *x) {
    tensor *mean = mean_along(n, APPLY(n, "Square", x), 1);
    tensor *factor = APPLY(n, "Rsqrt", APPLY(n, "Add", mean, scalar(n, 1e-3f)));
    return APPLY(n, "Mul", APPLY(n, "Mul", x, factor), constant(n, 3, (int64_t[]){6, 1, 1}));
}

/* Means of another axis than that of the squares; a scale along another. */
static tensor *other_norms(network *n, tensor *x) {
    return divided(n, x, 2);
}

static tensor *scaled_along_height(network *n, tensor *x) {
    return APPLY(n, "Mul", divided(n, x, -1), constant(n, 2, (int64_t[]){7, 1}));
}

PASS_TEST(simplifies_powers, powers, pass_simplify_powers, 9, 24)
PASS_TEST(keeps_other_powers, other_powers, pass_simplify_powers, 0, 4)
PASS_TEST(squares_products, product_with_itself, pass_simplify_powers, 1, 1)
PASS_TEST(finds_inverse_roots, inverse_roots, pass_simplify_powers, 2, 5)
PASS_TEST(fuses_quick_gelu, quick_gelu, pass_fuse_swish, 1, 1)
PASS_TEST(fuses_gelu, gelu, pass_fuse_gelu, 1, 1)
PASS_TEST(fuses_gelu_of_half, gelu_of_half, pass_fuse_gelu, 1, 1)
PASS_TEST(keeps_other_scale, gelu_of_other_scale, pass_fuse_gelu, 0, 5)
PASS_TEST(fuses_gelu_of_tanh, gelu_of_tanh, pass_fuse_gelu, 1, 1)
PASS_TEST(fuses_gelu_of_factored_tanh, gelu_of_factored_tanh, pass_fuse_gelu, 1, 1)
PASS_TEST(keeps_other_cubic, tanh_of_other_cubic, pass_fuse_gelu, 0, 9)
PASS_TEST(fuses_star_relu, star_relu, pass_fuse_star_relu, 1, 1)
PASS_TEST(fuses_squared_relu, squared_relu, pass_fuse_star_relu, 1, 1)
PASS_TEST(keeps_shared_relu, squared_shared_relu, pass_fuse_star_relu, 0, 3)
PASS_TEST(fuses_layer_norm, layer_norm_of_rows, pass_fuse_layer_norm, 1, 1)
PASS_TEST(fuses_layer_norm_of_channels, layer_norm_of_channels, pass_fuse_layer_norm, 1, 3)
PASS_TEST(fuses_rms_norm, rms_norm_of_rows, pass_fuse_layer_norm, 1, 1)
PASS_TEST(fuses_rms_norm_of_channels, rms_norm_of_channels, pass_fuse_layer_norm, 1, 3)
PASS_TEST(keeps_other_norms, other_norms, pass_fuse_layer_norm, 0, 5)
PASS_TEST(keeps_other_scales, scaled_along_height, pass_fuse_layer_norm, 1, 2)

int main(void) {
    const suite_test tests[] = {
        TEST("powers", simplifies_powers),       TEST("powers", keeps_other_powers),
        TEST("powers", squares_products),        TEST("powers", finds_inverse_roots),
        TEST("activations", fuses_quick_gelu),   TEST("activations", fuses_gelu),
        TEST("activations", fuses_gelu_of_half), TEST("activations", keeps_other_scale),
        TEST("activations", fuses_gelu_of_tanh), TEST("activations", fuses_gelu_of_factored_tanh),
        TEST("activations", keeps_other_cubic),  TEST("activations", fuses_star_relu),
        TEST("activations", fuses_squared_relu), TEST("activations", keeps_shared_relu),
        TEST("norms", fuses_layer_norm),         TEST("norms", fuses_layer_norm_of_channels),
        TEST("norms", fuses_rms_norm),           TEST("norms", fuses_rms_norm_of_channels),
        TEST("norms", keeps_other_norms),        TEST("norms", keeps_other_scales),
    };
    return SUITE("formulas", tests);
}
