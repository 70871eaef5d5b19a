/* The measured peaks: there, finite, and refused where the request makes no sense. */
#include "tests/unit/suite.h"

#include <check.h>
#include <kiln/machine.h>
#include <math.h>
#include <stdlib.h>

START_TEST(peaks_are_measured) {
    kiln_machine machine = {0};
    for (uint32_t threads = 1; threads <= 2; threads++) {
        ck_assert_int_eq(kiln_machine_measure(threads, &machine, NULL), KILN_OK);
        ck_assert_uint_eq(machine.threads, threads);
        ck_assert_ptr_nonnull(machine.vectors);
        ck_assert(isfinite(machine.flops) && machine.flops > 0);
        ck_assert(isfinite(machine.bandwidth) && machine.bandwidth > 0);
    }
}
END_TEST

START_TEST(senseless_requests_are_refused) {
    kiln_machine machine = {.threads = 7};
    kiln_error error;
    ck_assert_int_eq(kiln_machine_measure(0, &machine, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_machine_measure(257, &machine, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_machine_measure(1, NULL, &error), KILN_ERROR_ARGUMENT);
    ck_assert_uint_eq(machine.threads, 7);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("peaks", peaks_are_measured),
        TEST("refused", senseless_requests_are_refused),
    };
    return SUITE("machine", tests);
}
