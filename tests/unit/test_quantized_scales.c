/* Scales and zero points that are several: of rows, of blocks; and those that a run finds. */
#include "tests/unit/quantized_model.h"
#include "tests/unit/suite.h"

/* ---- Of rows ------------------------------------------------------------------------------- */

/* Each row of the first operand has a scale and a zero point. */
START_TEST(multiplies_with_scales_by_row) {
    static const uint8_t x[] = {200, 3, 77, 0, 255, 128};
    static int8_t w[] = {1, -2, 100, 3, -128, 7};
    static float scales[] = {0.5f, 0.03f}, columns[] = {0.01f, 0.02f};
    static uint8_t zeros[] = {10, 131};
    int64_t two = 2, dims[] = {3, 2};
    int8_t y[4];
    begin(UINT8, "2 3", INT8);
    set_raw(model_initializer("sx", FLOAT, 1, &two), scales, sizeof scales);
    set_raw(model_initializer("zx", UINT8, 1, &two), zeros, sizeof zeros);
    set_raw(model_initializer("w", INT8, 2, dims), w, sizeof w);
    set_raw(model_initializer("sw", FLOAT, 1, &two), columns, sizeof columns);
    scalar_8("zw", INT8, 0);
    scalar_f32("sy", 0.07f);
    scalar_8("zy", INT8, -5);
    model_node("QLinearMatMul", "x sx zx w sw zw sy zy", "y");
    run_model(1, x, sizeof x, y, sizeof y, KILN_I8);
    for (size_t k = 0; k < 4; k++) {
        int32_t sum = 0;
        for (size_t i = 0; i < 3; i++) {
            sum += (x[k / 2 * 3 + i] - zeros[k / 2]) * w[i * 2 + k % 2];
        }
        float factor = (scales[k / 2] * columns[k % 2]) / 0.07f;
        float expected = saturate(rintf((float)sum * factor) - 5, KILN_I8);
        ck_assert_int_eq(y[k], (int)expected);
    }
    verify_model();
}
END_TEST

START_TEST(multiplies_integers_with_zeros_by_row) {
    static const uint8_t x[] = {200, 3, 77, 0, 255, 128};
    static int8_t w[] = {1, -2, 100, 3, -128, 7};
    static uint8_t zeros[] = {10, 131};
    int64_t two = 2, dims[] = {3, 2};
    int32_t y[4];
    begin(UINT8, "2 3", INT32);
    set_raw(model_initializer("w", INT8, 2, dims), w, sizeof w);
    set_raw(model_initializer("zx", UINT8, 1, &two), zeros, sizeof zeros);
    model_node("MatMulInteger", "x w zx", "y");
    run_model(1, x, sizeof x, y, sizeof y, KILN_I32);
    for (size_t k = 0; k < 4; k++) {
        int32_t sum = 0;
        for (size_t i = 0; i < 3; i++) {
            sum += (x[k / 2 * 3 + i] - zeros[k / 2]) * w[i * 2 + k % 2];
        }
        ck_assert_int_eq(y[k], sum);
    }
    verify_model();
}
END_TEST

/* ---- Of blocks ----------------------------------------------------------------------------- */

static void with_blocks(Onnx__NodeProto *n, int64_t size) {
    static Onnx__AttributeProto more[2];
    static Onnx__AttributeProto *lists[2][2];
    size_t k = (size_t)(n - m.nodes);
    Onnx__AttributeProto *axis = model_attribute(n, "axis", 2), *block = &more[k];
    axis->has_i = true;
    axis->i = 1;
    onnx__attribute_proto__init(block);
    block->name = (char *)(uintptr_t) "block_size";
    block->has_type = block->has_i = true;
    block->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    block->i = size;
    lists[k][0] = axis;
    lists[k][1] = block;
    n->attribute = lists[k];
    n->n_attribute = 2;
}

enum { ROWS = 2, COLUMNS = 7, BLOCK = 3, BLOCKS = 3 };

