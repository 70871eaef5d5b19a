/* The arena of a session, and what lies in it. */
#include "runtime/session/session.h"

#include <string.h>

/* Room for the arena with scratch in it, and the margin behind. */
static kiln_status make_arena(kiln_session *s, uint64_t room, kiln_error *error) {
    if (room > SIZE_MAX / 2 || (s->memory_limit != 0 && room > s->memory_limit)) {
        return kiln_fail(error, KILN_ERROR_MEMORY,
                         "an arena of %llu bytes for a batch of %u is over the limit of %llu",
                         (unsigned long long)room, s->max_batch,
                         (unsigned long long)s->memory_limit);
    }
    s->arena = memory_aligned(&s->allocator, (size_t)room + KILN_ARENA_MARGIN);
    if (s->arena == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for an arena of %llu bytes",
                         (unsigned long long)room);
    }
    memset(s->arena + room, 0, KILN_ARENA_MARGIN);
    return KILN_OK;
}

kiln_status allocate_arena(kiln_session *s, kiln_error *error) {
    uint64_t arena = s->plan->view.header->arena_bytes, room = 0;
    if (arena > (SIZE_MAX / 4) / s->max_batch) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "the arena is too large for a batch of %u",
                         s->max_batch);
    }
    s->arena_bytes = (size_t)arena * s->max_batch;
    size_t steps = s->plan->view.step_count;
    uint64_t *offsets = memory_zeros(&s->allocator, steps, sizeof *offsets);
    if (offsets == NULL) {
        return memory_fail(error);
    }
    kiln_status status = place_scratch(s->plan, s->calls, s->max_batch, offsets, &room, error);
    if (status == KILN_OK) {
        status = make_arena(s, room, error);
    }
    for (size_t step = 0; step < steps && status == KILN_OK; step++) {
        s->calls[step].run.scratch = s->arena + offsets[step];
    }
    memory_free(offsets);
    return status;
}

void point_into_arena(const kiln_session *s, operand *o) {
    if (operand_present(o) && o->place == KILN_PLACE_ARENA) {
        const kiln_plan_storage *storage = &s->plan->view.storages[o->record->storage];
        o->data = s->arena + storage->offset * s->max_batch + o->record->offset;
    }
}
