/* The schedule of bands against a model that remembers each row: random chains and small graphs are
 * played with windows of as many rows as band_measure says, moved as a session moves them. */
#include "runtime/plan/bands.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MOST_STEPS 12u
#define MOST_ROWS 64u

static uint64_t state;

static uint32_t below(uint32_t bound) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % bound;
}

/* ---- Random bands ---------------------------------------------------------------------------- */

typedef struct random_band {
    band_step steps[KILN_BAND_STEPS];
    uint32_t count, rows;
} random_band;

/* Rows that a layer has above such a source; 0: none. A source's last rows may be left out. */
static uint32_t rows_above(uint32_t height, const row_rule *rule, uint32_t bottom) {
    uint32_t padded = height + rule->padding + bottom;
    return padded < rule->extent ? 0 : (padded - rule->extent) / rule->stride + 1;
}

static void add_source(band_step *step, uint32_t from, row_rule rule) {
    step->sources[step->source_count].step = from;
    step->sources[step->source_count++].rule = rule;
}

/* A step that reads the one before it, or an earlier one, or none of the band. */
static void add_step(random_band *b) {
    static const uint32_t multiples[] = {1, 1, 2, 4, 6};
    band_step *step = &b->steps[b->count];
    *step = (band_step){.height = 1 + below(MOST_ROWS),
                        .multiple = multiples[below(sizeof multiples / sizeof *multiples)]};
    if (b->count > 0 && below(12) != 0) {
        uint32_t from = below(3) != 0 ? b->count - 1 : below(b->count);
        uint32_t extent = 1 + below(7);
        row_rule rule = {1 + (below(2) != 0 ? 0 : below(3)), below(extent), extent};
        uint32_t height = rows_above(b->steps[from].height, &rule, below(extent));
        if (height > 0 && height <= MOST_ROWS) {
            step->height = height;
            add_source(step, from, rule);
        }
    }
    uint32_t shortcut = b->count > 0 ? below(b->count) : 0;
    if (b->count > 0 && below(2) == 0 && b->steps[shortcut].height == step->height) {
        add_source(step, shortcut, (row_rule){1, 0, 1});
    }
    b->count++;
}

static random_band make_band(void) {
    random_band b = {.count = 0};
    uint32_t count = 2 + below(MOST_STEPS - 1);
    while (b.count < count) {
        add_step(&b);
    }
    b.rows = 1 + below(b.steps[count - 1].height);
    return b;
}

/* ---- The model ------------------------------------------------------------------------------- */

typedef struct model {
    uint32_t times[KILN_BAND_STEPS][MOST_ROWS]; /* that a row was computed */
    uint32_t first[KILN_BAND_STEPS];            /* row at the start of the window */
    uint32_t ends[KILN_BAND_STEPS];
} model;

/* Check's own assertions each write a mark to a pipe. */
#define expect(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg("%s", #condition);                                                        \
        }                                                                                          \
    } while (0)

/* A row of an output finds the rows that it needs in their windows. */
static void check_reads(const random_band *b, const model *m, uint32_t k, uint32_t row) {
    const band_step *step = &b->steps[k];
    for (uint32_t s = 0; s < step->source_count; s++) {
        uint32_t from = step->sources[s].step;
        const row_rule *rule = &step->sources[s].rule;
        for (uint32_t tap = 0; tap < rule->extent; tap++) {
            int64_t at = (int64_t)row * rule->stride - rule->padding + tap;
            if (at >= 0 && at < b->steps[from].height) {
                expect(m->times[from][at] == 1);
                expect(at >= m->first[from]);
            }
        }
    }
}

static void compute(const random_band *b, model *m, uint32_t k, const stripe_rows *rows,
                    uint32_t window) {
    const band_step *step = &b->steps[k];
    expect(rows->begin == m->ends[k]);
    expect(rows->keep <= rows->begin);
    expect(rows->end <= step->height);
    expect(rows->end >= rows->begin);
    expect(rows->end == step->height || rows->end % step->multiple == 0);
    if (rows->end - m->first[k] > window) { /* see slide() of the runtime */
        expect(rows->keep >= m->first[k]);
        m->first[k] = rows->keep;
    }
    expect(rows->end - m->first[k] <= window);
    for (uint32_t row = rows->begin; row < rows->end; row++) {
        check_reads(b, m, k, row);
        m->times[k][row]++;
    }
    m->ends[k] = rows->end;
}

