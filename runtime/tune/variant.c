/* A plan with other choices: which it is valid with, and as a file. */
#include "runtime/base/files.h"
#include "runtime/base/memory.h"
#include "runtime/plan/bands.h"
#include "runtime/plan/builder.h"
#include "runtime/tune/tuning.h"
#include <kiln/machine.h>

#include <string.h>

/* Takes over the wanted algorithms of some steps, if the plan is valid with them; else says why it
 * is not. */
static kiln_status adopt_steps(const kiln_plan *plan, const uint8_t *wanted, size_t first,
                               size_t last, uint8_t *inout_choice, uint8_t *before,
                               kiln_error *error) {
    size_t count = last - first + 1;
    kiln_plan *variant = NULL;
    if (memcmp(inout_choice + first, wanted + first, count) == 0) {
        return KILN_OK;
    }
    memcpy(before, inout_choice + first, count);
    memcpy(inout_choice + first, wanted + first, count);
    kiln_status status = plan_open_chosen(plan, inout_choice, &variant, error);
    kiln_plan_close(variant);
    if (status != KILN_OK) {
        memcpy(inout_choice + first, before, count);
    }
    return status;
}

kiln_status variant_adopt(const kiln_plan *plan, const uint8_t *wanted, uint8_t *inout_choice,
                          kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    uint8_t *before = memory_take(&plan->allocator, v->step_count + 1);
    if (before == NULL) {
        return memory_fail(error);
    }
    size_t step = 0, next;
    kiln_status status = v->step_count > 0 ? adopt_steps(plan, wanted, 0, v->step_count - 1,
                                                         inout_choice, before, error)
                                           : KILN_OK;
    bool all = status == KILN_OK;
    for (; !all && step < v->step_count && status != KILN_ERROR_MEMORY; step = next) {
        const kiln_plan_band *band = band_of_step(v->bands, v->band_count, step);
        next = band != NULL ? band->last_step + (size_t)1 : step + 1;
        status = adopt_steps(plan, wanted, step, next - 1, inout_choice, before, error);
        bool band_adopted = status == KILN_OK;
        for (size_t k = step; k < next && !band_adopted && status != KILN_ERROR_MEMORY; k++) {
            status = adopt_steps(plan, wanted, k, k, inout_choice, before, error);
        }
    }
    memory_free(before);
    return status == KILN_ERROR_MEMORY ? status : KILN_OK;
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
                             ? memory_fail(error)
                             : write_to(plan, &records, path, error);
    builder_free(&records);
    buffer_free(&content);
    return status;
}
