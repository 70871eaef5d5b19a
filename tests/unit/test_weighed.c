/* Maps whose positions are weighed and added up, as global context blocks do, against the
 * evaluators of the operators that exporters make it of. */
#include "tests/unit/forms.h"

static tensor *behind(network *n, tensor *x, int64_t channels) {
    return APPLY(n, "Relu", form_pointwise(n, x, channels));
}

static tensor *weights(network *n, tensor *x, int64_t positions) {
    tensor *s = SHAPED(n, form_pointwise(n, x, 1), -1, 1, positions);
    return SHAPED(n, APPLY(n, "Softmax", s), -1, 1, positions, 1);
}

static tensor *context(network *n) {
    tensor *x = behind(n, network_input(n, 7, 5, 6), 40), *s = weights(n, x, 30);
    tensor *y = APPLY(n, "MatMul", SHAPED(n, x, -1, 1, 40, 30), s);
    return APPLY(n, "Add", x, form_pointwise(n, SHAPED(n, y, -1, 40, 1, 1), 40));
}

/* More positions than a panel of a product is deep, and matrices of rank 3. */
static tensor *deep_context(network *n) {
    tensor *x = behind(n, network_input(n, 3, 24, 25), 5);
    tensor *s = SHAPED(n, weights(n, x, 600), -1, 600, 1);
    return APPLY(n, "MatMul", SHAPED(n, x, -1, 5, 600), s);
}

/* There are two columns. */
static tensor *two_columns(network *n) {
    tensor *x = behind(n, network_input(n, 3, 4, 4), 8);
    tensor *s = SHAPED(n, form_pointwise(n, x, 2), -1, 16, 2);
    return APPLY(n, "MatMul", SHAPED(n, x, -1, 8, 16), s);
}

/* The columns are not the map's positions. */
static tensor *of_halves(network *n) {
    tensor *x = behind(n, network_input(n, 3, 4, 4), 8);
    tensor *s = SHAPED(n, form_pointwise(n, APPLY(n, "GlobalAveragePool", x), 8), -1, 8, 1);
    return APPLY(n, "MatMul", SHAPED(n, x, -1, 16, 8), s);
}

/* steps: copies of the plan, those of inputs and outputs. */
static const form forms[] = {{context, 2}, {deep_context, 2}, {two_columns, 4}, {of_halves, 3}};

START_TEST(computes_forms) {
    form_check(&forms[_i], KILN_KERNEL_COPY);
}
END_TEST

int main(void) {
    const suite_test tests[] = {EACH("forms", computes_forms, forms)};
    return SUITE("weighed", tests, .begin = form_make_folder, .end = form_remove_folder);
}
