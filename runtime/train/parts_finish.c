/* Finishing a plan in the making: lifetimes, places, offsets, checksums, bytes. */
#include "runtime/train/parts.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

typedef struct finishing {
    plan_parts *p;
    kiln_plan_header header;
    kiln_plan_storage *storages;
    kiln_plan_tensor_record *tensors;
    const kiln_plan_step *steps;
    const uint32_t *operands;
    const kiln_plan_band *bands;
    size_t storage_count, tensor_count, step_count, band_count;
    parts_sink write;
    void *context;
    uint64_t written;
    kiln_status status;
    kiln_error *error;
} finishing;

/* ---- Storages ------------------------------------------------------------------------------ */

static void measure_lifetimes(finishing *f) {
    for (size_t k = 0; k < f->storage_count; k++) {
        f->storages[k].first_step = UINT32_MAX;
        f->storages[k].last_step = 0;
    }
    size_t b = 0;
    for (uint32_t s = 0; s < f->step_count; s++) {
        const kiln_plan_step *step = &f->steps[s];
        while (b < f->band_count && f->bands[b].last_step < s) {
            b++;
        }
        bool banded = b < f->band_count && f->bands[b].first_step <= s;
        uint32_t first = banded ? f->bands[b].first_step : s;
        uint32_t last = banded ? f->bands[b].last_step : s;
        for (uint32_t k = 0; k < (uint32_t)step->input_count + step->output_count; k++) {
            uint32_t t = f->operands[step->first_operand + k];
            if (t == KILN_PLAN_NONE || f->tensors[t].place != KILN_PLACE_ARENA) {
                continue;
            }
            kiln_plan_storage *storage = &f->storages[f->tensors[t].storage];
            storage->first_step = first < storage->first_step ? first : storage->first_step;
            storage->last_step = last;
        }
    }
}

static bool live_together(const kiln_plan_storage *a, const kiln_plan_storage *b) {
    return a->first_step <= b->last_step && b->first_step <= a->last_step;
}

static bool is_free(const finishing *f, size_t index, uint64_t offset) {
    const kiln_plan_storage *new = &f->storages[index];
    for (size_t k = 0; k < f->storage_count; k++) {
        const kiln_plan_storage *s = &f->storages[k];
        if (k != index && s->offset != UINT64_MAX && live_together(new, s) &&
            offset < s->offset + s->bytes && s->offset < offset + new->bytes) {
            return false;
        }
    }
    return true;
}

/* The lowest free place: at 0 or at the end of another storage. */
static void place_storage(finishing *f, size_t index) {
    uint64_t best = is_free(f, index, 0) ? 0 : UINT64_MAX;
    for (size_t k = 0; k < f->storage_count; k++) {
        const kiln_plan_storage *s = &f->storages[k];
        uint64_t end = s->offset == UINT64_MAX ? UINT64_MAX : s->offset + s->bytes;
        if (end < best && is_free(f, index, end)) {
            best = end;
        }
    }
    f->storages[index].offset = best;
}

static void place_storages(finishing *f) {
    measure_lifetimes(f);
    for (size_t k = 0; k < f->storage_count; k++) {
        if (f->storages[k].offset == UINT64_MAX) {
            place_storage(f, k);
        }
        uint64_t end = f->storages[k].offset + f->storages[k].bytes;
        f->header.arena_bytes = end > f->header.arena_bytes ? end : f->header.arena_bytes;
        f->header.no_reuse_bytes += f->storages[k].bytes;
    }
    for (uint32_t s = 0; s < f->step_count; s++) {
        uint64_t live = 0;
        for (size_t k = 0; k < f->storage_count; k++) {
            bool lives = f->storages[k].first_step <= s && s <= f->storages[k].last_step;
            live += lives ? f->storages[k].bytes : 0;
        }
        f->header.lower_bound_bytes =
            live > f->header.lower_bound_bytes ? live : f->header.lower_bound_bytes;
    }
}

/* ---- Bytes --------------------------------------------------------------------------------- */

static uint64_t align(uint64_t value, uint64_t alignment) {
    return (value + alignment - 1) / alignment * alignment;
}

