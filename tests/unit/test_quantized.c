/* Quantised operators, each against ONNX Runtime's formula computed here from integers. */
#include "compiler/graph/element_type.h"
#include "tests/unit/quantized_model.h"
#include "tests/unit/suite.h"

/* ---- Rounding ------------------------------------------------------------------------------ */

enum { VALUES = 10 };
static const float reals[VALUES] = {0.5f, 1.5f, 2.5f,     -0.5f,     300,
                                    -300, NAN,  INFINITY, -INFINITY, 7.3f};

START_TEST(rounds_halves_to_even_and_saturates) {
    const uint8_t expected[VALUES] = {3, 5, 5, 3, 255, 0, 0, 255, 0, 10};
    uint8_t y[VALUES];
    begin(FLOAT, "1 10", UINT8);
    scalar_f32("s", 1);
    scalar_8("z", UINT8, 3);
    model_node("QuantizeLinear", "x s z", "y");
    run_model(1, reals, sizeof reals, y, sizeof y, KILN_U8);
    ck_assert_int_eq(memcmp(y, expected, sizeof y), 0);
    verify_model();
}
END_TEST

START_TEST(quantises_to_the_type_of_the_zero_point) {
    const int8_t expected[VALUES] = {-3, -1, -1, -3, 127, -128, -128, 127, -128, 4};
    int8_t y[VALUES];
    begin(FLOAT, "1 10", INT8);
    scalar_f32("s", 1);
    scalar_8("z", INT8, -3);
    model_node("QuantizeLinear", "x s z", "y");
    run_model(1, reals, sizeof reals, y, sizeof y, KILN_I8);
    ck_assert_int_eq(memcmp(y, expected, sizeof y), 0);
}
END_TEST

START_TEST(quantises_to_16_bits) {
    const int16_t expected[VALUES] = {0, 2, 2, 0, 300, -300, -32768, 32767, -32768, 7};
    int16_t y[VALUES], zero = 0;
    begin(FLOAT, "1 10", INT16);
    scalar_f32("s", 1);
    set_raw(model_initializer("z", INT16, 0, NULL), &zero, sizeof zero);
    model_node("QuantizeLinear", "x s z", "y");
    run_model(1, reals, sizeof reals, y, sizeof y, KILN_I16);
    ck_assert_int_eq(memcmp(y, expected, sizeof y), 0);
    verify_model();
}
END_TEST

/* Scales along the channels of a picture, at three samples, and back. */
START_TEST(quantises_by_axis_at_any_batch) {
    float x[3 * 2 * 4], y[3 * 2 * 4], scales[2] = {0.5f, 0.1f};
    uint8_t zeros[2] = {0, 100};
    int64_t two = 2;
    for (size_t k = 0; k < 24; k++) {
        x[k] = (float)k * 0.37f - 2;
    }
    begin(FLOAT, "N 2 2 2", FLOAT);
    set_raw(model_initializer("s", FLOAT, 1, &two), scales, sizeof scales);
    set_raw(model_initializer("z", UINT8, 1, &two), zeros, sizeof zeros);
    model_node("QuantizeLinear", "x s z", "q");
    model_node("DequantizeLinear", "q s z", "y");
    run_model(3, x, sizeof x, y, sizeof y, KILN_F32);
    for (size_t k = 0; k < 24; k++) {
        size_t c = k / 4 % 2;
        float q = saturate(rintf(x[k] / scales[c]) + zeros[c], KILN_U8);
        ck_assert_msg(y[k] == (q - zeros[c]) * scales[c], "%zu", k);
    }
    verify_model();
}
END_TEST

/* ---- Sums of products ---------------------------------------------------------------------- */

/* 3x3, padding 1, from 2 to 2 channels of 4x4 pixels. */
static int32_t sum_at(const uint8_t *x, int zx, const int8_t *w, size_t o, size_t pixel) {
    int32_t sum = 0;
    for (size_t c = 0; c < 2; c++) {
        for (size_t tap = 0; tap < 9; tap++) {
            size_t row = pixel / 4 + tap / 3, column = pixel % 4 + tap % 3;
            if (row >= 1 && row <= 4 && column >= 1 && column <= 4) {
                sum += (x[c * 16 + (row - 1) * 4 + column - 1] - zx) * w[(o * 2 + c) * 9 + tap];
            }
        }
    }
    return sum;
}

enum { SAMPLES = 2 };
static uint8_t picture[SAMPLES * 32];
static int8_t filters[36];

