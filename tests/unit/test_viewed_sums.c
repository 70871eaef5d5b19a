/* Scales and additions behind products of rows are the products' own, views in between or none:
 * what is left of them as steps of their own. */
#include "tests/unit/forms.h"

static tensor *rows(network *n) {
    return form_linear(n, network_input_of(n, 3, (int64_t[]){20, 24}), 24);
}

static tensor *times(network *n, tensor *x, uint32_t rank, const int64_t *dims) {
    return APPLY(n, "Mul", x, network_constant(n, rank, dims, 1));
}

static tensor *sum_of_rows(network *n) {
    tensor *x = rows(n);
    x = APPLY(n, "Add", x, form_linear(n, APPLY(n, "Sigmoid", x), 24));
    return form_linear(n, APPLY(n, "Add", form_linear(n, APPLY(n, "Tanh", x), 24), x), 5);
}

static tensor *scaled_rows(network *n) {
    tensor *x = rows(n);
    tensor *y = times(n, form_linear(n, APPLY(n, "Sigmoid", x), 24), 1, (int64_t[]){24});
    return form_linear(n, APPLY(n, "Add", x, y), 5);
}

/* A map, of which rows are made and a map again. */
static tensor *scaled_map(network *n) {
    tensor *x = form_pointwise(n, network_input(n, 5, 6, 4), 12);
    tensor *y = form_linear(n, MOVED(n, SHAPED(n, x, 0, 12, 24), 0, 2, 1), 12);
    y = times(n, SHAPED(n, MOVED(n, y, 0, 2, 1), 0, 12, 6, 4), 3, (int64_t[]){12, 1, 1});
    return form_pointwise(n, APPLY(n, "Add", x, y), 3);
}

/* Each row has a scale of its own. */
static tensor *scaled_by_row(network *n) {
    return form_linear(n, times(n, rows(n), 2, (int64_t[]){20, 1}), 5);
}

/* Channels are not together any more. */
static tensor *scaled_apart(network *n) {
    tensor *y = SHAPED(n, rows(n), 0, 40, 12);
    return form_linear(n, times(n, y, 1, (int64_t[]){12}), 5);
}

/* The product's result is read by itself, too. */
static tensor *sum_of_read(network *n) {
    tensor *x = rows(n), *y = form_linear(n, APPLY(n, "Sigmoid", x), 24);
    network_output(n, APPLY(n, "Softmax", y));
    return form_linear(n, APPLY(n, "Add", x, y), 5);
}

/* One row for all. */
static tensor *sum_of_one_row(network *n) {
    tensor *x = rows(n), *one = form_with_ints(n, "ReduceMax", x, "axes", 1, (int64_t[]){1});
    return form_linear(n, APPLY(n, "Add", one, form_linear(n, APPLY(n, "Tanh", x), 24)), 5);
}

static const form forms[] = {{sum_of_rows, 0},   {scaled_rows, 0},  {scaled_map, 0},
                             {scaled_by_row, 1}, {scaled_apart, 1}, {sum_of_read, 1},
                             {sum_of_one_row, 1}};

START_TEST(computes_forms) {
    form_check(&forms[_i], KILN_KERNEL_BINARY);
}
END_TEST

int main(void) {
    const suite_test tests[] = {EACH("forms", computes_forms, forms)};
    return SUITE("viewed_sums", tests, .begin = form_make_folder, .end = form_remove_folder);
}
