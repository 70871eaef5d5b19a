/* Shares with their intervals, and points of the curve of strangers who pass against people named.
 */
#include "compiler/cli/people/open_set.h"
#include "tests/unit/suite.h"

#include <math.h>
#include <stdlib.h>

/* Wilson, 1927, as statsmodels' proportion_confint(method="wilson") has them. */
START_TEST(intervals_are_wilsons) {
    static const struct {
        size_t of, all;
        double low, high;
    } cases[] = {{0, 100, 0, 0.036993},
                 {50, 100, 0.403832, 0.596168},
                 {3, 200, 0.005114, 0.043166},
                 {1, 1, 0.206543, 1}};
    share s = share_of(cases[_i].of, cases[_i].all);
    ck_assert_double_eq_tol(s.value, (double)cases[_i].of / (double)cases[_i].all, 1e-12);
    ck_assert_double_eq_tol(s.low, cases[_i].low, 1e-5);
    ck_assert_double_eq_tol(s.high, cases[_i].high, 1e-5);
}
END_TEST

START_TEST(nothing_has_no_share) {
    ck_assert(isnan(share_of(0, 0).value));
    open_set o = {.passed = 0};
    open_set_settle(&o);
    ck_assert(isnan(open_set_at(&o, 0.1).named.value));
    open_set_free(&o);
}
END_TEST

/* Of 10 strangers at 0.0, 0.1, ... 0.9 and people at 0.05, 0.15, ...; one of whom is misnamed. */
START_TEST(points_are_where_so_many_pass) {
    open_set o = {.passed = 0};
    o.known.values = malloc(10 * sizeof(float));
    o.strangers.values = malloc(10 * sizeof(float));
    for (size_t k = 0; k < 10; k++) {
        o.strangers.values[k] = (float)(k * 7 % 10) / 10;
        o.known.values[k] = k == 0 ? -2 : (float)(k * 3 % 10) / 10 + 0.05f;
    }
    o.known.count = o.strangers.count = 10;
    open_set_settle(&o);
    ck_assert_uint_eq(open_set_at(&o, 0.09).passing.of, 0);
    ck_assert_uint_eq(open_set_at(&o, 0.09).named.of, 1);
    ck_assert_uint_eq(open_set_at(&o, 0.1).passing.of, 1);
    ck_assert_uint_eq(open_set_at(&o, 0.1).named.of, 2);
    ck_assert_uint_eq(open_set_at(&o, 0.5).passing.of, 5);
    ck_assert_uint_eq(open_set_at(&o, 0.5).named.of, 6);
    ck_assert_uint_eq(open_set_at(&o, 1).named.of, 9);
    open_set_free(&o);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        LOOP("shares", intervals_are_wilsons, 0, 4),
        TEST("shares", nothing_has_no_share),
        TEST("curve", points_are_where_so_many_pass),
    };
    return SUITE("open_set", tests);
}
