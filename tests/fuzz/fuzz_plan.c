/* Fuzz target: plan files. */
#include "runtime/base/files.h"
#include "runtime/plan/builder.h"
#include "runtime/plan/plan.h"
#include "tests/fuzz/exercise.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/plan_mutator.h"
#include <kiln/faces.h>

/* A plan inside of a plan is as untrusted. */
static void exercise_detector(const kiln_plan *plan) {
    kiln_plan_detector told;
    kiln_plan *inside = NULL;
    kiln_detector *detector = NULL;
    kiln_error error = {0};
    if (kiln_plan_find_detector(plan, &told, &error) != KILN_OK) {
        fuzz_expect_message(&error);
    } else if (told.bundled && kiln_plan_open_detector(plan, NULL, &inside, &error) == KILN_OK) {
        (void)exercise_plan(inside);
        if (kiln_detector_open_bundled(plan, NULL, &detector, &error) != KILN_OK) {
            fuzz_expect_message(&error); /* it is no detector */
        }
    }
    kiln_detector_destroy(detector);
    kiln_plan_close(inside);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    kiln_plan *plan = NULL;
    kiln_error error = {0};
    kiln_plan_options options = {.size = sizeof options, .skip_weight_checksums = true};
    uint8_t *exact = malloc(size + 1); /* so that an overread shows */
    if (exact != NULL) {
        memcpy(exact, data, size);
        if (kiln_plan_open_memory((kiln_span){exact, size}, &options, &plan, &error) == KILN_OK) {
            exercise_detector(plan);
            (void)exercise_plan(plan);
            kiln_plan_close(plan);
        } else {
            fuzz_expect_message(&error);
        }
    }
    free(exact);
    return 0;
}

static size_t seed_of_network(size_t k, uint8_t *out, size_t room) {
    char path[64];
    snprintf(path, sizeof path, "%s/%zu.plan", fuzz_folder(), k);
    size_t size = fuzz_read(path, out, room);
    return size > 0 || k >= FUZZ_NETWORKS || !fuzz_write_plan(k, path) ? size
                                                                       : fuzz_read(path, out, room);
}

/* What a trained plan says of its detector, and a plan in its place: of the network itself. */
static bool write_with_detector(kiln_span bytes, const char *path) {
    kiln_plan *plan = NULL;
    plan_builder b = {0};
    file_writer file;
    if (kiln_plan_open_memory(bytes, NULL, &plan, NULL) != KILN_OK ||
        file_begin(&file, path, NULL) != KILN_OK) {
        kiln_plan_close(plan);
        return false;
    }
    kiln_plan_detector_record record = {.family = "SCRFD",
                                        .name = "detector.onnx",
                                        .plan_checksum = plan->view.header->checksum,
                                        .width = 64,
                                        .height = 64,
                                        .level_count = 1,
                                        .strides = {8},
                                        .anchors = {2},
                                        .score = 0.5F,
                                        .overlap = 0.4F};
    builder_copy(&b, plan);
    builder_optional(&b, KILN_PLAN_DETECTOR, (kiln_span){&record, sizeof record});
    builder_optional(&b, KILN_PLAN_DETECTOR_PLAN, bytes);
    builder_lay_out(&b);
    size_t weights = (size_t)plan->header.sections[KILN_SECTION_WEIGHTS].bytes;
    kiln_status status = builder_write(&b, weights, builder_to_file, &file, NULL);
    if (status == KILN_OK) {
        status = file_write(&file, plan->view.weights, weights, NULL);
    }
    builder_free(&b);
    kiln_plan_close(plan);
    return file_end(&file, status, NULL) == KILN_OK;
}

/* Networks, then the first of them with a detector. */
size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    char path[64];
    if (k != FUZZ_NETWORKS) {
        return seed_of_network(k, out, room);
    }
    snprintf(path, sizeof path, "%s/detector.plan", fuzz_folder());
    size_t size = seed_of_network(0, out, room);
    return write_with_detector((kiln_span){out, size}, path) ? fuzz_read(path, out, room) : 0;
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
