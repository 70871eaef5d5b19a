/* Export asks for memory by what it can say, not by what a plan declares. */
#include "compiler/export/export.h"
#include "tests/unit/network.h"
#include "tests/unit/suite.h"

#include <sys/resource.h>
#include <unistd.h>

/* A transposition of 67 million elements, in a plan of some thousand bytes. */
START_TEST(a_huge_copy_is_refused_without_a_map) {
    char path[] = "/tmp/kiln-export-XXXXXX";
    const int64_t order[] = {0, 1, 3, 2};
    kiln_compile_options options;
    kiln_plan *plan = NULL;
    kiln_error error;
    struct rusage use;
    network n;
    node *made;
    kiln_compile_options_init(&options);
    ck_assert_int_eq(close(mkstemp(path)), 0);
    network_begin(&n, 1);
    tensor *x = network_input(&n, 1, 8192, 8193);
    tensor *y = network_apply(&n, "Transpose", 1, &x, &made);
    ck_assert_int_eq(node_set_ints(n.g, made, "perm", order, 4), KILN_OK);
    ck_assert_int_eq(graph_infer_node(n.g, made), KILN_OK);
    network_output(&n, y);
    ck_assert_int_eq(network_write(&n, &options, path), KILN_OK);
    ck_assert_int_eq(kiln_plan_open(path, NULL, &plan, &error), KILN_OK);
    ck_assert_int_eq(export_plan(plan, path, &error), KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "very many elements"));
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &use), 0);
    ck_assert_int_lt(use.ru_maxrss, 400L << 10); /* KiB; the map alone is 512 MiB */
    kiln_plan_close(plan);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("memory", a_huge_copy_is_refused_without_a_map),
    };
    return SUITE("export_limits", tests);
}
