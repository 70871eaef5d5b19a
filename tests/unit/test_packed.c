/* Packed weights: shared by a plan's sessions, made once however many threads create sessions, and
 * given back whatever fails; kept in a file that is used only where it fits. The network: 3x3
 * convolution by Winograd's algorithm, relu, 1x1 convolution as a matrix product, sigmoid, so that
 * on every processor the kernels are Kiln's: XNNPACK packs what it computes for each session. */
#include "tests/unit/network.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define IN_CHANNELS 8
#define MIDDLE 40
#define OUT_CHANNELS 9
#define SIDE 12
#define INPUTS ((size_t)IN_CHANNELS * SIDE * SIDE)
#define OUTPUTS ((size_t)OUT_CHANNELS * (SIDE - 2) * (SIDE - 2))

static char path[] = "/tmp/kiln-packed-XXXXXX";
static char kept[sizeof path + 8]; /* path + ".packed" */
static kiln_error error;

/* ---- The network --------------------------------------------------------------------------- */

static size_t seed; /* of the weights */

static float noise(size_t k) {
    return (float)((k * 2654435761u >> 8) % 2001) / 1000 - 1;
}

static void write_test_plan(void) {
    const network_conv first = {MIDDLE, 3, 3, {1, 1}, {1, 1}, {0}, 1, false};
    const network_conv second = {OUT_CHANNELS, 1, 1, {1, 1}, {1, 1}, {0}, 1, false};
    network n;
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.convolution = KILN_CONVOLUTION_WINOGRAD_4;
    network_begin_at(&n, seed, 1);
    tensor *y = network_convolve(&n, network_input(&n, IN_CHANNELS, SIDE, SIDE), &first);
    y = network_apply(&n, "Relu", 1, &y, NULL);
    y = network_convolve(&n, y, &second);
    network_output(&n, network_apply(&n, "Sigmoid", 1, &y, NULL));
    network_save(&n, &options, path);
}

static kiln_plan *open_plan(const kiln_plan_options *options) {
    kiln_plan *plan = NULL;
    ck_assert_msg(kiln_plan_open(path, options, &plan, &error) == KILN_OK, "%s", error.message);
    return plan;
}

static kiln_status create(const kiln_plan *plan, uint32_t threads, kiln_session **out_session) {
    kiln_session_options options;
    kiln_session_options_init(&options);
    options.threads = threads;
    return kiln_session_create(plan, &options, out_session, &error);
}

static void run(kiln_session *session, float *output) {
    float input[INPUTS];
    kiln_buffer in = {input, sizeof input}, out = {output, OUTPUTS * sizeof *output};
    for (size_t k = 0; k < INPUTS; k++) {
        input[k] = noise(k + 77);
    }
    ck_assert_int_eq(kiln_session_run(session, 1, &in, 1, &out, 1, NULL), KILN_OK);
}

/* ---- Sharing ------------------------------------------------------------------------------- */

START_TEST(sessions_share_them) {
    kiln_plan *plan = open_plan(NULL);
    kiln_session *one = NULL, *two = NULL;
    float first[OUTPUTS], second[OUTPUTS];
    ck_assert_uint_eq(kiln_plan_packed_bytes(plan), 0);
    ck_assert_int_eq(create(plan, 1, &one), KILN_OK);
    size_t bytes = kiln_plan_packed_bytes(plan);
    ck_assert_uint_ge(bytes, (36 * IN_CHANNELS * MIDDLE + MIDDLE * OUT_CHANNELS) * sizeof(float));
    run(one, first);
    ck_assert_int_eq(create(plan, 2, &two), KILN_OK);
    ck_assert_uint_eq(kiln_plan_packed_bytes(plan), bytes);
    kiln_session_destroy(one);
    ck_assert_uint_eq(kiln_plan_packed_bytes(plan), bytes);
    run(two, second);
    ck_assert_mem_eq(first, second, sizeof first);
    kiln_session_destroy(two);
    ck_assert_uint_eq(kiln_plan_packed_bytes(plan), 0);
    ck_assert_int_eq(create(plan, 1, &one), KILN_OK);
    ck_assert_uint_eq(kiln_plan_packed_bytes(plan), bytes);
    kiln_session_destroy(one);
    kiln_plan_close(plan);
}
END_TEST

