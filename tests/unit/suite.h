/* A suite: its tests, each of a theme. A theme is a TCase of Check, so that
 *   CK_RUN_CASE=THEME build/debug/tests/unit/test_NAME
 * runs it alone. Each test runs in a process of its own (CK_FORK=no: in this one, for a debugger).
 */
#ifndef KILN_TESTS_SUITE_H
#define KILN_TESTS_SUITE_H

#include <check.h>
#include <string.h>

enum { SUITE_SECONDS = 240 }; /* a test that takes longer hangs */

typedef struct suite_test {
    const char *theme; /* tests of one theme stand together */
    const TTest *test;
    int first, end; /* of _i */
} suite_test;

/* A test; one for each _i from `from` to below `to`; one for each element of an array. */
#define TEST(theme, test)                                                                          \
    { theme, test, 0, 1 }
#define LOOP(theme, test, from, to)                                                                \
    { theme, test, from, to }
#define EACH(theme, test, array)                                                                   \
    { theme, test, 0, (int)(sizeof(array) / sizeof *(array)) }

typedef struct suite {
    const char *name;
    const suite_test *tests;
    size_t count;
    void (*once)(void);                /* before a theme */
    void (*begin)(void), (*end)(void); /* around each test */
} suite;

/* 0 when all pass. */
static inline int suite_run(const suite *s) {
    Suite *all = suite_create(s->name);
    TCase *theme = NULL;
    for (size_t k = 0; k < s->count; k++) {
        const suite_test *t = &s->tests[k];
        if (k == 0 || strcmp(t->theme, s->tests[k - 1].theme) != 0) {
            theme = tcase_create(t->theme);
            tcase_set_timeout(theme, SUITE_SECONDS);
            tcase_add_unchecked_fixture(theme, s->once, NULL);
            tcase_add_checked_fixture(theme, s->begin, s->end);
            suite_add_tcase(all, theme);
        }
        tcase_add_loop_test(theme, t->test, t->first, t->end);
    }
    SRunner *runner = srunner_create(all);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

#define SUITE(title, list, ...)                                                                    \
    suite_run(&(suite){                                                                            \
        .name = (title), .tests = (list), .count = sizeof(list) / sizeof *(list), __VA_ARGS__})

#endif
