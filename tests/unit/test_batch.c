/* Networks whose shapes are computed from the batch's: what leaves the batch open, with the right
 * numbers at any, and what does not. */
#include "tests/unit/compiled_model.h"
#include "tests/unit/suite.h"

static void constant_ints(char *name, size_t count, int64_t *values) {
    static int64_t counts[MAX_PARTS];
    int64_t *dims = &counts[m.graph.n_initializer];
    *dims = (int64_t)count;
    set_raw(model_initializer(name, INT64, 1, dims), values, count * sizeof *values);
}

static void constant_int(char *name, int64_t *value) {
    set_raw(model_initializer(name, INT64, 0, NULL), value, sizeof *value);
}

static void begin(void) {
    model_begin(13);
    model_input("x", FLOAT, "N 2 3");
    model_output("y", FLOAT);
    model_node("Shape", "x", "s");
}

static void check_open(uint32_t batch, model_run *run) {
    kiln_compile_report report;
    COMPILED(NULL, &report);
    ck_assert_msg(report.batchable, "%s", report.note);
    model_run_at(batch, run);
}

static void cast(const char *from, const char *to, int64_t type) {
    Onnx__AttributeProto *a = model_attribute(model_node("Cast", from, to), "to", 2);
    a->has_i = true;
    a->i = type;
}

/* x / sqrt(dims[1] * dims[2]): dims other than the batch take part in arithmetic. */
START_TEST(computes_with_other_dims) {
    static int64_t one = 1, two = 2;
    static model_run run;
    begin();
    constant_int("1", &one);
    constant_int("2", &two);
    model_node("Gather", "s 1", "height");
    model_node("Gather", "s 2", "width");
    model_node("Mul", "height width", "size");
    cast("size", "real", FLOAT);
    model_node("Div", "x real", "y");
    for (uint32_t batch = 1; batch <= 3; batch++) {
        check_open(batch, &run);
        ck_assert_uint_eq(run.count[0], (size_t)6 * batch);
        for (size_t k = 0; k < run.count[0]; k++) {
            ck_assert_float_eq_tol(run.out[0][k], model_input_value(k) / 6, 1e-6f);
        }
    }
}
END_TEST

/* Shape -> Cast -> Gather, and float arithmetic that brings the batch back exactly. */
START_TEST(goes_through_casts) {
    static int64_t zero = 0, two = 2, rest[] = {-1};
    static float half = 0.5f;
    static model_run run;
    begin();
    constant_int("0", &zero);
    constant_int("2", &two);
    constant_ints("rest", 1, rest);
    set_raw(model_initializer("half", FLOAT, 0, NULL), &half, sizeof half);
    cast("s", "real", FLOAT);
    model_node("Gather", "real 0", "batch");
    model_node("Mul", "batch half", "halved");
    model_node("Div", "halved half", "again");
    cast("again", "whole", INT64);
    constant_ints("first", 1, &zero);
    model_node("Unsqueeze", "whole first", "listed");
    Onnx__NodeProto *n = model_node("Concat", "listed rest", "shape");
    Onnx__AttributeProto *a = model_attribute(n, "axis", 2);
    a->has_i = true;
    model_node("Reshape", "x shape", "flat");
    model_node("Relu", "flat", "y");
    for (uint32_t batch = 1; batch <= 3; batch++) {
        check_open(batch, &run);
        for (size_t k = 0; k < (size_t)6 * batch; k++) {
            ck_assert_float_eq(run.out[0][k], fmaxf(model_input_value(k), 0));
        }
    }
}
END_TEST

/* Two rows a sample: N * 2. */
START_TEST(multiplies_the_batch) {
    static int64_t zero = 0, two[] = {2}, width[] = {3};
    static model_run run;
    begin();
    constant_ints("0", 1, &zero);
    constant_ints("2", 1, two);
    constant_ints("3", 1, width);
    model_node("Gather", "s 0", "batch");
    model_node("Mul", "batch 2", "rows");
    model_attribute(model_node("Concat", "rows 3", "shape"), "axis", 2)->has_i = true;
    model_node("Reshape", "x shape", "flat");
    model_node("Neg", "flat", "y");
    for (uint32_t batch = 1; batch <= 3; batch++) {
        check_open(batch, &run);
        ck_assert_uint_eq(run.count[0], (size_t)6 * batch);
        for (size_t k = 0; k < run.count[0]; k++) {
            ck_assert_float_eq(run.out[0][k], -model_input_value(k));
        }
    }
}
END_TEST

