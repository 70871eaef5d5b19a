/* Plans and sessions through the public interface: every way of opening, batches, captures,
 * observers, limits, and buffers that do not fit. The network is made here, so that the answer is
 * known: y = relu(conv(x)) with one 1x1 filter, then a dense layer. */
#include "tests/unit/network.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/kiln-session-XXXXXX";
static kiln_error error;

/* x [N,2,1,2] -> conv: 2 channels (x0 - x1, x1) + bias (0, 1), relu -> flatten -> sum, difference.
 */
static void write_test_plan(void) {
    network n;
    network_begin(&n, 1);
    tensor *x = network_input(&n, 2, 1, 2);
    tensor *w = network_constant_of(&n, 4, (int64_t[]){2, 2, 1, 1}, (float[]){1, -1, 0, 1});
    tensor *b = network_constant_of(&n, 1, (int64_t[]){2}, (float[]){0, 1});
    tensor *y = network_apply(&n, "Conv", 3, (tensor *[]){x, w, b}, NULL);
    y = network_apply_named(&n, "Relu", "relu", 1, &y, NULL);
    y = network_apply(&n, "Flatten", 1, &y, NULL);
    tensor *dense =
        network_constant_of(&n, 2, (int64_t[]){4, 2}, (float[]){1, 1, 1, -1, 1, 1, 1, -1});
    network_output(&n, network_apply_named(&n, "Gemm", "y", 2, (tensor *[]){y, dense}, NULL));
    network_save(&n, NULL, path);
}

static kiln_plan *open_plan(void) {
    kiln_plan *plan = NULL;
    ck_assert_msg(kiln_plan_open(path, NULL, &plan, &error) == KILN_OK, "%s", error.message);
    return plan;
}

/* Two samples: pixels (3,1) and (5,2) in channels 0 and 1; then all ones. */
static const float input[8] = {3, 5, 1, 2, 1, 1, 1, 1};
/* relu: c0 = (2, 3), c1 = (2, 3) -> flat (2,3,2,3): sum 10, 2 - 3 + 2 - 3 = -2. Ones: (0,0,2,2). */
static const float expected[4] = {10, -2, 4, 0};

/* Small whole numbers: exact. */
static void check_floats(const float *found, const float *wanted, size_t count) {
    for (size_t k = 0; k < count; k++) {
        ck_assert_float_eq(found[k], wanted[k]);
    }
}

static void run_and_check(const kiln_plan *plan, uint32_t threads) {
    kiln_session_options options;
    kiln_session *session = NULL;
    kiln_session_options_init(&options);
    options.threads = threads;
    options.max_batch = 2;
    ck_assert_msg(kiln_session_create(plan, &options, &session, &error) == KILN_OK, "%s",
                  error.message);
    for (size_t batch = 1; batch <= 2; batch++) {
        float output[4] = {0};
        size_t read = batch * 4 * sizeof(float), written = batch * 2 * sizeof(float);
        kiln_buffer in = {(void *)(uintptr_t)input, read}, out = {output, written};
        ck_assert_int_eq(kiln_session_run(session, (uint32_t)batch, &in, 1, &out, 1, &error),
                         KILN_OK);
        check_floats(output, expected, batch * 2);
    }
    kiln_session_destroy(session);
}

START_TEST(opens_from_path_memory_and_descriptor) {
    kiln_plan *plan = open_plan();
    run_and_check(plan, 1);
    run_and_check(plan, 2);
    kiln_plan_view view;
    kiln_plan_inspect(plan, &view);
    size_t size = (size_t)view.header->file_bytes;
    uint8_t *copy = aligned_alloc(64, (size + 63) / 64 * 64);
    memcpy(copy, view.header, size);
    kiln_plan_close(plan);

    ck_assert_int_eq(kiln_plan_open_memory((kiln_span){copy, size}, NULL, &plan, &error), KILN_OK);
    run_and_check(plan, 1);
    kiln_plan_close(plan);

    /* Inside a larger file, at an offset that is no page's. */
    char larger[] = "/tmp/kiln-session-XXXXXX";
    int file = mkstemp(larger);
    ck_assert_int_eq(ftruncate(file, 8200), 0);
    ck_assert_int_eq(pwrite(file, copy, size, 8200), (ssize_t)size);
    ck_assert_int_eq(ftruncate(file, (off_t)(8200 + size + 100)), 0);
    ck_assert_msg(kiln_plan_open_fd(file, 8200, size, NULL, &plan, &error) == KILN_OK, "%s",
                  error.message);
    ck_assert_int_eq(close(file), 0);
    run_and_check(plan, 1);
    kiln_plan_close(plan);
    ck_assert_int_eq(unlink(larger), 0);
    free(copy);
}
END_TEST

