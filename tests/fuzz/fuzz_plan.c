/* libFuzzer entry point: plan files. */
#include "tests/fuzz/exercise.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    kiln_plan *plan = NULL;
    kiln_plan_options options = {.skip_weight_checksums = true};
    uint8_t *copy = malloc(size + 1);
    if (copy != NULL) {
        memcpy(copy, data, size);
        if (kiln_plan_open_memory((kiln_span){copy, size}, &options, &plan, NULL) == KILN_OK) {
            (void)exercise_plan(plan);
            kiln_plan_close(plan);
        }
    }
    free(copy);
    return 0;
}
