/* What lowering does with operands: columns of a tensor along any axis, constants that meet a
 * tensor of either layout, one tensor as several operands, broadcast sums, biases that are folded.
 * Each network is compiled with its batch open and fixed, run at batches 1 to 3, and compared with
 * what the operators' evaluators make of the same network with that batch fixed. */
#include "tests/unit/network.h"
#include "tests/unit/suite.h"

#include <unistd.h>

static char path[] = "/tmp/kiln-operands-XXXXXX";

typedef struct request {
    uint32_t rank;
    int64_t dims[KILN_MAX_RANK - 1]; /* of a sample */
    uint32_t axis;
    bool spatial; /* behind a convolution: channels-last */
    const char *op;
    int variant;
} request;

typedef void (*builder)(network *n, const request *r);

/* Compiles for the batch, open or not, and runs. */
static network_values run_plan(builder build, const request *r, bool no_fusion, int64_t planned,
                               uint32_t batch, network_values *out_inputs) {
    kiln_compile_options options;
    kiln_plan *plan;
    network n;
    kiln_compile_options_init(&options);
    options.no_fusion = no_fusion;
    network_begin_at(&n, 11, planned);
    build(&n, r);
    (void)unlink(path);
    ck_assert_msg(network_write(&n, &options, path) == KILN_OK, "%s", network_error.message);
    ck_assert_msg(kiln_plan_open(path, NULL, &plan, &network_error) == KILN_OK, "%s",
                  network_error.message);
    kiln_session *session = network_session(plan, 1, batch);
    *out_inputs = network_noise(plan, batch, 5);
    network_values found = network_run(plan, session, batch, out_inputs);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    return found;
}

static void check_plan(builder build, const request *r, bool no_fusion, int64_t planned,
                       uint32_t batch) {
    network n;
    network_values inputs,
        found = run_plan(build, r, no_fusion, planned, planned == GRAPH_BATCH ? batch : 1, &inputs);
    network_begin_at(&n, 11, batch);
    build(&n, r);
    size_t outputs = n.output_count;
    network_values expected = network_evaluate(&n, &inputs);
    for (size_t k = 0; k < outputs; k++) {
        ck_assert_uint_eq(found.count[k], expected.count[k]);
        double difference = network_difference(found.data[k], expected.data[k], expected.count[k]);
        ck_assert_msg(difference < 1e-5,
                      "%s, rank %u, dims %lld %lld %lld, axis %u, variant %d, %s, batch %u%s, "
                      "output %zu: %g",
                      r->op, r->rank, (long long)r->dims[0], (long long)r->dims[1],
                      (long long)r->dims[2], r->axis, r->variant,
                      r->spatial ? "channels-last" : "row-major", batch,
                      planned == GRAPH_BATCH ? "" : " (fixed)", k, difference);
    }
    network_free_values(&inputs);
    network_free_values(&found);
    network_free_values(&expected);
}

static void check(builder build, const request *r) {
    check_plan(build, r, false, GRAPH_BATCH, 1);
    check_plan(build, r, false, GRAPH_BATCH, 3);
    check_plan(build, r, true, GRAPH_BATCH, 2);
    check_plan(build, r, false, 1, 1);
    check_plan(build, r, true, 2, 2);
}

/* The input, in the layout that is asked for, and not the input itself unless r->variant is odd. */
static tensor *source(network *n, const request *r) {
    tensor *x = network_input_of(n, r->rank, r->dims);
    if (r->spatial) {
        int64_t dims[KILN_MAX_RANK] = {r->dims[0], r->dims[0], 1, 1, 1, 1, 1, 1};
        return network_apply(n, "Conv", 2, (tensor *[]){x, network_constant(n, r->rank, dims, 1)},
                             NULL);
    }
    return r->variant % 2 == 1 ? x : network_apply(n, "Tanh", 1, &x, NULL);
}

static tensor *unary(network *n, const char *op, tensor *x) {
    return network_apply(n, op, 1, &x, NULL);
}

/* ---- Columns --------------------------------------------------------------------------------- */

