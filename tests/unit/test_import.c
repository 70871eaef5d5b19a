/* Import: whole models, the wiring of nodes, damaged files. */
#include "compiler/ops/ops.h"
#include "tests/unit/onnx_model.h"
#include "tests/unit/suite.h"

START_TEST(imports_a_model) {
    relu_model("N 3 4");
    m.model.producer_name = "test";
    m.model.producer_version = "1.0";
    import_fine();
    ck_assert_uint_eq(m.g->node_count, 1);
    ck_assert_str_eq(m.g->nodes[0]->op->name, "Relu");
    ck_assert_str_eq(m.g->nodes[0]->name, "y");
    ck_assert_str_eq(m.g->producer, "test 1.0");
    ck_assert_int_eq(m.g->opset, 13);
    ck_assert(m.g->batch_symbolic);
    ck_assert_int_eq(found("x")->dims[0], GRAPH_BATCH);
    ck_assert_int_eq(found("x")->dims[2], 4);
    ck_assert(found("x")->is_input && found("y")->is_output);
    ck_assert_str_eq(m.g->note, "");
}
END_TEST

/* ---- Nodes --------------------------------------------------------------------------------- */

START_TEST(sorts_nodes) {
    model_begin(13);
    model_input("x", FLOAT, "1 3");
    model_output("y", FLOAT);
    model_node("Relu", "b", "y");
    model_node("Abs", "a", "b");
    model_node("Neg", "x", "a");
    import_fine();
    ck_assert_str_eq(m.g->nodes[0]->op->name, "Neg");
    ck_assert_str_eq(m.g->nodes[1]->op->name, "Abs");
    ck_assert_str_eq(m.g->nodes[2]->op->name, "Relu");
}
END_TEST

START_TEST(refuses_broken_wiring) {
    model_begin(13);
    model_input("x", FLOAT, "1 3");
    model_output("y", FLOAT);
    model_node("Add", "x b", "y");
    REFUSED(KILN_ERROR_FORMAT, "'b'", "Add");
    model_node("Relu", "y", "b");
    REFUSED(KILN_ERROR_FORMAT, "cycle");
    relu_model("N 3 4");
    model_node("Abs", "x", "y");
    REFUSED(KILN_ERROR_FORMAT, "'y'", "twice");
    relu_model("N 3 4");
    model_node("Abs", "y", "x");
    REFUSED(KILN_ERROR_FORMAT, "'x'", "twice");
    relu_model("N 3 4");
    model_output("z", FLOAT);
    REFUSED(KILN_ERROR_FORMAT, "'z'");
    relu_model("N 3 4");
    model_input("x", FLOAT, "1");
    REFUSED(KILN_ERROR_FORMAT, "'x'");
    relu_model("N 3 4");
    m.graph.n_output = 0;
    REFUSED(KILN_ERROR_FORMAT, "outputs");
    model_begin(13);
    model_input("x", FLOAT, "1 3");
    model_output("y", FLOAT);
    model_node("Relu", "x x x", "y");
    REFUSED(KILN_ERROR_FORMAT, "Relu", "3 inputs");
}
END_TEST

START_TEST(passes_inputs_through) {
    relu_model("N 3 4");
    model_output("x", FLOAT);
    import_fine();
    ck_assert_ptr_eq(m.g->outputs[1], m.g->inputs[0]);
}
END_TEST

START_TEST(reads_attributes) {
    model_begin(13);
    model_input("x", FLOAT, "1 3");
    model_output("y", FLOAT);
    Onnx__NodeProto *n = model_node("LeakyRelu", "x", "y");
    n->name = "leaky";
    Onnx__AttributeProto *a =
        model_attribute(n, "alpha", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    a->has_f = true;
    a->f = 0.25f;
    import_fine();
    ck_assert(node_float(m.g->nodes[0], "alpha", 0) == 0.25f);
    ck_assert_str_eq(m.g->nodes[0]->name, "leaky");
    a->has_type = false;
    import_fine();
    ck_assert(node_float(m.g->nodes[0], "alpha", 0) == 0.25f);
    a->ref_attr_name = "beta";
    REFUSED(KILN_ERROR_FORMAT, "leaky", "alpha");
    a = model_attribute(n, "body", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH);
    REFUSED(KILN_ERROR_UNSUPPORTED, "leaky", "subgraphs");
}
END_TEST

START_TEST(notes_the_opset) {
    relu_model("N 3 4");
    m.opset.version = 22;
    import_fine();
    ck_assert_str_eq(m.g->note, "opset 22 is newer than 21: tried");
    m.opset.version = 6;
    import_fine();
    ck_assert_ptr_nonnull(strstr(m.g->note, "older"));
    m.model.n_opset_import = 0;
    REFUSED(KILN_ERROR_FORMAT, "version");
}
END_TEST

/* ---- Files --------------------------------------------------------------------------------- */

START_TEST(refuses_what_is_no_file) {
    ASSERT_REFUSED(import_model(in_folder("no"), &(kiln_compile_options){0}, true, &m.error, &m.g),
                   KILN_ERROR_IO, "no");
    ASSERT_REFUSED(import_model(m.folder, &(kiln_compile_options){0}, true, &m.error, &m.g),
                   KILN_ERROR_IO, "regular");
    write_bytes(m.path, "", 0);
    ASSERT_REFUSED(import_model(m.path, &(kiln_compile_options){0}, true, &m.error, &m.g),
                   KILN_ERROR_FORMAT, "empty");
}
END_TEST

/* A model with everything that is read. */
static void rich_model(void) {
    static float values[] = {1, 2};
    static int64_t two = 2, one = 1;
    static int32_t halves[] = {0x3c00};
    relu_model("N 3 4");
    set_raw(model_initializer("w", FLOAT, 1, &two), values, sizeof values);
    Onnx__TensorProto *t = model_initializer("h", FLOAT16, 1, &one);
    t->int32_data = halves;
    t->n_int32_data = 1;
    Onnx__AttributeProto *a = model_attribute(model_node("LeakyRelu", "x", "z"), "alpha",
                                              ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    a->has_f = true;
    a->f = 1;
    model_pack();
}

static void import_bytes(size_t size) {
    write_bytes(m.path, m.bytes, size);
    kiln_status status = import_model(m.path, &(kiln_compile_options){0}, true, &m.error, &m.g);
    ck_assert((status == KILN_OK) == (m.g != NULL));
    graph_free(m.g);
    m.g = NULL;
}

START_TEST(survives_truncation) {
    rich_model();
    for (size_t size = 0; size < m.size; size++) {
        import_bytes(size);
    }
}
END_TEST

START_TEST(survives_damage) {
    rich_model();
    for (size_t at = 0; at < m.size; at++) {
        const uint8_t sound = m.bytes[at];
        for (unsigned int bit = 0; bit < 8; bit++) {
            m.bytes[at] = (uint8_t)(sound ^ 1u << bit);
            import_bytes(m.size);
        }
        m.bytes[at] = 0xff;
        import_bytes(m.size);
        m.bytes[at] = sound;
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("whole", imports_a_model),         TEST("whole", notes_the_opset),
        TEST("whole", refuses_what_is_no_file), TEST("wiring", sorts_nodes),
        TEST("wiring", refuses_broken_wiring),  TEST("wiring", passes_inputs_through),
        TEST("wiring", reads_attributes),       TEST("damage", survives_truncation),
        TEST("damage", survives_damage),
    };
    return SUITE("import", tests, .begin = make_folder, .end = remove_folder);
}
