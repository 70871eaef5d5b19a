/* Plans wherever they lie: at any multiple of 4 of a file or of memory, mapped or read. */
#include "tests/unit/network.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <unistd.h>

#define MOST_BEFORE 8204

static char path[] = "/tmp/kiln-places-XXXXXX";
static network_values noise, expected;
static uint8_t *bytes; /* the plan's, MOST_BEFORE behind a page's beginning */
static size_t size;

/* A convolution, and a Gather, whose indices are a constant of 8-byte numbers. */
static void make_plan(void) {
    network n;
    kiln_compile_options options;
    kiln_plan *plan = NULL;
    kiln_plan_view view;
    int file = mkstemp(path);
    ck_assert_int_eq(close(file), 0);
    network_begin(&n, 1);
    network_conv conv = {
        .outputs = 8, .height = 3, .width = 3, .strides = {1, 1}, .dilations = {1, 1}, .groups = 1};
    tensor *x = network_convolve(&n, network_input(&n, 3, 9, 9), &conv);
    tensor *picked = graph_add_constant(n.g, NULL, KILN_I64, 1, (int64_t[]){5});
    memcpy(picked->owned, (int64_t[]){6, 1, 1, 7, 0}, 5 * sizeof(int64_t));
    node *made;
    tensor *y = network_apply(&n, "Gather", 2, (tensor *[]){x, picked}, &made);
    (void)node_set_int(n.g, made, "axis", 1);
    ck_assert_int_eq(graph_infer_node(n.g, made), KILN_OK);
    network_output(&n, y);
    kiln_compile_options_init(&options);
    options.weights = KILN_F16;
    ck_assert_msg(network_write(&n, &options, path) == KILN_OK, "%s", network_error.message);
    ck_assert_int_eq(kiln_plan_open(path, NULL, &plan, &network_error), KILN_OK);
    kiln_plan_inspect(plan, &view);
    bool wide = false;
    for (size_t t = 0; t < view.tensor_count; t++) {
        wide = wide ||
               (view.tensors[t].place == KILN_PLACE_CONSTANT && view.tensors[t].dtype == KILN_I64);
    }
    ck_assert(wide);
    size = (size_t)view.header->file_bytes;
    bytes = aligned_alloc(4096, (MOST_BEFORE + size + 4095) / 4096 * 4096);
    memcpy(bytes + MOST_BEFORE, view.header, size);
    noise = network_noise(plan, 1, 7);
    kiln_plan_close(plan);
}

static network_values run(const kiln_plan *plan) {
    kiln_session *session = NULL;
    ck_assert_msg(kiln_session_create(plan, NULL, &session, &network_error) == KILN_OK, "%s",
                  network_error.message);
    network_values found = network_run(plan, session, 1, &noise);
    kiln_session_destroy(session);
    return found;
}

static void begin(void) {
    kiln_plan *plan = NULL;
    make_plan();
    ck_assert_int_eq(kiln_plan_open(path, NULL, &plan, &network_error), KILN_OK);
    expected = run(plan);
    kiln_plan_close(plan);
}

static void end(void) {
    network_free_values(&noise);
    network_free_values(&expected);
    free(bytes);
    ck_assert_int_eq(unlink(path), 0);
}

static void check_runs(kiln_plan *plan) {
    network_values found = run(plan);
    ck_assert_uint_eq(found.count[0], expected.count[0]);
    ck_assert_int_eq(memcmp(found.data[0], expected.data[0], found.count[0] * sizeof(float)), 0);
    network_free_values(&found);
    kiln_plan_close(plan);
}

START_TEST(opens_at_multiples_of_4_in_memory) {
    kiln_plan *plan = NULL;
    for (size_t at = MOST_BEFORE; at >= MOST_BEFORE - 12; at -= 4) {
        memmove(bytes + at, bytes + (at == MOST_BEFORE ? at : at + 4), size);
        ck_assert_msg(kiln_plan_open_memory((kiln_span){bytes + at, size}, NULL, &plan,
                                            &network_error) == KILN_OK,
                      "%s", network_error.message);
        check_runs(plan);
    }
    ck_assert_int_eq(
        kiln_plan_open_memory((kiln_span){bytes + 2, size}, NULL, &plan, &network_error),
        KILN_ERROR_ARGUMENT);
    ck_assert_ptr_null(plan);
}
END_TEST

START_TEST(opens_at_multiples_of_4_in_a_file) {
    static const uint64_t offsets[] = {0, 4, 8, 12, 4100, MOST_BEFORE, (uint64_t)3 << 30};
    kiln_plan *plan = NULL;
    for (size_t k = 0; k < 2 * sizeof offsets / sizeof *offsets; k++) {
        uint64_t offset = offsets[k / 2];
        kiln_plan_options options = {.size = sizeof options, .read_into_memory = k % 2 == 1};
        int file = open(path, O_RDWR | O_TRUNC);
        ck_assert_int_eq(pwrite(file, bytes + MOST_BEFORE, size, (off_t)offset), (ssize_t)size);
        ck_assert_int_eq(ftruncate(file, (off_t)(offset + size + 100)), 0);
        ck_assert_msg(kiln_plan_open_fd(file, offset, size, &options, &plan, &network_error) ==
                          KILN_OK,
                      "%s", network_error.message);
        check_runs(plan);
        ck_assert_int_eq(kiln_plan_open_fd(file, offset + 2, size, NULL, &plan, &network_error),
                         KILN_ERROR_ARGUMENT);
        ck_assert_int_eq(close(file), 0);
    }
}
END_TEST

/* What is damaged is refused there as it is elsewhere, and nothing leaks. */
START_TEST(refuses_damage_at_multiples_of_4) {
    kiln_plan *plan = NULL;
    for (size_t at = 0; at < sizeof(kiln_plan_header); at += 3) {
        bytes[MOST_BEFORE + at] ^= 0x5a;
        ck_assert_int_eq(kiln_plan_open_memory((kiln_span){bytes + MOST_BEFORE, size}, NULL, &plan,
                                               &network_error),
                         KILN_ERROR_FORMAT);
        bytes[MOST_BEFORE + at] ^= 0x5a;
    }
    for (size_t cut = 0; cut < size; cut += 97) {
        ck_assert_int_eq(kiln_plan_open_memory((kiln_span){bytes + MOST_BEFORE, cut}, NULL, &plan,
                                               &network_error),
                         KILN_ERROR_FORMAT);
    }
}
END_TEST

/* A mapped file would end the process here. */
START_TEST(a_plan_that_was_read_outlives_its_file) {
    kiln_plan *plan = NULL;
    kiln_plan_options options = {.size = sizeof options, .read_into_memory = true};
    ck_assert_int_eq(kiln_plan_open(path, &options, &plan, &network_error), KILN_OK);
    ck_assert_int_eq(truncate(path, 0), 0);
    check_runs(plan);
    ck_assert_int_eq(kiln_plan_open(path, &options, &plan, &network_error), KILN_ERROR_FORMAT);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("open", opens_at_multiples_of_4_in_memory),
        TEST("open", opens_at_multiples_of_4_in_a_file),
        TEST("open", a_plan_that_was_read_outlives_its_file),
        TEST("damage", refuses_damage_at_multiples_of_4),
    };
    return SUITE("plan_places", tests, .begin = begin, .end = end);
}
