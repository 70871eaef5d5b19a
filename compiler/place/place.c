/* Plans the arena: several greedy orders, then a seeded hill climb on the order, the best kept.
 * Greedy by size and by breadth are from Pisarchyk and Lee, "Efficient Memory Management for Deep
 * Neural Net Inference", 2020. */
#include "compiler/place/placing.h"

#include <stdlib.h>
#include <string.h>

/* So many are compared with each other in hardly any time. */
#define PLACE_COMPARED 4096
#define PLACE_CLIMB_WORK 40000000u /* pairs of storages looked at while climbing */

typedef struct placement {
    const program *p;
    uint32_t *order;   /* storages in order of placement */
    uint64_t *offsets; /* by storage */
    uint32_t *placed;  /* storages placed so far, by offset */
    uint64_t *breadth; /* by storage: most bytes live at any of its steps */
} placement;

static bool lifetimes_meet(const program_storage *a, const program_storage *b) {
    return a->first_step <= b->last_step && b->first_step <= a->last_step;
}

/* Lowest gap among the placed storages that live at the same time; best fit would save nothing more
 * on the networks measured. Returns the arena's size. */
static uint64_t place_in_order(placement *work) {
    const program_storage *storages = work->p->storages;
    uint64_t arena = 0;
    for (size_t k = 0; k < work->p->storage_count; k++) {
        uint32_t id = work->order[k];
        const program_storage *storage = &storages[id];
        uint64_t offset = 0;
        for (size_t j = 0; j < k; j++) {
            const program_storage *other = &storages[work->placed[j]];
            if (!lifetimes_meet(storage, other)) {
                continue;
            }
            uint64_t begin = work->offsets[work->placed[j]], end = begin + other->bytes;
            if (begin >= offset + storage->bytes) {
                break;
            }
            offset = end > offset ? end : offset;
        }
        size_t at = k;
        while (at > 0 && work->offsets[work->placed[at - 1]] > offset) {
            work->placed[at] = work->placed[at - 1];
            at--;
        }
        work->placed[at] = id;
        work->offsets[id] = offset;
        arena = offset + storage->bytes > arena ? offset + storage->bytes : arena;
    }
    return arena;
}

/* ---- Orders -------------------------------------------------------------------------------- */

static uint64_t lifetime(const program_storage *s) {
    return s->last_step - s->first_step + 1;
}

static order_key key_by_size(const placement *work, uint32_t id) {
    const program_storage *s = &work->p->storages[id];
    return (order_key){s->bytes, lifetime(s), id};
}

static order_key key_by_breadth(const placement *work, uint32_t id) {
    return (order_key){work->breadth[id], work->p->storages[id].bytes, id};
}

static order_key key_by_area(const placement *work, uint32_t id) {
    const program_storage *s = &work->p->storages[id];
    return (order_key){s->bytes * lifetime(s), s->bytes, id};
}

static order_key key_by_lifetime(const placement *work, uint32_t id) {
    const program_storage *s = &work->p->storages[id];
    return (order_key){lifetime(s), s->bytes, id};
}

static const struct {
    const char *name;
    order_key (*key)(const placement *work, uint32_t id);
} heuristics[] = {
    {"greedy by size", key_by_size},
    {"greedy by breadth", key_by_breadth},
    {"greedy by area", key_by_area},
    {"greedy by lifetime", key_by_lifetime},
};

static void sort_order(placement *work, order_key *keys, size_t heuristic) {
    size_t count = work->p->storage_count;
    for (uint32_t id = 0; id < count; id++) {
        keys[id] = heuristics[heuristic].key(work, id);
    }
    sort_keys(keys, count);
    for (size_t k = 0; k < count; k++) {
        work->order[k] = keys[k].id;
    }
}

/* ---- Bounds -------------------------------------------------------------------------------- */