#define THREADS 4
typedef struct racer {
    const kiln_plan *plan;
    atomic_int *ready; /* all begin together */
    kiln_status status;
    float output[OUTPUTS];
} racer;

static void *race(void *context) {
    racer *r = context;
    kiln_session *session = NULL;
    kiln_session_options options;
    kiln_session_options_init(&options);
    for (atomic_fetch_add(r->ready, 1); atomic_load(r->ready) < THREADS;) {
    }
    r->status = kiln_session_create(r->plan, &options, &session, NULL);
    if (r->status == KILN_OK) {
        run(session, r->output);
    }
    kiln_session_destroy(session);
    return NULL;
}

START_TEST(threads_create_sessions_at_once) {
    kiln_plan_options options = {.size = sizeof options, .prepacked_path = kept};
    kiln_plan *plan = open_plan(&options);
    for (int round = 0; round < 20; round++) {
        static racer racers[THREADS];
        pthread_t threads[THREADS];
        atomic_int ready = 0;
        for (int k = 0; k < THREADS; k++) {
            racers[k] = (racer){.plan = plan, .ready = &ready};
            ck_assert_int_eq(pthread_create(&threads[k], NULL, race, &racers[k]), 0);
        }
        for (int k = 0; k < THREADS; k++) {
            ck_assert_int_eq(pthread_join(threads[k], NULL), 0);
            ck_assert_int_eq(racers[k].status, KILN_OK);
            ck_assert_mem_eq(racers[k].output, racers[0].output, sizeof racers[0].output);
        }
        ck_assert_uint_eq(kiln_plan_packed_bytes(plan), 0);
    }
    kiln_plan_close(plan);
}
END_TEST

/* ---- Failing ------------------------------------------------------------------------------- */

/* An allocator that refuses its n-th block. */
typedef struct miser {
    size_t bytes, until_refusal;
} miser;

static void *miser_allocate(void *context, size_t size, size_t alignment) {
    miser *m = context;
    void *pointer = NULL;
    if (m->until_refusal-- == 0) {
        return NULL;
    }
    m->bytes += size;
    return posix_memalign(&pointer, alignment < 16 ? 16 : alignment, size) == 0 ? pointer : NULL;
}

static void miser_release(void *context, void *pointer, size_t size) {
    ((miser *)context)->bytes -= size;
    free(pointer);
}

/* Whichever block is refused, nothing of the session stays, and the next one works. */
START_TEST(all_or_nothing) {
    miser m = {.until_refusal = SIZE_MAX};
    kiln_allocator allocator = {&m, miser_allocate, miser_release};
    kiln_plan_options options = {.size = sizeof options, .allocator = &allocator};
    kiln_plan *plan = open_plan(&options);
    size_t before = m.bytes, refusals = 0;
    for (kiln_status status = KILN_ERROR_MEMORY; status != KILN_OK; refusals++) {
        kiln_session *session = NULL;
        m.until_refusal = refusals;
        status = create(plan, 1, &session);
        ck_assert(status == KILN_OK || status == KILN_ERROR_MEMORY);
        ck_assert((session != NULL) == (status == KILN_OK));
        kiln_session_destroy(session);
        ck_assert_uint_eq(m.bytes, before);
    }
    ck_assert_uint_gt(refusals, 8);
    kiln_plan_close(plan);
    ck_assert_uint_eq(m.bytes, 0);
}
END_TEST

/* ---- Kept in a file ------------------------------------------------------------------------ */

/* Opens the plan with the file, runs; returns how many bytes came from the file. */
static size_t run_kept(const char *file, bool skip_checksums, float *output, size_t *out_packed) {
    kiln_plan_options options = {
        .size = sizeof options, .prepacked_path = file, .skip_weight_checksums = skip_checksums};
    kiln_plan *plan = open_plan(&options);
    kiln_session *session = NULL, *other = NULL;
    ck_assert_int_eq(create(plan, 2, &session), KILN_OK);
    run(session, output);
    size_t bytes = kiln_plan_prepacked_bytes(plan);
    *out_packed = kiln_plan_packed_bytes(plan);
    ck_assert_int_eq(create(plan, 1, &other), KILN_OK);
    ck_assert_uint_eq(kiln_plan_packed_bytes(plan), *out_packed);
    kiln_session_destroy(other);
    kiln_session_destroy(session);
    /* When the last session has gone, the next one maps what was written. */
    ck_assert_int_eq(create(plan, 1, &session), KILN_OK);
    if (access(file, R_OK) == 0) {
        ck_assert_uint_eq(kiln_plan_prepacked_bytes(plan), *out_packed);
    }
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    return bytes;
}

