/* Import at its edges: what real or damaged files hold and the rules rarely meet. */
#include "tests/unit/onnx_model.h"
#include "tests/unit/suite.h"

#include <math.h>

START_TEST(refuses_a_node_without_an_operator) {
    relu_model("1 3");
    model_node("", "x", "z");
    REFUSED(KILN_ERROR_FORMAT, "node");
}
END_TEST

/* Wherever in the file they lie: evaluation reads them as arrays. */
START_TEST(small_constants_are_aligned) {
    static char *const names[] = {"w", "ww", "www", "wwww", "wwwww"};
    float values[] = {1, 2, 3};
    int64_t three = 3;
    relu_model("1 3");
    for (size_t k = 0; k < 5; k++) {
        set_raw(model_initializer(names[k], FLOAT, 1, &three), values, sizeof values);
    }
    import_fine();
    for (size_t k = 0; k < 5; k++) {
        ck_assert_uint_eq((uintptr_t)found(names[k])->data % _Alignof(float), 0);
        ck_assert_float_eq(tensor_f32(found(names[k]))[2], 3);
    }
}
END_TEST

/* They are not copied until they must be. */
START_TEST(large_constants_stay_in_the_file) {
    static char *const names[] = {"w", "ww", "www", "wwww"};
    static float values[2000];
    int64_t count = 2000;
    values[1999] = 3;
    relu_model("1 3");
    for (size_t k = 0; k < 4; k++) {
        set_raw(model_initializer(names[k], FLOAT, 1, &count), values, sizeof values);
    }
    import_fine();
    for (size_t k = 0; k < 4; k++) {
        tensor *t = found(names[k]);
        ck_assert_ptr_null(t->owned);
        ck_assert_float_eq(tensor_f32_at(t, 1999), 3);
        ck_assert_int_eq(tensor_align(m.g, t), KILN_OK);
        ck_assert_float_eq(tensor_f32(t)[1999], 3);
    }
}
END_TEST

START_TEST(refuses_a_missing_input) {
    model_begin(13);
    model_input("x", INT64, "1 3");
    model_output("y", FLOAT);
    model_node("GatherElements", "- x", "y");
    REFUSED(KILN_ERROR_FORMAT, "GatherElements", "input 0 is missing");
}
END_TEST

START_TEST(makes_a_first_output_that_nobody_wants) {
    model_begin(13);
    model_input("x", FLOAT, "1 3");
    model_output("mask", BOOL);
    model_node("Dropout", "x", "- mask");
    import_fine();
    ck_assert_ptr_nonnull(m.g->nodes[0]->outputs[0]);
    ck_assert_ptr_eq(m.g->nodes[0]->outputs[1], found("mask"));
}
END_TEST

START_TEST(casts_like_a_narrow_integer) {
    model_begin(15);
    model_input("x", FLOAT, "3");
    model_input("like", UINT8, "1");
    model_output("y", INT64);
    model_node("CastLike", "x like", "c");
    Onnx__AttributeProto *to = model_attribute(model_node("Cast", "c", "y"), "to", 2);
    to->has_i = true;
    to->i = INT64;
    import_fine();
    size_t casts = 0;
    for (size_t k = 0; k < m.g->node_count; k++) {
        casts += node_int(m.g->nodes[k], "to", 0) == UINT8;
    }
    ck_assert_uint_eq(casts, 1);
}
END_TEST

START_TEST(refuses_one_tensor_twice_in_a_node) {
    model_begin(13);
    model_input("x", FLOAT, "1 4");
    model_output("y", FLOAT);
    model_node("Split", "x", "y y");
    REFUSED(KILN_ERROR_FORMAT, "'y'", "twice");
}
END_TEST

START_TEST(lists_an_output_twice) {
    relu_model("1 3");
    model_output("y", FLOAT16);
    import_fine();
    ck_assert_uint_eq(m.g->output_count, 2);
    ck_assert_ptr_eq(m.g->outputs[0], m.g->outputs[1]);
}
END_TEST

START_TEST(finds_cast_outputs_by_name) {
    model_begin(13);
    model_input("x", FLOAT, "1 3");
    model_output("y", FLOAT16);
    model_node("Relu", "x", "y");
    import_fine();
    ck_assert_ptr_eq(found("y"), m.g->outputs[0]);
    ck_assert_ptr_eq(found(m.g->nodes[0]->outputs[0]->name), m.g->nodes[0]->outputs[0]);
}
END_TEST

START_TEST(keeps_nan_of_doubles) {
    double value = NAN;
    int64_t one = 1;
    relu_model("1 3");
    set_raw(model_initializer("w", DOUBLE, 1, &one), &value, 8);
    import_fine();
    ck_assert(isnan(tensor_f32(found("w"))[0]));
}
END_TEST

