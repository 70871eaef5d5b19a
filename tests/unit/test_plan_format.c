/* What readers promise: plans of the version before are read as they were, later ones are refused
 * in words, and so is what they do not know. */
#include "tests/unit/plan_bytes.h"

enum { SECTIONS_BEFORE = 12, HEADER_BEFORE = 56 + 24 * SECTIONS_BEFORE + 8 };

static void seal_before(plan_bytes *b) {
    uint64_t checksum = XXH3_64bits(b->data, HEADER_BEFORE - sizeof checksum);
    memcpy(b->data + HEADER_BEFORE - sizeof checksum, &checksum, sizeof checksum);
}

/* Version 1 had no BANDS, and so a shorter header; what follows it is as it is now. */
static void make_version_1(plan_bytes *b) {
    kiln_plan_header h = header_of(b);
    ck_assert_uint_eq(h.version, 2);
    ck_assert_uint_eq(h.sections[KILN_SECTION_BANDS].bytes, 0);
    h.version = 1;
    h.header_bytes = HEADER_BEFORE;
    h.sections[KILN_SECTION_BANDS] = h.sections[KILN_SECTION_WEIGHTS];
    memset(b->data, 0, sizeof h);
    memcpy(b->data, &h, HEADER_BEFORE - sizeof h.checksum);
    seal_before(b);
}

START_TEST(reads_the_version_before) {
    kiln_plan *now = NULL, *before = NULL, *cut = NULL;
    static plan_bytes old;
    old = file;
    make_version_1(&old);
    GOOD(open_bytes(&file, &now));
    GOOD(open_bytes(&old, &before));
    ck_same_outputs(now, before);
    ck_assert_str_eq(kiln_plan_metadata(before, "producer"), "test");
    kiln_plan_close(before);
    /* Between two multiples of 8, where records are copied. */
    memmove(old.data + 4, old.data, old.size);
    GOOD(kiln_plan_open_memory((kiln_span){old.data + 4, old.size}, NULL, &before, &error));
    ck_same_outputs(now, before);
    GOOD(kiln_plan_cut(before, NULL, &cut, &error));
    ck_same_outputs(now, cut);
    kiln_plan_close(cut);
    kiln_plan_close(before);
    kiln_plan_close(now);
}
END_TEST

/* What is written is of the current version. */
START_TEST(tuning_brings_up_to_date) {
    kiln_plan *now = NULL, *before = NULL;
    static plan_bytes old;
    old = file;
    make_version_1(&old);
    GOOD(open_bytes(&file, &now));
    GOOD(open_bytes(&old, &before));
    ck_assert_uint_eq(before->view.header->version, 1);
    kiln_plan *after = tuned(before);
    ck_assert_uint_eq(after->view.header->version, KILN_PLAN_VERSION);
    network_values a = outputs_of(now), b = outputs_of(after);
    ck_assert_double_lt(network_difference(b.data[0], a.data[0], a.count[0]), 1e-5);
    network_free_values(&a);
    network_free_values(&b);
    kiln_plan_close(now);
    kiln_plan_close(before);
    kiln_plan_close(after);
}
END_TEST

static const struct {
    uint32_t version;
    const char *message;
} other_versions[] = {{0, "compile again"}, {3, "needs a newer one"}, {1000, "needs a newer one"}};

START_TEST(refuses_other_versions_in_words) {
    kiln_plan *plan = NULL;
    kiln_plan_header h = header_of(&file);
    h.version = other_versions[_i].version;
    set_header(&file, h);
    ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
    ck_assert_msg(strstr(error.message, other_versions[_i].message) != NULL, "%s", error.message);
}
END_TEST

