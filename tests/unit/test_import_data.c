/* Import: every form in which a tensor is stored, in the model and beside it; files of values. */
#include "compiler/graph/element_type.h"
#include "tests/unit/onnx_model.h"
#include "tests/unit/suite.h"

/* ---- Storage ------------------------------------------------------------------------------- */

/* 1 and 2 (bool: 1 and 0) in each type's raw form. */
static const struct {
    int32_t type;
    size_t size;
    kiln_dtype dtype;
    uint8_t raw[16];
} forms[] = {
    {FLOAT, 4, KILN_F32, {0, 0, 0x80, 0x3f, 0, 0, 0, 0x40}},
    {DOUBLE, 8, KILN_F32, {0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x40}},
    {FLOAT16, 2, KILN_F32, {0, 0x3c, 0, 0x40}},
    {BFLOAT16, 2, KILN_F32, {0x80, 0x3f, 0, 0x40}},
    {INT8, 1, KILN_F32, {1, 2}},
    {UINT8, 1, KILN_F32, {1, 2}},
    {INT16, 2, KILN_I64, {1, 0, 2, 0}},
    {UINT16, 2, KILN_I64, {1, 0, 2, 0}},
    {INT32, 4, KILN_I64, {1, 0, 0, 0, 2}},
    {UINT32, 4, KILN_I64, {1, 0, 0, 0, 2}},
    {INT64, 8, KILN_I64, {1, 0, 0, 0, 0, 0, 0, 0, 2}},
    {UINT64, 8, KILN_I64, {1, 0, 0, 0, 0, 0, 0, 0, 2}},
    {BOOL, 1, KILN_BOOL, {1, 0}},
};
enum { FORMS = sizeof forms / sizeof *forms };

static void check_one_two(tensor *t, kiln_dtype dtype) {
    ck_assert_int_eq(t->dtype, dtype);
    ck_assert_int_eq(tensor_elements(t), 2);
    if (dtype == KILN_F32) {
        ck_assert(tensor_f32(t)[0] == 1.0f && tensor_f32(t)[1] == 2.0f);
    } else if (dtype == KILN_I64) {
        ck_assert(tensor_i64(t)[0] == 1 && tensor_i64(t)[1] == 2);
    } else {
        ck_assert(tensor_bytes(t)[0] == 1 && tensor_bytes(t)[1] == 0);
    }
}

START_TEST(reads_raw_data) {
    int64_t two = 2;
    for (size_t k = 0; k < FORMS; k++) {
        relu_model("N 3 4");
        uint8_t raw[16];
        memcpy(raw, forms[k].raw, sizeof raw);
        set_raw(model_initializer("w", forms[k].type, 1, &two), raw, 2 * forms[k].size);
        import_fine();
        check_one_two(found("w"), forms[k].dtype);
    }
}
END_TEST

START_TEST(reads_typed_fields) {
    float floats[] = {1, 2};
    double doubles[] = {1, 2};
    int64_t longs[] = {1, 2}, two = 2;
    uint64_t unsigned_longs[] = {1, 2};
    int32_t ints[] = {1, 2}, halves[] = {0x3c00, 0x4000}, bfloats[] = {0x3f80, 0x4000},
            bools[] = {1, 0};
    for (size_t k = 0; k < FORMS; k++) {
        relu_model("N 3 4");
        int32_t type = forms[k].type;
        Onnx__TensorProto *t = model_initializer("w", type, 1, &two);
        t->float_data = floats;
        t->n_float_data = type == FLOAT ? 2 : 0;
        t->double_data = doubles;
        t->n_double_data = type == DOUBLE ? 2 : 0;
        t->int64_data = longs;
        t->n_int64_data = type == INT64 ? 2 : 0;
        t->uint64_data = unsigned_longs;
        t->n_uint64_data = type == UINT32 || type == UINT64 ? 2 : 0;
        t->int32_data = type == FLOAT16    ? halves
                        : type == BFLOAT16 ? bfloats
                        : type == BOOL     ? bools
                                           : ints;
        t->n_int32_data =
            t->n_float_data + t->n_double_data + t->n_int64_data + t->n_uint64_data == 0 ? 2 : 0;
        import_fine();
        check_one_two(found("w"), forms[k].dtype);
    }
}
END_TEST

START_TEST(reads_negative_integers) {
    relu_model("N 3 4");
    int8_t raw[] = {-1, -128};
    int64_t two = 2;
    set_raw(model_initializer("w", INT8, 1, &two), raw, sizeof raw);
    import_fine();
    ck_assert(tensor_f32(found("w"))[0] == -1);
    ck_assert(tensor_f32(found("w"))[1] == -128);
}
END_TEST

