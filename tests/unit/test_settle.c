/* What is needed of a graph and what stands in the way of it. */
#include "tests/unit/compiled_model.h"
#include "tests/unit/suite.h"

static void small_model(void) {
    model_begin(13);
    model_input("x", FLOAT, "N 3");
    model_output("y", FLOAT);
}

#define NOT_COMPILED(...)                                                                          \
    ASSERT_REFUSED(model_compile(NULL, NULL), KILN_ERROR_UNSUPPORTED, __VA_ARGS__)

/* Each operator with its first node, none twice, and what to do. */
START_TEST(names_all_unknown_operators) {
    small_model();
    model_node("Abs", "x", "x1");
    model_node("LongFoo", "x1", "a");
    model_node("Foo", "x1", "b");
    model_node("Foo", "x1", "c");
    model_node("Relu", "x1", "d")->domain = "com.example";
    model_node("HardSwish", "x1", "e"); /* of opset 14 */
    model_node("Sum", "a b c d e", "y");
    NOT_COMPILED("LongFoo (node 'a'), Foo (node 'b'), com.example.Relu (node 'd'), "
                 "HardSwish before opset 14 (node 'e'); cut the graph there: --outputs x1");
    ck_assert_ptr_null(strstr(m.error.message, "'c'"));
}
END_TEST

/* What does not fit is counted, not cut in the middle of a word. */
START_TEST(counts_operators_that_do_not_fit) {
    static char names[MAX_PARTS][64];
    small_model();
    for (size_t k = 0; k < 10; k++) {
        snprintf(names[k], sizeof names[k], "OperatorOfAVeryLongNameThatTakesMuchRoom%zu", k);
        char inputs[16], output[16];
        snprintf(inputs, sizeof inputs, k == 0 ? "x" : "t%zu", k);
        snprintf(output, sizeof output, k == 9 ? "y" : "t%zu", k + 1);
        model_node(names[k], inputs, output);
    }
    NOT_COMPILED("Room0 (node 't1')", "Room5 (node 't6') and 4 more");
}
END_TEST

START_TEST(refuses_an_operator_with_a_long_name) {
    static char name[400];
    memset(name, 'a', sizeof name - 1);
    small_model();
    model_node(name, "x", "y");
    NOT_COMPILED("aaaa");
}
END_TEST

/* Neither an operator whose result nobody wants, nor what is behind a constant. */
START_TEST(leaves_out_what_nobody_needs) {
    static model_run run;
    small_model();
    model_node("Foo", "x", "a");
    model_node("Add", "a x", "b");
    model_node("Relu", "x", "y");
    COMPILED(NULL, NULL);
    model_run_at(2, &run);
    ck_assert_uint_eq(run.count[0], 6);
    ck_assert_msg(kiln_verify(m.path, NULL, NULL, &m.error) == KILN_OK, "%s", m.error.message);
}
END_TEST

START_TEST(drops_inputs_that_nobody_reads) {
    static model_run run;
    kiln_compile_report report;
    kiln_plan *plan = NULL;
    small_model();
    model_input("unread", FLOAT, "N 5");
    model_input("dead", INT64, "2");
    model_node("Foo", "dead", "a");
    model_node("Neg", "x", "y");
    COMPILED(NULL, &report);
    ck_assert(report.batchable);
    ck_assert_ptr_nonnull(strstr(report.note, "'unread' is left out"));
    ck_assert_ptr_nonnull(strstr(report.note, "'dead' is left out"));
    ck_assert_int_eq(kiln_plan_open(in_folder("plan"), NULL, &plan, &m.error), KILN_OK);
    ck_assert_uint_eq(kiln_plan_input_count(plan), 1);
    kiln_plan_close(plan);
    model_run_at(3, &run);
    ck_assert_float_eq(run.out[0][8], -model_input_value(8));
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("unknown", names_all_unknown_operators),
        TEST("unknown", counts_operators_that_do_not_fit),
        TEST("unknown", refuses_an_operator_with_a_long_name),
        TEST("unneeded", leaves_out_what_nobody_needs),
        TEST("unneeded", drops_inputs_that_nobody_reads),
    };
    return SUITE("settle", tests, .begin = make_folder, .end = remove_folder);
}
