/* Networks that put the batch behind other dims, as attention does: where it comes back the batch
 * stays open, with the right numbers at any. */
#include "tests/unit/compiled_model.h"
#include "tests/unit/suite.h"

static void constant_ints(char *name, size_t count, int64_t *values) {
    static int64_t counts[MAX_PARTS];
    int64_t *dims = &counts[m.graph.n_initializer];
    *dims = (int64_t)count;
    set_raw(model_initializer(name, INT64, 1, dims), values, count * sizeof *values);
}

static void begin(const char *dims) {
    model_begin(13);
    model_input("x", FLOAT, dims);
    model_output("y", FLOAT);
}

static void transpose(const char *from, const char *to, size_t rank, int64_t *perm) {
    Onnx__AttributeProto *a = model_attribute(model_node("Transpose", from, to), "perm", 7);
    a->ints = perm;
    a->n_ints = rank;
}

static void set_axis(Onnx__NodeProto *n, int64_t axis) {
    Onnx__AttributeProto *a = model_attribute(n, "axis", 2);
    a->has_i = true;
    a->i = axis;
}

static size_t check_open(uint32_t batch, model_run *run) {
    kiln_compile_report report;
    COMPILED(NULL, &report);
    ck_assert_msg(report.batchable, "%s", report.note);
    model_run_at(batch, run);
    verify_model();
    return report.copies;
}

static void expect_fixed(const char *why) {
    kiln_compile_report report;
    COMPILED(NULL, &report);
    ck_assert(!report.batchable && report.batch_lost);
    ck_assert_msg(strstr(report.note, why) != NULL, "%s", report.note);
}

static int64_t front_swap[] = {1, 0, 2};

/* [N,2,3] as [2,N,3], and back: a bias a row, softmax over the rest. */
START_TEST(computes_behind_another_dim) {
    static int64_t bias_dims[] = {2, 1, 1};
    static float bias[] = {10, 20};
    static model_run run;
    begin("N 2 3");
    set_raw(model_initializer("bias", FLOAT, 3, bias_dims), bias, sizeof bias);
    transpose("x", "turned", 3, front_swap);
    model_node("Add", "turned bias", "sum");
    model_node("Softmax", "sum", "soft");
    model_node("Mul", "soft sum", "product");
    transpose("product", "y", 3, front_swap);
    for (uint32_t batch = 1; batch <= 3; batch++) {
        (void)check_open(batch, &run);
        ck_assert_uint_eq(run.count[0], (size_t)6 * batch);
        for (size_t row = 0; row < (size_t)2 * batch; row++) {
            float sum = 0, value[3];
            for (size_t k = 0; k < 3; k++) {
                value[k] = model_input_value(row * 3 + k) + bias[row % 2];
                sum += expf(value[k] - bias[row % 2]);
            }
            for (size_t k = 0; k < 3; k++) {
                float soft = expf(value[k] - bias[row % 2]) / sum;
                ck_assert_float_eq_tol(run.out[0][row * 3 + k], soft * value[k], 1e-4f);
            }
        }
    }
}
END_TEST

/* Queries, keys and values: [N,2,3*2] as [3,N,2,2], taken apart by Gather or by Split. */
static void take_apart(bool split) {
    static int64_t apart[] = {-1, 2, 3, 2}, order[] = {2, 0, 1, 3}, first[] = {0};
    static int64_t numbers[] = {0, 1, 2};
    static char *const names[] = {"0", "1", "2"};
    begin("N 2 6");
    constant_ints("apart", 4, apart);
    constant_ints("first", 1, first);
    model_node("Reshape", "x apart", "split");
    transpose("split", "turned", 4, order);
    if (split) {
        set_axis(model_node("Split", "turned", "qs ks vs"), 0);
        model_node("Squeeze", "qs first", "q");
        model_node("Squeeze", "ks first", "k");
        model_node("Squeeze", "vs first", "v");
    }
    for (size_t k = 0; k < 3 && !split; k++) {
        set_raw(model_initializer(names[k], INT64, 0, NULL), &numbers[k], sizeof *numbers);
    }
    if (!split) {
        model_node("Gather", "turned 0", "q");
        model_node("Gather", "turned 1", "k");
        model_node("Gather", "turned 2", "v");
    }
    model_node("Mul", "q k", "qk");
    model_node("Sub", "qk v", "y");
}

START_TEST(takes_parts_of_a_dim_before_the_batch) {
    static model_run run;
    for (int split = 0; split < 2; split++) {
        take_apart(split != 0);
        for (uint32_t batch = 1; batch <= 3; batch++) {
            /* one copy a part, none of the whole */
            ck_assert_uint_le(check_open(batch, &run), 3);
            for (size_t k = 0; k < (size_t)4 * batch; k++) {
                size_t at = k / 2 * 6 + k % 2;
                float q = model_input_value(at), other = model_input_value(at + 2);
                ck_assert_float_eq(run.out[0][k], q * other - model_input_value(at + 4));
            }
        }
    }
}
END_TEST

