/* The channels-last permutation, its inverse, and what lies side by side. */
#include "runtime/plan/layout.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

START_TEST(orders_images_with_channels_last) {
    static const uint32_t order[4] = {0, 2, 3, 1}; /* N,C,H,W is stored N,H,W,C */
    for (uint32_t k = 0; k < 4; k++) {
        ck_assert_uint_eq(layout_logical_axis(KILN_CHANNELS_LAST, 4, k), order[k]);
        ck_assert_uint_eq(layout_physical_axis(KILN_CHANNELS_LAST, 4, order[k]), k);
    }
}
END_TEST

/* A row-major tensor lies as its dims say; each layout's two functions undo each other. */
START_TEST(has_an_inverse) {
    for (uint32_t rank = 3; rank <= KILN_MAX_RANK; rank++) {
        for (uint32_t k = 0; k < rank; k++) {
            ck_assert_uint_eq(layout_logical_axis(KILN_ROW_MAJOR, rank, k), k);
            ck_assert_uint_eq(layout_physical_axis(KILN_ROW_MAJOR, rank, k), k);
            uint32_t axis = layout_logical_axis(KILN_CHANNELS_LAST, rank, k);
            ck_assert_uint_lt(axis, rank);
            ck_assert_uint_eq(layout_physical_axis(KILN_CHANNELS_LAST, rank, axis), k);
        }
    }
}
END_TEST

START_TEST(knows_what_lies_side_by_side) {
    static const uint32_t dims[5] = {2, 3, 5, 7, 11};
    ck_assert_uint_eq(layout_inner(KILN_ROW_MAJOR, 0, dims), 1);
    ck_assert_uint_eq(layout_inner(KILN_ROW_MAJOR, 2, dims), 3);
    ck_assert_uint_eq(layout_inner(KILN_ROW_MAJOR, 5, dims), 11);
    ck_assert_uint_eq(layout_inner(KILN_CHANNELS_LAST, 3, dims), 3);
    ck_assert_uint_eq(layout_inner(KILN_CHANNELS_LAST, 5, dims), 3);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("order", orders_images_with_channels_last),
        TEST("order", has_an_inverse),
        TEST("neighbours", knows_what_lies_side_by_side),
    };
    return SUITE("layout", tests);
}