START_TEST(refuses_wrong_counts) {
    float values[3] = {0};
    int64_t two = 2, huge[] = {INT64_C(1) << 40, INT64_C(1) << 40}, negative = -2;
    relu_model("N 3 4");
    set_raw(model_initializer("w", FLOAT, 1, &two), values, 12);
    REFUSED(KILN_ERROR_FORMAT, "'w'");
    relu_model("N 3 4");
    set_raw(model_initializer("w", FLOAT, 1, &two), values, 7);
    REFUSED(KILN_ERROR_FORMAT, "'w'");
    relu_model("N 3 4");
    model_initializer("w", FLOAT, 1, &two)->float_data = values;
    REFUSED(KILN_ERROR_FORMAT, "'w'");
    relu_model("N 3 4");
    set_raw(model_initializer("w", FLOAT, 2, huge), values, 12);
    REFUSED(KILN_ERROR_UNSUPPORTED, "'w'");
    relu_model("N 3 4");
    set_raw(model_initializer("w", FLOAT, 1, &negative), values, 8);
    REFUSED(KILN_ERROR_UNSUPPORTED, "'w'");
    relu_model("N 3 4");
    set_raw(model_initializer("w", STRING, 1, &two), values, 8);
    REFUSED(KILN_ERROR_UNSUPPORTED, "'w'", "string");
}
END_TEST

