/* Operators one by one: plans at batch 1, 2 and 3 against the naive evaluator, and the evaluator
 * against values of ONNX Runtime. */
#include "tests/scratch.h"
#include "tests/unit/operator_case.h"

static char folder[64];

static const operator_case elementwise[] = {
    {"Sin", "", {"f N 3 4 5 from -8 to 8"}},
    {"Cos", "", {"f N 3 4 5 from -8 to 8"}},
    {"Tan", "", {"f N 3 4 5 from -1.4 to 1.4"}},
    {"Asin", "", {"f N 3 4 5 from -1 to 1.1"}},
    {"Acos", "", {"f N 3 4 5 from -1.1 to 1"}},
    {"Atan", "", {"f N 3 4 5 from -9 to 9"}},
    {"Sinh", "", {"f N 3 4 5 from -5 to 5"}},
    {"Cosh", "", {"f N 3 4 5 from -5 to 5"}},
    {"Asinh", "", {"f N 3 4 5 from -9 to 9"}},
    {"Acosh", "", {"f N 3 4 5 from 0.5 to 9"}},
    {"Atanh", "", {"f N 3 4 5 from -1 to 1"}},
    {"ThresholdedRelu", "alpha=0.7", {"f N 3 4 5 from -2 to 2"}},
    {"Shrink", "lambd=0.6 bias=0.2", {"f N 3 4 5 from -2 to 2"}},
    {"IsNaN", "", {"f N 3 from -2 to 2"}},
    {"IsInf", "detect_negative=0", {"f N 3 from -2 to 2"}},
    {"LessOrEqual", "", {"i N 3 4 5 from -2 to 2", "i 3 1 1 from -2 to 2"}},
    {"GreaterOrEqual", "", {"i N 7 from -2 to 2", "i N 7 from -2 to 2"}},
    {"LessOrEqual", "", {"f N 3 4 5 from -2 to 2", "f 4 5 from -2 to 2"}},
    {"Xor", "", {"b N 3 4 from 0 to 1", "b 4 from 0 to 1"}},
    {"Mod", "", {"i N 40 from -9 to 9", "i N 40 from -3 to 3"}},
    {"Mod", "fmod=1", {"i N 40 from -9 to 9", "i N 40 from -3 to 3"}},
    {"Mod", "fmod=1", {"f N 40 from -9 to 9", "f 40 from -3 to 3"}},
    {"BitShift", "direction=LEFT", {"i N 9 from 0 to 99", "i 9 from 0 to 70"}},
    {"BitShift", "direction=RIGHT", {"i N 9 from 0 to 99", "i 9 from 0 to 7"}},
};

START_TEST(runs_elementwise_operators) {
    case_check(&elementwise[_i], folder);
}
END_TEST

/* The evaluator on constants. */
static const tensor *evaluated(network *n, const operator_case *c) {
    case_evaluate(n, case_begin(n, c, 1, true));
    return n->outputs[0];
}

static const struct {
    operator_case c;
    double expected[12];
} known[] = {
    {{"Mod", "", {"i 6 = -7 7 -7 7 5 5", "i 6 = 3 -3 -3 3 0 -1"}}, {2, -2, -1, 1, 0, 0}},
    {{"Mod", "fmod=1", {"f 4 = -4.3 7.2 5 4.3", "f 4 = 2.1 -3.4 8 -2.1"}}, {-0.1, 0.4, 5, 0.1}},
    {{"Shrink", "lambd=1.5 bias=1.5", {"f 5 = -2 -1 0 1 2"}}, {-0.5, 0, 0, 0, 0.5}},
    {{"IsNaN", "", {"f 4 = nan 1 inf -inf"}}, {1, 0, 0, 0}},
    {{"IsInf", "", {"f 4 = nan 1 inf -inf"}}, {0, 0, 1, 1}},
    {{"IsInf", "detect_positive=0", {"f 4 = nan 1 inf -inf"}}, {0, 0, 0, 1}},
    {{"LessOrEqual", "", {"f 4 = nan 1 2 3", "f 4 = 1 1 1 nan"}}, {0, 1, 0, 0}},
    {{"GreaterOrEqual", "", {"f 4 = nan 1 2 3", "f 4 = 1 1 1 nan"}}, {0, 1, 1, 0}},
    {{"BitShift", "direction=LEFT", {"i 3 = 16 4 1", "i 3 = 1 2 64"}}, {32, 16, 0}},
};

static double element(const tensor *t, int64_t k) {
    return t->dtype == KILN_F32   ? (double)((const float *)t->data)[k]
           : t->dtype == KILN_I64 ? (double)((const int64_t *)t->data)[k]
                                  : (double)((const uint8_t *)t->data)[k];
}

START_TEST(evaluates_as_onnx_runtime_does) {
    network n;
    const tensor *y = evaluated(&n, &known[_i].c);
    for (int64_t k = 0; k < tensor_elements(y); k++) {
        ck_assert_msg(fabs(element(y, k) - known[_i].expected[k]) < 1e-5,
                      "%s %s, element %lld: %g, expected %g", known[_i].c.op,
                      known[_i].c.attributes, (long long)k, element(y, k), known[_i].expected[k]);
    }
    graph_free(n.g);
}
END_TEST

static void make_folder(void) {
    snprintf(folder, sizeof folder, "/tmp/kiln-operators-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void) {
    ck_assert(scratch_remove(folder));
}

#define ADD(test, table) tcase_add_loop_test(all, test, 0, sizeof(table) / sizeof *(table))

int main(void) {
    Suite *suite = suite_create("operators");
    TCase *all = tcase_create("operators");
    tcase_add_checked_fixture(all, make_folder, remove_folder);
    tcase_set_timeout(all, 120);
    ADD(runs_elementwise_operators, elementwise);
    ADD(evaluates_as_onnx_runtime_does, known);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
