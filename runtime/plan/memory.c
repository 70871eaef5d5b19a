/* How much memory sessions need besides weights. */
#include "runtime/base/memory.h"
#include "runtime/base/options.h"
#include "runtime/plan/calls.h"

#include <stdlib.h>

#define SEARCH_WORK ((size_t)200000000) /* steps by storages: far more than any network has */

static size_t call_scratch(const kernel_call *call) {
    return call->kernel->scratch != NULL ? call->kernel->scratch(call) : 0;
}

typedef struct by_offset {
    uint64_t offset;
    uint32_t storage;
} by_offset;

static int compare_offsets(const void *a, const void *b) {
    const by_offset *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Finds the lowest place between the blocks that are live at the step, or behind them. */
static uint64_t find_gap(const kiln_plan_view *v, const by_offset *sorted, uint32_t batch,
                         uint32_t step, uint64_t bytes) {
    uint64_t at = 0;
    for (size_t k = 0; k < v->storage_count; k++) {
        const kiln_plan_storage *s = &v->storages[sorted[k].storage];
        if (step < s->first_step || s->last_step < step) {
            continue;
        }
        if (at + bytes <= s->offset * batch) {
            return at;
        }
        uint64_t end = (s->offset + s->bytes) * batch;
        at = end > at ? end : at;
    }
    return at;
}

/* Scratch is wanted by one step at a time, when much of the arena may be free. */
kiln_status place_scratch(const kiln_plan *plan, const kernel_call *calls, uint32_t batch,
                          uint64_t *out_offsets, uint64_t *out_room, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    by_offset *sorted = memory_zeros(&plan->allocator, v->storage_count, sizeof *sorted);
    if (sorted == NULL) {
        return memory_fail(error);
    }
    for (uint32_t k = 0; k < v->storage_count; k++) {
        sorted[k] = (by_offset){v->storages[k].offset, k};
    }
    qsort(sorted, v->storage_count, sizeof *sorted, compare_offsets);
    bool search = v->step_count < SEARCH_WORK / (v->storage_count + 1);
    *out_room = v->header->arena_bytes * batch;
    for (uint32_t step = 0; step < v->step_count; step++) {
        uint64_t scratch = call_scratch(&calls[step]), arena = v->header->arena_bytes * batch;
        uint64_t at = search ? find_gap(v, sorted, batch, step, scratch) : arena;
        if (out_offsets != NULL) {
            out_offsets[step] = at;
        }
        *out_room = scratch > 0 && at + scratch > *out_room ? at + scratch : *out_room;
    }
    memory_free(sorted);
    return KILN_OK;
}

static kiln_status add_up(const kiln_plan *plan, const kernel_call *calls, uint32_t batch,
                          kiln_memory_use *out, kiln_error *error) {
    kiln_status status = place_scratch(plan, calls, batch, NULL, &out->total_bytes, error);
    out->scratch_bytes = out->total_bytes - out->arena_bytes;
    for (size_t step = 0; step < plan->view.step_count; step++) {
        const kernel *kernel = calls[step].kernel;
        out->heap_bytes += kernel->heap != NULL ? kernel->heap(&calls[step]) : 0;
    }
    out->total_bytes += out->heap_bytes;
    return status;
}

kiln_status kiln_plan_memory(const kiln_plan *plan, const kiln_session_options *options,
                             kiln_memory_use *out_use, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    const kiln_allocator *a = &plan->allocator;
    kiln_session_options used;
    kiln_status status = OPTIONS_TAKE(kiln_session_options, options, &used, error);
    if (status != KILN_OK) {
        return status;
    }
    uint32_t batch = used.max_batch == 0 ? 1 : used.max_batch;
    const kernel_host host = {.threads = used.threads == 0 ? 1 : used.threads, .allocator = a};
    kernel_call *calls = memory_zeros(a, v->step_count, sizeof *calls);
    operand *operands = memory_zeros(a, v->operand_count, sizeof *operands);
    status = calls != NULL && operands != NULL ? KILN_OK : memory_fail(error);
    *out_use = (kiln_memory_use){.arena_bytes = v->header->arena_bytes * batch};
    if (status == KILN_OK) {
        describe_calls(v, &host, batch, operands, calls, NULL);
        status = add_up(plan, calls, batch, out_use, error);
    }
    memory_free(calls);
    memory_free(operands);
    return status;
}
