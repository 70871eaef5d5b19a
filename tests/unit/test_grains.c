/* Work is cut for more cores than are here: a pool that does all work itself counts in how many
 * pieces each step gives it to eight threads, and eight threads on fewer cores compute what one
 * does. */
#include "runtime/base/allocator.h"
#include "runtime/session/session.h"
#include "tests/unit/network.h"
#include "tests/unit/suite.h"

#include <time.h>
#include <unistd.h>

#define THREADS 8
#define WORTH 200000 /* multiply-accumulates of a step that more threads should share */
#define FEW 6        /* pieces: of fewer, two threads of eight and more would have none */

static kiln_error error;
static kiln_plan *plan;

static tensor *convolve(network *n, tensor *x, int64_t outputs, int64_t side, int64_t stride,
                        bool depthwise) {
    int64_t pad = side / 2;
    const network_conv c = {outputs,
                            side,
                            side,
                            {stride, stride},
                            {1, 1},
                            {pad, pad, pad, pad},
                            depthwise ? outputs : 1,
                            true};
    return network_apply(n, "Relu", 1, (tensor *[]){network_convolve(n, x, &c)}, NULL);
}

/* Layers of the kinds that networks for phones have, down to the few pixels that they end in. */
static void begin(void) {
    char path[] = "/tmp/kiln-grains-XXXXXX";
    kiln_compile_options options;
    network n;
    kiln_compile_options_init(&options);
    options.memory = KILN_MEMORY_SPEED; /* a band's stripes are few rows each */
    ck_assert_int_eq(close(mkstemp(path)), 0);
    network_begin(&n, 1);
    tensor *x = convolve(&n, network_input(&n, 48, 28, 28), 96, 3, 1, false);
    x = convolve(&n, x, 96, 3, 2, true);
    x = convolve(&n, x, 128, 1, 1, false);
    x = convolve(&n, x, 48, 3, 1, false);
    x = convolve(&n, x, 384, 1, 1, false);
    x = convolve(&n, x, 384, 5, 2, true);
    x = convolve(&n, x, 960, 1, 1, false);
    x = convolve(&n, x, 960, 3, 1, true);
    x = convolve(&n, x, 160, 1, 1, false);
    x = convolve(&n, x, 512, 3, 1, false);
    x = convolve(&n, x, 96, 7, 1, false);
    x = convolve(&n, x, 1280, 1, 1, false);
    network_output(&n, network_apply(&n, "GlobalAveragePool", 1, &x, NULL));
    network_save(&n, &options, path);
    ck_assert_msg(kiln_plan_open(path, NULL, &plan, &error) == KILN_OK, "%s", error.message);
    ck_assert_int_eq(unlink(path), 0);
}

static void end(void) {
    kiln_plan_close(plan);
}

static kiln_session *open_session(uint32_t threads) {
    kiln_session_options options = {.size = sizeof options, .threads = threads};
    kiln_session *session = NULL;
    ck_assert_msg(kiln_session_create(plan, &options, &session, &error) == KILN_OK, "%s",
                  error.message);
    return session;
}

static network_values run(kiln_session *session) {
    network_values in = network_noise(plan, 1, 7), out = network_noise(plan, 1, 7);
    kiln_tensor_info info;
    (void)kiln_plan_output(plan, 0, &info);
    out.count[0] = info.bytes / sizeof(float);
    out.data[0] = realloc(out.data[0], info.bytes);
    const kiln_buffer x = {in.data[0], in.count[0] * sizeof(float)}, y = {out.data[0], info.bytes};
    ck_assert_msg(kiln_session_run(session, 1, &x, 1, &y, 1, &error) == KILN_OK, "%s",
                  error.message);
    network_free_values(&in);
    return out;
}

/* ---- Pieces -------------------------------------------------------------------------------- */

/* Of the step in progress: the job that took longest. */
typedef struct longest {
    double seconds;
    size_t pieces;
} longest;

static double now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void count(void *context, thread_pool_item *task, void *of_task, size_t items) {
    longest *l = context;
    double begin = now();
    for (size_t k = 0; k < items; k++) {
        task(of_task, k);
    }
    double seconds = now() - begin;
    *l = seconds > l->seconds ? (longest){seconds, items} : *l;
}

static bool check_step(void *context, kiln_session *session, size_t step) {
    longest *l = context;
    uint64_t macs = kiln_plan_step_macs(plan, step);
    const kernel_call *call = &session->calls[step];
    /* Another library cuts its work itself, for a pool of its own. */
    bool ours = call->kernel->library == NULL || call->kernel->library(call) == NULL;
    if (ours && macs >= WORTH) {
        ck_assert_msg(l->pieces >= FEW, "step %zu, '%s', of %llu multiplications: %zu pieces", step,
                      call->kernel->traits.name, (unsigned long long)macs, l->pieces);
    }
    *l = (longest){0};
    return true;
}

START_TEST(each_step_has_work_for_all_threads) {
    longest l = {0};
    thread_pool *counting = NULL;
    kiln_session *session = open_session(THREADS);
    thread_pool *own = session->host.pool;
    ck_assert_int_eq(thread_pool_lend(default_allocator(), &l, THREADS, count, &counting, &error),
                     KILN_OK);
    session->host.pool = counting;
    kiln_session_observe(session, check_step, &l);
    network_values y = run(session);
    session->host.pool = own;
    thread_pool_destroy(counting);
    kiln_session_destroy(session);
    network_free_values(&y);
}
END_TEST

START_TEST(more_threads_than_cores_compute_what_one_does) {
    kiln_session *one = open_session(1), *many = open_session((uint32_t)_i);
    network_values wanted = run(one);
    for (int k = 0; k < 20; k++) {
        network_values y = run(many);
        for (size_t at = 0; at < y.count[0]; at++) {
            ck_assert_float_eq_tol(y.data[0][at], wanted.data[0][at], 1e-4f);
        }
        network_free_values(&y);
    }
    network_free_values(&wanted);
    kiln_session_destroy(one);
    kiln_session_destroy(many);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("pieces", each_step_has_work_for_all_threads),
        LOOP("results", more_threads_than_cores_compute_what_one_does, 2, 10),
    };
    return SUITE("grains", tests, .begin = begin, .end = end);
}