START_TEST(normalises_bools) {
    uint8_t values[] = {7, 0};
    int64_t two = 2;
    relu_model("1 3");
    set_raw(model_initializer("w", BOOL, 1, &two), values, 2);
    import_fine();
    ck_assert_uint_eq(tensor_bytes(found("w"))[0], 1);
}
END_TEST

START_TEST(merges_pieces_of_a_graph) {
    Onnx__ModelProto tail;
    Onnx__GraphProto graph;
    relu_model("1 3");
    model_pack();
    size_t size = m.size;
    onnx__model_proto__init(&tail);
    onnx__graph_proto__init(&graph);
    tail.graph = &graph;
    graph.n_node = 1;
    graph.node = m.node_list;
    m.node_list[0] = &m.nodes[0];
    split("z", &m.outputs_of[0]);
    size += onnx__model_proto__pack(&tail, m.bytes + size);
    write_bytes(m.path, m.bytes, size);
    ck_assert_int_eq(import_model(m.path, &(kiln_compile_options){0}, true, &m.error, &m.g),
                     KILN_OK);
    ck_assert_uint_eq(m.g->node_count, 2);
}
END_TEST

START_TEST(accepts_i32_for_i64) {
    const int32_t shape[] = {3, 4};
    const kiln_value value = {
        .name = "shape", .dtype = KILN_I32, .rank = 1, .dims = {2}, .data = shape};
    model_begin(13);
    model_input("x", FLOAT, "2 6");
    model_input("shape", INT64, "2");
    model_output("y", FLOAT);
    model_node("Reshape", "x shape", "y");
    ck_assert_int_eq(import_with(&value, 1, true), KILN_OK);
    ck_assert_int_eq(tensor_i64(found("shape"))[1], 4);
}
END_TEST

START_TEST(checks_given_values) {
    relu_model("1 3");
    kiln_value value = {.name = NULL, .dtype = KILN_F32, .rank = 2, .dims = {5, 3}};
    ck_assert_int_eq(import_with(&value, 1, true), KILN_OK);
    ck_assert_int_eq(found("x")->dims[0], 5);
    value.rank = 9;
    ASSERT_REFUSED(import_with(&value, 1, true), KILN_ERROR_ARGUMENT, "9 dimensions");
}
END_TEST

START_TEST(frees_views_of_attributes) {
    float value[] = {3};
    int64_t one = 1;
    Onnx__TensorProto t;
    for (size_t shift = 0; shift < 4; shift++) {
        relu_model("1 3");
        m.model.producer_name = &"abc"[shift % 4];
        Onnx__AttributeProto *a = model_attribute(model_node("ConstantOfShape", "x", "z"), "value",
                                                  ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR);
        onnx__tensor_proto__init(&t);
        t.has_data_type = true;
        t.data_type = FLOAT;
        t.n_dims = 1;
        t.dims = &one;
        set_raw(&t, value, sizeof value);
        a->t = &t;
        import_fine();
        ck_assert(tensor_f32(node_attribute(m.g->nodes[1], "value")->t)[0] == 3.0f);
    }
}
END_TEST

/* A header may ask for more than the file has, without memory being spent on it. */
START_TEST(refuses_a_huge_array) {
    static const char file[] = "\x93NUMPY\x01\x00\x48\x00{'descr': '<f4', 'fortran_order': False, "
                               "'shape': (4000000000, 40000), }           ";
    kiln_value *value = NULL;
    write_bytes(in_folder("v.npy"), file, sizeof file - 1);
    ck_assert_int_eq(kiln_value_load(in_folder("v.npy"), &value, &m.error), KILN_ERROR_FORMAT);
    ck_assert_ptr_null(value);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("nodes", refuses_a_node_without_an_operator),
        TEST("nodes", refuses_a_missing_input),
        TEST("nodes", makes_a_first_output_that_nobody_wants),
        TEST("nodes", refuses_one_tensor_twice_in_a_node),
        TEST("casts", casts_like_a_narrow_integer),
        TEST("casts", keeps_nan_of_doubles),
        TEST("casts", normalises_bools),
        TEST("casts", accepts_i32_for_i64),
        TEST("outputs", lists_an_output_twice),
        TEST("outputs", finds_cast_outputs_by_name),
        TEST("outputs", merges_pieces_of_a_graph),
        TEST("values", checks_given_values),
        TEST("values", small_constants_are_aligned),
        TEST("values", large_constants_stay_in_the_file),
        TEST("values", frees_views_of_attributes),
        TEST("values", refuses_a_huge_array),
    };
    return SUITE("import_edges", tests, .begin = make_folder, .end = remove_folder);
}
