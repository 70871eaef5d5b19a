/* Operators at their edges: what is refused, indices and parameters outside, tensors without
 * elements. */
#include "tests/unit/operator_case.h"
#include "tests/unit/suite.h"

/* ---- Refusals ------------------------------------------------------------------------------ */

static const struct {
    operator_case c;
    const char *message;
} refused[] = {
    {{"BatchNormalization",
      "@opset=15 training_mode=1",
      {"f N 1 from 0 to 1", "f 1 = 1", "f 1 = 0", "f 1 = 0", "f 1 = 1"}},
     "training"},
    {{"BatchNormalization",
      "@opset=9 @outputs=4",
      {"f N 1 from 0 to 1", "f 1 = 1", "f 1 = 0", "f 1 = 0", "f 1 = 1"}},
     "training"},
    {{"NonMaxSuppression", "", {"f 1 9 4 from 0 to 1", "f 1 1 9 from 0 to 1"}}, "cut the graph"},
    {{"Einsum", "equation=bii->bi", {"f N 3 1 from 0 to 1"}}, "bii->bi"},
    {{"LpPool", "p=0 kernel_shape=2,2", {"f N 1 3 3 from 0 to 1"}}, "p is 0"},
    {{"LpPool", "kernel_shape=60000,60000 pads=59999,59999,0,0", {"f N 1 1 1 from 0 to 1"}},
     "--fold-limit"},
    {{"Einsum", "equation=ij,jk", {"f 2 3 from 0 to 1", "f 4 5 from 0 to 1"}}, "ij,jk"},
    {{"Einsum", "equation=ij->ik", {"f 2 3 from 0 to 1"}}, "ij->ik"},
    {{"Einsum", "equation=ij,", {"f 2 3 from 0 to 1"}}, "ij,"},
    {{"OneHot", "axis=0", {"i 2 from 0 to 1", "i = 2000000000", "f 2 = 0 1"}}, "--fold-limit"},
    {{"Einsum",
      "equation=abcdefgh,ijklmnop->abcdefghijklmnop",
      {"f 1 1 1 1 1 1 1 1 from 0 to 1", "f 1 1 1 1 1 1 1 1 from 0 to 1"}},
     "supported: sums"},
    {{"Einsum",
      "equation=abcdefg,hijk->",
      {"f 1 1 1 1 1 1 1 from 0 to 1", "f 1 1 1 1 = 1", "f 1 1 = 1"}},
     "hijk"},
    {{"Einsum",
      "equation=abcdefgh,hij,ij->abcdefgh",
      {"f 1 1 1 1 1 1 1 1 from 0 to 1", "f 1 1 1 from 0 to 1", "f 1 1 = 1"}},
     "too many labels"},
    {{"NonZero", "", {"f N 3 from 0 to 1"}}, "must be known when compiling"},
    {{"OneHot", "", {"i N from 0 to 1", "i = 0", "f 2 = 0 1"}}, "depth 0"},
    {{"GroupNormalization",
      "@opset=18 num_groups=2",
      {"f N 3 4 from 0 to 1", "f 2 = 1 1", "f 2 = 0 0"}},
     "groups"},
};

START_TEST(says_what_is_not_supported) {
    kiln_compile_options options;
    network n;
    kiln_compile_options_init(&options);
    (void)case_begin(&n, &refused[_i].c, GRAPH_BATCH, false);
    n.g->error = &network_error;
    kiln_status status = network_write(&n, &options, "/dev/null");
    ck_assert_int_ne(status, KILN_OK);
    ck_assert_msg(strstr(network_error.message, refused[_i].message) != NULL, "'%s' is not in: %s",
                  refused[_i].message, network_error.message);
}
END_TEST

/* ---- Indices outside ----------------------------------------------------------------------- */

