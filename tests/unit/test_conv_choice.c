/* Who computes a convolution, and that plans and sessions tell it. */
#include "runtime/kernels/conv_choice.h"
#include "runtime/ukernels/ukernels.h"
#include "tests/unit/suite.h"

#include <check.h>

#define NEWEST "XNNPACK 2026-08"

START_TEST(products_are_ours_on_x86_and_xnnpacks_on_arm) {
    ck_assert(conv_cost_by_xnnpack("AVX-512", "XNNPACK 2022-02", CONV_PRODUCT) >= 1);
    ck_assert(conv_cost_by_xnnpack("AVX2", NEWEST, CONV_PRODUCT) >= 1);
    ck_assert(conv_cost_by_xnnpack("NEON", "XNNPACK 2022-02", CONV_PRODUCT) < 1);
    ck_assert(conv_cost_by_xnnpack("NEON", NEWEST, CONV_PRODUCT) < 1);
    ck_assert(conv_cost_by_xnnpack("ARMv7 NEON", NEWEST, CONV_PRODUCT) < 1);
    ck_assert(conv_cost_by_xnnpack("ARMv7 NEON", NEWEST, CONV_DEPTHWISE) > 1);
}
END_TEST

START_TEST(narrow_groups_are_xnnpacks) {
    static const char *const sets[] = {"AVX-512", "SSE", "NEON", "unheard of"};
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        ck_assert(conv_cost_by_xnnpack(sets[k], NEWEST, CONV_NARROW_GROUPS) < 1);
    }
}
END_TEST

/* XNNPACK has little for processors between SSE and AVX-512; for SSE each generation has more. */
START_TEST(sets_of_instructions_differ) {
    static const char *const generations[] = {"XNNPACK 2022-02", "XNNPACK 2024-11", NEWEST};
    for (size_t k = 0; k < sizeof generations / sizeof *generations; k++) {
        for (conv_class of = 0; of < CONV_CLASSES; of++) {
            ck_assert(conv_cost_by_xnnpack("AVX2", generations[k], of) > 1);
        }
        ck_assert(conv_cost_by_xnnpack("AVX-512", generations[k], CONV_PRODUCT) > 1);
        ck_assert(conv_cost_by_xnnpack("SSE", generations[k], CONV_DEPTHWISE) > 1);
        ck_assert((conv_cost_by_xnnpack("SSE", generations[k], CONV_PRODUCT) < 1) == (k > 0));
        ck_assert((conv_cost_by_xnnpack("SSE", generations[k], CONV_TRANSPOSED) < 1) == (k == 0));
    }
}
END_TEST

static conv_class class_of(kiln_kernel kernel, uint32_t groups, size_t outputs, size_t depth) {
    const kiln_plan_step step = {.kernel = (uint16_t)kernel};
    const kiln_conv_params params = {.groups = groups};
    operand inputs[2] = {{0}, {.dims = {outputs, 3, 3, depth}}};
    const kernel_call call = {.step = &step, .params = &params, .inputs = inputs};
    return conv_class_of(&call);
}

START_TEST(layers_are_told_apart) {
    size_t nr = ukernels_best()->nr;
    ck_assert_int_eq(class_of(KILN_KERNEL_CONV_2D, 1, 8, 8), CONV_PRODUCT);
    ck_assert_int_eq(class_of(KILN_KERNEL_CONV_2D, 8, 8, 1), CONV_DEPTHWISE);
    ck_assert_int_eq(class_of(KILN_KERNEL_CONV_2D, 8, 16, 1), CONV_DEPTHWISE);
    ck_assert_int_eq(class_of(KILN_KERNEL_CONV_2D, 8, 40, 1), CONV_NARROW_GROUPS);
    ck_assert_int_eq(class_of(KILN_KERNEL_CONV_2D, 2, 2 * nr, 4), CONV_NARROW_GROUPS);
    ck_assert_int_eq(class_of(KILN_KERNEL_CONV_2D, 2, 2 * nr + 2, 4), CONV_WIDE_GROUPS);
    ck_assert_int_eq(class_of(KILN_KERNEL_DECONV_2D, 1, 8, 8), CONV_TRANSPOSED);
    ck_assert_int_eq(class_of(KILN_KERNEL_DECONV_2D, 8, 8, 1), CONV_NARROW_GROUPS);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("costs", products_are_ours_on_x86_and_xnnpacks_on_arm),
        TEST("costs", narrow_groups_are_xnnpacks),
        TEST("costs", sets_of_instructions_differ),
        TEST("classes", layers_are_told_apart),
    };
    return SUITE("conv_choice", tests);
}
