/* Placement: storages that live together never overlap, and simple chains meet the lower bound. */
#include "compiler/place/place.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

static uint64_t next_random(uint64_t *inout_state) {
    *inout_state = *inout_state * 6364136223846793005u + 1442695040888963407u;
    return *inout_state >> 33;
}

static void assert_disjoint(const program *p) {
    for (size_t a = 0; a < p->storage_count; a++) {
        const program_storage *x = &p->storages[a];
        ck_assert_uint_eq(x->offset % KILN_ARENA_ALIGNMENT, 0);
        ck_assert_uint_le(x->offset + x->bytes, p->arena_bytes);
        for (size_t b = 0; b < a; b++) {
            const program_storage *y = &p->storages[b];
            bool together = x->first_step <= y->last_step && y->first_step <= x->last_step;
            bool overlap = x->offset < y->offset + y->bytes && y->offset < x->offset + x->bytes;
            if (together && overlap) { /* ck_assert for each pair would take a minute */
                ck_abort_msg("storages %zu and %zu overlap", a, b);
            }
        }
    }
}

START_TEST(chain_meets_lower_bound) {
    program_storage storages[] = {
        {.bytes = 640, .first_step = 0, .last_step = 1},
        {.bytes = 1280, .first_step = 1, .last_step = 2},
        {.bytes = 320, .first_step = 2, .last_step = 3},
        {.bytes = 960, .first_step = 3, .last_step = 4},
    };
    program p = {.storages = storages, .storage_count = 4, .step_count = 5};
    ck_assert_int_eq(place_program(&p), KILN_OK);
    ck_assert_uint_eq(p.lower_bound_bytes, 1920);
    ck_assert_uint_eq(p.arena_bytes, 1920);
    ck_assert_uint_eq(p.no_reuse_bytes, 3200);
    assert_disjoint(&p);
}
END_TEST

START_TEST(no_storages_need_no_arena) {
    program p = {.storages = NULL, .storage_count = 0, .step_count = 0};
    ck_assert_int_eq(place_program(&p), KILN_OK);
    ck_assert_uint_eq(p.arena_bytes, 0);
}
END_TEST

START_TEST(random_storages_are_disjoint_and_reproducible) {
    for (uint64_t seed = 1; seed <= 40; seed++) {
        program_storage storages[60], again[60];
        uint64_t state = seed;
        for (size_t k = 0; k < 60; k++) {
            uint32_t first = (uint32_t)(next_random(&state) % 50);
            storages[k] =
                (program_storage){.bytes = (next_random(&state) % 100 + 1) * 64,
                                  .first_step = first,
                                  .last_step = first + (uint32_t)(next_random(&state) % 10)};
            again[k] = storages[k];
        }
        program p = {.storages = storages, .storage_count = 60, .step_count = 60};
        program q = {.storages = again, .storage_count = 60, .step_count = 60};
        ck_assert_int_eq(place_program(&p), KILN_OK);
        ck_assert_int_eq(place_program(&q), KILN_OK);
        assert_disjoint(&p);
        ck_assert_uint_ge(p.arena_bytes, p.lower_bound_bytes);
        ck_assert_uint_le(p.arena_bytes, p.lower_bound_bytes + p.lower_bound_bytes / 10);
        for (size_t k = 0; k < 60; k++) {
            ck_assert_uint_eq(storages[k].offset, again[k].offset);
        }
    }
}
END_TEST

/* More than are compared with each other: they are placed in order of time. */
START_TEST(many_storages_are_disjoint) {
    enum { MANY = 6000 };
    static program_storage storages[MANY];
    for (uint64_t seed = 1; seed <= 4; seed++) {
        uint64_t state = seed;
        for (size_t k = 0; k < MANY; k++) {
            uint32_t first = (uint32_t)(next_random(&state) % 5000);
            uint32_t most = next_random(&state) % 50 == 0 ? 900 : 9;
            storages[k] = (program_storage){
                .bytes = (next_random(&state) % (next_random(&state) % 9 == 0 ? 5000 : 9) + 1) * 64,
                .first_step = first,
                .last_step = first + (uint32_t)(next_random(&state) % most)};
        }
        program p = {.storages = storages, .storage_count = MANY, .step_count = 6000};
        ck_assert_int_eq(place_program(&p), KILN_OK);
        assert_disjoint(&p);
        ck_assert_uint_ge(p.arena_bytes, p.lower_bound_bytes);
        ck_assert_uint_le(p.arena_bytes, 2 * p.lower_bound_bytes);
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("bound", chain_meets_lower_bound),
        TEST("bound", no_storages_need_no_arena),
        TEST("random", random_storages_are_disjoint_and_reproducible),
        TEST("random", many_storages_are_disjoint),
    };
    return SUITE("place", tests);
}