/* Each byte of the older header counts; and a header that ends where the file does. */
START_TEST(damage_to_an_older_header_shows) {
    kiln_plan *plan = NULL;
    make_version_1(&file);
    for (size_t at = 0; at < HEADER_BEFORE; at++) {
        file.data[at] ^= 1;
        ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
        file.data[at] ^= 1;
    }
    for (size_t size = 0; size <= sizeof(kiln_plan_header); size++) {
        ck_assert_int_eq(kiln_plan_open_memory((kiln_span){file.data, size}, NULL, &plan, &error),
                         KILN_ERROR_FORMAT);
    }
    /* A sealed header of the wrong length. */
    uint32_t bytes = sizeof(kiln_plan_header);
    memcpy(file.data + offsetof(kiln_plan_header, header_bytes), &bytes, sizeof bytes);
    seal_before(&file);
    ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
}
END_TEST

/* A kernel that only later runtimes have is told as that. */
START_TEST(unknown_kernels_are_named) {
    kiln_plan *plan = NULL;
    kiln_plan_header h = header_of(&file);
    kiln_plan_section *steps = &h.sections[KILN_SECTION_STEPS];
    uint16_t kernel = 999;
    memcpy(file.data + steps->offset + offsetof(kiln_plan_step, kernel), &kernel, sizeof kernel);
    steps->checksum = XXH3_64bits(file.data + steps->offset, (size_t)steps->bytes);
    set_header(&file, h);
    ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
    ck_assert_msg(strstr(error.message, "newer runtime: step 0 calls kernel 999") != NULL, "%s",
                  error.message);
}
END_TEST

/* Results go through functions that the kernel may have, and flags have meanings. */
START_TEST(unknown_flags_are_refused) {
    static const struct {
        size_t step; /* 0: a copy, 1: a convolution */
        uint32_t flags;
    } wrong[] = {{1, 8},
                 {0, KILN_STEP_POOLED},
                 {1, KILN_STEP_POOLED},
                 {1, 1u << 16},
                 {1, KILN_STEP_WITH_FUNCTION(KILN_UNARY_COUNT)},
                 {1, KILN_STEP_WITH_FUNCTION(KILN_UNARY_IS_NAN)},
                 {0, KILN_STEP_WITH_FUNCTION(KILN_UNARY_TANH)},
                 {1, KILN_STEP_WITH_FUNCTION(KILN_UNARY_TANH)}}; /* it has bounds */
    kiln_plan_header h = header_of(&file);
    kiln_plan_section *steps = &h.sections[KILN_SECTION_STEPS];
    size_t first = (size_t)steps->offset + offsetof(kiln_plan_step, flags);
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        kiln_plan *plan = NULL;
        size_t at = first + wrong[k].step * sizeof(kiln_plan_step);
        memcpy(file.data + at, &wrong[k].flags, sizeof wrong->flags);
        steps->checksum = XXH3_64bits(file.data + steps->offset, (size_t)steps->bytes);
        set_header(&file, h);
        ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
        memset(file.data + at, 0, sizeof wrong->flags);
    }
}
END_TEST

/* A plan may lack what cutting looks at first. */
START_TEST(cutting_wants_an_output) {
    kiln_plan *plan = NULL, *cut = NULL;
    kiln_plan_header h = header_of(&file);
    h.sections[KILN_SECTION_OUTPUTS].bytes = 0;
    h.sections[KILN_SECTION_OUTPUTS].checksum = XXH3_64bits("", 0);
    set_header(&file, h);
    GOOD(open_bytes(&file, &plan));
    ck_assert_int_eq(kiln_plan_cut(plan, NULL, &cut, &error), KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_null(cut);
    kiln_plan_close(plan);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("version", reads_the_version_before),
        TEST("version", tuning_brings_up_to_date),
        EACH("version", refuses_other_versions_in_words, other_versions),
        TEST("version", damage_to_an_older_header_shows),
        TEST("version", unknown_kernels_are_named),
        TEST("version", unknown_flags_are_refused),
        TEST("version", cutting_wants_an_output),
    };
    return SUITE("plan_format", tests, .begin = make_plan, .end = remove_plan);
}
