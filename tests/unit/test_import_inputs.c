/* Import: the boundary of a graph (open dimensions, types) and values bound to its inputs. */
#include "compiler/graph/element_type.h"
#include "compiler/ops/ops.h"
#include "tests/unit/onnx_model.h"
#include "tests/unit/suite.h"

/* ---- Inputs -------------------------------------------------------------------------------- */

START_TEST(settles_open_dimensions) {
    relu_model("N 3 4");
    ck_assert_int_eq(import_with(NULL, 0, false), KILN_OK);
    ck_assert(!m.g->batch_symbolic);
    ck_assert_int_eq(found("x")->dims[0], 1);

    model_begin(13);
    model_input("x", FLOAT, "N 3 height width");
    model_output("y", FLOAT);
    model_node("Relu", "x", "y");
    REFUSED(KILN_ERROR_ARGUMENT, "input 'x' has open dimensions: N x 3 x height x width",
            "--input x=");
    kiln_value value = {.name = "x", .dtype = KILN_F32, .rank = 4, .dims = {KILN_BATCH, 3, 8, 9}};
    ck_assert_int_eq(import_with(&value, 1, true), KILN_OK);
    ck_assert_int_eq(found("x")->dims[0], GRAPH_BATCH);
    ck_assert_int_eq(found("x")->dims[3], 9);
    ck_assert_int_eq(import_with(&value, 1, false), KILN_OK);
    ck_assert_int_eq(found("x")->dims[0], 1);
    value.rank = 3;
    ASSERT_REFUSED(import_with(&value, 1, true), KILN_ERROR_ARGUMENT, "'x'");
    value.name = "z";
    ASSERT_REFUSED(import_with(&value, 1, true), KILN_ERROR_ARGUMENT, "'x'");
}
END_TEST

START_TEST(replaces_fixed_dimensions) {
    model_begin(13);
    model_input("x", FLOAT, "1 3 0 -1");
    model_output("y", FLOAT);
    model_node("Relu", "x", "y");
    REFUSED(KILN_ERROR_ARGUMENT, "open dimensions");
    kiln_value value = {.name = "x", .dtype = KILN_F32, .rank = 4, .dims = {5, 3, 7, 7}};
    ck_assert_int_eq(import_with(&value, 1, true), KILN_OK);
    ck_assert_int_eq(found("x")->dims[0], 5);
    ck_assert(!m.g->batch_symbolic);
}
END_TEST

START_TEST(takes_an_input_without_a_shape) {
    model_begin(13);
    model_input("x", FLOAT, NULL);
    model_output("y", FLOAT);
    model_node("Relu", "x", "y");
    REFUSED(KILN_ERROR_ARGUMENT, "'x'", "--input");
    kiln_value value = {.name = "x", .dtype = KILN_F32, .rank = 2, .dims = {2, 5}};
    ck_assert_int_eq(import_with(&value, 1, true), KILN_OK);
    ck_assert_int_eq(found("x")->rank, 2);
}
END_TEST

START_TEST(names_inputs_when_one_is_unknown) {
    relu_model("N 3 4");
    kiln_value value = {.name = "z", .dtype = KILN_F32, .rank = 1, .dims = {1}};
    ASSERT_REFUSED(import_with(&value, 1, true), KILN_ERROR_ARGUMENT, "'z'", "inputs: x");
}
END_TEST

START_TEST(refuses_types_at_the_boundary) {
    model_begin(13);
    model_input("x", STRING, "1 3");
    model_output("y", FLOAT);
    model_node("Relu", "x", "y");
    REFUSED(KILN_ERROR_UNSUPPORTED, "'x'", "string");
    m.types[0][0].value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
    m.types[0][0].sequence_type = (ProtobufCBinaryData){0, NULL};
    REFUSED(KILN_ERROR_UNSUPPORTED, "'x'", "sequence");
}
END_TEST

START_TEST(keeps_initializers_out_of_the_inputs) {
    relu_model("N 3 4");
    int64_t one = 1;
    float value = 4;
    model_input("w", FLOAT, "1");
    set_raw(model_initializer("w", FLOAT, 1, &one), &value, 4);
    import_fine();
    ck_assert_uint_eq(m.g->input_count, 1);
    ck_assert(tensor_is_constant(found("w")) && !found("w")->is_input);
}
END_TEST

