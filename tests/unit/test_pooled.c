/* Depthwise convolutions whose results are pooled: which pools become part of them. */
#include "tests/unit/forms.h"

static tensor *depthwise(network *n, tensor *x, int64_t stride) {
    int64_t channels = x->dims[1];
    const network_conv c = {channels, 3, 3, {stride, stride}, {1, 1}, {1, 1, 1, 1}, channels, true};
    return network_convolve(n, x, &c);
}

static tensor *pool(network *n, tensor *x, int64_t kernel, int64_t stride) {
    static const int64_t pads[4] = {0};
    const int64_t strides[] = {stride, stride};
    node *made;
    tensor *y = network_apply(n, "MaxPool", 1, &x, &made);
    network_window(n, made, kernel, kernel, strides, pads);
    ck_assert_int_eq(graph_infer_node(n->g, made), KILN_OK);
    return y;
}

static tensor *of_relu(network *n) {
    return pool(n, APPLY(n, "Relu", depthwise(n, network_input(n, 24, 6, 8), 1)), 2, 2);
}

/* The convolution comes first, and its results go on to another. */
static tensor *of_relu_behind(network *n) {
    tensor *y = depthwise(n, form_pointwise(n, network_input(n, 3, 10, 22), 17), 1);
    return form_pointwise(n, APPLY(n, "Relu", pool(n, y, 2, 2)), 5);
}

/* The result is part of a concatenation. */
static tensor *of_part(network *n) {
    tensor *x = form_pointwise(n, network_input(n, 3, 8, 12), 16);
    tensor *parts[] = {pool(n, depthwise(n, x, 1), 2, 2), pool(n, x, 2, 2)};
    node *concat;
    tensor *y = network_apply(n, "Concat", 2, parts, &concat);
    ck_assert_int_eq(node_set_int(n->g, concat, "axis", 1), KILN_OK);
    ck_assert_int_eq(graph_infer_node(n->g, concat), KILN_OK);
    return form_pointwise(n, y, 4);
}

static tensor *of_both_bounds(network *n) {
    tensor *y = APPLY(n, "Relu", depthwise(n, network_input(n, 8, 8, 8), 1));
    return APPLY(n, "Clip", pool(n, y, 2, 2), form_number(n, 0.25f), form_number(n, 0.5f));
}

/* What is pooled is read by another as well. */
static tensor *of_two_readers(network *n) {
    tensor *y = depthwise(n, network_input(n, 8, 8, 8), 1);
    network_output(n, form_pointwise(n, y, 3));
    return pool(n, y, 2, 2);
}

static tensor *of_silu(network *n) {
    tensor *y = depthwise(n, network_input(n, 8, 8, 8), 1);
    return pool(n, APPLY(n, "Mul", y, APPLY(n, "Sigmoid", y)), 2, 2);
}

static tensor *of_odd_height(network *n) {
    return pool(n, depthwise(n, network_input(n, 8, 9, 8), 1), 2, 2);
}

static tensor *of_few_columns(network *n) {
    return pool(n, depthwise(n, network_input(n, 8, 8, 6), 1), 2, 2);
}

static tensor *of_stride(network *n) {
    return pool(n, depthwise(n, network_input(n, 8, 16, 16), 2), 2, 2);
}

static tensor *of_other_pool(network *n) {
    return pool(n, depthwise(n, network_input(n, 8, 8, 8), 1), 3, 1);
}

static tensor *of_product(network *n) {
    return pool(n, form_pointwise(n, network_input(n, 8, 8, 8), 8), 2, 2);
}

static const form forms[] = {{of_relu, 0},        {of_relu_behind, 0}, {of_part, 1},
                             {of_both_bounds, 1}, {of_two_readers, 1}, {of_silu, 1},
                             {of_odd_height, 1},  {of_few_columns, 1}, {of_stride, 1},
                             {of_other_pool, 1},  {of_product, 1}};

START_TEST(computes_forms) {
    form_check(&forms[_i], KILN_KERNEL_MAX_POOL_2D);
}
END_TEST

int main(void) {
    const suite_test tests[] = {EACH("forms", computes_forms, forms)};
    return SUITE("pooled", tests, .begin = form_make_folder, .end = form_remove_folder);
}