static const request shapes[] = {
    {4, {6, 4, 1}, 0, false, NULL, 0},    {4, {6, 1, 4}, 0, false, NULL, 0},
    {4, {1, 4, 6}, 0, false, NULL, 0},    {4, {1, 6, 1}, 0, false, NULL, 0},
    {4, {4, 1, 1}, 0, false, NULL, 0},    {4, {3, 4, 5}, 0, false, NULL, 0},
    {3, {4, 1}, 0, false, NULL, 0},       {3, {1, 4}, 0, false, NULL, 0},
    {3, {5, 4}, 0, false, NULL, 0},       {5, {2, 3, 1, 1}, 0, false, NULL, 0},
    {5, {1, 3, 4, 1}, 0, false, NULL, 0}, {2, {6}, 0, false, NULL, 0},
};

/* Every shape, axis and layout. */
static void check_shapes(builder build, const char *op, int variants) {
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        request r = shapes[k];
        r.op = op;
        for (r.axis = 1; r.axis < r.rank; r.axis++) {
            for (int mode = 0; mode < 2 * variants; mode++) {
                r.variant = mode / 2;
                r.spatial = mode % 2 == 1;
                if (r.dims[r.axis - 1] > 1 && (r.rank > 2 || !r.spatial)) {
                    check(build, &r);
                }
            }
        }
    }
}

/* Into two parts, joined again the other way round, and each read by somebody else too. */
static void split(network *n, const request *r) {
    tensor *x = source(n, r), *parts[2] = {graph_add_tensor(n->g, NULL, KILN_F32),
                                           graph_add_tensor(n->g, NULL, KILN_F32)};
    int64_t sizes[2] = {1, r->dims[r->axis - 1] - 1}, two = 2;
    tensor *size = graph_add_constant(n->g, NULL, KILN_I64, 1, &two);
    memcpy(size->owned, sizes, sizeof sizes);
    node *made = graph_add_node(n->g, op_find("Split"), NULL, 2, (tensor *[]){x, size}, 2, parts);
    (void)node_set_int(n->g, made, "axis", (int64_t)r->axis - (int64_t)r->rank);
    ck_assert_int_eq(graph_infer_node(n->g, made), KILN_OK);
    if (r->variant >= 2) {
        network_output(n, unary(n, "Relu", parts[0]));
        network_output(n, unary(n, "Tanh", parts[1]));
        return;
    }
    tensor *y = network_apply(n, "Concat", 2, (tensor *[]){parts[1], parts[0]}, &made);
    (void)node_set_int(n->g, made, "axis", r->axis);
    ck_assert_int_eq(graph_infer_node(n->g, made), KILN_OK);
    network_output(n, unary(n, "Relu", y));
    network_output(n, unary(n, "Abs", parts[0]));
}

/* Functions of slices of few channels, whose pixels lie apart. */
static void thin_slices(network *n, const request *r) {
    static const int64_t widths[] = {1, 7, 3};
    tensor *x = source(n, r), *parts[3];
    for (int k = 0; k < 3; k++) {
        parts[k] = graph_add_tensor(n->g, NULL, KILN_F32);
    }
    node *made = graph_add_node(n->g, op_find("Split"), NULL, 1, &x, 3, parts);
    ck_assert_int_eq(node_set_int(n->g, made, "axis", 1), KILN_OK);
    ck_assert_int_eq(node_set_ints(n->g, made, "split", widths, 3), KILN_OK);
    ck_assert_int_eq(graph_infer_node(n->g, made), KILN_OK);
    for (int k = 0; k < 3; k++) {
        network_output(n, unary(n, k == 1 ? "Sin" : "Sigmoid", parts[k]));
    }
    /* Of one channel each: a slice, a number, a map that is dense. */
    tensor *halved[2] = {parts[0], network_constant(n, 0, NULL, 1)}, *both[2];
    both[0] = network_apply(n, "Mul", 2, halved, NULL);
    both[1] = unary(n, "Tanh", both[0]);
    both[0] = network_apply(n, "Sub", 2, both, NULL);
    both[1] = parts[0];
    network_output(n, network_apply(n, "Mul", 2, both, NULL));
}

START_TEST(functions_of_thin_slices) {
    request r = {4, {11, 13, 41}, 1, true, "Sigmoid", 0};
    check(thin_slices, &r);
    r.spatial = false;
    check(thin_slices, &r);
}
END_TEST

