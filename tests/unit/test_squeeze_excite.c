/* Squeeze-and-excitation in one step, and its scale in what follows, against the evaluators of the
 * operators that exporters make it of. */
#include "tests/unit/forms.h"

static tensor *mean(network *n, tensor *x, int64_t keepdims) {
    node *made;
    tensor *y = network_apply(n, "ReduceMean", 1, &x, &made);
    ck_assert_int_eq(node_set_ints(n->g, made, "axes", (int64_t[]){2, 3}, 2), KILN_OK);
    ck_assert_int_eq(node_set_int(n->g, made, "keepdims", keepdims), KILN_OK);
    ck_assert_int_eq(graph_infer_node(n->g, made), KILN_OK);
    return y;
}

static tensor *gemm(network *n, tensor *x, int64_t outputs) {
    const int64_t dims[] = {outputs, x->dims[1]};
    tensor *inputs[] = {x, network_constant(n, 2, dims, 1 / sqrtf((float)dims[1])),
                        network_constant(n, 1, dims, 1)};
    node *made;
    tensor *y = network_apply(n, "Gemm", 3, inputs, &made);
    ck_assert_int_eq(node_set_int(n->g, made, "transB", 1), KILN_OK);
    ck_assert_int_eq(graph_infer_node(n->g, made), KILN_OK);
    return y;
}

/* As torchvision and timm have it. */
static tensor *convolved_gates(network *n, tensor *x, const char *squeeze, const char *hidden,
                               const char *gate, int64_t inner) {
    tensor *s = APPLY(n, hidden, form_pointwise(n, APPLY(n, squeeze, x), inner));
    return APPLY(n, gate, form_pointwise(n, s, x->dims[1]));
}

/* ---- One step ------------------------------------------------------------------------------ */

static tensor *by_convolutions(network *n) {
    tensor *x = network_input(n, 37, 5, 3);
    return APPLY(n, "Mul", convolved_gates(n, x, "GlobalAveragePool", "Relu", "Sigmoid", 6), x);
}

/* Functions that are spelled out, and one behind the scale. */
static tensor *by_swish(network *n) {
    tensor *x = network_input(n, 24, 4, 4);
    tensor *s = form_pointwise(n, mean(n, x, 1), 20);
    s = form_pointwise(n, APPLY(n, "Mul", s, APPLY(n, "Sigmoid", s)), 24);
    return APPLY(n, "HardSwish", APPLY(n, "Mul", x, APPLY(n, "HardSigmoid", s)));
}

/* As squeeze-and-excitation networks have it, with what they add. */
static tensor *by_products(network *n) {
    tensor *x = network_input(n, 40, 6, 2), *s = APPLY(n, "Relu", gemm(n, mean(n, x, 0), 5));
    s = SHAPED(n, APPLY(n, "Sigmoid", gemm(n, s, 40)), -1, 40, 1, 1);
    tensor *y = APPLY(n, "Mul", x, s);
    return APPLY(n, "Relu", APPLY(n, "Add", y, network_input(n, 40, 6, 2)));
}

/* Weights the other way round. */
static tensor *by_matrices(network *n) {
    tensor *x = network_input(n, 16, 3, 3), *s = APPLY(n, "Relu", form_linear(n, mean(n, x, 0), 7));
    s = SHAPED(n, APPLY(n, "Sigmoid", form_linear(n, s, 16)), -1, 16, 1, 1);
    return APPLY(n, "Mul", s, x);
}

/* One product, and bounds. */
static tensor *by_one(network *n) {
    tensor *x = network_input(n, 19, 3, 7);
    tensor *s = APPLY(n, "HardSigmoid", form_pointwise(n, APPLY(n, "GlobalAveragePool", x), 19));
    return APPLY(n, "Relu", APPLY(n, "Mul", x, s));
}

/* More channels than are scaled at a time, added to. */
static tensor *by_many_channels(network *n) {
    tensor *x = network_input(n, 2100, 3, 2);
    tensor *s = convolved_gates(n, x, "GlobalAveragePool", "Relu", "Sigmoid", 3);
    return APPLY(n, "Add", network_input(n, 2100, 3, 2), APPLY(n, "Mul", x, s));
}