/* What a run finds of them: the nearest element is read, and nothing is written. */
static const struct {
    operator_case c;
    int64_t indices[4];
    double expected[4];
} outside[] = {
    {{"GatherElements", "axis=0", {"f 4 = 1 2 3 4", "i 4 from 0 to 0"}},
     {4, -5, INT64_MAX, INT64_MIN},
     {4, 1, 4, 1}},
    {{"GatherND", "", {"f 4 = 1 2 3 4", "i 4 1 from 0 to 0"}},
     {4, -5, INT64_MAX, INT64_MIN},
     {4, 1, 4, 1}},
    {{"GatherND", "", {"f 2 2 = 1 2 3 4", "i 2 2 from 0 to 0"}}, {9, 0, -9, 9}, {3, 2}},
    {{"ScatterElements", "axis=0", {"f 4 = 1 2 3 4", "i 4 from 0 to 0", "f 4 = 5 6 7 8"}},
     {4, -5, INT64_MAX, 1},
     {1, 8, 3, 4}},
    {{"ScatterND", "", {"f 2 2 = 1 2 3 4", "i 2 2 from 0 to 0", "f 2 = 5 6"}},
     {2, 0, 1, -1},
     {1, 2, 3, 6}},
    {{"Gather", "", {"f 4 = 1 2 3 4", "i 4 from 0 to 0"}}, {4, -5, INT64_MAX, -1}, {4, 1, 4, 4}},
};

START_TEST(stays_inside_whatever_the_indices) {
    kiln_compile_options options;
    network n;
    char path[128];
    float found[4] = {0};
    snprintf(path, sizeof path, "%s/plan", case_folder);
    kiln_compile_options_init(&options);
    (void)case_begin(&n, &outside[_i].c, 1, false);
    ck_assert_int_eq(network_write(&n, &options, path), KILN_OK);
    kiln_plan *plan = case_open(&outside[_i].c, path);
    kiln_session *session = network_session(plan, 1, 1);
    kiln_tensor_info info;
    (void)kiln_plan_output(plan, 0, &info);
    int64_t indices[4];
    memcpy(indices, outside[_i].indices, sizeof indices);
    const kiln_buffer in = {indices, sizeof indices}, out = {found, info.bytes};
    ck_assert_int_eq(kiln_session_run(session, 1, &in, 1, &out, 1, &network_error), KILN_OK);
    for (size_t k = 0; k < info.bytes / sizeof *found; k++) {
        ck_assert_double_eq((double)found[k], outside[_i].expected[k]);
    }
    kiln_session_destroy(session);
    kiln_plan_close(plan);
}
END_TEST

/* ---- Damaged plans ------------------------------------------------------------------------- */

