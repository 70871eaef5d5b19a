/* If takes its branch, sequences fold away: what they leave are ordinary networks. */
#include "tests/unit/parts.h"
#include "tests/unit/suite.h"

static uint8_t yes = 1;

static void begin(void) {
    parts_begin("N 4 6");
    set_raw(model_initializer("yes", BOOL, 0, NULL), &yes, 1);
}

static void number(char *name, int64_t *value) {
    set_raw(model_initializer(name, INT64, 0, NULL), value, sizeof *value);
}

static void branches(Onnx__NodeProto *n, Onnx__NodeProto *yes_body, Onnx__NodeProto *no_body) {
    part_branch(n, "then_branch", yes_body);
    part_branch(n, "else_branch", no_body);
}

static float minus_relu(float x) {
    return -fmaxf(x, 0);
}

/* The condition is computed of constants; the other branch has an operator that nobody knows, the
 * one that is taken reads what is around it. Both make the same name. */
START_TEST(takes_a_branch) {
    begin();
    in_graph(part_node("Relu", "x", "r"));
    in_graph(part_node("Not", "yes", "no"));
    branches(in_graph(part_node("If", "no", "y")), part_node("Foo", "r", "out"),
             part_node("Neg", "r", "out"));
    check_elements(minus_relu);
}
END_TEST

/* Shape -> Equal -> If, as PyTorch writes squeeze(dim): known when shapes are. */
START_TEST(takes_a_branch_by_shape) {
    static int64_t last = 2, six = 6;
    begin();
    number("last", &last);
    number("six", &six);
    in_graph(part_node("Shape", "x", "s"));
    in_graph(part_node("Gather", "s last", "width"));
    in_graph(part_node("Equal", "width six", "is_six"));
    in_graph(part_node("Relu", "x", "r"));
    Onnx__NodeProto *wrong = part_node("Reshape", "x s", "out"); /* of no possible shape */
    wrong->input[1] = wrong->input[0];
    branches(in_graph(part_node("If", "is_six", "y")), part_node("Neg", "r", "out"), wrong);
    check_elements(minus_relu);
}
END_TEST

static float doubled_in_8_bits(float x) {
    return (float)(uint8_t)(2 * (int)(fabsf(x) * 20));
}

/* What a branch gives keeps its type: arithmetic on it wraps. */
START_TEST(wraps_what_a_branch_gives) {
    static float twenty = 20;
    begin();
    set_raw(model_initializer("twenty", FLOAT, 0, NULL), &twenty, sizeof twenty);
    in_graph(part_node("Abs", "x", "a"));
    in_graph(part_node("Mul", "a twenty", "h"));
    part_int(in_graph(part_node("Cast", "h", "u")), "to", UINT8);
    branches(in_graph(part_node("If", "yes", "v")), part_node("Identity", "u", "out"),
             part_node("Add", "u u", "out"));
    in_graph(part_node("Add", "v v", "d"));
    part_int(in_graph(part_node("Cast", "d", "y")), "to", FLOAT);
    check_elements(doubled_in_8_bits);
}
END_TEST

static float abs_of(float x) {
    return fabsf(x);
}

START_TEST(takes_nested_branches) {
    begin();
    Onnx__NodeProto *inner = part_node("If", "yes", "inner");
    branches(inner, part_node("Abs", "x", "inner"), part_node("Foo", "x", "inner"));
    branches(in_graph(part_node("If", "yes", "y")), inner, part_node("Neg", "x", "inner"));
    check_elements(abs_of);
}
END_TEST

START_TEST(refuses_what_only_a_run_decides) {
    begin();
    in_graph(part_node("ReduceMax", "x", "most"));
    in_graph(part_node("Cast", "most", "some"));
    part_int(m.node_list[1], "to", BOOL);
    part_int(m.node_list[0], "keepdims", 0);
    branches(in_graph(part_node("If", "some", "y")), part_node("Abs", "x", "out"),
             part_node("Neg", "x", "out"));
    ASSERT_REFUSED(model_compile(NULL, NULL), KILN_ERROR_UNSUPPORTED,
                   "If (node 'y': its condition is known in a run only)", "--outputs some");
}
END_TEST

START_TEST(refuses_broken_branches) {
    begin();
    branches(in_graph(part_node("If", "yes", "y z")), part_node("Abs", "x", "out"),
             part_node("Neg", "x", "out"));
    ASSERT_REFUSED(model_compile(NULL, NULL), KILN_ERROR_FORMAT,
                   "then_branch has 1 outputs, not 2");
    begin();
    part_branch(in_graph(part_node("If", "yes", "y")), "then_branch", part_node("Abs", "x", "out"));
    ASSERT_REFUSED(model_compile(NULL, NULL), KILN_ERROR_FORMAT,
                   "else_branch has 0 outputs, not 1");
}
END_TEST

/* A batch of one is another network. */
START_TEST(fixes_the_batch_for_a_branch) {
    static int64_t first = 0, one = 1;
    kiln_compile_report report;
    begin();
    number("first", &first);
    number("one", &one);
    in_graph(part_node("Shape", "x", "s"));
    in_graph(part_node("Gather", "s first", "batch"));
    in_graph(part_node("Equal", "batch one", "single"));
    branches(in_graph(part_node("If", "single", "y")), part_node("Neg", "x", "out"),
             part_node("Abs", "x", "out"));
    COMPILED(NULL, &report);
    ck_assert(report.batch_lost && !report.batchable);
    ck_assert_ptr_nonnull(strstr(report.note, "its condition depends on the batch size"));
    static model_run run;
    model_run_at(1, &run);
    ck_assert_float_eq(run.out[0][5], -model_input_value(5));
}
END_TEST

/* ---- Sequences ----------------------------------------------------------------------------- */

