/* Element types other than f32, i64 and bool: at the boundary, in casts, and in the arithmetic of
 * narrow integers. Expected values are ONNX Runtime's. */
#include "compiler/graph/element_type.h"
#include "tests/unit/compiled_model.h"
#include "tests/unit/suite.h"
#include <kiln/element.h>

#include <math.h>

/* ---- The boundary -------------------------------------------------------------------------- */

START_TEST(passes_every_type_through) {
    for (int32_t type = FLOAT; type <= BFLOAT16; type++) {
        kiln_dtype dtype;
        if (!dtype_of_onnx_type(type, &dtype)) {
            continue;
        }
        uint64_t in[4], out[4] = {0};
        for (size_t k = 0; k < 4; k++) {
            kiln_element_put_number(dtype, in, k, (double)(k + (dtype == KILN_I8 ? 0 : 1)));
        }
        model_begin(13);
        model_input("x", type, "1 4");
        model_output("y", type);
        model_node("Transpose", "x", "y");
        run_model(1, in, 4 * kiln_dtype_size(dtype), out, 4 * kiln_dtype_size(dtype), dtype);
        ck_assert_msg(memcmp(in, out, 4 * kiln_dtype_size(dtype)) == 0, "%s",
                      kiln_dtype_name(dtype));
        verify_model();
    }
}
END_TEST

START_TEST(rounds_bfloat16_to_even) {
    ck_assert_uint_eq(kiln_bf16_from_f32(1.0f + 0x1p-8f), 0x3f80);
    ck_assert_uint_eq(kiln_bf16_from_f32(1.0f + 0x1.8p-7f), 0x3f82);
    ck_assert_uint_eq(kiln_bf16_from_f32(INFINITY), 0x7f80);
    ck_assert(isnan(kiln_f32_from_bf16(kiln_bf16_from_f32(NAN))));
    ck_assert(kiln_f32_from_bf16(0xc040) == -3.0f);
}
END_TEST

START_TEST(saves_bfloat16_as_floats) {
    const uint16_t bits[] = {0x3f80, 0xc040};
    const kiln_value value = {.dtype = KILN_BF16, .rank = 1, .dims = {2}, .data = bits};
    kiln_value *loaded = NULL;
    ck_assert_int_eq(kiln_value_save_npy(&value, in_folder("v.npy"), &m.error), KILN_OK);
    ck_assert_int_eq(kiln_value_load(in_folder("v.npy"), &loaded, &m.error), KILN_OK);
    ck_assert_int_eq(loaded->dtype, KILN_F32);
    ck_assert(((const float *)loaded->data)[0] == 1 && ((const float *)loaded->data)[1] == -3);
    kiln_value_free(loaded);
}
END_TEST

/* ---- Casts --------------------------------------------------------------------------------- */

enum { VALUES = 8 };

static void check_cast(int32_t from, const void *in, size_t in_bytes, int32_t to,
                       const double expected[VALUES]) {
    kiln_dtype dtype;
    uint64_t out[VALUES];
    ck_assert(dtype_of_onnx_type(to, &dtype));
    model_begin(13);
    model_input("x", from, "1 8");
    model_output("y", to);
    model_attribute(model_node("Cast", "x", "c"), "to", 2)->i = to;
    m.attributes[0].has_i = true;
    /* Something between, so that the value inside the graph counts, too. */
    model_node("Transpose", "c", "y");
    run_model(1, in, in_bytes, out, VALUES * kiln_dtype_size(dtype), dtype);
    for (size_t k = 0; k < VALUES; k++) {
        double found = kiln_element_number(dtype, out, k);
        ck_assert_msg(found == expected[k], "%s %zu: %g, expected %g", kiln_dtype_name(dtype), k,
                      found, expected[k]);
    }
    verify_model();
}

START_TEST(casts_floats_to_narrow_integers_as_onnx_runtime) {
    const float x[VALUES] = {-300.7f, -128.5f, -1.5f, 127.9f, 255.9f, 300.2f, 70000, 3e9f};
    check_cast(FLOAT, x, sizeof x, UINT8, (double[]){212, 128, 255, 127, 255, 44, 112, 0});
    check_cast(FLOAT, x, sizeof x, INT8, (double[]){-44, -128, -1, 127, -1, 44, 112, 0});
    check_cast(FLOAT, x, sizeof x, UINT16, (double[]){65236, 65408, 65535, 127, 255, 300, 4464, 0});
    check_cast(FLOAT, x, sizeof x, INT16, (double[]){-300, -128, -1, 127, 255, 300, 4464, 0});
    check_cast(FLOAT, x, sizeof x, UINT32,
               (double[]){4294966996, 4294967168, 4294967295, 127, 255, 300, 70000, 3e9});
}
END_TEST

