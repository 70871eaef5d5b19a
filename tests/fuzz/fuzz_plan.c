/* Fuzz target: plan files. */
#include "tests/fuzz/exercise.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/plan_mutator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    kiln_plan *plan = NULL;
    kiln_error error = {0};
    kiln_plan_options options = {.size = sizeof options, .skip_weight_checksums = true};
    uint8_t *exact = malloc(size + 1); /* so that an overread shows */
    if (exact != NULL) {
        memcpy(exact, data, size);
        if (kiln_plan_open_memory((kiln_span){exact, size}, &options, &plan, &error) == KILN_OK) {
            (void)exercise_plan(plan);
            kiln_plan_close(plan);
        } else {
            fuzz_expect_message(&error);
        }
    }
    free(exact);
    return 0;
}

size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    char path[64];
    snprintf(path, sizeof path, "%s/%zu.plan", fuzz_folder(), k);
    size_t size = fuzz_read(path, out, room);
    return size > 0 || k >= FUZZ_NETWORKS || !fuzz_write_plan(k, path) ? size
                                                                       : fuzz_read(path, out, room);
}

size_t fuzz_change(uint64_t *state, uint8_t *bytes, size_t size, size_t room) {
    (void)room;
    if (state == NULL) {
        plan_repair(bytes, size);
    } else if (fuzz_random(state) % 8 == 0) {
        plan_change_container(state, bytes, size);
    } else if (fuzz_random(state) % 2 == 0) {
        plan_change_schedule(state, bytes, size);
    } else {
        plan_change_record(state, bytes, size);
    }
    return size;
}