static void fill_convolution(void) {
    static int64_t pads[] = {1, 1, 1, 1};
    for (size_t k = 0; k < sizeof picture; k++) {
        picture[k] = (uint8_t)(k * 73 + 11);
    }
    for (size_t k = 0; k < sizeof filters; k++) {
        filters[k] = (int8_t)(k * 37 + 5);
    }
    Onnx__AttributeProto *a = model_attribute(m.node_list[0], "pads", 7);
    a->ints = pads;
    a->n_ints = 4;
}

START_TEST(convolves_with_the_zero_point_around) {
    float scales[2] = {0.002f, 0.003f};
    int32_t bias[2] = {1000, -77};
    int64_t two = 2, filter_dims[] = {2, 2, 3, 3};
    uint8_t y[sizeof picture];
    begin(UINT8, "N 2 4 4", UINT8);
    model_node("QLinearConv", "x sx zx w sw zw sy zy b", "y");
    fill_convolution();
    scalar_f32("sx", 0.02f);
    scalar_8("zx", UINT8, 119);
    set_raw(model_initializer("w", INT8, 4, filter_dims), filters, sizeof filters);
    set_raw(model_initializer("sw", FLOAT, 1, &two), scales, sizeof scales);
    scalar_8("zw", INT8, 0);
    scalar_f32("sy", 0.015f);
    scalar_8("zy", UINT8, 100);
    set_raw(model_initializer("b", INT32, 1, &two), bias, sizeof bias);
    run_model(SAMPLES, picture, sizeof picture, y, sizeof y, KILN_U8);
    for (size_t k = 0; k < sizeof y; k++) {
        size_t o = k / 16 % 2;
        int32_t sum = sum_at(picture + k / 32 * 32, 119, filters, o, k % 16) + bias[o];
        float expected =
            saturate(rintf((float)sum * ((0.02f * scales[o]) / 0.015f)) + 100, KILN_U8);
        ck_assert_msg(y[k] == (uint8_t)expected, "%zu: %u, expected %g", k, y[k], (double)expected);
    }
    verify_model();
}
END_TEST

START_TEST(convolves_integers) {
    int64_t filter_dims[] = {2, 2, 3, 3};
    int32_t y[sizeof picture];
    begin(UINT8, "N 2 4 4", INT32);
    model_node("ConvInteger", "x w zx", "y");
    fill_convolution();
    scalar_8("zx", UINT8, 3);
    set_raw(model_initializer("w", INT8, 4, filter_dims), filters, sizeof filters);
    run_model(SAMPLES, picture, sizeof picture, y, sizeof y, KILN_I32);
    for (size_t k = 0; k < sizeof picture; k++) {
        ck_assert_int_eq(y[k], sum_at(picture + k / 32 * 32, 3, filters, k / 16 % 2, k % 16));
    }
    verify_model();
}
END_TEST

/* The weights of a dense layer have scales of their own for each output. */
START_TEST(multiplies_with_scales_by_column) {
    static const uint8_t x[] = {200, 3, 77, 0, 255, 128};
    int8_t w[] = {1, -2, 100, 3, -128, 7}, zeros[] = {0, 0};
    float scales[] = {0.01f, 0.02f};
    int64_t two = 2, dims[] = {3, 2};
    int8_t y[4];
    begin(UINT8, "N 3", INT8);
    scalar_f32("sx", 0.5f);
    scalar_8("zx", UINT8, 10);
    set_raw(model_initializer("w", INT8, 2, dims), w, sizeof w);
    set_raw(model_initializer("sw", FLOAT, 1, &two), scales, sizeof scales);
    set_raw(model_initializer("zw", INT8, 1, &two), zeros, sizeof zeros);
    scalar_f32("sy", 0.9f);
    scalar_8("zy", INT8, -5);
    model_node("QLinearMatMul", "x sx zx w sw zw sy zy", "y");
    run_model(2, x, sizeof x, y, sizeof y, KILN_I8);
    for (size_t k = 0; k < 4; k++) {
        int32_t sum = 0;
        for (size_t i = 0; i < 3; i++) {
            sum += (x[k / 2 * 3 + i] - 10) * w[i * 2 + k % 2];
        }
        float factor = (0.5f * scales[k % 2]) / 0.9f;
        float expected = saturate(rintf((float)sum * factor) - 5, KILN_I8);
        ck_assert_int_eq(y[k], (int)expected);
    }
    verify_model();
}
END_TEST

