/* Plans as files. */
#include "tests/unit/network.h"
#include "tests/unit/suite.h"

#include <unistd.h>

static char path[] = "/tmp/kiln-write-XXXXXX";

/* A constant that another one has brought already is stored once, also where it is the last. */
START_TEST(equal_constants_are_stored_once) {
    kiln_compile_options options;
    kiln_plan *plan = NULL;
    network n;
    kiln_compile_options_init(&options);
    network_begin(&n, 1);
    tensor *x = network_input(&n, 4, 5, 6);
    const int64_t dims[] = {4, 5, 6};
    for (int k = 0; k < 2; k++) {
        n.state = 9;
        tensor *c = network_constant(&n, 3, dims, 1);
        network_output(&n, network_apply(&n, k == 0 ? "Add" : "Mul", 2, (tensor *[]){x, c}, NULL));
    }
    ck_assert_msg(network_write(&n, &options, path) == KILN_OK, "%s", network_error.message);
    ck_assert_msg(kiln_plan_open(path, NULL, &plan, &network_error) == KILN_OK, "%s",
                  network_error.message);
    kiln_plan_view v;
    kiln_plan_inspect(plan, &v);
    size_t constants = 0;
    uint64_t first = 0;
    for (size_t t = 0; t < v.tensor_count; t++) {
        if (v.tensors[t].place == KILN_PLACE_CONSTANT) {
            first = constants == 0 ? v.tensors[t].offset : first;
            ck_assert_uint_eq(v.tensors[t].offset, first);
            constants++;
        }
    }
    ck_assert_uint_eq(constants, 2);
    kiln_plan_close(plan);
}
END_TEST

int main(void) {
    int file = mkstemp(path);
    const suite_test tests[] = {
        TEST("constants", equal_constants_are_stored_once),
    };
    int failed = SUITE("write", tests);
    (void)close(file);
    (void)unlink(path);
    return failed;
}