START_TEST(tells_what_is_wrong) {
    kiln_plan *plan = open_plan();
    kiln_session *session = NULL;
    kiln_session_options options;
    float output[4];
    kiln_buffer in = {(void *)(uintptr_t)input, 16}, out = {output, 8}, small = {output, 4};
    kiln_session_options_init(&options);
    options.memory_limit = 8;
    ck_assert_int_eq(kiln_session_create(plan, &options, &session, &error), KILN_ERROR_MEMORY);
    ck_assert_ptr_null(session);
    ck_assert_int_eq(kiln_session_create(plan, NULL, &session, &error), KILN_OK);
    ck_assert_int_eq(kiln_session_run(session, 2, &in, 1, &out, 1, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_session_run(session, 0, &in, 1, &out, 1, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_session_run(session, 1, &in, 0, &out, 1, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_session_run(session, 1, &in, 1, &small, 1, &error), KILN_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "'y' has 4 bytes; 8 expected"));
    ck_assert_int_eq(kiln_session_run(session, 1, &in, 1, &out, 1, &error), KILN_OK);
    ck_assert_int_eq(kiln_session_capture(session, "nothing", out, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_session_step_read(session, 0, 0, out, &error), KILN_ERROR_ARGUMENT);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
}
END_TEST

static bool count_steps(void *context, kiln_session *session, size_t step) {
    (void)session;
    *(size_t *)context = step + 1;
    return step < 1;
}

START_TEST(captures_and_observes) {
    kiln_plan *plan = open_plan();
    kiln_session *session = NULL;
    float output[2], relu[4] = {0};
    size_t seen = 0;
    kiln_tensor_info info;
    kiln_buffer in = {(void *)(uintptr_t)input, 16}, out = {output, 8};
    ck_assert_int_eq(kiln_plan_tensor(plan, "relu", &info, &error), KILN_OK);
    ck_assert_uint_eq(info.bytes, sizeof relu);
    ck_assert_int_eq(kiln_session_create(plan, NULL, &session, &error), KILN_OK);
    ck_assert_int_eq(
        kiln_session_capture(session, "relu", (kiln_buffer){relu, sizeof relu}, &error), KILN_OK);
    ck_assert_int_eq(kiln_session_run(session, 1, &in, 1, &out, 1, &error), KILN_OK);
    /* ONNX order: channel 0's pixels, then channel 1's. */
    check_floats(relu, (float[]){2, 3, 2, 3}, 4);
    kiln_session_observe(session, count_steps, &seen);
    ck_assert_int_eq(kiln_session_run(session, 1, &in, 1, &out, 1, &error), KILN_OK);
    ck_assert_uint_eq(seen, 2);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
}
END_TEST

/* What it takes is filled by a run; what no step computes (the flattened view) it does not take. */
START_TEST(captures_only_what_is_computed) {
    kiln_plan *plan = open_plan();
    kiln_session *session = NULL;
    kiln_plan_view view;
    float output[2], values[16][4];
    kiln_buffer in = {(void *)(uintptr_t)input, 16}, out = {output, 8};
    bool taken[16] = {false};
    size_t refused = 0;
    kiln_plan_inspect(plan, &view);
    ck_assert_uint_le(view.tensor_count, 16);
    ck_assert_int_eq(kiln_session_create(plan, NULL, &session, &error), KILN_OK);
    for (size_t t = 0; t < view.tensor_count; t++) {
        const char *name = view.strings + view.tensors[t].name;
        if (view.tensors[t].place == KILN_PLACE_ARENA && name[0] != '\0') {
            kiln_buffer to = {values[t], sizeof values[t]};
            values[t][0] = NAN;
            taken[t] = kiln_session_capture(session, name, to, &error) == KILN_OK;
            refused += !taken[t] && strstr(error.message, "is a view of one") != NULL;
        }
    }
    ck_assert_uint_eq(refused, 1);
    ck_assert_int_eq(kiln_session_run(session, 1, &in, 1, &out, 1, &error), KILN_OK);
    for (size_t t = 0; t < view.tensor_count; t++) {
        ck_assert(!taken[t] || !isnan(values[t][0]));
    }
    kiln_session_destroy(session);
    kiln_plan_close(plan);
}
END_TEST

/* The caller's allocator gets back all that it gave. */
typedef struct counter {
    size_t bytes, calls;
} counter;

static void *count_allocate(void *context, size_t size, size_t alignment) {
    counter *c = context;
    void *pointer = NULL;
    c->bytes += size;
    c->calls++;
    return posix_memalign(&pointer, alignment < 16 ? 16 : alignment, size) == 0 ? pointer : NULL;
}

static void count_release(void *context, void *pointer, size_t size) {
    ((counter *)context)->bytes -= size;
    free(pointer);
}

START_TEST(uses_the_callers_allocator) {
    counter c = {0};
    kiln_allocator allocator = {&c, count_allocate, count_release};
    kiln_plan_options options = {.size = sizeof options, .allocator = &allocator};
    kiln_plan *plan = NULL;
    ck_assert_int_eq(kiln_plan_open(path, &options, &plan, &error), KILN_OK);
    run_and_check(plan, 1);
    ck_assert_uint_gt(c.calls, 3);
    kiln_plan_close(plan);
    ck_assert_uint_eq(c.bytes, 0);
}
END_TEST

/* Each byte of the records changed, checksums made right or not: never a crash (sanitizers tell).
 */
START_TEST(weights_are_checked) {
    kiln_plan *plan = open_plan();
    kiln_plan_view view;
    kiln_plan_inspect(plan, &view);
    size_t size = (size_t)view.header->file_bytes;
    size_t weights = (size_t)view.header->sections[KILN_SECTION_WEIGHTS].offset;
    uint8_t *copy = aligned_alloc(64, (size + 63) / 64 * 64);
    memcpy(copy, view.header, size);
    kiln_plan_close(plan);
    copy[weights] ^= 1;
    kiln_session *session = NULL;
    ck_assert_int_eq(kiln_plan_open_memory((kiln_span){copy, size}, NULL, &plan, &error), KILN_OK);
    ck_assert_int_eq(kiln_session_create(plan, NULL, &session, &error), KILN_ERROR_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "checksum"));
    kiln_plan_close(plan);
    for (size_t at = 0; at < weights; at++) {
        copy[at] ^= 0x10;
        bool padding =
            kiln_plan_open_memory((kiln_span){copy, size}, NULL, &plan, &error) == KILN_OK;
        if (padding) { /* between sections nothing is read */
            kiln_plan_close(plan);
        }
        copy[at] ^= 0x10;
    }
    free(copy);
}
END_TEST

int main(void) {
    int file = mkstemp(path);
    if (file < 0 || close(file) != 0) {
        return EXIT_FAILURE;
    }
    const suite_test tests[] = {
        TEST("opening", opens_from_path_memory_and_descriptor),
        TEST("opening", tells_what_is_wrong),
        TEST("opening", weights_are_checked),
        TEST("running", captures_and_observes),
        TEST("running", captures_only_what_is_computed),
        TEST("running", uses_the_callers_allocator),
    };
    int failed = SUITE("session", tests, .once = write_test_plan);
    (void)unlink(path);
    return failed;
}