START_TEST(multiplies_to_real_numbers) {
    static const uint8_t x[] = {200, 3, 77, 0, 255, 128};
    int8_t w[] = {1, -2, 100, 3, -128, 7};
    int32_t bias[] = {50, -50};
    int64_t two = 2, dims[] = {2, 3};
    float y[4];
    begin(UINT8, "N 3", FLOAT);
    scalar_f32("sx", 0.5f);
    scalar_8("zx", UINT8, 10);
    set_raw(model_initializer("w", INT8, 2, dims), w, sizeof w);
    scalar_f32("sw", 0.25f);
    scalar_8("zw", INT8, 1);
    set_raw(model_initializer("b", INT32, 1, &two), bias, sizeof bias);
    Onnx__AttributeProto *a =
        model_attribute(microsoft_node("QGemm", "x sx zx w sw zw b", "y"), "transB", 2);
    a->has_i = true;
    a->i = 1;
    run_model(2, x, sizeof x, y, sizeof y, KILN_F32);
    for (size_t k = 0; k < 4; k++) {
        int32_t sum = bias[k % 2];
        for (size_t i = 0; i < 3; i++) {
            sum += (x[k / 2 * 3 + i] - 10) * (w[k % 2 * 3 + i] - 1);
        }
        ck_assert(y[k] == (float)sum * 0.125f);
    }
    verify_model();
}
END_TEST

/* ---- On real numbers ----------------------------------------------------------------------- */

static uint8_t all_bytes[256];

static void fill_bytes(void) {
    for (size_t k = 0; k < 256; k++) {
        all_bytes[k] = (uint8_t)k;
    }
}

START_TEST(adds_with_three_scales) {
    uint8_t w[256], y[256];
    int64_t dims[] = {1, 256};
    fill_bytes();
    for (size_t k = 0; k < 256; k++) {
        w[k] = (uint8_t)(k * 7);
    }
    begin(UINT8, "1 256", UINT8);
    scalar_f32("sa", 0.05f);
    scalar_8("za", UINT8, 100);
    set_raw(model_initializer("w", UINT8, 2, dims), w, sizeof w);
    scalar_f32("sb", 0.03f);
    scalar_8("zb", UINT8, 20);
    scalar_f32("sc", 0.06f);
    scalar_8("zc", UINT8, 64);
    microsoft_node("QLinearAdd", "x sa za w sb zb sc zc", "y");
    run_model(1, all_bytes, 256, y, 256, KILN_U8);
    for (size_t k = 0; k < 256; k++) {
        float sum = ((float)k - 100) * 0.05f + ((float)w[k] - 20) * 0.03f;
        ck_assert_int_eq(y[k], (int)saturate(rintf(sum / 0.06f) + 64, KILN_U8));
    }
    verify_model();
}
END_TEST

START_TEST(is_a_table_of_256) {
    static const char *const operators[] = {"QLinearSigmoid", "QLinearLeakyRelu"};
    fill_bytes();
    for (size_t o = 0; o < 2; o++) {
        uint8_t y[256];
        begin(UINT8, "1 256", UINT8);
        scalar_f32("sx", 0.04f);
        scalar_8("zx", UINT8, 120);
        scalar_f32("sy", o == 0 ? 1 / 256.0f : 0.03f);
        scalar_8("zy", UINT8, o == 0 ? 0 : 30);
        microsoft_node((char *)(uintptr_t)operators[o], "x sx zx sy zy", "y");
        run_model(1, all_bytes, 256, y, 256, KILN_U8);
        for (size_t k = 0; k < 256; k++) {
            float x = ((float)k - 120) * 0.04f;
            float real = o == 0 ? 1 / (1 + expf(-x)) : x < 0 ? 0.01f * x : x;
            float steps = o == 0 ? real * 256 : real / 0.03f + 30;
            ck_assert_msg(fabsf((float)y[k] - saturate(steps, KILN_U8)) <= 0.51f, "%s of %zu: %u",
                          operators[o], k, y[k]);
        }
    }
}
END_TEST