START_TEST(split_along_each_axis) {
    check_shapes(split, "Split", 4);
}
END_TEST

static void slice(network *n, const request *r) {
    static const int64_t one = 1;
    int64_t bounds[3] = {1, INT32_MAX, r->axis};
    tensor *inputs[4] = {source(n, r)};
    for (size_t k = 0; k < 3; k++) {
        inputs[k + 1] = graph_add_constant(n->g, NULL, KILN_I64, 1, &one);
        memcpy(inputs[k + 1]->owned, &bounds[k], sizeof bounds[k]);
    }
    tensor *y = network_apply(n, "Slice", 4, inputs, NULL);
    network_output(n, r->variant < 2 ? unary(n, "Relu", y) : y);
    network_output(n, unary(n, "Abs", inputs[0]));
}

START_TEST(slice_along_each_axis) {
    check_shapes(slice, "Slice", 3);
}
END_TEST

/* Parts made side by side, or one tensor twice, or a constant among them. */
static void concat(network *n, const request *r) {
    tensor *x = source(n, r), *parts[3] = {unary(n, "Relu", x), x, unary(n, "Abs", x)};
    if (r->variant >= 2) {
        int64_t dims[KILN_MAX_RANK];
        memcpy(dims, x->dims, sizeof dims);
        dims[0] = 1;
        dims[r->axis] = 2;
        tensor *constant = network_constant(n, r->rank, dims, 1);
        int64_t whole[1] = {r->rank};
        tensor *shape = graph_add_constant(n->g, NULL, KILN_I64, 1, whole);
        for (uint32_t k = 0; k < r->rank; k++) {
            ((int64_t *)shape->owned)[k] = k == 0 ? n->batch : dims[k];
        }
        parts[r->variant - 2] = network_apply(n, "Expand", 2, (tensor *[]){constant, shape}, NULL);
    } else if (r->variant == 1) {
        parts[0] = parts[2];
    }
    node *made;
    tensor *y = network_apply(n, "Concat", 3, parts, &made);
    (void)node_set_int(n->g, made, "axis", r->axis);
    ck_assert_int_eq(graph_infer_node(n->g, made), KILN_OK);
    network_output(n, unary(n, "Tanh", y));
    network_output(n, unary(n, "Neg", parts[2]));
}

START_TEST(concat_along_each_axis) {
    check_shapes(concat, "Concat", 5);
}
END_TEST

/* ---- One tensor as several operands ---------------------------------------------------------- */

static void twice(network *n, const request *r) {
    tensor *x = source(n, r), *y;
    if (strcmp(r->op, "Where") == 0) {
        tensor *same = network_apply(n, "Greater", 2, (tensor *[]){x, x}, NULL);
        y = network_apply(n, "Where", 3, (tensor *[]){same, x, x}, NULL);
    } else {
        size_t count = strcmp(r->op, "Max") == 0 || strcmp(r->op, "Sum") == 0 ? 3 : 2;
        y = network_apply(n, r->op, count, (tensor *[]){x, x, x}, NULL);
    }
    if (y->dtype == KILN_BOOL) {
        y = network_apply(n, "Where", 3, (tensor *[]){y, x, network_constant(n, 0, NULL, 1)}, NULL);
    }
    network_output(n, y);
}

START_TEST(a_tensor_is_two_operands) {
    static const char *const ops[] = {"Mul", "Add",   "Sub",   "Div",   "Max",
                                      "Sum", "Where", "Equal", "PRelu", "MatMul"};
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
        for (int mode = 0; mode < 4; mode++) {
            request r = {4, {3, 5, 5}, 0, mode % 2 == 1, ops[k], mode / 2};
            check(twice, &r);
        }
    }
}
END_TEST

/* ---- Broadcasting ---------------------------------------------------------------------------- */

static void variadic(network *n, const request *r) {
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    tensor *x = source(n, r);
    const int64_t last = r->dims[2], columns[] = {r->dims[0], 1, 1};
    const int64_t rows[] = {1, 1, r->dims[1], 1};
    tensor *all[3] = {x, network_constant(n, 1, &last, 1),
                      r->variant < 6 ? network_constant(n, 3, columns, 1)
                                     : network_constant(n, 4, rows, 1)};
    tensor *inputs[4];
    for (size_t k = 0; k < 3; k++) {
        inputs[k] = all[orders[r->variant % 6][k]];
    }
    inputs[3] = network_constant(n, 0, NULL, 1);
    network_output(n, unary(n, "Relu", network_apply(n, r->op, 3 + r->axis, inputs, NULL)));
}

