/* A plan with other algorithms in it: its records patched, its weights where they are. */
#include "runtime/base/files.h"
#include "runtime/session.h"
#include "runtime/tune/tuning.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

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

/* All that lies before the weights. */
static size_t record_bytes(const kiln_plan *plan) {
    return (size_t)plan->view.header->sections[KILN_SECTION_WEIGHTS].offset;
}

/* A copy of the records, the choice in them but checksums as they were; NULL: out of memory. */
static uint8_t *copy_records(const kiln_plan *plan, const uint8_t *choice) {
    const kiln_plan_view *v = &plan->view;
    uint8_t *records = malloc(record_bytes(plan));
    if (records == NULL) {
        return NULL;
    }
    memcpy(records, plan->bytes, record_bytes(plan));
    uint8_t *params = records + v->header->sections[KILN_SECTION_PARAMS].offset;
    for (size_t step = 0; step < v->step_count; step++) {
        uint32_t algorithm = choice[step];
        if (algorithm != NO_ALGORITHM) {
            memcpy(params + v->steps[step].params_offset + offsetof(kiln_conv_params, algorithm),
                   &algorithm, sizeof algorithm);
        }
    }
    return records;
}

static void seal(uint8_t *records) {
    kiln_plan_header *header = (kiln_plan_header *)(void *)records;
    kiln_plan_section *params = &header->sections[KILN_SECTION_PARAMS];
    params->checksum = XXH3_64bits(records + params->offset, (size_t)params->bytes);
    header->checksum = XXH3_64bits(header, offsetof(kiln_plan_header, checksum));
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
    uint8_t *records = copy_records(plan, choice);
    if (records == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    kiln_plan_header *header = (kiln_plan_header *)(void *)records;
    header->file_bytes = record_bytes(plan);
    header->sections[KILN_SECTION_WEIGHTS].bytes = 0;
    seal(records);
    kiln_plan *variant = NULL;
    kiln_status status = plan_open_owned(records, record_bytes(plan), plan, &variant, error);
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
    uint8_t *before = v->step_count > 0 ? malloc(v->step_count) : NULL;
    if (before == NULL || adopt_steps(plan, wanted, 0, v->step_count - 1, inout_choice, before)) {
        free(before);
        return;
    }
    for (size_t step = 0, next; step < v->step_count; step = next) {
        const kiln_plan_band *band = band_of_step(v, step);
        next = band != NULL ? band->last_step + (size_t)1 : step + 1;
        if (adopt_steps(plan, wanted, step, next - 1, inout_choice, before)) {
            continue;
        }
        for (size_t k = step; k < next; k++) {
            (void)adopt_steps(plan, wanted, k, k, inout_choice, before);
        }
    }
    free(before);
}

/* ---- As a file ----------------------------------------------------------------------------- */

/* The file that is replaced may be the only copy of the weights: the new one is on the disk before
 * it takes its place. */
static kiln_status write_file(const kiln_plan *plan, const uint8_t *records, const char *path,
                              kiln_error *error) {
    file_writer out;
    size_t front = record_bytes(plan);
    kiln_status status = file_begin(&out, path, error);
    if (status != KILN_OK) {
        return status;
    }
    out.durable = true;
    status = file_write(&out, records, front, error);
    if (status == KILN_OK) {
        status = file_write(&out, plan->bytes + front, plan->size - front, error);
    }
    return file_end(&out, status, error);
}

kiln_status variant_write(const kiln_plan *plan, const uint8_t *choice, const char *path,
                          kiln_error *error) {
    uint8_t *records = copy_records(plan, choice);
    if (records == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    seal(records);
    kiln_status status = write_file(plan, records, path, error);
    free(records);
    return status;
}
