/* The header of a plan, of this version of the format or of the one before, which is then read as
 * one of this: its numbers are the same, but it has a section less. */
#include "runtime/base/checksum.h"
#include "runtime/base/files.h"
#include "runtime/plan/plan.h"

#include <string.h>

#define MOST_ARENA_BYTES ((uint64_t)1 << 43)

#define COUNT_BEFORE(NAME, type, records, count, since, check)                                     \
    +((since) <= KILN_PLAN_VERSION_BEFORE)
enum { SECTIONS_BEFORE = KILN_EACH_SECTION(COUNT_BEFORE) };

/* A section that the older file has not becomes an empty one in front of the weights. */
static void bring_up_to_date(kiln_plan_header *h) {
    kiln_plan_section old[SECTIONS_BEFORE];
    memcpy(old, h->sections, sizeof old);
    const kiln_plan_section none = {.offset = old[SECTIONS_BEFORE - 1].offset,
                                    .checksum = checksum("", 0)};
    for (int k = 0, from = 0; k < KILN_SECTION_COUNT; k++) {
        h->sections[k] = plan_sections[k].since <= KILN_PLAN_VERSION_BEFORE ? old[from++] : none;
    }
    h->optional_count = 0;
}

/* The length of a header with so many sections. */
static size_t header_bytes(size_t sections) {
    return offsetof(kiln_plan_header, sections) + sections * sizeof(kiln_plan_section) +
           sizeof(uint64_t);
}

static kiln_status check_version(const kiln_plan *plan, kiln_error *error) {
    const kiln_plan_header *h = &plan->header;
    if (plan->size < header_bytes(SECTIONS_BEFORE) ||
        memcmp(h->magic, KILN_PLAN_MAGIC, sizeof h->magic) != 0) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "not a Kiln plan%s",
                         file_instead((kiln_span){plan->bytes, plan->size}));
    }
    if (h->version > KILN_PLAN_VERSION) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "plan format version %u; this runtime reads up to %u: the plan needs a "
                         "newer one",
                         h->version, KILN_PLAN_VERSION);
    }
    return h->version >= KILN_PLAN_VERSION_BEFORE
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_FORMAT,
                           "plan format version %u; this runtime reads %u and %u: compile again",
                           h->version, KILN_PLAN_VERSION_BEFORE, KILN_PLAN_VERSION);
}

static kiln_status check_numbers(const kiln_plan *plan, kiln_error *error) {
    const kiln_plan_header *h = &plan->header;
    if (h->file_bytes != plan->size) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "damaged plan: %llu bytes where its header says %llu",
                         (unsigned long long)plan->size, (unsigned long long)h->file_bytes);
    }
    bool sound = h->arena_bytes % KILN_ARENA_ALIGNMENT == 0 && h->arena_bytes <= MOST_ARENA_BYTES &&
                 h->batchable <= 1;
    return sound ? KILN_OK
                 : kiln_fail(error, KILN_ERROR_FORMAT, "damaged plan: the header's arena");
}

kiln_status plan_read_header(kiln_plan *plan, kiln_error *error) {
    kiln_plan_header *h = &plan->header;
    *h = (kiln_plan_header){0};
    memcpy(h, plan->bytes, plan->size < sizeof *h ? plan->size : sizeof *h);
    kiln_status status = check_version(plan, error);
    if (status != KILN_OK) {
        return status;
    }
    bool before = h->version == KILN_PLAN_VERSION_BEFORE;
    size_t bytes = header_bytes(before ? SECTIONS_BEFORE : KILN_SECTION_COUNT);
    size_t summed = bytes - sizeof h->checksum;
    if (plan->size >= bytes) {
        memcpy(&h->checksum, plan->bytes + summed, sizeof h->checksum);
    }
    if (plan->size < bytes || h->header_bytes != bytes ||
        h->checksum != checksum(plan->bytes, summed)) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "damaged plan: the header's checksum does not match");
    }
    if (before) {
        bring_up_to_date(h);
    }
    return check_numbers(plan, error);
}