/* A parameter of the only step of a kernel, as it may not be: word `at` of its struct. */
static const struct {
    operator_case c;
    kiln_kernel kernel;
    size_t at;
    uint32_t value;
} damaged[] = {
    {{"Sin", "", {"f N 3 from 0 to 1"}}, KILN_KERNEL_UNARY, 0, KILN_UNARY_COUNT},
    {{"Sin", "", {"f N 3 from 0 to 1"}}, KILN_KERNEL_UNARY, 0, KILN_UNARY_IS_NAN},
    {{"IsNaN", "", {"f N 3 from 0 to 1"}}, KILN_KERNEL_UNARY, 0, KILN_UNARY_SIN},
    {{"Mod", "", {"i N 3 from 0 to 1", "i 3 = 1 2 3"}}, KILN_KERNEL_BINARY, 0, KILN_BINARY_COUNT},
    {{"Mod", "", {"i N 3 from 0 to 1", "i 3 = 1 2 3"}}, KILN_KERNEL_BINARY, 0, KILN_BINARY_XOR},
    {{"ReduceLogSum", "axes=1,", {"f N 3 from 0 to 1"}}, KILN_KERNEL_REDUCE, 0, KILN_REDUCE_COUNT},
    {{"CumSum", "", {"f N 3 from 0 to 1", "i = 1"}}, KILN_KERNEL_CUMULATIVE_SUM, 0, 0},
    {{"CumSum", "", {"f N 3 from 0 to 1", "i = 1"}}, KILN_KERNEL_CUMULATIVE_SUM, 0, 2},
    {{"CumSum", "", {"f N 3 from 0 to 1", "i = 1"}}, KILN_KERNEL_CUMULATIVE_SUM, 1, 2},
    {{"GatherElements", "axis=1", {"f N 3 from 0 to 1", "i N 2 from 0 to 1"}},
     KILN_KERNEL_GATHER_ELEMENTS,
     0,
     0},
    {{"GatherElements", "axis=1", {"f N 3 4 from 0 to 1", "i N 9 2 from 0 to 1"}},
     KILN_KERNEL_GATHER_ELEMENTS,
     0,
     2},
    {{"GatherND", "batch_dims=1", {"f N 3 3 from 0 to 1", "i N 3 1 from 0 to 1"}},
     KILN_KERNEL_GATHER_ND,
     0,
     0},
    {{"GatherND", "batch_dims=1", {"f N 3 3 from 0 to 1", "i N 3 1 from 0 to 1"}},
     KILN_KERNEL_GATHER_ND,
     0,
     3},
    {{"ScatterElements", "axis=1", {"f N 3 from 0 to 1", "i N 9 from 0 to 1", "f N 9 from 0 to 1"}},
     KILN_KERNEL_SCATTER_ELEMENTS,
     0,
     0},
    {{"ScatterElements", "axis=1", {"b N 3 from 0 to 1", "i N 9 from 0 to 1", "b N 9 from 0 to 1"}},
     KILN_KERNEL_SCATTER_ELEMENTS,
     1,
     KILN_SCATTER_ADD},
    {{"ScatterND", "", {"f 3 from 0 to 1", "i 2 1 from 0 to 1", "f 2 from 0 to 1"}},
     KILN_KERNEL_SCATTER_ND,
     1,
     KILN_SCATTER_COUNT},
    {{"GridSample", "@opset=16", {"f N 1 2 2 from 0 to 1", "f N 2 2 2 from 0 to 1"}},
     KILN_KERNEL_GRID_SAMPLE,
     0,
     KILN_GRID_MODE_COUNT},
    {{"GridSample", "@opset=16", {"f N 1 2 2 from 0 to 1", "f N 2 2 2 from 0 to 1"}},
     KILN_KERNEL_GRID_SAMPLE,
     1,
     KILN_GRID_PADDING_COUNT},
    {{"RoiAlign", "@opset=16", {"f 1 1 2 2 from 0 to 1", "f 1 4 from 0 to 1", "i 1 = 0"}},
     KILN_KERNEL_ROI_ALIGN,
     0,
     2},
    {{"RoiAlign", "@opset=16", {"f 1 1 2 2 from 0 to 1", "f 1 4 from 0 to 1", "i 1 = 0"}},
     KILN_KERNEL_ROI_ALIGN,
     2,
     KILN_ROI_SAMPLES + 1},
    {{"RoiAlign", "@opset=16", {"f 1 1 2 2 from 0 to 1", "f 1 4 from 0 to 1", "i 1 = 0"}},
     KILN_KERNEL_ROI_ALIGN,
     3,
     0x7fc00000u}, /* NaN */
};

START_TEST(refuses_damaged_parameters) {
    kiln_compile_options options;
    kiln_compile_report report = {0};
    network n;
    program *p = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/plan", case_folder);
    kiln_compile_options_init(&options);
    (void)case_begin(&n, &damaged[_i].c, GRAPH_BATCH, false);
    network_close(&n);
    ck_assert_int_eq(passes_run(n.g, &options, &report), KILN_OK);
    ck_assert_int_eq(lower_graph_to_program(n.g, &options, &p), KILN_OK);
    ck_assert_int_eq(place_program(p), KILN_OK);
    size_t found = 0;
    for (size_t k = 0; k < p->step_count; k++) {
        if (p->steps[k].kernel == damaged[_i].kernel) {
            memcpy((uint8_t *)p->steps[k].params + 4 * damaged[_i].at, &damaged[_i].value, 4);
            found++;
        }
    }
    ck_assert_uint_eq(found, 1);
    kiln_status status = write_plan_file(p, path, &options, &report, &network_error);
    kiln_plan *plan = NULL;
    status = status == KILN_OK ? kiln_plan_open(path, NULL, &plan, &network_error) : status;
    ck_assert_msg(status == KILN_ERROR_FORMAT, "%s is taken", damaged[_i].c.op);
    graph_free(n.g);
}
END_TEST

/* ---- Weights of other weights --------------------------------------------------------------- */

/* Standardised weights as exporters write them: batch normalisation in training mode over the
 * filters of a constant, then a convolution. Nothing but the convolution is left to run. */
