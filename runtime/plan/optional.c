/* Optional sections: passed over by who does not know them, and taken along. */
#include "runtime/base/checksum.h"
#include "runtime/plan/plan.h"

#include <string.h>

static uint64_t align(uint64_t offset) {
    return (offset + KILN_PLAN_SECTION_ALIGNMENT - 1) / KILN_PLAN_SECTION_ALIGNMENT *
           KILN_PLAN_SECTION_ALIGNMENT;
}

/* Where the last section before the optional ones ends. */
static uint64_t end_of_records(const kiln_plan *plan) {
    const kiln_plan_section *last = &plan->header.sections[KILN_SECTION_WEIGHTS - 1];
    return last->offset + last->bytes;
}

/* Where the first optional section begins. */
static uint64_t first_of(const kiln_plan *plan) {
    return align(end_of_records(plan));
}

/* Checks the optional section at an offset; *out_end is where its content ends. */
static bool is_sound(const kiln_plan *plan, uint64_t at, uint64_t *out_end) {
    kiln_plan_optional record;
    if (at > plan->size || plan->size - at < sizeof record) {
        return false;
    }
    memcpy(&record, plan->bytes + at, sizeof record);
    at += sizeof record;
    if (record.record_checksum !=
            checksum(&record, offsetof(kiln_plan_optional, record_checksum)) ||
        record.bytes > plan->size - at ||
        record.checksum != checksum(plan->bytes + at, (size_t)record.bytes)) {
        return false;
    }
    *out_end = at + record.bytes;
    return true;
}

kiln_status plan_validate_optional(const kiln_plan *plan, uint64_t *out_end, kiln_error *error) {
    *out_end = end_of_records(plan);
    for (uint32_t k = 0; k < plan->header.optional_count; k++) {
        if (!is_sound(plan, align(*out_end), out_end)) {
            return kiln_fail(error, KILN_ERROR_FORMAT, "damaged plan: optional section %u", k);
        }
    }
    return KILN_OK;
}

/* Returns the content of the section at *inout_at, and moves that to the next one. */
static kiln_span next_section(const kiln_plan *plan, uint64_t *inout_at,
                              kiln_plan_optional *out_record) {
    memcpy(out_record, plan->records + *inout_at, sizeof *out_record);
    uint64_t content = *inout_at + sizeof *out_record;
    *inout_at = align(content + out_record->bytes);
    return (kiln_span){plan->records + content, (size_t)out_record->bytes};
}

kiln_span plan_optional_bytes(const kiln_plan *plan) {
    uint64_t first = first_of(plan), at = first, end = first;
    for (uint32_t k = 0; k < plan->header.optional_count; k++) {
        kiln_plan_optional record;
        kiln_span content = next_section(plan, &at, &record);
        end = (uint64_t)((const uint8_t *)content.data - plan->records) + content.size;
    }
    return (kiln_span){plan->records + first, (size_t)(end - first)};
}

bool kiln_plan_find_section(const kiln_plan *plan, const char *tag, kiln_span *out_content) {
    uint64_t at = first_of(plan);
    for (uint32_t k = 0; k < plan->header.optional_count; k++) {
        kiln_plan_optional record;
        kiln_span content = next_section(plan, &at, &record);
        if (strncmp(record.tag, tag, sizeof record.tag) == 0 && strlen(tag) <= sizeof record.tag) {
            *out_content = content;
            return true;
        }
    }
    return false;
}