/* The file is not used, or not all of it; the answer is right; after it the file is whole again. */
static void check_replaced(const float *wanted, const char *what, size_t at) {
    float output[OUTPUTS];
    size_t packed, bytes = run_kept(kept, false, output, &packed);
    ck_assert_msg(bytes < packed, "%s at %zu: the file was used", what, at);
    ck_assert_mem_eq(output, wanted, sizeof output);
    ck_assert_uint_eq(run_kept(kept, false, output, &packed), packed);
    ck_assert_mem_eq(output, wanted, sizeof output);
}

static uint8_t *read_kept(size_t *out_size) {
    FILE *in = fopen(kept, "rb");
    ck_assert_ptr_nonnull(in);
    ck_assert_int_eq(fseek(in, 0, SEEK_END), 0);
    *out_size = (size_t)ftell(in);
    rewind(in);
    uint8_t *bytes = malloc(*out_size);
    ck_assert_uint_eq(fread(bytes, 1, *out_size, in), *out_size);
    ck_assert_int_eq(fclose(in), 0);
    return bytes;
}

static void write_kept(const uint8_t *bytes, size_t size) {
    FILE *out = fopen(kept, "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(bytes, 1, size, out), size);
    ck_assert_int_eq(fclose(out), 0);
}

START_TEST(a_second_start_maps_them) {
    float first[OUTPUTS], second[OUTPUTS];
    size_t packed;
    (void)unlink(kept);
    ck_assert_uint_eq(run_kept(kept, false, first, &packed), 0);
    ck_assert_uint_eq(run_kept(kept, false, second, &packed), packed);
    ck_assert_mem_eq(first, second, sizeof first);
    ck_assert_uint_eq(run_kept(kept, true, second, &packed), packed);
    ck_assert_mem_eq(first, second, sizeof first);
    ck_assert_uint_eq(run_kept("/nowhere/at/all", false, second, &packed), 0);
    ck_assert_mem_eq(first, second, sizeof first);
}
END_TEST

START_TEST(damaged_files_are_replaced) {
    float wanted[OUTPUTS];
    size_t packed, size;
    (void)run_kept(kept, false, wanted, &packed);
    uint8_t *bytes = read_kept(&size);
    for (size_t at = 0; at < size; at += at < 160 ? 1 : 4999) {
        bytes[at] ^= 0x10;
        write_kept(bytes, size);
        bytes[at] ^= 0x10;
        float output[OUTPUTS];
        bool padding = run_kept(kept, false, output, &packed) == packed;
        ck_assert_mem_eq(output, wanted, sizeof wanted);
        ck_assert_msg(!padding || at >= 144, "damage at %zu was not seen", at);
    }
    for (size_t length = 0; length < size; length += length < 200 ? 7 : 4999) {
        write_kept(bytes, length);
        check_replaced(wanted, "cut", length);
    }
    free(bytes);
}
END_TEST

/* Where an entry's bytes lie, with checksums that are right: the file may have been made to harm.
 */
START_TEST(places_outside_the_file_are_refused) {
    enum { ENTRIES_CHECKSUM = 64, CHECKSUM = 72, ENTRIES = 80, ENTRY = 32, OFFSET = 8, BYTES = 16 };
    static const uint64_t wrong[] = {UINT64_MAX - 63, UINT64_MAX, (uint64_t)1 << 40, 1};
    float wanted[OUTPUTS];
    size_t packed, size;
    (void)run_kept(kept, false, wanted, &packed);
    uint8_t *bytes = read_kept(&size);
    for (size_t k = 0; k < 2 * sizeof wrong / sizeof *wrong; k++) {
        uint8_t original[ENTRY];
        memcpy(original, bytes + ENTRIES, ENTRY);
        memcpy(bytes + ENTRIES + (k % 2 == 0 ? OFFSET : BYTES), &wrong[k / 2], sizeof *wrong);
        uint64_t sum = 0;
        uint32_t count;
        memcpy(&count, bytes + 12, sizeof count);
        for (size_t e = 0; e < count; e++) {
            sum = XXH3_64bits_withSeed(bytes + ENTRIES + e * ENTRY, ENTRY, sum);
        }
        memcpy(bytes + ENTRIES_CHECKSUM, &sum, sizeof sum);
        sum = XXH3_64bits(bytes, CHECKSUM);
        memcpy(bytes + CHECKSUM, &sum, sizeof sum);
        write_kept(bytes, size);
        check_replaced(wanted, "wrong place", k);
        memcpy(bytes + ENTRIES, original, ENTRY);
    }
    free(bytes);
}
END_TEST

START_TEST(another_plans_file_is_replaced) {
    float mine[OUTPUTS], others[OUTPUTS];
    size_t packed;
    (void)run_kept(kept, false, mine, &packed);
    seed = 5;
    write_test_plan();
    ck_assert_uint_eq(run_kept(kept, false, others, &packed), 0);
    ck_assert_mem_ne(mine, others, sizeof mine);
    seed = 0;
    write_test_plan();
    check_replaced(mine, "another plan's file", 0);
}
END_TEST

/* ---- What is told -------------------------------------------------------------------------- */

typedef struct said {
    size_t count;
    char last[256];
} said;

static void note(void *context, const char *message) {
    said *s = context;
    s->count++;
    snprintf(s->last, sizeof s->last, "%s", message);
}

/* Opens the plan, makes a session; what was said meanwhile. */
static said said_with(const char *file) {
    said s = {0};
    kiln_plan_options options = {
        .size = sizeof options, .prepacked_path = file, .log = note, .log_context = &s};
    kiln_plan *plan = open_plan(&options);
    kiln_session *session = NULL;
    ck_assert_int_eq(create(plan, 1, &session), KILN_OK);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    return s;
}

START_TEST(what_is_not_used_is_told) {
    static const struct {
        size_t at; /* of the byte that is another */
        const char *why;
    } damages[] = {{0, "not a file of packed weights"},
                   {8, "another version"},
                   {33, "another version"},
                   {20, "damaged"},
                   {100, "damaged"}};
    size_t size;
    (void)unlink(kept);
    ck_assert_uint_eq(said_with(kept).count, 0);
    ck_assert_uint_eq(said_with(kept).count, 0);
    uint8_t *bytes = read_kept(&size);
    for (size_t k = 0; k < sizeof damages / sizeof *damages; k++) {
        bytes[damages[k].at] ^= 0x10;
        write_kept(bytes, size);
        bytes[damages[k].at] ^= 0x10;
        said s = said_with(kept);
        ck_assert_msg(s.count == 1 && strstr(s.last, damages[k].why) != NULL, "at %zu: %zu, '%s'",
                      damages[k].at, s.count, s.last);
    }
    bytes[size - 4096] ^= 1; /* among the packed weights themselves */
    write_kept(bytes, size);
    free(bytes);
    said s = said_with(kept);
    ck_assert_msg(strstr(s.last, "is packed again") != NULL, "'%s'", s.last);
    s = said_with("/nowhere/at/all");
    ck_assert_msg(s.count == 1 && strstr(s.last, "/nowhere/at/all") != NULL, "'%s'", s.last);
    seed = 5;
    write_test_plan();
    s = said_with(kept);
    ck_assert_msg(strstr(s.last, "another plan") != NULL, "'%s'", s.last);
    seed = 0;
    write_test_plan();
}
END_TEST

int main(void) {
    int file = mkstemp(path);
    if (file < 0 || close(file) != 0) {
        return EXIT_FAILURE;
    }
    snprintf(kept, sizeof kept, "%s.packed", path);
    const suite_test tests[] = {
        TEST("log", what_is_not_used_is_told),
        TEST("sharing", sessions_share_them),
        TEST("sharing", threads_create_sessions_at_once),
        TEST("sharing", all_or_nothing),
        TEST("file", a_second_start_maps_them),
        TEST("file", damaged_files_are_replaced),
        TEST("file", places_outside_the_file_are_refused),
        TEST("file", another_plans_file_is_replaced),
    };
    int failed = SUITE("packed", tests, .once = write_test_plan);
    (void)unlink(path);
    (void)unlink(kept);
    return failed;
}