START_TEST(three_operands_broadcast_step_by_step) {
    static const char *const ops[] = {"Sum", "Max", "Min", "Mean"};
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
        for (int variant = 0; variant < 12; variant++) {
            for (int mode = 0; mode < 4; mode++) {
                request r = {4, {3, 4, 5}, (uint32_t)mode / 2, mode % 2 == 1, ops[k], variant};
                check(variadic, &r);
            }
        }
    }
}
END_TEST

static void power(network *n, const request *r) {
    tensor *x = source(n, r);
    int64_t dims[KILN_MAX_RANK] = {1};
    memcpy(dims + 1, r->dims, sizeof r->dims);
    tensor *base = graph_add_constant(n->g, NULL, KILN_I64, r->rank, dims);
    for (int64_t k = 0; k < tensor_elements(base); k++) {
        ((int64_t *)base->owned)[k] = 1 + k;
    }
    tensor *exponent = unary(n, "Tanh", x), *y = graph_add_tensor(n->g, NULL, KILN_I64);
    node *made = graph_add_node(n->g, op_find("Pow"), NULL, 2, (tensor *[]){base, exponent}, 1, &y);
    ck_assert_int_eq(graph_infer_node(n->g, made), KILN_OK);
    tensor *cast = network_apply(n, "Cast", 1, &y, &made);
    (void)node_set_int(n->g, made, "to", 1);
    ck_assert_int_eq(graph_infer_node(n->g, made), KILN_OK);
    network_output(n, cast);
}

START_TEST(constant_base_of_another_type) {
    for (int mode = 0; mode < 2; mode++) {
        request r = {4, {3, 4, 5}, 0, mode == 1, "Pow", 0};
        check(power, &r);
    }
}
END_TEST

/* ---- Dense layers ---------------------------------------------------------------------------- */

enum { ROWS = 3, COLUMNS = 3, DEPTH = 5 }; /* square: where a column is taken for a row, it fits */

/* C's dims; rank 3: none. */
static const struct {
    uint32_t rank;
    int64_t dims[2];
} biases[] = {{3, {0}},    {0, {0}},          {1, {1}},       {1, {COLUMNS}},
              {2, {1, 1}}, {2, {1, COLUMNS}}, {2, {ROWS, 1}}, {2, {ROWS, COLUMNS}}};

static tensor *some_gemm(network *n, tensor *x, float alpha, float beta, size_t bias) {
    bool has_c = biases[bias].rank < 3;
    tensor *inputs[3] = {x, network_constant(n, 2, (int64_t[]){DEPTH, COLUMNS}, 1),
                         has_c ? network_constant(n, biases[bias].rank, biases[bias].dims, 1)
                               : NULL};
    node *made;
    tensor *y = network_apply(n, "Gemm", has_c ? 3 : 2, inputs, &made);
    (void)node_set_float(n->g, made, "alpha", alpha);
    (void)node_set_float(n->g, made, "beta", beta);
    ck_assert_msg(graph_infer_node(n->g, made) == KILN_OK, "%s", network_error.message);
    return y;
}

/* A map flattened as it lies, before a dense layer with a C of any shape. */
static void flattened(network *n, const request *r) {
    tensor *x = source(n, r);
    x = network_apply(n, "Flatten", 1, &x, NULL);
    const int64_t dims[] = {x->dims[1], COLUMNS}, *c = biases[r->variant].dims;
    tensor *inputs[3] = {x, network_constant(n, 2, dims, 1),
                         network_constant(n, biases[r->variant].rank, c, 1)};
    node *made;
    tensor *y = network_apply(n, "Gemm", 3, inputs, &made);
    (void)node_set_float(n->g, made, "beta", 0.5f);
    /* What a file says by this name is no business of ours. */
    (void)node_set_ints(n->g, made, "channels_last_input", (int64_t[]){1 << 20, 1 << 20}, 2);
    ck_assert_msg(graph_infer_node(n->g, made) == KILN_OK, "%s", network_error.message);
    network_output(n, y);
}