START_TEST(refuses_deep_shapes) {
    relu_model("N 3 4");
    int64_t dims[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    float value = 0;
    set_raw(model_initializer("w", FLOAT, 9, dims), &value, 4);
    REFUSED(KILN_ERROR_UNSUPPORTED, "'w'", "9");
}
END_TEST

START_TEST(makes_constants) {
    Onnx__TensorProto value;
    int64_t ints[] = {5, 6}, two = 2;
    float floats[] = {1, 2};
    model_begin(13);
    model_input("x", FLOAT, "2");
    model_output("y", FLOAT);
    Onnx__AttributeProto *a = model_attribute(model_node("Constant", "", "t"), "value",
                                              ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR);
    onnx__tensor_proto__init(&value);
    value.has_data_type = true;
    value.data_type = FLOAT;
    value.n_dims = 1;
    value.dims = &two;
    set_raw(&value, floats, sizeof floats);
    a->t = &value;
    a = model_attribute(model_node("Constant", "", "i"), "value_int",
                        ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    a->has_i = true;
    a->i = 7;
    a = model_attribute(model_node("Constant", "", "l"), "value_ints",
                        ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    a->n_ints = 2;
    a->ints = ints;
    model_node("Add", "x t", "y");
    import_fine();
    ck_assert_uint_eq(m.g->node_count, 1);
    check_one_two(found("t"), KILN_F32);
    ck_assert_uint_eq(found("i")->rank, 0);
    ck_assert_int_eq(tensor_i64(found("i"))[0], 7);
    ck_assert_int_eq(tensor_i64(found("l"))[1], 6);
    m.nodes[0].n_attribute = 0;
    REFUSED(KILN_ERROR_FORMAT, "Constant");
}
END_TEST

/* ---- External data ------------------------------------------------------------------------- */

static Onnx__StringStringEntryProto entries[3], *entry_list[3];

static void external_model(char *location, char *offset, char *length) {
    static int64_t two = 2;
    char *const pairs[3][2] = {{"location", location}, {"offset", offset}, {"length", length}};
    relu_model("N 3 4");
    Onnx__TensorProto *t = model_initializer("w", FLOAT, 1, &two);
    t->has_data_location = true;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    t->external_data = entry_list;
    for (size_t k = 0; k < 3; k++) {
        if (pairs[k][1] != NULL) {
            Onnx__StringStringEntryProto *e = entry_list[t->n_external_data++] = &entries[k];
            onnx__string_string_entry_proto__init(e);
            e->key = pairs[k][0];
            e->value = pairs[k][1];
        }
    }
}

START_TEST(reads_external_data) {
    float values[] = {9, 1, 2, 9};
    write_bytes(in_folder("w.bin"), values, sizeof values);
    external_model("w.bin", "4", "8");
    import_fine();
    check_one_two(found("w"), KILN_F32);
    external_model("./w.bin", "4", NULL);
    import_fine();
    check_one_two(found("w"), KILN_F32);
    write_bytes(in_folder("w.bin"), values + 1, 8);
    external_model("w.bin", NULL, NULL);
    import_fine();
    check_one_two(found("w"), KILN_F32);
}
END_TEST

START_TEST(refuses_damaged_external_data) {
    float values[] = {1, 2, 3, 4};
    write_bytes(in_folder("w.bin"), values, sizeof values);
    char *const cases[][3] = {
        {"w.bin", "12", "8"},
        {"w.bin", "17", NULL},
        {"w.bin", "0", "4"},
        {"w.bin", "-4", "8"},
        {"w.bin", "x", "8"},
        {"w.bin", "18446744073709551615", "8"},
        {"w.bin", "4", "18446744073709551614"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        external_model(cases[k][0], cases[k][1], cases[k][2]);
        REFUSED(KILN_ERROR_FORMAT, "'w'");
    }
    external_model("nothing.bin", NULL, NULL);
    REFUSED(KILN_ERROR_IO, "nothing.bin");
}
END_TEST

START_TEST(refuses_external_data_elsewhere) {
    float values[] = {1, 2};
    ck_assert_int_eq(mkdir(in_folder("inner"), 0700), 0);
    write_bytes(in_folder("outside.bin"), values, sizeof values);
    char outside[128];
    snprintf(outside, sizeof outside, "%s", in_folder("outside.bin"));
    ck_assert_int_eq(symlink("../outside.bin", in_folder("inner/link.bin")), 0);
    snprintf(m.path, sizeof m.path, "%s/inner/model.onnx", m.folder);
    char *const cases[] = {"../outside.bin", outside, "link.bin", "..", "", "a/../../outside.bin"};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        external_model(cases[k], NULL, NULL);
        REFUSED(KILN_ERROR_FORMAT, "outside the model's folder");
    }
}
END_TEST

/* ---- Values -------------------------------------------------------------------------------- */

START_TEST(saves_and_loads_values) {
    const uint8_t bytes[48] = {1, 0, 1, 0, 0, 1};
    for (int dtype = KILN_F32; kiln_dtype_size((kiln_dtype)dtype) != 0; dtype++) {
        if (dtype == KILN_BF16) {
            continue; /* saved as f4 */
        }
        const kiln_value value = {
            .name = "v", .dtype = (kiln_dtype)dtype, .rank = 2, .dims = {2, 3}, .data = bytes};
        kiln_value *loaded = NULL;
        const char *path = in_folder("v.npy");
        ck_assert_int_eq(kiln_value_save_npy(&value, path, &m.error), KILN_OK);
        ck_assert_int_eq(kiln_value_load(path, &loaded, &m.error), KILN_OK);
        ck_assert_int_eq(loaded->dtype, value.dtype);
        ck_assert_uint_eq(loaded->rank, 2);
        ck_assert_uint_eq(loaded->dims[1], 3);
        ck_assert_str_eq(loaded->name, "");
        ck_assert_int_eq(memcmp(loaded->data, bytes, 6 * kiln_dtype_size(value.dtype)), 0);
        kiln_value_free(loaded);
    }
    kiln_value_free(NULL);
}
END_TEST

START_TEST(loads_tensor_protos) {
    uint8_t bytes[256], raw[16];
    int64_t two = 2;
    for (size_t k = 0; k < FORMS; k++) {
        model_begin(13);
        Onnx__TensorProto *t = model_initializer("v", forms[k].type, 1, &two);
        memcpy(raw, forms[k].raw, sizeof raw);
        set_raw(t, raw, 2 * forms[k].size);
        size_t size = onnx__tensor_proto__pack(t, bytes);
        write_bytes(in_folder("v.pb"), bytes, size);
        kiln_value *value = NULL;
        ck_assert_int_eq(kiln_value_load(in_folder("v.pb"), &value, &m.error), KILN_OK);
        kiln_dtype dtype;
        ck_assert(dtype_of_onnx_type(forms[k].type, &dtype));
        ck_assert_int_eq(value->dtype, dtype);
        ck_assert_int_eq(memcmp(value->data, forms[k].raw, 2 * forms[k].size), 0);
        ck_assert_str_eq(value->name, "v");
        ck_assert_uint_eq(value->dims[0], 2);
        kiln_value_free(value);
    }
}
END_TEST

START_TEST(survives_damaged_values) {
    const float data[6] = {1, 2, 3};
    const kiln_value value = {.dtype = KILN_F32, .rank = 2, .dims = {2, 3}, .data = data};
    ck_assert_int_eq(kiln_value_save_npy(&value, in_folder("v.npy"), &m.error), KILN_OK);
    FILE *file = fopen(in_folder("v.npy"), "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(m.bytes, 1, sizeof m.bytes, file);
    ck_assert_int_eq(fclose(file), 0);
    for (size_t k = 0; k < size; k++) {
        kiln_value *loaded = NULL;
        write_bytes(in_folder("cut.npy"), m.bytes, k);
        ck_assert_int_ne(kiln_value_load(in_folder("cut.npy"), &loaded, &m.error), KILN_OK);
        ck_assert_ptr_null(loaded);
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("data", reads_raw_data),
        TEST("data", reads_typed_fields),
        TEST("data", reads_negative_integers),
        TEST("data", refuses_wrong_counts),
        TEST("data", refuses_deep_shapes),
        TEST("data", makes_constants),
        TEST("external", reads_external_data),
        TEST("external", refuses_damaged_external_data),
        TEST("external", refuses_external_data_elsewhere),
        TEST("values", saves_and_loads_values),
        TEST("values", loads_tensor_protos),
        TEST("values", survives_damaged_values),
    };
    return SUITE("import_data", tests, .begin = make_folder, .end = remove_folder);
}