START_TEST(casts_integers_to_their_lower_bits) {
    const int64_t x[VALUES] = {-129, -1, 127, 128, 255, 256, 70000, ((int64_t)1 << 32) + 5};
    check_cast(INT64, x, sizeof x, UINT8, (double[]){127, 255, 127, 128, 255, 0, 112, 5});
    check_cast(INT64, x, sizeof x, INT8, (double[]){127, -1, 127, -128, -1, 0, 112, 5});
    check_cast(INT64, x, sizeof x, UINT16, (double[]){65407, 65535, 127, 128, 255, 256, 4464, 5});
    check_cast(INT64, x, sizeof x, INT32, (double[]){-129, -1, 127, 128, 255, 256, 70000, 5});
}
END_TEST

/* A cast to the type that holds the result is none to remove. */
START_TEST(casts_inside_the_graph_wrap) {
    const float x[] = {300.7f, -1.5f, 127.9f};
    float y[3];
    model_begin(13);
    model_input("x", FLOAT, "1 3");
    model_output("y", FLOAT);
    model_attribute(model_node("Cast", "x", "c"), "to", 2)->i = UINT8;
    model_attribute(model_node("Cast", "c", "y"), "to", 2)->i = FLOAT;
    m.attributes[0].has_i = m.attributes[1].has_i = true;
    run_model(1, x, sizeof x, y, sizeof y, KILN_F32);
    ck_assert(y[0] == 44 && y[1] == 255 && y[2] == 127);
    verify_model();
}
END_TEST

/* ---- Arithmetic ---------------------------------------------------------------------------- */

static void check_arithmetic(char *op, int32_t type, double a, double b, double expected) {
    kiln_dtype dtype;
    uint64_t x, y, w;
    int64_t one = 1;
    ck_assert(dtype_of_onnx_type(type, &dtype));
    model_begin(14);
    model_input("x", type, "1");
    model_output("y", type);
    kiln_element_put_number(dtype, &x, 0, a);
    kiln_element_put_number(dtype, &w, 0, b);
    set_raw(model_initializer("w", type, 1, &one), &w, kiln_dtype_size(dtype));
    model_node(op, strcmp(op, "Neg") == 0 ? "x" : "x w", "y");
    run_model(1, &x, kiln_dtype_size(dtype), &y, kiln_dtype_size(dtype), dtype);
    double found = kiln_element_number(dtype, &y, 0);
    ck_assert_msg(found == expected, "%s: %g, expected %g", op, found, expected);
    verify_model();
}

START_TEST(wraps_arithmetic_on_narrow_integers) {
    check_arithmetic("Add", UINT8, 200, 100, 44);
    check_arithmetic("Sub", UINT8, 1, 2, 255);
    check_arithmetic("Mul", INT8, 100, 3, 44);
    check_arithmetic("Div", UINT8, 7, 2, 3);
    check_arithmetic("Div", INT8, -7, 2, -3);
    check_arithmetic("Neg", INT8, -128, 0, -128);
    check_arithmetic("Mul", UINT16, 65535, 65535, 1);
    check_arithmetic("Sub", UINT32, 1, 2, 4294967295);
}
END_TEST

/* A sequence keeps the type of its tensors. */
START_TEST(wraps_what_a_sequence_held) {
    static uint8_t w = 100;
    uint8_t x = 200, y;
    int64_t one = 1;
    model_begin(14);
    model_input("x", UINT8, "1");
    model_output("y", UINT8);
    set_raw(model_initializer("w", UINT8, 1, &one), &w, 1);
    set_raw(model_initializer("k", INT64, 0, NULL), &(int64_t){0}, sizeof(int64_t));
    model_node("SequenceConstruct", "x w", "s");
    model_node("SequenceAt", "s k", "a");
    model_node("Add", "a w", "y");
    run_model(1, &x, 1, &y, 1, KILN_U8);
    ck_assert_uint_eq(y, 44);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("boundary", passes_every_type_through),
        TEST("boundary", rounds_bfloat16_to_even),
        TEST("boundary", saves_bfloat16_as_floats),
        TEST("casts", casts_floats_to_narrow_integers_as_onnx_runtime),
        TEST("casts", casts_integers_to_their_lower_bits),
        TEST("casts", casts_inside_the_graph_wrap),
        TEST("arithmetic", wraps_arithmetic_on_narrow_integers),
        TEST("arithmetic", wraps_what_a_sequence_held),
    };
    return SUITE("element_types", tests, .begin = make_folder, .end = remove_folder);
}