START_TEST(folds_standardised_weights) {
    const int64_t strides[] = {1, 1}, pads[] = {1, 1, 1, 1};
    const int64_t rows[] = {1, 4, 27}, filter[] = {4, 3, 3, 3}, four = 4;
    kiln_compile_options options;
    kiln_compile_report report = {0};
    network n;
    node *norm, *conv;
    program *p = NULL;
    kiln_compile_options_init(&options);
    network_begin(&n, 5);
    n.g->opset = 15;
    tensor *x = network_input(&n, 3, 8, 8), *w = network_constant(&n, 3, rows, 1);
    tensor *of_filters[5] = {w};
    for (size_t k = 1; k < 5; k++) {
        of_filters[k] = network_constant(&n, 1, &four, 1);
    }
    tensor *standard = network_apply(&n, "BatchNormalization", 5, of_filters, &norm);
    (void)node_set_int(n.g, norm, "training_mode", 1);
    tensor *to = graph_add_constant(n.g, NULL, KILN_I64, 1, &four);
    memcpy(to->owned, filter, sizeof filter);
    ck_assert_int_eq(graph_infer_node(n.g, norm), KILN_OK);
    tensor *weights = network_apply(&n, "Reshape", 2, (tensor *[]){standard, to}, NULL);
    tensor *y = network_apply(&n, "Conv", 2, (tensor *[]){x, weights}, &conv);
    network_window(&n, conv, 3, 3, strides, pads);
    network_output(&n, y);
    network_close(&n);
    kiln_status status = passes_run(n.g, &options, &report);
    ck_assert_msg(status == KILN_OK, "%s", network_error.message);
    ck_assert_int_eq(lower_graph_to_program(n.g, &options, &p), KILN_OK);
    size_t computing = 0;
    for (size_t k = 0; k < p->step_count; k++) {
        computing += p->steps[k].kernel != KILN_KERNEL_COPY;
    }
    ck_assert_uint_eq(computing, 1);
    graph_free(n.g);
}
END_TEST

/* ---- No elements --------------------------------------------------------------------------- */

/* Concat(x[:, 2:2], x, a constant of [0 columns]), of which only x is left. */
START_TEST(drops_what_has_no_elements) {
    kiln_compile_options options;
    network n;
    char path[128];
    snprintf(path, sizeof path, "%s/plan", case_folder);
    kiln_compile_options_init(&options);
    network_begin(&n, 1);
    tensor *x = case_feed(&n, "f N 4 from 0 to 1", NULL, GRAPH_BATCH, false);
    tensor *slice[4] = {x, case_feed(&n, "i 1 = 2", NULL, 1, false),
                        case_feed(&n, "i 1 = 2", NULL, 1, false),
                        case_feed(&n, "i 1 = 1", NULL, 1, false)};
    tensor *none = network_apply(&n, "Slice", 4, slice, NULL);
    tensor *halved = network_apply(&n, "Abs", 1, &none, NULL);
    node *concat;
    tensor *y = network_apply(&n, "Concat", 2, (tensor *[]){halved, x}, &concat);
    (void)node_set_int(n.g, concat, "axis", 1);
    network_output(&n, y);
    kiln_status status = network_write(&n, &options, path);
    ck_assert_msg(status == KILN_OK, "%s", network_error.message);
    kiln_plan *plan = NULL;
    ck_assert_int_eq(kiln_plan_open(path, NULL, &plan, &network_error), KILN_OK);
    kiln_session *session = network_session(plan, 1, 2);
    network_values in = network_noise(plan, 2, 3), out = network_run(plan, session, 2, &in);
    ck_assert_uint_eq(out.count[0], 8);
    ck_assert_mem_eq(out.data[0], in.data[0], 8 * sizeof(float));
    network_free_values(&in);
    network_free_values(&out);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("refused", says_what_is_not_supported, refused),
        EACH("indices", stays_inside_whatever_the_indices, outside),
        EACH("damage", refuses_damaged_parameters, damaged),
        TEST("folding", folds_standardised_weights),
        TEST("folding", drops_what_has_no_elements),
    };
    return SUITE("operator_edges", tests, .begin = case_make_folder, .end = case_remove_folder);
}