/* Constants one after the other; the margin that kernels may read behind the last. */
static void lay_out(finishing *f, const kiln_plan *borrowed) {
    uint64_t weights = 0, offset = sizeof f->header;
    for (size_t t = 0; t < f->tensor_count && borrowed == NULL; t++) {
        if (f->p->constants[t] != NULL) {
            f->tensors[t].offset = weights;
            weights =
                align(weights + kiln_plan_tensor_bytes(&f->tensors[t]), KILN_PLAN_WEIGHT_ALIGNMENT);
        }
    }
    for (int k = 0; k < KILN_SECTION_COUNT; k++) {
        const part_buffer *b = &f->p->sections[k];
        kiln_plan_section *section = &f->header.sections[k];
        bool last = k == KILN_SECTION_WEIGHTS;
        offset = align(offset, last ? KILN_PLAN_PAGE_ALIGNMENT : KILN_PLAN_SECTION_ALIGNMENT);
        section->offset = offset;
        section->bytes = last ? weights + KILN_PLAN_WEIGHT_ALIGNMENT : b->size;
        section->checksum = last ? 0 : XXH3_64bits(b->data, b->size);
        offset += section->bytes;
    }
    memcpy(f->header.magic, KILN_PLAN_MAGIC, sizeof f->header.magic);
    f->header.version = KILN_PLAN_VERSION;
    f->header.header_bytes = sizeof f->header;
    f->header.file_bytes = offset;
    f->header.batchable = f->p->batchable;
    f->header.checksum = XXH3_64bits(&f->header, offsetof(kiln_plan_header, checksum));
}

static void write_bytes(finishing *f, const void *data, uint64_t size) {
    if (f->status == KILN_OK && size > 0) {
        f->status = f->write(f->context, data, (size_t)size, f->error);
    }
    f->written += size;
}

static void write_until(finishing *f, uint64_t offset) {
    static const uint8_t zeros[4096];
    while (f->written < offset) {
        uint64_t part = offset - f->written;
        write_bytes(f, zeros, part < sizeof zeros ? part : sizeof zeros);
    }
}

static void write_all(finishing *f, const kiln_plan *borrowed) {
    uint64_t weights = f->header.sections[KILN_SECTION_WEIGHTS].offset;
    write_bytes(f, &f->header, sizeof f->header);
    for (int k = 0; k < KILN_SECTION_WEIGHTS; k++) {
        write_until(f, f->header.sections[k].offset);
        write_bytes(f, f->p->sections[k].data, f->p->sections[k].size);
    }
    for (size_t t = 0; t < f->tensor_count && borrowed == NULL; t++) {
        if (f->p->constants[t] != NULL) {
            write_until(f, weights + f->tensors[t].offset);
            write_bytes(f, f->p->constants[t], kiln_plan_tensor_bytes(&f->tensors[t]));
        }
    }
    write_until(f, f->header.file_bytes);
}

kiln_status parts_finish(plan_parts *p, const kiln_plan *borrowed, parts_sink write, void *context,
                         kiln_error *error) {
    (void)parts_string(p, "");
    if (p->failed) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    finishing f = {
        .p = p,
        .storages = (void *)p->sections[KILN_SECTION_STORAGES].data,
        .tensors = (void *)p->sections[KILN_SECTION_TENSORS].data,
        .steps = (const void *)p->sections[KILN_SECTION_STEPS].data,
        .operands = (const void *)p->sections[KILN_SECTION_OPERANDS].data,
        .storage_count = parts_count(p, KILN_SECTION_STORAGES, sizeof(kiln_plan_storage)),
        .tensor_count = parts_count(p, KILN_SECTION_TENSORS, sizeof(kiln_plan_tensor_record)),
        .step_count = parts_count(p, KILN_SECTION_STEPS, sizeof(kiln_plan_step)),
        .bands = (const void *)p->sections[KILN_SECTION_BANDS].data,
        .band_count = parts_count(p, KILN_SECTION_BANDS, sizeof(kiln_plan_band)),
        .write = write,
        .context = context,
        .error = error};
    place_storages(&f);
    lay_out(&f, borrowed);
    write_all(&f, borrowed);
    return f.status;
}
