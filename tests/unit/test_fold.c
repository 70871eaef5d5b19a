/* Constants that are computed while compiling: what a small file may ask for, and what is kept. */
#include "compiler/passes/passes.h"
#include "tests/unit/compiled_model.h"
#include "tests/unit/suite.h"

/* x + max(f(f(ones))), with ones of `side` x `side`. */
static void constant_chain(char *op, bool two_operands, int64_t side) {
    static int64_t shape[2], two = 2;
    shape[0] = shape[1] = side;
    model_begin(13);
    model_input("x", FLOAT, "1 1");
    model_output("y", FLOAT);
    set_raw(model_initializer("shape", INT64, 1, &two), shape, sizeof shape);
    model_node("ConstantOfShape", "shape", "c0");
    model_node(op, two_operands ? "c0 c0" : "c0", "c1");
    model_node(op, two_operands ? "c1 c1" : "c1", "c2");
    model_node("ReduceMax", "c2", "most");
    model_node("Add", "x most", "y");
}

static kiln_status compile_with(uint64_t fold_limit) {
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.fold_limit = fold_limit;
    return model_compile(&options, NULL);
}

/* Three of 100 x 100 floats: 120,000 bytes. */
START_TEST(bytes_are_limited_all_together) {
    constant_chain("Exp", false, 100);
    ASSERT_REFUSED(compile_with(100000), KILN_ERROR_UNSUPPORTED, "c2", "the limit is 100000 bytes",
                   "--fold-limit");
    ck_assert_msg(compile_with(130000) == KILN_OK, "%s", m.error.message);
}
END_TEST

START_TEST(a_small_file_may_not_ask_for_gigabytes) {
    constant_chain("Exp", false, 20000);
    ASSERT_REFUSED(compile_with(0), KILN_ERROR_UNSUPPORTED, "--fold-limit");
}
END_TEST

/* As kiln verify's reference is folded, too. */
START_TEST(the_limit_is_imported) {
    size_t folded = 0;
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.fold_limit = 100000;
    constant_chain("Exp", false, 100);
    import_fine();
    graph_free(m.g);
    m.g = NULL;
    ck_assert_int_eq(import_model(m.path, &options, true, &m.error, &m.g), KILN_OK);
    ASSERT_REFUSED(pass_fold_constants(m.g, &folded), KILN_ERROR_UNSUPPORTED, "c2");
}
END_TEST

/* Little memory, much work. */
START_TEST(work_is_limited) {
    constant_chain("MatMul", true, 4000);
    ASSERT_REFUSED(compile_with(0), KILN_ERROR_UNSUPPORTED, "c1", "--fold-limit");
    constant_chain("MatMul", true, 40);
    ck_assert_msg(compile_with(0) == KILN_OK, "%s", m.error.message);
}
END_TEST

START_TEST(constants_between_are_released) {
    size_t folded = 0;
    constant_chain("Exp", false, 10);
    import_fine();
    ck_assert_int_eq(pass_fold_constants(m.g, &folded), KILN_OK);
    ck_assert_uint_eq(folded, 4);
    ck_assert_ptr_null(found("c0")->data);
    ck_assert_ptr_null(found("c1")->data);
    ck_assert_ptr_null(found("c2")->data);
    ck_assert_ptr_nonnull(found("most")->data);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("limits", bytes_are_limited_all_together),
        TEST("limits", a_small_file_may_not_ask_for_gigabytes),
        TEST("limits", the_limit_is_imported),
        TEST("limits", work_is_limited),
        TEST("release", constants_between_are_released),
    };
    return SUITE("fold", tests, .begin = make_folder, .end = remove_folder);
}