/* A token repeated over the batch, as vision transformers put before their patches; and
 * Where(Equal(shape, -1), ...), as PyTorch writes it. */
START_TEST(expands_over_the_batch) {
    static int64_t zero = 0, one[] = {1}, three[] = {3}, minus[] = {-1, -1, -1};
    static int64_t ones[] = {1, 1, 1}, token_dims[] = {1, 1, 3};
    static float token[] = {10, 20, 30};
    static model_run run;
    begin();
    constant_ints("0", 1, &zero);
    constant_ints("1", 1, one);
    constant_ints("3", 1, three);
    constant_ints("minus", 3, minus);
    constant_ints("ones", 3, ones);
    set_raw(model_initializer("token", FLOAT, 3, token_dims), token, sizeof token);
    model_node("Gather", "s 0", "batch");
    model_attribute(model_node("Concat", "batch 1 3", "given"), "axis", 2)->has_i = true;
    model_node("Equal", "given minus", "free");
    model_node("Where", "free ones given", "shape");
    model_node("Expand", "token shape", "tokens");
    Onnx__AttributeProto *a = model_attribute(model_node("Concat", "tokens x", "y"), "axis", 2);
    a->has_i = true;
    a->i = 1;
    for (uint32_t batch = 1; batch <= 3; batch++) {
        check_open(batch, &run);
        ck_assert_uint_eq(run.count[0], (size_t)9 * batch);
        for (size_t k = 0; k < run.count[0]; k++) {
            size_t sample = k / 9, at = k % 9;
            ck_assert_float_eq(run.out[0][k],
                               at < 3 ? token[at] : model_input_value(sample * 6 + at - 3));
        }
    }
}
END_TEST

START_TEST(fills_a_shape_with_the_batch) {
    static int64_t one_dim = 1;
    static float seven = 7;
    static model_run run;
    begin();
    Onnx__TensorProto value;
    onnx__tensor_proto__init(&value);
    value.has_data_type = true;
    value.data_type = FLOAT;
    value.dims = &one_dim;
    value.n_dims = 1;
    set_raw(&value, &seven, sizeof seven);
    model_attribute(model_node("ConstantOfShape", "s", "sevens"), "value", 4)->t = &value;
    model_node("Add", "x sevens", "y");
    for (uint32_t batch = 1; batch <= 3; batch++) {
        check_open(batch, &run);
        for (size_t k = 0; k < (size_t)6 * batch; k++) {
            ck_assert_float_eq(run.out[0][k], model_input_value(k) + 7);
        }
    }
}
END_TEST

/* x flat, gathered at 0, step, 2 * step, .. and offsets from there, as PyTorch writes as_strided.
 */
static void gather_by_steps(int64_t *step, size_t count, int64_t *offsets) {
    static int64_t zero = 0, one = 1, axis[] = {1}, flat[] = {-1}, dims[2] = {1};
    dims[1] = (int64_t)count;
    begin();
    constant_int("0", &zero);
    constant_int("1", &one);
    constant_int("step", step);
    constant_ints("axis", 1, axis);
    constant_ints("flat", 1, flat);
    set_raw(model_initializer("offsets", INT64, 2, dims), offsets, count * sizeof *offsets);
    model_node("Gather", "s 0", "batch");
    model_node("Range", "0 batch 1", "samples");
    model_node("Mul", "samples step", "starts");
    model_node("Unsqueeze", "starts axis", "columns");
    model_node("Add", "columns offsets", "places");
    model_node("Reshape", "x flat", "line");
    model_node("Gather", "line places", "y");
}

