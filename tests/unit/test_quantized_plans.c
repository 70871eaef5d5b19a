/* What becomes of quantised networks in plans: exact convolutions, weights stored as the integers
 * that they were, roundings in one step; and damage to all that. */
#include "tests/unit/compiled_model.h"
#include "tests/unit/suite.h"
#include <kiln/plan_format.h>

#define XXH_INLINE_ALL
#include <math.h>
#include <stddef.h>
#include <xxhash.h>

#define CHANNELS ((size_t)24)
#define FILTERS (CHANNELS * CHANNELS * 9)

static int8_t filters[FILTERS];
static float scales[CHANNELS];
static kiln_plan *plan;
static kiln_plan_view view;

/* ---- The model ----------------------------------------------------------------------------- */

static void scalar(char *name, float value) {
    static float values[MAX_PARTS];
    size_t k = m.graph.n_initializer;
    values[k] = value;
    set_raw(model_initializer(name, FLOAT, 0, NULL), &values[k], sizeof values[k]);
}

static void zero_point(char *name, int32_t type, int value) {
    static uint8_t values[MAX_PARTS];
    size_t k = m.graph.n_initializer;
    values[k] = (uint8_t)value;
    set_raw(model_initializer(name, type, 0, NULL), &values[k], 1);
}

static void add_filters(int32_t type, void *data, size_t element) {
    static int64_t dims[] = {CHANNELS, CHANNELS, 3, 3};
    set_raw(model_initializer("w", type, 4, dims), data, FILTERS * element);
}

/* x -> Q -> DQ -> Conv with dequantised weights, scaled by output channel -> y */
static void qdq_model(void) {
    static int64_t channels = CHANNELS;
    model_begin(13);
    model_input("x", FLOAT, "N 24 24 24");
    model_output("y", FLOAT);
    for (size_t k = 0; k < FILTERS; k++) {
        filters[k] = (int8_t)(k * 37 + k / 50);
    }
    for (size_t k = 0; k < CHANNELS; k++) {
        scales[k] = 0.01f + 0.001f * (float)k;
    }
    add_filters(INT8, filters, 1);
    set_raw(model_initializer("sw", FLOAT, 1, &channels), scales, sizeof scales);
    scalar("sx", 0.05f);
    zero_point("zx", UINT8, 128);
    model_node("QuantizeLinear", "x sx zx", "q");
    model_node("DequantizeLinear", "q sx zx", "d");
    Onnx__AttributeProto *axis =
        model_attribute(model_node("DequantizeLinear", "w sw", "wd"), "axis", 2);
    axis->has_i = true;
    axis->i = 0;
    model_node("Conv", "d wd", "y");
}

static void compile_model(void) {
    model_pack();
    write_bytes(m.path, m.bytes, m.size);
    kiln_status status = kiln_compile(m.path, in_folder("model.plan"), NULL, NULL, &m.error);
    ck_assert_msg(status == KILN_OK, "%s", m.error.message);
    ck_assert_int_eq(kiln_plan_open(in_folder("model.plan"), NULL, &plan, &m.error), KILN_OK);
    kiln_plan_inspect(plan, &view);
}

static size_t count_steps(kiln_kernel kernel) {
    size_t count = 0;
    for (size_t s = 0; s < view.step_count; s++) {
        count += view.steps[s].kernel == kernel;
    }
    return count;
}

static const kiln_plan_step *first_step(kiln_kernel kernel) {
    size_t s = 0;
    while (s < view.step_count && view.steps[s].kernel != kernel) {
        s++;
    }
    ck_assert_uint_lt(s, view.step_count);
    return &view.steps[s];
}

static const kiln_plan_tensor_record *weights_of_convolution(void) {
    return &view.tensors[view.operands[first_step(KILN_KERNEL_CONV_2D)->first_operand + 1]];
}

static uint32_t algorithm_of_convolution(void) {
    kiln_conv_params params;
    memcpy(&params, view.params + first_step(KILN_KERNEL_CONV_2D)->params_offset, sizeof params);
    return params.algorithm;
}

/* ---- Convolutions -------------------------------------------------------------------------- */

