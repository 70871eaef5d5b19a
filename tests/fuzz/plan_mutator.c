/* Changes of plan files: see plan_mutator.h. */
#include "tests/fuzz/plan_mutator.h"
#include "tests/fuzz/fuzz.h"

#include <kiln/plan_format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Where the first optional section lies; 0: not in the file. */
static size_t first_optional(const uint8_t *bytes, size_t size) {
    const kiln_plan_section *bands =
        &((const kiln_plan_header *)(const void *)bytes)->sections[KILN_SECTION_BANDS];
    bool there = bands->offset <= size && bands->bytes <= size - bands->offset;
    return there ? (size_t)(bands->offset + bands->bytes + 63) / 64 * 64 : 0;
}

static void repair_optional(uint8_t *bytes, size_t size) {
    const kiln_plan_header *h = (const void *)bytes;
    size_t at = first_optional(bytes, size);
    for (uint32_t k = 0; k < h->optional_count && k < 4; k++) {
        kiln_plan_optional *record = (void *)(bytes + at);
        if (at == 0 || at > size || size - at < sizeof *record) {
            return;
        }
        size_t content = at + sizeof *record;
        if (record->bytes <= size - content) {
            record->checksum = XXH3_64bits(bytes + content, (size_t)record->bytes);
            at = (content + (size_t)record->bytes + 63) / 64 * 64;
        }
        record->record_checksum =
            XXH3_64bits(record, offsetof(kiln_plan_optional, record_checksum));
    }
}

void plan_repair(uint8_t *bytes, size_t size) {
    kiln_plan_header *h = (void *)bytes;
    if (size < sizeof *h) {
        return;
    }
    bool before = h->version == KILN_PLAN_VERSION_BEFORE; /* which has a section less */
    int weights = before ? KILN_SECTION_WEIGHTS - 1 : KILN_SECTION_WEIGHTS;
    h->file_bytes = size;
    memcpy(h->magic, KILN_PLAN_MAGIC, sizeof h->magic);
    h->version = before ? KILN_PLAN_VERSION_BEFORE : KILN_PLAN_VERSION;
    for (int k = 0; k < weights; k++) {
        kiln_plan_section *s = &h->sections[k];
        if (s->offset <= size && s->bytes <= size - s->offset) {
            s->checksum = XXH3_64bits(bytes + s->offset, (size_t)s->bytes);
        }
    }
    if (!before) {
        repair_optional(bytes, size);
    }
    size_t end = offsetof(kiln_plan_header, sections) + (size_t)(weights + 1) * sizeof *h->sections;
    h->header_bytes = (uint32_t)(end + sizeof h->checksum);
    uint64_t checksum = XXH3_64bits(h, end);
    memcpy(bytes + end, &checksum, sizeof checksum);
}

/* NULL: not all of it is there. */
static const kiln_plan_section *section(const uint8_t *bytes, size_t size, int kind) {
    const kiln_plan_header *h = (const void *)bytes;
    const kiln_plan_section *s = &h->sections[kind];
    bool there =
        size >= sizeof *h && s->bytes >= 4 && s->offset <= size && s->bytes <= size - s->offset;
    return there ? s : NULL;
}

static void change_word(uint64_t *state, uint8_t *at) {
    uint32_t word;
    memcpy(&word, at, sizeof word);
    uint32_t small = (uint32_t)(fuzz_random(state) % 40);
    word = fuzz_random(state) % 2 == 0 ? small : word + small % 5 - 2;
    memcpy(at, &word, sizeof word);
}

void plan_change_schedule(uint64_t *state, uint8_t *bytes, size_t size) {
    static const int sections[] = {KILN_SECTION_BANDS, KILN_SECTION_BANDS, KILN_SECTION_TENSORS,
                                   KILN_SECTION_PARAMS, KILN_SECTION_OPERANDS};
    int kind = sections[fuzz_random(state) % (sizeof sections / sizeof *sections)];
    const kiln_plan_section *s = section(bytes, size, kind);
    if (s == NULL) {
        return;
    }
    uint64_t at = fuzz_random(state) % (s->bytes / 4) * 4;
    if (kind == KILN_SECTION_TENSORS) {
        size_t field = fuzz_random(state) % 2 == 0 ? offsetof(kiln_plan_tensor_record, rolling_rows)
                                                   : offsetof(kiln_plan_tensor_record, dims) + 8;
        at = at / sizeof(kiln_plan_tensor_record) * sizeof(kiln_plan_tensor_record) + field;
    }
    change_word(state, bytes + s->offset + at);
}

void plan_change_container(uint64_t *state, uint8_t *bytes, size_t size) {
    kiln_plan_header *h = (void *)bytes;
    size_t at = size >= sizeof *h ? first_optional(bytes, size) : 0;
    if (at == 0 || h->version != KILN_PLAN_VERSION) {
        return;
    }
    if (fuzz_random(state) % 2 == 0) {
        h->version = KILN_PLAN_VERSION_BEFORE;
        h->sections[KILN_SECTION_BANDS] = h->sections[KILN_SECTION_WEIGHTS];
        return;
    }
    h->optional_count = (uint32_t)(fuzz_random(state) % 4);
    if (at <= size && size - at >= sizeof(kiln_plan_optional)) {
        kiln_plan_optional record = {.tag = "fuzz", .bytes = fuzz_random(state) % 200};
        record.bytes = fuzz_random(state) % 8 == 0 ? fuzz_word(state) : record.bytes;
        memcpy(bytes + at, &record, sizeof record);
    }
}

void plan_change_record(uint64_t *state, uint8_t *bytes, size_t size) {
    const kiln_plan_section *s =
        section(bytes, size, (int)(fuzz_random(state) % KILN_SECTION_WEIGHTS));
    if (s == NULL) {
        return;
    }
    uint8_t *at = bytes + s->offset + fuzz_random(state) % (s->bytes / 4) * 4;
    uint32_t word = fuzz_word(state);
    if (fuzz_random(state) % 2 == 0) {
        memcpy(at, &word, sizeof word);
    } else {
        change_word(state, at);
    }
}
