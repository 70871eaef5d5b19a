/* Global response normalization in one step, against the evaluators of the operators that exporters
 * make it of. */
#include "tests/unit/forms.h"

static tensor *reduced(network *n, const char *op, tensor *x, size_t count, const int64_t *axes) {
    return form_with_ints(n, op, x, "axes", count, axes);
}

/* `mean` is added to, and the result to x. */
static tensor *responses(network *n, tensor *x, tensor *norm, tensor *mean, uint32_t rank,
                         const int64_t *dims) {
    tensor *y = APPLY(n, "Add", mean, form_number(n, 1e-6f));
    y = APPLY(n, "Mul", x, APPLY(n, "Div", norm, y));
    y = APPLY(n, "Mul", network_constant(n, rank, dims, 1), y);
    y = APPLY(n, "Mul", y, form_number(n, 0.75f));
    return APPLY(n, "Add", network_constant(n, rank, dims, 1), y);
}

static tensor *channels_first(network *n) {
    tensor *x = network_input(n, 37, 5, 3);
    tensor *norm = reduced(n, "ReduceL2", x, 2, (int64_t[]){2, 3});
    tensor *mean = reduced(n, "ReduceMean", norm, 1, (int64_t[]){1});
    return APPLY(n, "Add", x, responses(n, x, norm, mean, 4, (int64_t[]){1, 37, 1, 1}));
}

static tensor *channels_last(network *n) {
    tensor *x = network_input(n, 6, 7, 20);
    tensor *norm = reduced(n, "ReduceL2", x, 2, (int64_t[]){1, 2});
    tensor *mean = reduced(n, "ReduceMean", norm, 1, (int64_t[]){-1});
    return APPLY(n, "Add", responses(n, x, norm, mean, 1, (int64_t[]){20}), x);
}

/* The mean is not that of the channels. */
static tensor *mean_of_rows(network *n) {
    tensor *x = network_input(n, 4, 5, 5);
    tensor *norm = reduced(n, "ReduceL2", x, 1, (int64_t[]){3});
    tensor *mean = reduced(n, "ReduceMean", norm, 1, (int64_t[]){1});
    return APPLY(n, "Add", responses(n, x, norm, mean, 4, (int64_t[]){1, 4, 1, 1}), x);
}

/* Without what the norm's paper adds. */
static tensor *no_residual(network *n) {
    tensor *x = network_input(n, 4, 5, 5);
    tensor *norm = reduced(n, "ReduceL2", x, 2, (int64_t[]){2, 3});
    tensor *mean = reduced(n, "ReduceMean", norm, 1, (int64_t[]){1});
    return responses(n, x, norm, mean, 4, (int64_t[]){1, 4, 1, 1});
}

static const form forms[] = {
    {channels_first, 1}, {channels_last, 1}, {mean_of_rows, 0}, {no_residual, 0}};

START_TEST(computes_forms) {
    form_check(&forms[_i], KILN_KERNEL_RESPONSE_NORM);
}
END_TEST

int main(void) {
    const suite_test tests[] = {EACH("forms", computes_forms, forms)};
    return SUITE("response_norm", tests, .begin = form_make_folder, .end = form_remove_folder);
}