START_TEST(never_takes_winograd) {
    static float values[FILTERS];
    qdq_model();
    compile_model();
    ck_assert_uint_eq(algorithm_of_convolution(), KILN_CONV_GEMM);
    ck_assert_uint_ne(first_step(KILN_KERNEL_CONV_2D)->flags & KILN_STEP_EXACT, 0);
    kiln_plan_close(plan);
    /* The same on real numbers would be Winograd's. */
    model_begin(13);
    model_input("x", FLOAT, "N 24 24 24");
    model_output("y", FLOAT);
    add_filters(FLOAT, values, 4);
    model_node("Conv", "x w", "y");
    compile_model();
    ck_assert_uint_ne(algorithm_of_convolution(), KILN_CONV_GEMM);
    ck_assert_uint_eq(first_step(KILN_KERNEL_CONV_2D)->flags & KILN_STEP_EXACT, 0);
    kiln_plan_close(plan);
}
END_TEST

START_TEST(stores_weights_as_integers_by_channel) {
    float widened[FILTERS];
    qdq_model();
    compile_model();
    const kiln_plan_tensor_record *w = weights_of_convolution();
    ck_assert_int_eq(w->stored_dtype, KILN_I8);
    ck_assert_uint_eq(w->stored_axis, 1);
    ck_assert_uint_eq(kiln_plan_tensor_bytes(w), FILTERS + CHANNELS * 8);
    kiln_plan_widen(&view, w, 0, FILTERS, widened);
    for (size_t k = 0; k < FILTERS; k++) { /* [O][KH][KW][C] */
        size_t o = k / (9 * CHANNELS), tap = k / CHANNELS % 9, c = k % CHANNELS;
        ck_assert(widened[k] == (float)filters[(o * CHANNELS + c) * 9 + tap] * scales[o]);
    }
    kiln_plan_close(plan);
    verify_model();
}
END_TEST

/* What a pass made of the weights is no multiple of the scales any more. */
START_TEST(stores_changed_weights_as_floats) {
    qdq_model();
    m.node_list[3]->output[0] = "c";
    scalar("factor", 0.37f);
    model_node("Mul", "c factor", "y");
    compile_model();
    ck_assert_int_eq(weights_of_convolution()->stored_dtype, KILN_F32);
    kiln_plan_close(plan);
}
END_TEST

/* ---- Roundings ----------------------------------------------------------------------------- */

START_TEST(rounds_in_one_step_for_all_readers) {
    model_begin(13);
    model_input("x", FLOAT, "N 8");
    model_output("y", FLOAT);
    scalar("s", 0.1f);
    zero_point("z", UINT8, 7);
    model_node("QuantizeLinear", "x s z", "q");
    model_node("DequantizeLinear", "q s z", "a");
    model_node("DequantizeLinear", "q s z", "b");
    model_node("Sigmoid", "a", "c");
    model_node("Mul", "b c", "y");
    compile_model();
    ck_assert_uint_eq(count_steps(KILN_KERNEL_QUANTIZE), 1);
    kiln_quantize_params params;
    memcpy(&params, view.params + first_step(KILN_KERNEL_QUANTIZE)->params_offset, sizeof params);
    ck_assert_uint_eq(params.kind, KILN_QUANTIZE_ROUND_TRIP);
    kiln_plan_close(plan);
    verify_model();
}
END_TEST

START_TEST(rounds_twice_with_two_scales) {
    model_begin(13);
    model_input("x", FLOAT, "N 8");
    model_output("y", FLOAT);
    scalar("s", 0.1f);
    scalar("t", 0.2f);
    zero_point("z", UINT8, 7);
    model_node("QuantizeLinear", "x s z", "q");
    model_node("DequantizeLinear", "q t z", "y");
    compile_model();
    ck_assert_uint_eq(count_steps(KILN_KERNEL_QUANTIZE), 2);
    kiln_plan_close(plan);
    verify_model();
}
END_TEST