static void check_rows(size_t count, float (*expected)(size_t sample, size_t k)) {
    static model_run run;
    COMPILED(NULL, NULL);
    model_run_at(2, &run);
    ck_assert_uint_eq(run.count[0], 2 * count);
    for (size_t k = 0; k < 2 * count; k++) {
        ck_assert_float_eq(run.out[0][k], expected(k / count, k % count));
    }
    ck_assert_msg(kiln_verify(m.path, NULL, NULL, &m.error) == KILN_OK, "%s", m.error.message);
}

static float x_then_minus_x(size_t sample, size_t k) {
    float x = model_input_value(sample * 24 + k % 24);
    return k < 24 ? x : -x;
}

/* Members that a run computes. */
START_TEST(concatenates_a_sequence) {
    begin();
    in_graph(part_node("Neg", "x", "n"));
    in_graph(part_node("SequenceConstruct", "x n", "list"));
    part_int(in_graph(part_node("ConcatFromSequence", "list", "y")), "axis", 1);
    check_rows(48, x_then_minus_x);
}
END_TEST

static float interleaved(size_t sample, size_t k) {
    float x = model_input_value(sample * 24 + k / 2);
    return k % 2 == 0 ? x : -x;
}

START_TEST(stacks_a_sequence) {
    begin();
    in_graph(part_node("Neg", "x", "n"));
    in_graph(part_node("SequenceConstruct", "x n", "list"));
    Onnx__NodeProto *n = in_graph(part_node("ConcatFromSequence", "list", "y"));
    part_int(n, "axis", -1);
    part_int(n, "new_axis", 1);
    check_rows(48, interleaved);
}
END_TEST

/* Columns 4 and 5: what is left after parts of four. */
static float last_columns(size_t sample, size_t k) {
    return model_input_value(sample * 24 + k / 2 * 6 + 4 + k % 2);
}

START_TEST(splits_into_a_sequence) {
    static int64_t four = 4, one = 1;
    begin();
    number("four", &four);
    number("one", &one);
    part_int(in_graph(part_node("SplitToSequence", "x four", "list")), "axis", 2);
    in_graph(part_node("SequenceLength", "list", "length"));
    in_graph(part_node("Sub", "length one", "last"));
    in_graph(part_node("SequenceAt", "list last", "y"));
    check_rows(8, last_columns);
}
END_TEST

/* Row 3 + row 1. */
static float two_rows(size_t sample, size_t k) {
    return model_input_value(sample * 24 + 18 + k) + model_input_value(sample * 24 + 6 + k);
}

START_TEST(splits_into_rows) {
    static int64_t one = 1, last = -1;
    begin();
    number("1", &one);
    number("last", &last);
    Onnx__NodeProto *n = in_graph(part_node("SplitToSequence", "x", "list"));
    part_int(n, "axis", 1);
    part_int(n, "keepdims", 0);
    in_graph(part_node("SequenceAt", "list last", "a"));
    in_graph(part_node("SequenceAt", "list 1", "b"));
    in_graph(part_node("Add", "a b", "y"));
    check_rows(6, two_rows);
}
END_TEST

/* [] -> [x] -> [n, x] -> [n, x, n] -> [x, n], through an If; a member that is dropped may be of an
 * unknown operator. */
START_TEST(edits_a_sequence) {
    static int64_t first = 0;
    begin();
    number("0", &first);
    in_graph(part_node("Neg", "x", "n"));
    in_graph(part_node("Foo", "x", "foo"));
    in_graph(part_node("SequenceEmpty", "", "q0"));
    in_graph(part_node("SequenceInsert", "q0 x", "q1"));
    in_graph(part_node("SequenceInsert", "q1 foo 0", "q2"));
    in_graph(part_node("SequenceInsert", "q2 n", "q3"));
    branches(in_graph(part_node("If", "yes", "q4")), part_node("SequenceErase", "q3 0", "out"),
             part_node("SequenceErase", "q3", "out"));
    part_int(in_graph(part_node("ConcatFromSequence", "q4", "y")), "axis", 1);
    check_rows(48, x_then_minus_x);
}
END_TEST

START_TEST(refuses_wrong_sequences) {
    static int64_t five = 5;
    begin();
    number("5", &five);
    in_graph(part_node("SequenceConstruct", "x x", "list"));
    in_graph(part_node("SequenceAt", "list 5", "y"));
    ASSERT_REFUSED(model_compile(NULL, NULL), KILN_ERROR_FORMAT, "position 5 in a sequence of 2");
    begin();
    in_graph(part_node("SequenceConstruct", "x x", "list"));
    in_graph(part_node("Neg", "list", "y"));
    ASSERT_REFUSED(model_compile(NULL, NULL), KILN_ERROR_UNSUPPORTED, "reads a sequence");
    begin();
    in_graph(part_node("SequenceLength", "x", "y"));
    ASSERT_REFUSED(model_compile(NULL, NULL), KILN_ERROR_UNSUPPORTED, "a sequence is expected");
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("branches", takes_a_branch),
        TEST("branches", takes_a_branch_by_shape),
        TEST("branches", takes_nested_branches),
        TEST("branches", wraps_what_a_branch_gives),
        TEST("branches", refuses_what_only_a_run_decides),
        TEST("branches", refuses_broken_branches),
        TEST("branches", fixes_the_batch_for_a_branch),
        TEST("sequences", concatenates_a_sequence),
        TEST("sequences", stacks_a_sequence),
        TEST("sequences", splits_into_a_sequence),
        TEST("sequences", splits_into_rows),
        TEST("sequences", edits_a_sequence),
        TEST("sequences", refuses_wrong_sequences),
    };
    return SUITE("structure", tests, .begin = make_folder, .end = remove_folder);
}