/* Gates of another kind, with an addition, which is made the step. */
static tensor *by_maxima(network *n) {
    tensor *x = network_input(n, 21, 4, 5);
    tensor *s = convolved_gates(n, x, "GlobalMaxPool", "Relu", "Sigmoid", 6);
    return APPLY(n, "Relu", APPLY(n, "Add", APPLY(n, "Mul", x, s), network_input(n, 21, 4, 5)));
}

/* They are gates of rows. */
static tensor *of_rows(network *n) {
    tensor *x = network_input(n, 8, 8, 8);
    tensor *s = form_with_ints(n, "ReduceMean", x, "axes", 2, (int64_t[]){1, 3});
    s = SHAPED(n, APPLY(n, "Relu", gemm(n, SHAPED(n, s, -1, 8), 4)), -1, 4);
    s = SHAPED(n, APPLY(n, "Sigmoid", gemm(n, s, 8)), -1, 8, 1, 1);
    return APPLY(n, "Mul", x, s);
}

/* The gates are asked for. */
static tensor *seen(network *n) {
    tensor *x = network_input(n, 8, 3, 3);
    tensor *s = convolved_gates(n, x, "GlobalAveragePool", "Relu", "Sigmoid", 4);
    network_output(n, s);
    return APPLY(n, "Mul", x, s);
}

/* The means are of another map. */
static tensor *of_another(network *n) {
    tensor *x = network_input(n, 8, 3, 3), *other = network_input(n, 8, 3, 3);
    tensor *s = convolved_gates(n, other, "GlobalAveragePool", "Relu", "Sigmoid", 4);
    return APPLY(n, "Mul", x, s);
}

/* The one position that a layer computes lies in its padding. */
static tensor *of_padding(network *n) {
    const network_conv c = {6, 1, 1, {3, 3}, {1, 1}, {1, 0, 0, 0}, 1, true};
    tensor *x = network_input(n, 8, 3, 3), *s = APPLY(n, "GlobalAveragePool", x);
    s = APPLY(n, "Relu", network_convolve(n, s, &c));
    return APPLY(n, "Mul", x, APPLY(n, "Sigmoid", form_pointwise(n, s, 8)));
}

static const form forms[] = {{by_convolutions, 1}, {by_swish, 1},  {by_products, 1},
                             {by_matrices, 1},     {by_one, 1},    {by_many_channels, 1},
                             {by_maxima, 1},       {of_rows, 0},   {seen, 0},
                             {of_another, 0},      {of_padding, 0}};

START_TEST(computes_forms) {
    form_check(&forms[_i], KILN_KERNEL_SQUEEZE_EXCITE);
}
END_TEST

/* A product's bias of the samples, as many as there are gates. */
static tensor *by_biased_samples(network *n) {
    tensor *x = network_input(n, 3, 4, 4), *row = mean(n, x, 0);
    tensor *inputs[] = {row, network_constant(n, 2, (int64_t[]){3, 3}, 1),
                        network_constant(n, 2, (int64_t[]){3, 1}, 1)};
    tensor *s = network_apply(n, "Gemm", 3, inputs, NULL);
    return APPLY(n, "Mul", x, SHAPED(n, APPLY(n, "Sigmoid", s), 3, 3, 1, 1));
}

START_TEST(tells_biases_of_samples) {
    static const form f = {by_biased_samples, 0};
    char path[128];
    network n;
    kiln_plan *plan = NULL;
    snprintf(path, sizeof path, "%s/samples", form_folder);
    form_begin(&n, &f, 3);
    network_save(&n, NULL, path);
    ck_assert_int_eq(kiln_plan_open(path, NULL, &plan, &network_error), KILN_OK);
    ck_assert_uint_eq(form_count(plan, KILN_KERNEL_SQUEEZE_EXCITE), 0);
    kiln_session *session = network_session(plan, 1, 1);
    network_values in = network_noise(plan, 1, 11), found = network_run(plan, session, 1, &in);
    form_begin(&n, &f, 3);
    network_values expected = network_evaluate(&n, &in);
    ck_assert_double_lt(network_difference(found.data[0], expected.data[0], expected.count[0]),
                        3e-6);
    network_free_values(&in);
    network_free_values(&found);
    network_free_values(&expected);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
}
END_TEST

