/* A plan with other choices: which it is valid with, and as a file. */
#include "runtime/base/files.h"
#include "runtime/base/memory.h"
#include "runtime/plan/bands.h"
#include "runtime/plan/builder.h"
#include "runtime/tune/tuning.h"
#include <kiln/machine.h>

#include <string.h>

/* Takes over the wanted algorithms of some steps, if the plan is valid with them. */
static bool adopt_steps(const kiln_plan *plan, const uint8_t *wanted, size_t first, size_t last,
                        uint8_t *inout_choice, uint8_t *before) {
    size_t count = last - first + 1;
    kiln_plan *variant = NULL;
    if (memcmp(inout_choice + first, wanted + first, count) == 0) {
        return true;
    }
    memcpy(before, inout_choice + first, count);
    memcpy(inout_choice + first, wanted + first, count);
    if (plan_open_chosen(plan, inout_choice, &variant, NULL) == KILN_OK) {
        kiln_plan_close(variant);
        return true;
    }
    memcpy(inout_choice + first, before, count);
    return false;
}

void variant_adopt(const kiln_plan *plan, const uint8_t *wanted, uint8_t *inout_choice) {
    const kiln_plan_view *v = &plan->view;
    uint8_t *before = v->step_count > 0 ? memory_take(&plan->allocator, v->step_count) : NULL;
    if (before == NULL || adopt_steps(plan, wanted, 0, v->step_count - 1, inout_choice, before)) {
        memory_free(before);
        return;
    }
    for (size_t step = 0, next; step < v->step_count; step = next) {
        const kiln_plan_band *band = band_of_step(v->bands, v->band_count, step);
        next = band != NULL ? band->last_step + (size_t)1 : step + 1;
        if (adopt_steps(plan, wanted, step, next - 1, inout_choice, before)) {
            continue;
        }
        for (size_t k = step; k < next; k++) {
            (void)adopt_steps(plan, wanted, k, k, inout_choice, before);
        }
    }
    memory_free(before);
}

/* ---- As a file ----------------------------------------------------------------------------- */

/* The file that is replaced may be the only copy of the weights: the new one is on the disk before
 * it takes its place. */
static kiln_status write_to(const kiln_plan *plan, plan_builder *records, const char *path,
                            kiln_error *error) {
    file_writer out;
    const kiln_plan_section *weights = &plan->view.header->sections[KILN_SECTION_WEIGHTS];
    kiln_status status = file_begin(&out, path, error);
    if (status != KILN_OK) {
        return status;
    }
    out.durable = true;
    status = builder_write(records, weights->bytes, builder_to_file, &out, error);
    if (status == KILN_OK) {
        status = file_write(&out, plan->view.weights, (size_t)weights->bytes, error);
    }
    return file_end(&out, status, error);
}

kiln_status variant_write(const kiln_plan *plan, const uint8_t *choice, const char *path,
                          kiln_error *error) {
    plan_builder records;
    byte_buffer content = {.allocator = &plan->allocator};
    builder_copy(&records, plan);
    if (choice != NULL) {
        choices_write(plan, kiln_machine_processor(), choice, &content);
        builder_optional(&records, KILN_PLAN_TUNED, (kiln_span){content.data, content.size});
    }
    builder_lay_out(&records);
    kiln_status status = content.failed || builder_failed(&records)
                             ? kiln_fail(error, KILN_ERROR_MEMORY, "out of memory")
                             : write_to(plan, &records, path, error);
    builder_free(&records);
    buffer_free(&content);
    return status;
}