START_TEST(flattened_maps_meet_any_c) {
    for (int variant = 1; variant < (int)(sizeof biases / sizeof *biases); variant++) {
        request r = {4, {2, 3, 4}, 0, true, "Gemm", variant};
        check_plan(flattened, &r, false, ROWS, ROWS);
        check_plan(flattened, &r, true, ROWS, ROWS);
    }
}
END_TEST

/* A dense layer of three rows at once, and what could be folded into it. */
static void dense(network *n, const request *r) {
    static const char *const next[] = {"Add", "Mul", "Sub", "BatchNormalization", "Relu"};
    tensor *x = graph_add_tensor(n->g, NULL, KILN_F32);
    const int64_t dims[] = {ROWS, DEPTH}, channels = COLUMNS;
    ck_assert_int_eq(tensor_set_shape(n->g, NULL, x, 2, dims), KILN_OK);
    x->is_input = true;
    n->inputs[n->input_count++] = x;
    float alpha = r->variant & 1 ? 0.5f : 1.0f, beta = r->variant & 2 ? 0.25f : 1.0f;
    tensor *y = some_gemm(n, x, alpha, beta, (size_t)r->variant / 4), *inputs[5] = {y};
    size_t count = strcmp(next[r->axis], "Relu") == 0 ? 1 : r->axis == 3 ? 5 : 2;
    for (size_t k = 1; k < count; k++) {
        inputs[k] = network_constant(n, 1, &channels, 1);
        for (int64_t c = 0; c < channels && k == 4; c++) { /* variances */
            ((float *)inputs[k]->owned)[c] = 0.5f + fabsf(((float *)inputs[k]->owned)[c]);
        }
    }
    network_output(n, network_apply(n, next[r->axis], count, inputs, NULL));
}

START_TEST(dense_layers_take_what_is_theirs) {
    for (int variant = 0; variant < 4 * (int)(sizeof biases / sizeof *biases); variant++) {
        for (uint32_t next = 0; next < 5; next++) {
            request r = {2, {DEPTH}, next, false, "Gemm", variant};
            check_plan(dense, &r, false, 1, 1);
            check_plan(dense, &r, true, 1, 1);
        }
    }
}
END_TEST

/* ---- Errors ---------------------------------------------------------------------------------- */

static kiln_status infer_nothing(graph *g, node *n) {
    return infer_same(g, n);
}

static kiln_status lower_nothing(struct lowering *l, node *n) {
    (void)l;
    (void)n;
    return KILN_ERROR_INTERNAL;
}

/* Even an operator that fails without a word is named. */
START_TEST(every_failure_names_its_node) {
    static const op silent = {
        .name = "Silent", .layout = OP_ANY, .infer = infer_nothing, .lower = lower_nothing};
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    network n;
    network_begin(&n, 1);
    network_error = (kiln_error){0};
    tensor *x = network_input(&n, 3, 4, 4), *y = graph_add_tensor(n.g, NULL, KILN_F32);
    ck_assert_ptr_nonnull(graph_add_node(n.g, &silent, "the silent one", 1, &x, 1, &y));
    network_output(&n, y);
    ck_assert_int_eq(network_write(&n, &options, path), KILN_ERROR_INTERNAL);
    ck_assert_ptr_nonnull(strstr(network_error.message, "node 'the silent one' (Silent)"));
}
END_TEST

int main(void) {
    int file = mkstemp(path);
    const suite_test tests[] = {
        TEST("views", split_along_each_axis),
        TEST("views", slice_along_each_axis),
        TEST("views", functions_of_thin_slices),
        TEST("views", concat_along_each_axis),
        TEST("binary", a_tensor_is_two_operands),
        TEST("binary", three_operands_broadcast_step_by_step),
        TEST("binary", constant_base_of_another_type),
        TEST("dense", dense_layers_take_what_is_theirs),
        TEST("dense", flattened_maps_meet_any_c),
        TEST("errors", every_failure_names_its_node),
    };
    int failed = SUITE("operands", tests);
    (void)close(file);
    (void)unlink(path);
    return failed;
}