/* Patches as MobileViT has them: [N,2,4] as [N*2,2,2], and attention within each. */
START_TEST(keeps_multiples_of_the_batch) {
    static int64_t patches[] = {-1, 2, 2}, heads[] = {-1, 2, 2, 1}, order[] = {2, 0, 1, 3};
    static int64_t whole[] = {-1, 2, 4}, numbers[] = {0, 1};
    static model_run run;
    begin("N 2 4");
    constant_ints("patches", 3, patches);
    constant_ints("heads", 4, heads);
    constant_ints("whole", 3, whole);
    set_raw(model_initializer("0", INT64, 0, NULL), numbers, sizeof *numbers);
    set_raw(model_initializer("1", INT64, 0, NULL), numbers + 1, sizeof *numbers);
    model_node("Reshape", "x patches", "p");
    model_node("Reshape", "p heads", "h");
    transpose("h", "turned", 4, order); /* [2,2N,2,1] */
    model_node("Gather", "turned 0", "a");
    model_node("Gather", "turned 1", "b");
    set_axis(model_node("Concat", "b a", "swapped"), 2);
    model_node("Reshape", "swapped whole", "y");
    for (uint32_t batch = 1; batch <= 3; batch++) {
        (void)check_open(batch, &run);
        ck_assert_uint_eq(run.count[0], (size_t)8 * batch);
        for (size_t k = 0; k < run.count[0]; k++) {
            ck_assert_float_eq(run.out[0][k], model_input_value(k ^ 1));
        }
    }
}
END_TEST

/* Dims before the batch are taken apart and joined; the batch takes in one behind it. */
START_TEST(reshapes_around_the_batch) {
    static int64_t apart[] = {2, 2, -1, 1, 3}, more[] = {4, -1}, back[] = {4, -1, 3};
    static model_run run;
    begin("N 4 3");
    constant_ints("apart", 5, apart);
    constant_ints("more", 2, more);
    constant_ints("back", 3, back);
    transpose("x", "turned", 3, front_swap); /* [4,N,3] */
    model_node("Reshape", "turned apart", "a");
    model_node("Neg", "a", "b");
    model_node("Reshape", "b more", "c"); /* [4,3N] */
    model_node("Relu", "c", "d");
    model_node("Reshape", "d back", "e");
    transpose("e", "y", 3, front_swap);
    for (uint32_t batch = 1; batch <= 3; batch++) {
        (void)check_open(batch, &run);
        ck_assert_uint_eq(run.count[0], (size_t)12 * batch);
        for (size_t k = 0; k < run.count[0]; k++) {
            ck_assert_float_eq(run.out[0][k], fmaxf(-model_input_value(k), 0));
        }
    }
}
END_TEST

/* The column of a table is one number a sample, which no stride may stand between. */
START_TEST(reads_one_number_of_each_sample) {
    static int64_t one[] = {1}, two[] = {2};
    static model_run run;
    begin("N 3");
    constant_ints("1", 1, one);
    constant_ints("2", 1, two);
    model_node("Relu", "x", "table");
    model_node("Slice", "table 1 2 1", "column");
    model_node("Squeeze", "column 1", "numbers");
    model_node("Tanh", "numbers", "tanh");
    model_node("Sub", "tanh numbers", "y");
    for (uint32_t batch = 1; batch <= 3; batch++) {
        (void)check_open(batch, &run);
        for (size_t k = 0; k < batch; k++) {
            float x = fmaxf(model_input_value(3 * k + 1), 0);
            ck_assert_float_eq_tol(run.out[0][k], tanhf(x) - x, 1e-6f);
        }
    }
}
END_TEST

/* [2,N,3] as [2N,3] has the batch within; so has an output; and a sum over it is no sample's. */
START_TEST(fixes_the_batch_where_samples_mix) {
    static int64_t rows[] = {-1, 3};
    static int64_t axes[] = {1};
    begin("N 2 3");
    constant_ints("rows", 2, rows);
    transpose("x", "turned", 3, front_swap);
    model_node("Reshape", "turned rows", "mixed");
    model_node("Neg", "mixed", "y");
    expect_fixed("mixes the batch with other dimensions");

    begin("N 2 3");
    transpose("x", "turned", 3, front_swap);
    model_node("Neg", "turned", "y");
    expect_fixed("mixes the batch with other dimensions");

    begin("N 2 3");
    constant_ints("axes", 1, axes);
    transpose("x", "turned", 3, front_swap);
    model_node("ReduceSum", "turned axes", "y");
    expect_fixed("");

    begin("N 2 3");
    transpose("x", "turned", 3, front_swap);
    set_axis(model_node("Softmax", "turned", "soft"), 1);
    transpose("soft", "y", 3, front_swap);
    expect_fixed("mixes the batch with other dimensions");
}
END_TEST

/* Products of samples with samples: [2,N,3] x [2,3,N]. */
START_TEST(fixes_the_batch_where_samples_meet) {
    static int64_t order[] = {1, 2, 0};
    begin("N 2 3");
    transpose("x", "a", 3, front_swap);
    transpose("x", "b", 3, order);
    model_node("MatMul", "a b", "y");
    expect_fixed("mixes the batch with other dimensions");

    begin("N 2 3");
    transpose("x", "a", 3, front_swap);
    transpose("x", "b", 3, order);
    model_node("MatMul", "b a", "y"); /* over the samples */
    expect_fixed("mixes the batch with other dimensions");
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("open", computes_behind_another_dim),
        TEST("open", takes_parts_of_a_dim_before_the_batch),
        TEST("open", keeps_multiples_of_the_batch),
        TEST("open", reshapes_around_the_batch),
        TEST("open", reads_one_number_of_each_sample),
        TEST("fixed", fixes_the_batch_where_samples_mix),
        TEST("fixed", fixes_the_batch_where_samples_meet),
    };
    return SUITE("moved_batch", tests, .begin = make_folder, .end = remove_folder);
}
