/* Functions of one element are computed where their operand is, views in between or none: what is
 * left of them as steps of their own. */
#include "tests/unit/forms.h"

/* Rows of a product, which a convolution without a height computes. */
static tensor *of_rows(network *n) {
    tensor *x = network_input_of(n, 3, (int64_t[]){13, 24});
    tensor *y = APPLY(n, "Sigmoid", form_linear(n, x, 40));
    return form_linear(n, y, 8);
}

static tensor *of_reshaped(network *n) {
    tensor *y = form_pointwise(n, network_input(n, 5, 6, 4), 12);
    y = SHAPED(n, MOVED(n, y, 0, 2, 3, 1), 0, 24, 12);
    y = SHAPED(n, APPLY(n, "Tanh", y), 0, 8, 36);
    return form_linear(n, y, 3);
}

/* What the function reads is an output, too. */
static tensor *of_output(network *n) {
    tensor *y = form_pointwise(n, network_input(n, 5, 6, 4), 12);
    network_output(n, y);
    return APPLY(n, "Tanh", SHAPED(n, MOVED(n, y, 0, 2, 3, 1), 0, 24, 12));
}

/* Another view is read as it is. */
static tensor *of_one_of_two(network *n) {
    tensor *y = MOVED(n, form_pointwise(n, network_input(n, 5, 6, 4), 12), 0, 2, 3, 1);
    tensor *a = APPLY(n, "Tanh", SHAPED(n, y, 0, 24, 12));
    return APPLY(n, "Add", SHAPED(n, a, 0, 6, 48), SHAPED(n, y, 0, 6, 48));
}

/* The result is part of a concatenation. */
static tensor *of_part(network *n) {
    tensor *x = network_input_of(n, 3, (int64_t[]){13, 24});
    tensor *parts[] = {APPLY(n, "Sigmoid", form_linear(n, x, 16)), form_linear(n, x, 16)};
    node *concat;
    tensor *y = network_apply(n, "Concat", 2, parts, &concat);
    ck_assert_int_eq(node_set_int(n->g, concat, "axis", 1), KILN_OK);
    ck_assert_int_eq(graph_infer_node(n->g, concat), KILN_OK);
    return form_linear(n, y, 5);
}

/* The second function is a step. */
static tensor *of_two(network *n) {
    tensor *y = form_linear(n, network_input_of(n, 3, (int64_t[]){13, 24}), 16);
    return form_linear(n, APPLY(n, "Sigmoid", SHAPED(n, APPLY(n, "Tanh", y), 0, 26, 8)), 6);
}

static const form forms[] = {{of_rows, 0}, {of_reshaped, 0},   {of_output, 1},
                             {of_part, 0}, {of_one_of_two, 1}, {of_two, 1}};

START_TEST(computes_forms) {
    form_check(&forms[_i], KILN_KERNEL_UNARY);
}
END_TEST

int main(void) {
    const suite_test tests[] = {EACH("forms", computes_forms, forms)};
    return SUITE("viewed_functions", tests, .begin = form_make_folder, .end = form_remove_folder);
}