/* The last block is of one element. */
START_TEST(quantises_by_blocks) {
    float x[ROWS * COLUMNS], y[ROWS * COLUMNS];
    float scales[ROWS * BLOCKS] = {1, 0.5f, 0.1f, 2, 0.25f, 0.3f};
    uint8_t zeros[ROWS * BLOCKS] = {0, 7, 100, 128, 3, 250};
    int64_t dims[] = {ROWS, BLOCKS};
    for (size_t k = 0; k < (size_t)ROWS * COLUMNS; k++) {
        x[k] = (float)k * 2.37f - 9;
    }
    model_begin(21);
    model_input("x", FLOAT, "2 7");
    model_output("y", FLOAT);
    set_raw(model_initializer("s", FLOAT, 2, dims), scales, sizeof scales);
    set_raw(model_initializer("z", UINT8, 2, dims), zeros, sizeof zeros);
    with_blocks(model_node("QuantizeLinear", "x s z", "q"), BLOCK);
    with_blocks(model_node("DequantizeLinear", "q s z", "y"), BLOCK);
    run_model(1, x, sizeof x, y, sizeof y, KILN_F32);
    for (size_t k = 0; k < (size_t)ROWS * COLUMNS; k++) {
        size_t b = k / COLUMNS * BLOCKS + k % COLUMNS / BLOCK;
        float q = saturate(rintf(x[k] / scales[b]) + zeros[b], KILN_U8);
        ck_assert_msg(y[k] == (q - zeros[b]) * scales[b], "%zu: %g", k, (double)y[k]);
    }
    verify_model();
}
END_TEST

/* Weights of a layer, which fold. */
START_TEST(dequantises_weights_by_blocks) {
    float x[ROWS] = {1, -2}, y[COLUMNS], scales[ROWS * BLOCKS] = {1, 0.5f, 0.1f, 2, 0.25f, 0.3f};
    int8_t w[ROWS * COLUMNS];
    int64_t dims[] = {ROWS, BLOCKS}, weight_dims[] = {ROWS, COLUMNS};
    for (size_t k = 0; k < sizeof w; k++) {
        w[k] = (int8_t)(k * 37);
    }
    model_begin(21);
    model_input("x", FLOAT, "N 2");
    model_output("y", FLOAT);
    set_raw(model_initializer("w", INT8, 2, weight_dims), w, sizeof w);
    set_raw(model_initializer("s", FLOAT, 2, dims), scales, sizeof scales);
    with_blocks(model_node("DequantizeLinear", "w s", "wd"), BLOCK);
    model_node("MatMul", "x wd", "y");
    run_model(1, x, sizeof x, y, sizeof y, KILN_F32);
    for (size_t k = 0; k < COLUMNS; k++) {
        float sum = (float)w[k] * scales[k / BLOCK] -
                    2 * (float)w[COLUMNS + k] * scales[BLOCKS + k / BLOCK];
        ck_assert_msg(fabsf(y[k] - sum) < 1e-4f, "%zu: %g, expected %g", k, (double)y[k],
                      (double)sum);
    }
    verify_model();
}
END_TEST

START_TEST(refuses_blocks_that_do_not_fit) {
    float scales[4] = {1, 1, 1, 1};
    int64_t dims[] = {2, 2};
    begin(FLOAT, "2 4", FLOAT);
    set_raw(model_initializer("s", FLOAT, 2, dims), scales, sizeof scales);
    model_node("QuantizeLinear", "x s", "q");
    with_blocks(model_node("DequantizeLinear", "q s", "y"), 3);
    model_pack();
    write_bytes(m.path, m.bytes, m.size);
    ck_assert_int_eq(kiln_compile(m.path, in_folder("model.plan"), NULL, NULL, &m.error),
                     KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(m.error.message, "one a block of block_size"));
}
END_TEST

/* ---- Found in a run ------------------------------------------------------------------------ */

/* Who wants the scale and the zero point alone. */
START_TEST(finds_the_range_alone) {
    static const float x[6] = {-1, 0.5f, 4, 2, 3.9f, 0};
    float y;
    begin(FLOAT, "1 6", FLOAT);
    model_node("DynamicQuantizeLinear", "x", "- s z");
    model_attribute(model_node("Cast", "z", "zf"), "to", 2)->i = FLOAT;
    m.attributes[1].has_i = true;
    model_node("Mul", "zf s", "y");
    run_model(1, x, sizeof x, &y, sizeof y, KILN_F32);
    ck_assert(y == 51 * (5.0f / 255));
    verify_model();
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("rows", multiplies_with_scales_by_row),
        TEST("rows", multiplies_integers_with_zeros_by_row),
        TEST("blocks", quantises_by_blocks),
        TEST("blocks", dequantises_weights_by_blocks),
        TEST("blocks", refuses_blocks_that_do_not_fit),
        TEST("dynamic", finds_the_range_alone),
    };
    return SUITE("quantized_scales", tests, .begin = make_folder, .end = remove_folder);
}