/* ---- The scale of convolutions ------------------------------------------------------------- */

static tensor *scaled(network *n, tensor *x) {
    return APPLY(n, "Mul", x, convolved_gates(n, x, "GlobalAveragePool", "Relu", "Sigmoid", 6));
}

static tensor *project(network *n) {
    return form_pointwise(n, scaled(n, network_input(n, 40, 8, 9)), 12);
}

/* With a residual, a function and a stride, whose rows are gathered. */
static tensor *project_strided(network *n) {
    const network_conv c = {19, 1, 1, {2, 2}, {1, 1}, {0}, 1, true};
    tensor *y = network_convolve(n, scaled(n, network_input(n, 24, 24, 20)), &c);
    return APPLY(n, "HardSwish", APPLY(n, "Add", y, network_input(n, 19, 12, 10)));
}

/* Gates of another kind. */
static tensor *project_maxima(network *n) {
    tensor *x = network_input(n, 33, 7, 9);
    tensor *s = convolved_gates(n, x, "GlobalMaxPool", "Relu", "Sigmoid", 6);
    return form_pointwise(n, APPLY(n, "Mul", s, x), 8);
}

/* As many weights as the map has elements, a kernel of 3x3, and another reader. */
static tensor *expand(network *n) {
    return form_pointwise(n, scaled(n, network_input(n, 16, 4, 4)), 16);
}

static tensor *convolve(network *n) {
    const network_conv c = {2, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1, true};
    return network_convolve(n, scaled(n, network_input(n, 16, 9, 9)), &c);
}

static tensor *read_twice(network *n) {
    tensor *x = scaled(n, network_input(n, 16, 9, 9));
    network_output(n, x);
    return form_pointwise(n, x, 4);
}

static const form scales[] = {{project, 1}, {project_strided, 1}, {project_maxima, 1},
                              {expand, 0},  {convolve, 0},        {read_twice, 0}};

static size_t scaled_convolutions(const kiln_plan_view *v, bool banded) {
    size_t found = 0;
    for (size_t k = 0; k < v->step_count; k++) {
        const kiln_plan_step *s = &v->steps[k];
        bool inside = false;
        for (size_t b = 0; b < v->band_count; b++) {
            inside = inside || (k >= v->bands[b].first_step && k <= v->bands[b].last_step);
        }
        found += s->kernel == KILN_KERNEL_CONV_2D && s->input_count == 5 && inside == banded;
    }
    return found;
}

static void check_scales(const form *f, kiln_memory memory, bool banded) {
    char path[128];
    network n;
    kiln_plan *plan = NULL;
    kiln_plan_view view;
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.memory = memory;
    snprintf(path, sizeof path, "%s/scaled", form_folder);
    form_begin(&n, f, GRAPH_BATCH);
    network_save(&n, &options, path);
    ck_assert_int_eq(kiln_plan_open(path, NULL, &plan, &network_error), KILN_OK);
    kiln_plan_inspect(plan, &view);
    ck_assert_uint_eq(scaled_convolutions(&view, banded), f->steps);
    form_run_all(f, plan);
    kiln_plan_close(plan);
}

START_TEST(folds_scales) {
    check_scales(&scales[_i], KILN_MEMORY_BALANCED, false);
}
END_TEST

/* Projected, expanded and convolved some rows at a time. */
static tensor *project_in_band(network *n) {
    const network_conv c = {8, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1, true};
    tensor *y = form_pointwise(n, scaled(n, network_input(n, 8, 64, 64)), 16);
    return network_convolve(n, form_pointwise(n, y, 64), &c);
}

START_TEST(folds_scales_in_bands) {
    static const form f = {project_in_band, 1};
    check_scales(&f, KILN_MEMORY_MIN, true);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("forms", computes_forms, forms), TEST("forms", tells_biases_of_samples),
        EACH("scales", folds_scales, scales), TEST("scales", folds_scales_in_bands)};
    return SUITE("squeeze_excite", tests, .begin = form_make_folder, .end = form_remove_folder);
}
