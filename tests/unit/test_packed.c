/* Packed weights: shared by a plan's sessions, made once however many threads create sessions, and
 * given back whatever fails. The network: 3x3 convolution by Winograd's algorithm, relu, 1x1
 * convolution as a matrix product. */
#include "compiler/graph/graph.h"
#include "compiler/lower/lower.h"
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/place/place.h"
#include "compiler/write/write.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IN_CHANNELS 8
#define MIDDLE 40
#define OUT_CHANNELS 9
#define SIDE 12
#define INPUTS ((size_t)IN_CHANNELS * SIDE * SIDE)
#define OUTPUTS ((size_t)OUT_CHANNELS * (SIDE - 2) * (SIDE - 2))

static char path[] = "/tmp/kiln-packed-XXXXXX";
static kiln_error error;

/* ---- The network --------------------------------------------------------------------------- */

static float noise(size_t k) {
    return (float)((k * 2654435761u >> 8) % 2001) / 1000 - 1;
}

static tensor *weights(graph *g, int64_t outputs, int64_t inputs, int64_t side) {
    tensor *t = graph_add_constant(g, NULL, KILN_F32, 4, (int64_t[]){outputs, inputs, side, side});
    for (size_t k = 0; k < (size_t)tensor_elements(t); k++) {
        ((float *)t->owned)[k] = noise(k) / 8;
    }
    return t;
}

static tensor *apply(graph *g, const char *op_name, size_t count, tensor *const *inputs) {
    tensor *y = graph_add_tensor(g, NULL, KILN_F32);
    ck_assert_ptr_nonnull(graph_add_node(g, op_find(op_name), NULL, count, inputs, 1, &y));
    return y;
}

static void write_test_plan(void) {
    graph *g = NULL;
    program *p = NULL;
    kiln_compile_options options;
    kiln_compile_report report = {0};
    ck_assert_int_eq(graph_create("test", &error, &g), KILN_OK);
    g->opset = 13;
    g->producer = "test";
    tensor *x = graph_add_tensor(g, "x", KILN_F32);
    ck_assert_int_eq(tensor_set_shape(g, NULL, x, 4, (int64_t[]){1, IN_CHANNELS, SIDE, SIDE}),
                     KILN_OK);
    tensor *y = apply(g, "Conv", 2, (tensor *[]){x, weights(g, MIDDLE, IN_CHANNELS, 3)});
    y = apply(g, "Relu", 1, &y);
    y = apply(g, "Conv", 2, (tensor *[]){y, weights(g, OUT_CHANNELS, MIDDLE, 1)});
    g->inputs = &x;
    g->outputs = &y;
    g->input_count = g->output_count = 1;
    x->is_input = y->is_output = true;
    kiln_compile_options_init(&options);
    options.convolution = KILN_CONVOLUTION_WINOGRAD_4;
    ck_assert_msg(passes_run(g, &options, &report) == KILN_OK, "%s", error.message);
    ck_assert_int_eq(lower_graph_to_program(g, &options, &p), KILN_OK);
    ck_assert_int_eq(place_program(p), KILN_OK);
    ck_assert_int_eq(write_plan(p, path, &options, &report, &error), KILN_OK);
    graph_free(g);
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
    kiln_plan *plan = open_plan(NULL);
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
    kiln_plan_options options = {.allocator = &allocator};
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

int main(void) {
    int file = mkstemp(path);
    if (file < 0 || close(file) != 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("packed");
    TCase *tests = tcase_create("packed");
    tcase_set_timeout(tests, 120);
    tcase_add_unchecked_fixture(tests, write_test_plan, NULL);
    tcase_add_test(tests, sessions_share_them);
    tcase_add_test(tests, threads_create_sessions_at_once);
    tcase_add_test(tests, all_or_nothing);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    (void)unlink(path);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
