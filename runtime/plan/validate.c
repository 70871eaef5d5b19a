/* The one function that looks at an untrusted plan: plan_validate. Everything else trusts what
 * passed here. Where sections lie and their checksums are looked at here, their content in the
 * files named after it. */
#include "runtime/base/checksum.h"
#include "runtime/plan/plan.h"

#include <string.h>

static kiln_status fail(kiln_error *error, const char *what) {
    return kiln_fail(error, KILN_ERROR_FORMAT, "damaged plan: %s", what);
}

static kiln_status check_section(const kiln_plan *plan, int kind, uint64_t *inout_end,
                                 kiln_error *error) {
    const kiln_plan_section *s = &plan->header.sections[kind];
    size_t record = plan_sections[kind].record_bytes;
    bool sound = s->offset % KILN_PLAN_SECTION_ALIGNMENT == 0 && s->offset >= *inout_end &&
                 s->offset <= plan->size && s->bytes <= plan->size - s->offset &&
                 s->bytes % record == 0 && s->bytes / record < UINT32_MAX;
    if (!sound) {
        return fail(error, "a section lies outside the file");
    }
    if (s->checksum != checksum(plan->bytes + s->offset, (size_t)s->bytes)) {
        return fail(error, "a section's checksum does not match");
    }
    *inout_end = s->offset + s->bytes;
    return KILN_OK;
}

static kiln_status check_weights(const kiln_plan *plan, uint64_t end, kiln_error *error) {
    const kiln_plan_section *s = &plan->header.sections[KILN_SECTION_WEIGHTS];
    bool sound = s->offset >= end && s->offset <= plan->size &&
                 s->bytes == plan->size - s->offset && s->checksum == 0 &&
                 s->offset % KILN_PLAN_PAGE_ALIGNMENT == 0;
    return sound ? KILN_OK : fail(error, "a section lies outside the file");
}

static kiln_status check_sections(const kiln_plan *plan, kiln_error *error) {
    uint64_t end = plan->header.header_bytes;
    kiln_status status = KILN_OK;
    for (int k = 0; k < KILN_SECTION_WEIGHTS && status == KILN_OK; k++) {
        status = check_section(plan, k, &end, error);
    }
    if (status == KILN_OK) {
        status = plan_validate_optional(plan, &end, error);
    }
    return status == KILN_OK ? check_weights(plan, end, error) : status;
}

static void set_view(kiln_plan *plan) {
    kiln_plan_view *v = &plan->view;
    /* The header is shown where it lies in the file, like all else; that of an older file as one of
     * this version. */
    bool current = plan->header.version == KILN_PLAN_VERSION;
    v->header = current ? (const void *)plan->records : &plan->header;
    for (int k = 0; k < KILN_SECTION_COUNT; k++) {
        const plan_section_row *row = &plan_sections[k];
        const kiln_plan_section *s = &plan->header.sections[k];
        const uint8_t *base = k == KILN_SECTION_WEIGHTS ? plan->bytes : plan->records;
        const void *data = base + s->offset;
        size_t count = (size_t)(s->bytes / row->record_bytes);
        memcpy((uint8_t *)v + row->data, (const void *)&data, sizeof data);
        memcpy((uint8_t *)v + row->count, &count, sizeof count);
    }
    if (plan->weights_of != NULL) {
        v->weights = plan->weights_of->view.weights;
        v->weight_bytes = plan->weights_of->view.weight_bytes;
    }
}

kiln_status plan_validate(kiln_plan *plan, kiln_error *error) {
    kiln_status status = check_sections(plan, error);
    if (status == KILN_OK) {
        set_view(plan);
    }
    for (int k = 0; k < KILN_SECTION_COUNT && status == KILN_OK; k++) {
        if (plan_sections[k].validate != NULL) {
            status = plan_sections[k].validate(plan, error);
        }
    }
    return status;
}
