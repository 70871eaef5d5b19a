/* Memory of a session: from its allocator, and the arena. */
#include "runtime/session/session.h"

#include <string.h>

void *session_allocate(const kiln_session *s, size_t size) {
    void *pointer = s->allocator.allocate(s->allocator.context, size == 0 ? 1 : size, 64);
    if (pointer != NULL) {
        memset(pointer, 0, size);
    }
    return pointer;
}

void session_free(const kiln_session *s, void *pointer, size_t size) {
    if (pointer != NULL) {
        s->allocator.release(s->allocator.context, pointer, size == 0 ? 1 : size);
    }
}

/* Room for the arena with scratch in it, and the margin behind. */
static kiln_status make_arena(kiln_session *s, uint64_t room, kiln_error *error) {
    if (room > SIZE_MAX / 2 || (s->memory_limit != 0 && room > s->memory_limit)) {
        return kiln_fail(error, KILN_ERROR_MEMORY,
                         "an arena of %llu bytes for a batch of %u is over the limit of %llu",
                         (unsigned long long)room, s->max_batch,
                         (unsigned long long)s->memory_limit);
    }
    s->arena_room = (size_t)room + KILN_ARENA_MARGIN;
    s->arena = s->allocator.allocate(s->allocator.context, s->arena_room, KILN_ARENA_ALIGNMENT);
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
    size_t steps = s->plan->view.step_count, bytes = steps * sizeof(uint64_t);
    uint64_t *offsets = session_allocate(s, bytes);
    if (offsets == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    kiln_status status = place_scratch(s->plan, s->calls, s->max_batch, offsets, &room, error);
    if (status == KILN_OK) {
        status = make_arena(s, room, error);
    }
    for (size_t step = 0; step < steps && status == KILN_OK; step++) {
        s->calls[step].run.scratch = s->arena + offsets[step];
    }
    session_free(s, offsets, bytes);
    return status;
}

void point_into_arena(const kiln_session *s, operand *o) {
    if (operand_present(o) && o->place == KILN_PLACE_ARENA) {
        const kiln_plan_storage *storage = &s->plan->view.storages[o->record->storage];
        o->data = s->arena + storage->offset * s->max_batch + o->record->offset;
    }
}
