/* Finishing a sub-plan: lifetimes and places of storages, offsets of constants, bytes. */
#include "runtime/base/memory.h"
#include "runtime/plan/sub_plan.h"

typedef struct placing {
    kiln_plan_header *header;
    kiln_plan_storage *storages;
    const kiln_plan_tensor_record *tensors;
    const kiln_plan_step *steps;
    const uint32_t *operands;
    const kiln_plan_band *bands;
    size_t storage_count, step_count, band_count;
} placing;

/* ---- Storages ------------------------------------------------------------------------------ */

static void measure_lifetimes(placing *f) {
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

static bool is_free(const placing *f, size_t index, uint64_t offset) {
    const kiln_plan_storage *new = &f->storages[index];
    for (size_t k = 0; k < f->storage_count; k++) {
        const kiln_plan_storage *s = &f->storages[k];
        if (k != index && s->offset != SUB_PLAN_UNPLACED && live_together(new, s) &&
            offset < s->offset + s->bytes && s->offset < offset + new->bytes) {
            return false;
        }
    }
    return true;
}

/* Finds the lowest free place: at 0 or at the end of another storage. */
static void place_storage(placing *f, size_t index) {
    uint64_t best = is_free(f, index, 0) ? 0 : UINT64_MAX;
    for (size_t k = 0; k < f->storage_count; k++) {
        const kiln_plan_storage *s = &f->storages[k];
        uint64_t end = s->offset == SUB_PLAN_UNPLACED ? UINT64_MAX : s->offset + s->bytes;
        if (end < best && is_free(f, index, end)) {
            best = end;
        }
    }
    f->storages[index].offset = best;
}

static void place_all(placing *f) {
    measure_lifetimes(f);
    for (size_t k = 0; k < f->storage_count; k++) {
        if (f->storages[k].offset == SUB_PLAN_UNPLACED) {
            place_storage(f, k);
        }
        uint64_t end = f->storages[k].offset + f->storages[k].bytes;
        f->header->arena_bytes = end > f->header->arena_bytes ? end : f->header->arena_bytes;
        f->header->no_reuse_bytes += f->storages[k].bytes;
    }
    for (uint32_t s = 0; s < f->step_count; s++) {
        uint64_t live = 0;
        for (size_t k = 0; k < f->storage_count; k++) {
            bool lives = f->storages[k].first_step <= s && s <= f->storages[k].last_step;
            live += lives ? f->storages[k].bytes : 0;
        }
        f->header->lower_bound_bytes =
            live > f->header->lower_bound_bytes ? live : f->header->lower_bound_bytes;
    }
}

static void place_storages(plan_builder *b) {
    placing f = {.header = &b->header,
                 .storages = (void *)b->sections[KILN_SECTION_STORAGES].data,
                 .tensors = (const void *)b->sections[KILN_SECTION_TENSORS].data,
                 .steps = (const void *)b->sections[KILN_SECTION_STEPS].data,
                 .operands = (const void *)b->sections[KILN_SECTION_OPERANDS].data,
                 .bands = (const void *)b->sections[KILN_SECTION_BANDS].data,
                 .storage_count =
                     builder_count(b, KILN_SECTION_STORAGES, sizeof(kiln_plan_storage)),
                 .step_count = builder_count(b, KILN_SECTION_STEPS, sizeof(kiln_plan_step)),
                 .band_count = builder_count(b, KILN_SECTION_BANDS, sizeof(kiln_plan_band))};
    place_all(&f);
}

/* ---- Constants ----------------------------------------------------------------------------- */

static void place_constants(sub_plan *p) {
    size_t count =
        builder_count(&p->builder, KILN_SECTION_TENSORS, sizeof(kiln_plan_tensor_record));
    for (uint32_t t = 0; t < count; t++) {
        if (p->constants[t] != NULL) {
            kiln_plan_tensor_record *record = sub_plan_tensor_at(p, t);
            record->offset = builder_constant(&p->builder, kiln_plan_tensor_bytes(record));
        }
    }
}

/* Writes constants one after the other, with zeros between them and behind the last. */
static kiln_status write_constants(sub_plan *p, plan_sink write, void *context, kiln_error *error) {
    size_t count =
        builder_count(&p->builder, KILN_SECTION_TENSORS, sizeof(kiln_plan_tensor_record));
    uint64_t written = 0;
    kiln_status status = KILN_OK;
    for (uint32_t t = 0; t < count && status == KILN_OK; t++) {
        const kiln_plan_tensor_record *record = sub_plan_tensor_at(p, t);
        if (p->constants[t] == NULL) {
            continue;
        }
        size_t bytes = (size_t)kiln_plan_tensor_bytes(record);
        status = builder_zeros(write, context, record->offset - written, error);
        if (status == KILN_OK) {
            status = write(context, p->constants[t], bytes, error);
        }
        written = record->offset + bytes;
    }
    return status == KILN_OK
               ? builder_zeros(write, context, builder_weight_bytes(&p->builder) - written, error)
               : status;
}

kiln_status sub_plan_finish(sub_plan *p, const kiln_plan *borrowed, plan_sink write, void *context,
                            kiln_error *error) {
    (void)builder_string(&p->builder, "");
    if (sub_plan_failed(p)) {
        return memory_fail(error);
    }
    place_storages(&p->builder);
    if (borrowed == NULL) {
        place_constants(p);
    }
    builder_lay_out(&p->builder);
    kiln_status status =
        builder_write(&p->builder, builder_weight_bytes(&p->builder), write, context, error);
    if (status != KILN_OK) {
        return status;
    }
    if (borrowed == NULL) {
        return write_constants(p, write, context, error);
    }
    return builder_zeros(write, context, KILN_PLAN_WEIGHT_ALIGNMENT, error); /* the margin */
}
