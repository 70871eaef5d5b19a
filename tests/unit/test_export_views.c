/* Exported models give tensors that share memory the shapes in which they are read. */
#include "compiler/export/export.h"
#include "tests/unit/compiled_model.h"
#include "tests/unit/suite.h"

/* A column of [1,2,4], read as [2,1,1], meets [2,1,4]. */
START_TEST(a_column_is_read_in_another_shape) {
    static int64_t one_dim = 1, two[] = {2}, three[] = {3};
    static int64_t turn[] = {1, 0, 2}, back[] = {1, 2, 0};
    static model_run run;
    kiln_plan *plan = NULL;
    model_begin(13);
    model_input("x", FLOAT, "2 1 4");
    model_output("y", FLOAT);
    set_raw(model_initializer("2", INT64, 1, &one_dim), two, sizeof two);
    set_raw(model_initializer("3", INT64, 1, &one_dim), three, sizeof three);
    Onnx__AttributeProto *perm = model_attribute(model_node("Transpose", "x", "turned"), "perm", 7);
    perm->ints = turn;
    perm->n_ints = 3;
    model_node("Slice", "turned 2 3 2", "column");
    perm = model_attribute(model_node("Transpose", "column", "standing"), "perm", 7);
    perm->ints = back;
    perm->n_ints = 3;
    model_node("Neg", "standing", "negative");
    model_node("Add", "x negative", "y");
    COMPILED(NULL, NULL);
    ck_assert_int_eq(kiln_plan_open(in_folder("plan"), NULL, &plan, &m.error), KILN_OK);
    ck_assert_msg(export_plan(plan, m.path, &m.error) == KILN_OK, "%s", m.error.message);
    kiln_plan_close(plan);
    ck_assert_msg(kiln_compile(m.path, in_folder("plan"), NULL, NULL, &m.error) == KILN_OK, "%s",
                  m.error.message);
    model_run_at(1, &run);
    ck_assert_uint_eq(run.count[0], 8);
    for (size_t k = 0; k < 8; k++) {
        ck_assert_float_eq(run.out[0][k], model_input_value(k) - model_input_value(k / 4 * 4 + 2));
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("views", a_column_is_read_in_another_shape),
    };
    return SUITE("export_views", tests, .begin = make_folder, .end = remove_folder);
}
