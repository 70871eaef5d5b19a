/* Fuzz target: files of packed weights, beside a plan. */
#include "tests/fuzz/exercise.h"
#include "tests/fuzz/fuzz.h"

#define XXH_INLINE_ALL
#include <unistd.h>
#include <xxhash.h>

/* The layout of runtime/plan/prepacked.c. */
enum { HEADER = 80, COUNT_AT = 12, BYTES_AT = 16, ENTRIES_SUM_AT = 64, SUM_AT = 72, ENTRY = 32 };

static char plan_path[64], packed_path[64];

static void open_and_run(void) {
    kiln_plan *plan = NULL;
    const kiln_plan_options options = {.size = sizeof options, .prepacked_path = packed_path};
    if (kiln_plan_open(plan_path, &options, &plan, NULL) != KILN_OK || !exercise_plan(plan)) {
        fprintf(stderr, "a sound plan does not run\n");
        abort();
    }
    kiln_plan_close(plan);
}

static void make_plan(void) {
    if (plan_path[0] == '\0') {
        snprintf(plan_path, sizeof plan_path, "%s/a.plan", fuzz_folder());
        snprintf(packed_path, sizeof packed_path, "%s/a.packed", fuzz_folder());
        if (!fuzz_write_plan(0, plan_path)) {
            exit(2);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    make_plan();
    (void)unlink(packed_path);
    FILE *file = fopen(packed_path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        perror(packed_path);
        exit(2);
    }
    open_and_run();
    return 0;
}

size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    if (k > 0) {
        return 0;
    }
    make_plan();
    (void)unlink(packed_path);
    open_and_run();
    return fuzz_read(packed_path, out, room);
}

static void repair(uint8_t *bytes, size_t size) {
    uint32_t count;
    uint64_t sum = 0, whole = size;
    memcpy(&count, bytes + COUNT_AT, sizeof count);
    memcpy(bytes + BYTES_AT, &whole, sizeof whole);
    for (size_t k = 0; k < count && k < (size - HEADER) / ENTRY; k++) {
        sum = XXH3_64bits_withSeed(bytes + HEADER + k * ENTRY, ENTRY, sum);
    }
    memcpy(bytes + ENTRIES_SUM_AT, &sum, sizeof sum);
    sum = XXH3_64bits(bytes, SUM_AT);
    memcpy(bytes + SUM_AT, &sum, sizeof sum);
}

size_t fuzz_change(uint64_t *state, uint8_t *bytes, size_t size, size_t room) {
    (void)room;
    if (size < HEADER + ENTRY) {
        return size;
    }
    if (state == NULL) {
        repair(bytes, size);
        return size;
    }
    uint32_t word = fuzz_word(state), count;
    memcpy(&count, bytes + COUNT_AT, sizeof count);
    size_t entries = (size_t)count * ENTRY < size - HEADER ? (size_t)count * ENTRY : size - HEADER;
    size_t at =
        entries >= ENTRY ? HEADER + (size_t)(fuzz_random(state) % (entries / 4)) * 4 : COUNT_AT;
    memcpy(bytes + at, &word, sizeof word);
    return size;
}
