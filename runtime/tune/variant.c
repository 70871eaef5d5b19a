/* A plan with other algorithms in it: its records patched, its weights where they are. */
#include "runtime/base/files.h"
#include "runtime/base/memory.h"
#include "runtime/plan/bands.h"
#include "runtime/plan/builder.h"
#include "runtime/tune/tuning.h"

#include <string.h>

void variant_read(const kiln_plan *plan, uint8_t *out_choice) {
    const kiln_plan_view *v = &plan->view;
    for (size_t step = 0; step < v->step_count; step++) {
        kiln_conv_params params;
        out_choice[step] = NO_ALGORITHM;
        if (v->steps[step].kernel == KILN_KERNEL_CONV_2D) {
            memcpy(&params, v->params + v->steps[step].params_offset, sizeof params);
            out_choice[step] = (uint8_t)params.algorithm;
        }
    }
}

/* ---- In memory ----------------------------------------------------------------------------- */

/* The plan's records with the choice in them. */
static kiln_status copy_records(const kiln_plan *plan, const uint8_t *choice,
                                plan_builder *out_builder, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    builder_copy(out_builder, plan);
    if (builder_failed(out_builder)) {
        builder_free(out_builder);
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    uint8_t *params = out_builder->sections[KILN_SECTION_PARAMS].data;
    for (size_t step = 0; step < v->step_count; step++) {
        uint32_t algorithm = choice[step];
        if (algorithm != NO_ALGORITHM) {
            memcpy(params + v->steps[step].params_offset + offsetof(kiln_conv_params, algorithm),
                   &algorithm, sizeof algorithm);
        }
    }
    builder_lay_out(out_builder);
    return KILN_OK;
}

/* False where steps share their parameters, and one's choice has overwritten the other's. */
static bool holds(const kiln_plan *variant, const uint8_t *choice) {
    const kiln_plan_view *v = &variant->view;
    for (size_t step = 0; step < v->step_count; step++) {
        kiln_conv_params params;
        if (choice[step] != NO_ALGORITHM) {
            memcpy(&params, v->params + v->steps[step].params_offset, sizeof params);
            if (params.algorithm != choice[step]) {
                return false;
            }
        }
    }
    return true;
}

kiln_status variant_open(const kiln_plan *plan, const uint8_t *choice, kiln_plan **out_variant,
                         kiln_error *error) {
    plan_builder records;
    byte_buffer bytes = {.allocator = &plan->allocator};
    kiln_status status = copy_records(plan, choice, &records, error);
    if (status != KILN_OK) {
        return status;
    }
    status = builder_write(&records, 0, buffer_write, &bytes, error);
    builder_free(&records);
    if (status != KILN_OK) {
        buffer_free(&bytes);
        return status;
    }
    kiln_plan *variant = NULL;
    status = plan_open_owned(bytes.data, bytes.size, plan, &variant, error);
    if (status == KILN_OK && !holds(variant, choice)) {
        kiln_plan_close(variant);
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED, "convolutions share their parameters");
    }
    if (status == KILN_OK) {
        *out_variant = variant;
    }
    return status;
}

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
    if (variant_open(plan, inout_choice, &variant, NULL) == KILN_OK) {
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
    kiln_status status = copy_records(plan, choice, &records, error);
    if (status == KILN_OK) {
        status = write_to(plan, &records, path, error);
        builder_free(&records);
    }
    return status;
}
