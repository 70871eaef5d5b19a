/* The ends of what is compiled: parts of models, values for inputs, outputs of every kind. */
#include "tests/unit/parts.h"
#include "tests/unit/suite.h"

static kiln_compile_options options;
static const char *named_inputs[2], *named_outputs[2];

/* x -> Neg -> a -> Abs -> b -> Relu -> c -> Sub(c, a) -> y */
static void begin(void) {
    parts_begin("N 2 3");
    in_graph(part_node("Neg", "x", "a"));
    in_graph(part_node("Abs", "a", "layer/b"));
    in_graph(part_node("Relu", "layer/b", "c"));
    in_graph(part_node("Sub", "c a", "y"));
    kiln_compile_options_init(&options);
    options.part_inputs = named_inputs;
    options.part_outputs = named_outputs;
}

static void ask(const char *input, const char *output) {
    named_inputs[0] = input;
    named_outputs[0] = output;
    options.part_input_count = input != NULL;
    options.part_output_count = output != NULL;
}

static const kiln_tensor_info *only_input(void) {
    static kiln_tensor_info info;
    kiln_plan *plan = NULL;
    ck_assert_int_eq(kiln_plan_open(in_folder("plan"), NULL, &plan, &m.error), KILN_OK);
    ck_assert_uint_eq(kiln_plan_input_count(plan), 1);
    (void)kiln_plan_input(plan, 0, &info);
    kiln_plan_close(plan);
    return &info;
}

static void check(float (*expected)(float)) {
    static model_run run;
    kiln_verify_options verify = {.size = sizeof verify, .compile = &options, .seed = 1};
    COMPILED(&options, NULL);
    model_run_at(2, &run);
    ck_assert_uint_eq(run.count[0], 12);
    for (size_t k = 0; k < 12; k++) {
        ck_assert_float_eq(run.out[0][k], expected(model_input_value(k)));
    }
    ck_assert_msg(kiln_verify(m.path, &verify, NULL, &m.error) == KILN_OK, "%s", m.error.message);
}

static float magnitude(float x) {
    return fabsf(x);
}

static float positive(float x) {
    return fmaxf(x, 0);
}

/* An operator that is not supported stands behind, before. */
START_TEST(compiles_the_front) {
    begin();
    m.node_list[2]->op_type = (char *)(uintptr_t) "Foo";
    ask(NULL, "layer/b");
    check(magnitude);
}
END_TEST

START_TEST(compiles_the_middle) {
    begin();
    ask("layer/b", "c");
    check(positive);
    ck_assert_int_eq(only_input()->rank, 3);
    ck_assert(only_input()->batched);
}
END_TEST

/* Its shape comes from the model before it, from the file's own word, or from the caller. */
START_TEST(finds_shapes) {
    static Onnx__ValueInfoProto *infos[1];
    kiln_value given = {.name = "layer/b", .dtype = KILN_F32, .rank = 2, .dims = {5, 7}};
    begin();
    m.node_list[1]->op_type = (char *)(uintptr_t) "Foo";
    ask("layer/b", "c");
    ASSERT_REFUSED(model_compile(&options, NULL), KILN_ERROR_ARGUMENT,
                   "the shape of 'layer/b' is not known", "--inputs layer/b=");
    model_output("layer/b", FLOAT); /* made with the helper for outputs, then moved */
    m.graph.n_output--;
    infos[0] = m.end_list[1][1];
    infos[0]->type->tensor_type->shape = m.end_list[0][0]->type->tensor_type->shape;
    m.graph.value_info = infos;
    m.graph.n_value_info = 1;
    check(positive);
    options.inputs = &given;
    options.input_count = 1;
    COMPILED(&options, NULL);
    ck_assert(!only_input()->batched && only_input()->dims[0] == 5 && only_input()->dims[1] == 7);
}
END_TEST

START_TEST(refuses_parts_that_are_none) {
    begin();
    ask(NULL, "layer/B");
    ASSERT_REFUSED(model_compile(&options, NULL), KILN_ERROR_ARGUMENT,
                   "--outputs: no tensor 'layer/B'; near it: layer/b");
    ask(NULL, "something else");
    ASSERT_REFUSED(model_compile(&options, NULL), KILN_ERROR_ARGUMENT, "the last ones are y, c");
    ask("layer/b", "y"); /* which also reads a */
    ASSERT_REFUSED(model_compile(&options, NULL), KILN_ERROR_ARGUMENT,
                   "the outputs need input 'x', too");
    ask("layer/b", "c");
    named_inputs[1] = "layer/b";
    options.part_input_count = 2;
    ASSERT_REFUSED(model_compile(&options, NULL), KILN_ERROR_ARGUMENT, "'layer/b' is named twice");
}
END_TEST

/* ---- Values for inputs ----------------------------------------------------------------------- */

static float tripled(float x) {
    return x * 3;
}

/* A factor that no shape depends on; an input that nobody reads; one with an initializer. */
START_TEST(binds_any_input) {
    static float one = 1, three = 3;
    static const char *const names_of[] = {"k", "unread", "w"};
    kiln_value values[3];
    for (size_t k = 0; k < 3; k++) {
        values[k] =
            (kiln_value){.name = names_of[k], .dtype = KILN_F32, .data = k == 0 ? &one : &three};
    }
    parts_begin("N 2 3");
    set_raw(model_initializer("w", FLOAT, 0, NULL), &one, sizeof one);
    model_input("k", FLOAT, "");
    model_input("unread", FLOAT, "");
    model_input("w", FLOAT, "");
    in_graph(part_node("Mul", "x k", "t"));
    in_graph(part_node("Mul", "t w", "y"));
    kiln_compile_options_init(&options);
    options.inputs = values;
    options.input_count = 3;
    kiln_compile_report report;
    static model_run run;
    COMPILED(&options, &report);
    ck_assert_str_eq(report.note, "");
    (void)only_input();
    model_run_at(2, &run);
    for (size_t k = 0; k < 12; k++) {
        ck_assert_float_eq(run.out[0][k], tripled(model_input_value(k)));
    }
}
END_TEST

/* ---- Outputs --------------------------------------------------------------------------------- */

/* Twice the same, an input, an initializer. */
START_TEST(gives_all_kinds_of_outputs) {
    static float w[] = {1, 2};
    static int64_t two = 2;
    static model_run run;
    parts_begin("N 3");
    set_raw(model_initializer("w", FLOAT, 1, &two), w, sizeof w);
    in_graph(part_node("Neg", "x", "y"));
    model_output("x", FLOAT);
    model_output("w", FLOAT);
    model_output("y", FLOAT);
    COMPILED(NULL, NULL);
    model_run_at(2, &run);
    ck_assert_uint_eq(run.count[2], 2);
    ck_assert(run.out[2][0] == 1 && run.out[2][1] == 2);
    for (size_t k = 0; k < 6; k++) {
        ck_assert_float_eq(run.out[0][k], -model_input_value(k));
        ck_assert_float_eq(run.out[1][k], model_input_value(k));
        ck_assert_float_eq(run.out[3][k], -model_input_value(k));
    }
    ck_assert_msg(kiln_verify(m.path, NULL, NULL, &m.error) == KILN_OK, "%s", m.error.message);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("parts", compiles_the_front),
        TEST("parts", compiles_the_middle),
        TEST("parts", finds_shapes),
        TEST("parts", binds_any_input),
        TEST("parts", gives_all_kinds_of_outputs),
        TEST("refused", refuses_parts_that_are_none),
    };
    return SUITE("part", tests, .begin = make_folder, .end = remove_folder);
}