static void check_band(const random_band *b) {
    stripe_rows rows[KILN_BAND_STEPS] = {{0}};
    uint32_t most[KILN_BAND_STEPS], held[KILN_BAND_STEPS], stripes = 0;
    model m = {.first = {0}};
    const band_step *last = &b->steps[b->count - 1];
    uint32_t counted = band_measure(b->steps, b->count, b->rows, most, held);
    while (band_next_stripe(b->steps, b->count, b->rows, rows)) {
        for (uint32_t k = 0; k < b->count; k++) {
            expect(rows[k].end - rows[k].begin <= most[k]);
            if (rows[k].end != rows[k].begin) {
                compute(b, &m, k, &rows[k], held[k]);
            }
        }
        stripes++;
        expect(stripes <= last->height / b->rows + 1); /* what the validator reckons with */
    }
    expect(stripes == counted);
    for (uint32_t k = 0; k < b->count; k++) {
        expect(held[k] <= b->steps[k].height);
        for (uint32_t row = 0; row < b->steps[k].height; row++) {
            expect(m.times[k][row] == 1);
        }
    }
}

START_TEST(random_bands_find_their_rows) {
    state = (uint64_t)_i;
    for (uint32_t k = 0; k < 20000; k++) {
        random_band b = make_band();
        check_band(&b);
    }
}
END_TEST

/* Every number of rows a stripe, up to all of them in one and beyond. */
START_TEST(any_number_of_rows_works) {
    state = 99;
    for (uint32_t k = 0; k < 300; k++) {
        random_band b = make_band();
        uint32_t height = b.steps[b.count - 1].height;
        for (b.rows = 1; b.rows <= height + 1; b.rows++) {
            check_band(&b);
        }
        b.rows = UINT32_MAX;
        check_band(&b);
        ck_assert_uint_eq(band_measure(b.steps, b.count, b.rows, (uint32_t[KILN_BAND_STEPS]){0},
                                       (uint32_t[KILN_BAND_STEPS]){0}),
                          1);
    }
}
END_TEST

/* The figures by hand: two convolutions of 3x3 with padding 1, 8 rows, 2 a stripe. The first holds
 * 2 rows of context and the 2 new ones. */
START_TEST(windows_are_no_larger_than_needed) {
    band_step steps[2] = {{.height = 8, .multiple = 1},
                          {.height = 8, .multiple = 1, .source_count = 1}};
    uint32_t most[2], held[2];
    steps[1].sources[0].rule = (row_rule){1, 1, 3};
    ck_assert_uint_eq(band_measure(steps, 2, 2, most, held), 4);
    ck_assert_uint_eq(most[0], 3);
    ck_assert_uint_eq(held[0], 4);
    ck_assert_uint_eq(held[1], 2);
    /* Tiles of 4 rows: in the second stripe rows 4 to 7 are computed, and 1 to 3 are still needed.
     */
    steps[0].multiple = 4;
    ck_assert_uint_eq(band_measure(steps, 2, 2, most, held), 4);
    ck_assert_uint_eq(most[0], 4);
    ck_assert_uint_eq(held[0], 7);
}
END_TEST

/* Rules as damaged plans may have them: numbers stay within the heights. */
START_TEST(extreme_rules_stay_within_heights) {
    state = 5;
    for (uint32_t k = 0; k < 20000; k++) {
        static const uint32_t values[] = {1, 2, 7, 65536, INT32_MAX};
        random_band b = make_band();
        uint32_t most[KILN_BAND_STEPS], held[KILN_BAND_STEPS];
        for (uint32_t s = 0; s < b.count; s++) {
            for (uint32_t i = 0; i < b.steps[s].source_count; i++) {
                b.steps[s].sources[i].rule =
                    (row_rule){values[below(4)], below(2) * values[below(4)], values[below(5)]};
            }
        }
        uint32_t stripes = band_measure(b.steps, b.count, b.rows, most, held);
        expect(stripes <= b.steps[b.count - 1].height / b.rows + 1);
        for (uint32_t s = 0; s < b.count; s++) {
            expect(most[s] <= b.steps[s].height);
            expect(held[s] <= b.steps[s].height);
        }
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        LOOP("rows", random_bands_find_their_rows, 0, 8),
        TEST("rows", any_number_of_rows_works),
        TEST("rows", extreme_rules_stay_within_heights),
        TEST("windows", windows_are_no_larger_than_needed),
    };
    return SUITE("band", tests);
}
