/* The operators between real numbers and integers, one at a time (operator_case.h). */
#include "compiler/ops/quantize.h"
#include "tests/scratch.h"
#include "tests/unit/operator_case.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

static const operator_case cases[] = {
    {"QuantizeLinear", "output_dtype=2", {"f N 3 4 5 from -9 to 9", "f = 0.1", "f = 100"}},
    {"QuantizeLinear", "output_dtype=3", {"f N 3 4 5 from -9 to 9", "f = 0.1"}},
    {"QuantizeLinear", "output_dtype=5", {"f N 3 4 5 from -9 to 9", "f = 0.0001"}},
    {"QuantizeLinear",
     "output_dtype=2",
     {"f N 3 4 5 from -9 to 9", "f 3 = 0.1 1 0.03", "f 3 = 1 2 90"}},
    {"QuantizeLinear", "output_dtype=2 axis=-1", {"f N 2 4 3 from -9 to 9", "f 3 = 0.1 1 0.03"}},
    {"QuantizeLinear",
     "output_dtype=2 axis=2",
     {"f N 2 3 4 from -9 to 9", "f 3 = 0.1 1 0.03", "f = 7"}},
    {"QuantizeLinear", "output_dtype=2 axis=0", {"f 3 4 from -9 to 9", "f 3 = 0.1 1 0.03"}},
    {"QuantizeLinear",
     "output_dtype=2",
     {"f N 6 from -9 to 9", "f from 0.1 to 0.2", "i from 3 to 9"}},
    {"QuantizeLinear", "output_dtype=2", {"f from -9 to 9", "f = 0.1"}},
    {"DequantizeLinear", "", {"f N 3 4 5 from 0 to 255", "f 3 = 0.1 1 0.03", "f 3 = 1 2 90"}},
    {"DequantizeLinear", "", {"i N 3 4 from -999 to 999", "f = 0.1"}},
    {OP_QUANTIZE_CENTRED, "output_dtype=2", {"f N 3 4 5 from -9 to 9", "f = 0.1", "f = 100"}},
    {OP_QUANTIZE_ROUND_TRIP, "output_dtype=3 axis=1", {"f N 2 9 from -9 to 9", "f 2 = 0.1 1"}},
    {OP_REQUANTIZE,
     "output_dtype=2",
     {"f N 3 4 5 from -999 to 999", "f 3 = 0.1 1 0.03", "f = 100"}},
    {OP_REQUANTIZE_CENTRED, "output_dtype=2", {"f N 3 4 from -999 to 999", "f = 0.1", "f = 100"}},
    {"QuantizeRange", "@outputs=2", {"f 2 3 7 from -3 to 9"}},
    {"QuantizeRange", "@outputs=2", {"f 1 40 from 3 to 9"}},
    {"QuantizeRange", "@outputs=2", {"f 1 40 from 0 to 0"}},
};

START_TEST(agrees) {
    char folder[] = "/tmp/kiln-quantize-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    case_check(&cases[_i], folder);
    ck_assert(scratch_remove(folder));
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("operators", agrees, cases),
    };
    return SUITE("quantize", tests);
}
