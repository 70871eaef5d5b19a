/* Storages of an untrusted plan: inside the arena, and no two of them in the same place at the same
 * time. */
#include "runtime/base/memory.h"
#include "runtime/plan/plan.h"

#include <stdlib.h>
#include <string.h>

static kiln_status fail(kiln_error *error, const char *what) {
    return kiln_fail(error, KILN_ERROR_FORMAT, "damaged plan: %s", what);
}

/* The highest end of storages so far at each step, as a tree over the steps: node k has the
 * children 2k and 2k + 1, the leaves begin at `leaves`. */
typedef struct skyline {
    uint64_t *highest; /* the highest end at any step below the node */
    uint64_t *all;     /* the end that all steps below the node have at least */
    size_t leaves;     /* how many there are: a power of two */
} skyline;

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Returns the highest end at the steps [first, last], as far as they lie below a node that covers
 * [begin, end), and raises them to at least `raise`. */
static uint64_t visit(skyline *s, size_t node, size_t begin, size_t end, size_t first, size_t last,
                      uint64_t raise) {
    if (last < begin || end <= first) {
        return 0;
    }
    if (first <= begin && end - 1 <= last) {
        uint64_t found = s->highest[node];
        s->highest[node] = larger(found, raise);
        s->all[node] = larger(s->all[node], raise);
        return found;
    }
    size_t middle = begin + (end - begin) / 2;
    uint64_t found = larger(visit(s, 2 * node, begin, middle, first, last, raise),
                            visit(s, 2 * node + 1, middle, end, first, last, raise));
    s->highest[node] = larger(s->highest[node], raise);
    return larger(found, s->all[node]);
}

typedef struct by_offset {
    uint64_t offset;
    uint32_t storage;
} by_offset;

static int compare(const void *a, const void *b) {
    const by_offset *x = a, *y = b;
    if (x->offset != y->offset) {
        return x->offset < y->offset ? -1 : 1;
    }
    return x->storage < y->storage ? -1 : x->storage > y->storage;
}

/* Goes from the lowest storage to the highest: each must lie above all that are in use when it is.
 */
static bool are_apart(const kiln_plan_view *v, by_offset *sorted, skyline *s) {
    for (uint32_t k = 0; k < v->storage_count; k++) {
        sorted[k] = (by_offset){v->storages[k].offset, k};
    }
    qsort(sorted, v->storage_count, sizeof *sorted, compare);
    for (size_t k = 0; k < v->storage_count; k++) {
        const kiln_plan_storage *storage = &v->storages[sorted[k].storage];
        uint64_t below = visit(s, 1, 0, s->leaves, storage->first_step, storage->last_step,
                               storage->offset + storage->bytes);
        if (below > storage->offset) {
            return false;
        }
    }
    return true;
}

static kiln_status check_overlap(const kiln_plan *plan, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    const kiln_allocator *a = &plan->allocator;
    skyline s = {.leaves = 1};
    while (s.leaves < v->step_count) {
        s.leaves *= 2;
    }
    by_offset *sorted = memory_zeros(a, v->storage_count, sizeof *sorted);
    s.highest = memory_zeros(a, 2 * s.leaves, sizeof *s.highest);
    s.all = memory_zeros(a, 2 * s.leaves, sizeof *s.all);
    kiln_status status = KILN_OK;
    if (sorted == NULL || s.highest == NULL || s.all == NULL) {
        status = memory_fail(error);
    } else if (!are_apart(v, sorted, &s)) {
        status = fail(error, "storages overlap");
    }
    memory_free(sorted);
    memory_free(s.highest);
    memory_free(s.all);
    return status;
}

kiln_status plan_validate_storages(const kiln_plan *plan, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    uint64_t arena = v->header->arena_bytes;
    for (size_t k = 0; k < v->storage_count; k++) {
        const kiln_plan_storage *s = &v->storages[k];
        bool sound = s->offset % KILN_ARENA_ALIGNMENT == 0 && s->bytes > 0 &&
                     s->bytes % KILN_ARENA_ALIGNMENT == 0 && s->offset <= arena &&
                     s->bytes <= arena - s->offset && s->first_step <= s->last_step &&
                     s->last_step < v->step_count;
        if (!sound) {
            return fail(error, "a storage lies outside the arena");
        }
    }
    return check_overlap(plan, error);
}