START_TEST(gathers_within_samples) {
    static int64_t six = 6, all[] = {0, 1, 2, 3, 4, 5}, some[] = {5, 0, 2, 2};
    static model_run run;
    for (int kind = 0; kind < 2; kind++) {
        size_t count = kind == 0 ? 6 : 4;
        const int64_t *offsets = kind == 0 ? all : some;
        gather_by_steps(&six, count, kind == 0 ? all : some);
        for (uint32_t batch = 1; batch <= 3; batch++) {
            check_open(batch, &run);
            ck_assert_uint_eq(run.count[0], count * batch);
            for (size_t k = 0; k < run.count[0]; k++) {
                size_t from = k / count * 6 + (size_t)offsets[k % count];
                ck_assert_float_eq(run.out[0][k], model_input_value(from));
            }
        }
    }
}
END_TEST

static void expect_fixed(const char *why) {
    kiln_compile_report report;
    COMPILED(NULL, &report);
    ck_assert(!report.batchable && report.batch_lost);
    ck_assert_msg(strstr(report.note, "batch fixed at 1") != NULL, "%s", report.note);
    ck_assert_msg(strstr(report.note, why) != NULL, "%s", report.note);
}

static void computes_with(const char *op, int64_t *value) {
    static int64_t zero = 0;
    begin();
    constant_int("0", &zero);
    constant_int("value", value);
    model_node("Gather", "s 0", "batch");
    model_node(op[0] == 'M' ? "Min" : "Add", "batch value", "number");
    cast("number", "real", FLOAT);
    model_node("Mul", "x real", "y");
}

/* Numbers that depend on the batch, though the same at large ones, or at even ones. */
START_TEST(fixes_the_batch_where_numbers_need_it) {
    static int64_t four = 4, zero = 0;
    computes_with("Min", &four);
    expect_fixed("computes with the batch size");
    computes_with("Add", &zero);
    expect_fixed("computes with the batch size");
}
END_TEST

/* [N + 1 - 1] is a multiple; [N + 1] is not, and must not pass for a number. */
START_TEST(fixes_the_batch_where_shapes_are_no_multiple) {
    static int64_t zero[] = {0}, one[] = {1}, values[] = {1, 3};
    static float ones[] = {1, 1, 1};
    static int64_t dims[] = {1, 3};
    begin();
    constant_ints("0", 1, zero);
    constant_ints("1", 1, one);
    constant_ints("3", 1, values + 1);
    set_raw(model_initializer("ones", FLOAT, 2, dims), ones, sizeof ones);
    model_node("Gather", "s 0", "batch");
    model_node("Add", "batch 1", "more");
    model_attribute(model_node("Concat", "more 3", "shape"), "axis", 2)->has_i = true;
    model_node("Expand", "ones shape", "y");
    expect_fixed("");
}
END_TEST

START_TEST(fixes_the_batch_where_places_leave_their_sample) {
    static int64_t six = 6, three = 3, within[] = {0, 1}, beyond[] = {0, 6};
    gather_by_steps(&three, 2, within);
    expect_fixed("works along the batch");
    gather_by_steps(&six, 2, beyond);
    expect_fixed("works along the batch");
}
END_TEST

START_TEST(refuses_to_fix_a_batch_asked_for) {
    static int64_t four = 4;
    kiln_value input = {.name = "x", .dtype = KILN_F32, .rank = 3, .dims = {KILN_BATCH, 2, 3}};
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.inputs = &input;
    options.input_count = 1;
    computes_with("Min", &four);
    ASSERT_REFUSED(model_compile(&options, NULL), KILN_ERROR_UNSUPPORTED,
                   "computes with the batch size", "batch cannot be left open");
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("open", computes_with_other_dims),
        TEST("open", goes_through_casts),
        TEST("open", multiplies_the_batch),
        TEST("open", expands_over_the_batch),
        TEST("open", fills_a_shape_with_the_batch),
        TEST("open", gathers_within_samples),
        TEST("fixed", fixes_the_batch_where_numbers_need_it),
        TEST("fixed", fixes_the_batch_where_shapes_are_no_multiple),
        TEST("fixed", fixes_the_batch_where_places_leave_their_sample),
        TEST("fixed", refuses_to_fix_a_batch_asked_for),
    };
    return SUITE("batch", tests, .begin = make_folder, .end = remove_folder);
}