/* Largest sum of live bytes at one step, and per storage the largest of its steps. */
static kiln_status measure(program *p, uint64_t *breadth) {
    uint64_t *live = calloc(p->step_count + 1, sizeof *live), sum = 0;
    if (live == NULL) {
        return KILN_ERROR_MEMORY;
    }
    p->lower_bound_bytes = p->no_reuse_bytes = 0;
    for (size_t k = 0; k < p->storage_count; k++) {
        const program_storage *s = &p->storages[k];
        p->no_reuse_bytes += s->bytes;
        live[s->first_step] += s->bytes; /* differences; they may wrap, sums do not */
        live[s->last_step + 1] -= s->bytes;
    }
    for (size_t step = 0; step < p->step_count; step++) {
        sum = live[step] += sum;
        p->lower_bound_bytes =
            live[step] > p->lower_bound_bytes ? live[step] : p->lower_bound_bytes;
    }
    for (size_t k = 0; k < p->storage_count && p->storage_count <= PLACE_COMPARED; k++) {
        const program_storage *s = &p->storages[k];
        for (uint32_t step = s->first_step; step <= s->last_step; step++) {
            breadth[k] = live[step] > breadth[k] ? live[step] : breadth[k];
        }
    }
    free(live);
    return KILN_OK;
}

/* ---- Search -------------------------------------------------------------------------------- */

static void keep(program *p, const placement *work, uint64_t arena, const char *name) {
    p->arena_bytes = arena;
    p->placement = name;
    for (size_t k = 0; k < p->storage_count; k++) {
        p->storages[k].offset = work->offsets[k];
    }
}

/* A number below count, by splitmix64 (Steele, Lea, Flood 2014): the climb must be the same
 * everywhere. */
static size_t next_random(uint64_t *inout_state, size_t count) {
    uint64_t z = (*inout_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (size_t)((z ^ (z >> 31)) % count);
}

/* Moves one storage at a time to another place in the order; keeps what is not worse. */
static void climb(program *p, placement *work, uint32_t *best_order) {
    size_t count = p->storage_count;
    uint64_t state = 1, current = p->arena_bytes;
    uint64_t rounds = count < 3 ? 0 : PLACE_CLIMB_WORK / ((uint64_t)count * count);
    memcpy(work->order, best_order, count * sizeof *best_order);
    for (uint64_t round = 0; round < rounds && p->arena_bytes > p->lower_bound_bytes; round++) {
        size_t from = next_random(&state, count), to = next_random(&state, count);
        uint32_t moved = work->order[from];
        memmove(&work->order[from], &work->order[from + 1], (count - from - 1) * sizeof moved);
        memmove(&work->order[to + 1], &work->order[to], (count - to - 1) * sizeof moved);
        work->order[to] = moved;
        uint64_t arena = place_in_order(work);
        if (arena <= current) {
            current = arena;
            memcpy(best_order, work->order, count * sizeof *best_order);
        } else {
            memcpy(work->order, best_order, count * sizeof *best_order);
        }
        if (arena < p->arena_bytes) {
            keep(p, work, arena, "hill climb");
        }
    }
}

static void search(program *p, placement *work, order_key *keys, uint32_t *best_order) {
    for (size_t h = 0; h < sizeof heuristics / sizeof *heuristics; h++) {
        sort_order(work, keys, h);
        uint64_t arena = place_in_order(work);
        if (h == 0 || arena < p->arena_bytes) {
            keep(p, work, arena, heuristics[h].name);
            memcpy(best_order, work->order, p->storage_count * sizeof *best_order);
        }
    }
    climb(p, work, best_order);
}

kiln_status place_program(program *p) {
    size_t count = p->storage_count;
    placement work = {.p = p,
                      .order = calloc(count + 1, sizeof *work.order),
                      .offsets = calloc(count + 1, sizeof *work.offsets),
                      .placed = calloc(count + 1, sizeof *work.placed),
                      .breadth = calloc(count + 1, sizeof *work.breadth)};
    uint32_t *best_order = calloc(count + 1, sizeof *best_order);
    order_key *keys = calloc(2 * count + 1, sizeof *keys);
    kiln_status status = KILN_ERROR_MEMORY;
    if (work.order == NULL || work.offsets == NULL || work.placed == NULL || work.breadth == NULL ||
        best_order == NULL || keys == NULL) {
        goto cleanup;
    }
    status = measure(p, work.breadth);
    if (status != KILN_OK) {
        goto cleanup;
    }
    if (count > PLACE_COMPARED) {
        uint64_t arena = 0;
        status = place_in_time(p, keys, work.offsets, &arena);
        keep(p, &work, arena, "in order of time");
    } else {
        search(p, &work, keys, best_order);
    }

cleanup:
    free(work.order);
    free(work.offsets);
    free(work.placed);
    free(work.breadth);
    free(best_order);
    free(keys);
    return status;
}
