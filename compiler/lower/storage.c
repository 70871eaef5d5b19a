/* Roots become storages: blocks of the arena with the steps during which they are in use. */
#include "compiler/lower/lowering.h"

static uint64_t align_up(uint64_t value, uint64_t alignment) {
    return (value + alignment - 1) / alignment * alignment;
}

static uint64_t held_bytes(const program_tensor *t) {
    uint64_t bytes = program_bytes(t);
    return t->rolling_rows != 0 ? bytes / t->dims[2] * t->rolling_rows : bytes;
}

static kiln_status add_storages(lowering *l) {
    program *p = l->p;
    p->storage_count = 0;
    p->storages = graph_allocate(l->g, (p->tensor_count + 1) * sizeof *p->storages);
    if (p->storages == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        if (p->tensors[t].place == KILN_PLACE_ARENA && l->memories[t].root == t) {
            p->tensors[t].storage = (uint32_t)p->storage_count;
            p->storages[p->storage_count++] = (program_storage){
                .bytes = align_up(held_bytes(&p->tensors[t]), 64), .first_step = UINT32_MAX};
        }
    }
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        program_tensor *tensor = &p->tensors[t];
        if (tensor->place == KILN_PLACE_ARENA) {
            tensor->storage = p->tensors[l->memories[t].root].storage;
            tensor->slice_offset = l->memories[t].offset;
            tensor->row_stride = l->memories[t].row_stride;
        }
    }
    return KILN_OK;
}

static void set_lifetimes(program *p) {
    for (uint32_t s = 0; s < p->step_count; s++) {
        const program_step *step = &p->steps[s];
        const kiln_plan_band *band = program_band_of(p, s);
        uint32_t first = band != NULL ? band->first_step : s;
        uint32_t last = band != NULL ? band->last_step : s;
        for (uint32_t k = 0; k < step->input_count + step->output_count; k++) {
            uint32_t id = step->operands[k];
            if (id != KILN_PLAN_NONE && p->tensors[id].place == KILN_PLACE_ARENA) {
                program_storage *storage = &p->storages[p->tensors[id].storage];
                storage->first_step = first < storage->first_step ? first : storage->first_step;
                storage->last_step = last;
            }
        }
    }
}

/* Takes their storage from tensors that no step touches any more. */
static void drop_unused(program *p, uint32_t *renumbered) {
    size_t kept = 0;
    for (size_t k = 0; k < p->storage_count; k++) {
        renumbered[k] = KILN_PLAN_NONE;
        if (p->storages[k].first_step != UINT32_MAX) {
            renumbered[k] = (uint32_t)kept;
            p->storages[kept++] = p->storages[k];
        }
    }
    p->storage_count = kept;
    for (size_t t = 0; t < p->tensor_count; t++) {
        if (p->tensors[t].storage != KILN_PLAN_NONE) {
            p->tensors[t].storage = renumbered[p->tensors[t].storage];
        }
    }
}

kiln_status lowering_make_storages(lowering *l) {
    kiln_status status = add_storages(l);
    uint32_t *renumbered = graph_allocate(l->g, (l->p->storage_count + 1) * sizeof *renumbered);
    if (status != KILN_OK || renumbered == NULL) {
        return KILN_ERROR_MEMORY;
    }
    set_lifetimes(l->p);
    drop_unused(l->p, renumbered);
    return KILN_OK;
}