/* From the range of the whole batch, as ONNX Runtime. */
START_TEST(sums_pass_their_casts) {
    model_begin(13);
    model_input("x", FLOAT, "N 24 24 24");
    model_output("y", FLOAT);
    add_filters(INT8, filters, 1);
    model_node("DynamicQuantizeLinear", "x", "q s z");
    model_node("ConvInteger", "q w z", "c");
    Onnx__AttributeProto *to = model_attribute(model_node("Cast", "c", "f"), "to", 2);
    to->has_i = true;
    to->i = FLOAT;
    model_node("Mul", "f s", "y");
    compile_model();
    ck_assert_uint_eq(count_steps(KILN_KERNEL_CAST), 0);
    ck_assert_uint_eq(count_steps(KILN_KERNEL_QUANTIZE), 1);
    ck_assert_uint_eq(count_steps(KILN_KERNEL_QUANTIZE_RANGE), 1);
    ck_assert_int_eq(weights_of_convolution()->stored_dtype, KILN_I8);
    kiln_plan_close(plan);
    verify_model();
}
END_TEST

START_TEST(gives_the_scale_alone) {
    static const float x[] = {-1, 0, 50};
    float scale;
    model_begin(13);
    model_input("x", FLOAT, "1 3");
    model_output("s", FLOAT);
    model_node("DynamicQuantizeLinear", "x", "q s z");
    run_model(1, x, sizeof x, &scale, sizeof scale, KILN_F32);
    ck_assert(scale == 51.0f / 255);
}
END_TEST

/* ---- Damage -------------------------------------------------------------------------------- */

static void reseal(kiln_plan_header *header) {
    uint8_t *bytes = (uint8_t *)header;
    for (size_t k = 0; k < KILN_SECTION_WEIGHTS; k++) {
        kiln_plan_section *s = &header->sections[k];
        s->checksum = XXH3_64bits(bytes + s->offset, (size_t)s->bytes);
    }
    header->checksum = XXH3_64bits(header, offsetof(kiln_plan_header, checksum));
}

/* A copy of the plan with one thing wrong. */
static void check_refused(void (*damage)(kiln_plan_tensor_record *weights,
                                         kiln_quantize_params *params)) {
    size_t size = (size_t)view.header->file_bytes;
    uint8_t *copy = aligned_alloc(64, (size + 63) / 64 * 64);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, view.header, size);
    const uint8_t *bytes = (const void *)view.header;
    ptrdiff_t weights = (const uint8_t *)weights_of_convolution() - bytes;
    ptrdiff_t params = view.params + first_step(KILN_KERNEL_QUANTIZE)->params_offset - bytes;
    damage((void *)(copy + weights), (void *)(copy + params));
    reseal((void *)copy);
    kiln_plan *damaged = NULL;
    ck_assert_int_eq(kiln_plan_open_memory((kiln_span){copy, size}, NULL, &damaged, &m.error),
                     KILN_ERROR_FORMAT);
    free(copy);
}

static void axis_past_the_rank(kiln_plan_tensor_record *weights, kiln_quantize_params *params) {
    (void)params;
    weights->stored_axis = 5;
}

static void scales_past_the_end(kiln_plan_tensor_record *weights, kiln_quantize_params *params) {
    (void)params;
    weights->dims[0] = 1u << 30;
}

static void axis_of_floats(kiln_plan_tensor_record *weights, kiln_quantize_params *params) {
    (void)params;
    weights->stored_dtype = KILN_F16;
}

static void unknown_kind(kiln_plan_tensor_record *weights, kiln_quantize_params *params) {
    (void)weights;
    params->kind = KILN_QUANTIZE_KIND_COUNT;
}

static void no_bounds(kiln_plan_tensor_record *weights, kiln_quantize_params *params) {
    (void)weights;
    params->high = INFINITY;
}

START_TEST(refuses_damage) {
    qdq_model();
    compile_model();
    check_refused(axis_past_the_rank);
    check_refused(scales_past_the_end);
    check_refused(axis_of_floats);
    check_refused(unknown_kind);
    check_refused(no_bounds);
    kiln_plan_close(plan);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("weights", never_takes_winograd),
        TEST("weights", stores_weights_as_integers_by_channel),
        TEST("weights", stores_changed_weights_as_floats),
        TEST("rounding", rounds_in_one_step_for_all_readers),
        TEST("rounding", rounds_twice_with_two_scales),
        TEST("rounding", sums_pass_their_casts),
        TEST("rounding", gives_the_scale_alone),
        TEST("damage", refuses_damage),
    };
    return SUITE("quantized_plans", tests, .begin = make_folder, .end = remove_folder);
}