START_TEST(casts_at_the_boundary) {
    model_begin(13);
    model_input("x", FLOAT16, "1 3");
    model_output("y", FLOAT16);
    model_node("Relu", "x", "y");
    import_fine();
    ck_assert_uint_eq(m.g->node_count, 3);
    const node *in = m.g->nodes[0], *relu = m.g->nodes[1], *out = m.g->nodes[2];
    ck_assert_str_eq(in->op->name, "Cast");
    ck_assert_int_eq(node_int(in, "to", 0), FLOAT);
    ck_assert_int_eq(node_int(out, "to", 0), FLOAT16);
    ck_assert_str_eq(m.g->inputs[0]->name, "x");
    ck_assert_str_eq(m.g->outputs[0]->name, "y");
    ck_assert_int_eq(m.g->inputs[0]->dtype, KILN_F16);
    ck_assert_int_eq(m.g->outputs[0]->dtype, KILN_F16);
    ck_assert_ptr_eq(relu->inputs[0], in->outputs[0]);
    ck_assert_ptr_eq(out->inputs[0], relu->outputs[0]);
    ck_assert_int_eq(in->outputs[0]->dtype, KILN_F32);
}
END_TEST

/* ---- Values that shapes depend on ---------------------------------------------------------- */

static void reshape_model(int32_t shape_type) {
    model_begin(13);
    model_input("x", FLOAT, "2 6");
    model_input("shape", shape_type, "2");
    model_output("y", FLOAT);
    model_node("Identity", "shape", "s");
    model_node("Reshape", "x s", "y");
}

START_TEST(binds_values_that_shapes_need) {
    const int64_t shape[] = {3, 4};
    const float data[12] = {0};
    const kiln_value values[] = {
        {.name = "shape", .dtype = KILN_I64, .rank = 1, .dims = {2}, .data = shape},
        {.name = "x", .dtype = KILN_F32, .rank = 2, .dims = {2, 6}, .data = data}};
    reshape_model(INT64);
    ck_assert_int_eq(import_with(values, 2, true), KILN_OK);
    ck_assert_uint_eq(m.g->input_count, 1);
    ck_assert_str_eq(m.g->inputs[0]->name, "x");
    ck_assert(!tensor_is_constant(found("x")));
    ck_assert_int_eq(tensor_i64(found("shape"))[1], 4);
    ck_assert_int_eq(import_with(NULL, 0, true), KILN_OK);
    ck_assert_uint_eq(m.g->input_count, 2);
}
END_TEST

START_TEST(binds_narrow_integers) {
    const int32_t shape[] = {3, 4};
    const kiln_value value = {
        .name = "shape", .dtype = KILN_I32, .rank = 1, .dims = {2}, .data = shape};
    reshape_model(INT32);
    ck_assert_int_eq(import_with(&value, 1, true), KILN_OK);
    ck_assert_int_eq(found("shape")->dtype, KILN_I64);
    ck_assert_int_eq(tensor_i64(found("shape"))[0], 3);
    ck_assert_uint_eq(m.g->node_count, 2);
}
END_TEST

START_TEST(refuses_a_value_of_another_type) {
    const float shape[] = {3, 4};
    const kiln_value value = {
        .name = "shape", .dtype = KILN_F32, .rank = 1, .dims = {2}, .data = shape};
    reshape_model(INT64);
    ASSERT_REFUSED(import_with(&value, 1, true), KILN_ERROR_ARGUMENT, "'shape'", "f32");
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("boundary", settles_open_dimensions),
        TEST("boundary", replaces_fixed_dimensions),
        TEST("boundary", takes_an_input_without_a_shape),
        TEST("boundary", names_inputs_when_one_is_unknown),
        TEST("boundary", refuses_types_at_the_boundary),
        TEST("boundary", keeps_initializers_out_of_the_inputs),
        TEST("boundary", casts_at_the_boundary),
        TEST("values", binds_values_that_shapes_need),
        TEST("values", binds_narrow_integers),
        TEST("values", refuses_a_value_of_another_type),
    };
    return SUITE("import_inputs", tests, .begin = make_folder, .end = remove_folder);
}
