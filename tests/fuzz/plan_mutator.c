/* Changes of plan files: see plan_mutator.h. */
#include "tests/fuzz/plan_mutator.h"
#include "tests/fuzz/fuzz.h"

#include <kiln/plan_format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void plan_repair(uint8_t *bytes, size_t size) {
    kiln_plan_header *h = (void *)bytes;
    if (size < sizeof *h) {
        return;
    }
    h->file_bytes = size;
    memcpy(h->magic, KILN_PLAN_MAGIC, sizeof h->magic);
    h->version = KILN_PLAN_VERSION;
    h->header_bytes = sizeof *h;
    for (int k = 0; k < KILN_SECTION_WEIGHTS; k++) {
        kiln_plan_section *s = &h->sections[k];
        if (s->offset <= size && s->bytes <= size - s->offset) {
            s->checksum = XXH3_64bits(bytes + s->offset, (size_t)s->bytes);
        }
    }
    h->checksum = XXH3_64bits(h, offsetof(kiln_plan_header, checksum));
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