START_TEST(chooses_between_two_scales) {
    static uint8_t w[256], condition[256];
    uint8_t y[256];
    int64_t dims[] = {1, 256};
    fill_bytes();
    for (size_t k = 0; k < 256; k++) {
        w[k] = (uint8_t)(k * 7);
        condition[k] = k % 3 == 0;
    }
    begin(UINT8, "1 256", UINT8);
    set_raw(model_initializer("c", BOOL, 2, dims), condition, sizeof condition);
    scalar_f32("sx", 0.05f);
    scalar_8("zx", UINT8, 100);
    set_raw(model_initializer("w", UINT8, 2, dims), w, sizeof w);
    scalar_f32("sw", 0.03f);
    scalar_8("zw", UINT8, 20);
    scalar_f32("sy", 0.06f);
    scalar_8("zy", UINT8, 64);
    microsoft_node("QLinearWhere", "c x sx zx w sw zw sy zy", "y");
    run_model(1, all_bytes, 256, y, 256, KILN_U8);
    for (size_t k = 0; k < 256; k++) {
        float real = condition[k] ? ((float)k - 100) * 0.05f : ((float)w[k] - 20) * 0.03f;
        ck_assert_int_eq(y[k], (int)saturate(rintf(real / 0.06f) + 64, KILN_U8));
    }
    verify_model();
}
END_TEST

/* Pixels of four channels, which lie last. */
START_TEST(pools_with_channels_last) {
    static const uint8_t x[2 * 3 * 4] = {1,  200, 30, 4, 50, 6,  70, 80,  90, 100, 11, 120,
                                         13, 140, 15, 6, 70, 80, 90, 250, 31, 22,  33, 44};
    uint8_t y[4];
    begin(UINT8, "N 2 3 4", UINT8);
    scalar_f32("sx", 0.5f);
    scalar_8("zx", UINT8, 10);
    scalar_f32("sy", 0.25f);
    scalar_8("zy", UINT8, 3);
    Onnx__AttributeProto *a = model_attribute(
        microsoft_node("QLinearGlobalAveragePool", "x sx zx sy zy", "y"), "channels_last", 2);
    a->has_i = true;
    a->i = 1;
    run_model(1, x, sizeof x, y, sizeof y, KILN_U8);
    for (size_t c = 0; c < 4; c++) {
        float sum = 0;
        for (size_t k = 0; k < 6; k++) {
            sum += ((float)x[k * 4 + c] - 10) * 0.5f;
        }
        ck_assert_int_eq(y[c], (int)saturate(rintf(sum / 6 / 0.25f) + 3, KILN_U8));
    }
    verify_model();
}
END_TEST

START_TEST(concatenates_to_one_scale) {
    uint8_t w[4] = {0, 50, 100, 200}, y[8];
    static const uint8_t x[4] = {10, 20, 30, 255};
    int64_t dims[] = {1, 4};
    begin(UINT8, "1 4", UINT8);
    scalar_f32("sy", 0.2f);
    scalar_8("zy", UINT8, 8);
    scalar_f32("sa", 0.1f);
    scalar_8("za", UINT8, 10);
    set_raw(model_initializer("w", UINT8, 2, dims), w, sizeof w);
    scalar_f32("sb", 0.4f);
    scalar_8("zb", UINT8, 50);
    Onnx__AttributeProto *a =
        model_attribute(microsoft_node("QLinearConcat", "sy zy x sa za w sb zb", "y"), "axis", 2);
    a->has_i = true;
    a->i = 1;
    run_model(1, x, sizeof x, y, sizeof y, KILN_U8);
    for (size_t k = 0; k < 4; k++) {
        ck_assert_int_eq(y[k], (int)saturate(rintf((x[k] - 10.0f) * 0.1f / 0.2f) + 8, KILN_U8));
        ck_assert_int_eq(y[4 + k], (int)saturate(rintf((w[k] - 50.0f) * 0.4f / 0.2f) + 8, KILN_U8));
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("quantize", rounds_halves_to_even_and_saturates),
        TEST("quantize", quantises_to_the_type_of_the_zero_point),
        TEST("quantize", quantises_to_16_bits),
        TEST("quantize", quantises_by_axis_at_any_batch),
        TEST("convolution", convolves_with_the_zero_point_around),
        TEST("convolution", convolves_integers),
        TEST("products", multiplies_with_scales_by_column),
        TEST("products", multiplies_to_real_numbers),
        TEST("elements", adds_with_three_scales),
        TEST("elements", is_a_table_of_256),
        TEST("elements", chooses_between_two_scales),
        TEST("elements", pools_with_channels_last),
        TEST("elements", concatenates_to_one_scale),
    };
    return SUITE("quantized", tests, .begin = make_folder, .end = remove_folder);
}
