/* What an app controls while it runs: cancelling from other threads, its own pool of threads, what
 * is called on each of them. */
#include "tests/unit/network.h"
#include "tests/unit/suite.h"

#include <pthread.h>
#include <pthreadpool.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 64, CHANNELS = 4, VALUES = CHANNELS * SIDE * SIDE };

static char path[] = "/tmp/kiln-control-XXXXXX";
static kiln_error error;
static kiln_plan *plan;
static float input[VALUES], output[VALUES], wanted[VALUES];
static const kiln_buffer in = {input, sizeof input}, out = {output, sizeof output};

/* Some layers one after the other. */
static void write_test_plan(void) {
    network n;
    network_begin(&n, 1);
    tensor *x = network_input(&n, CHANNELS, SIDE, SIDE);
    for (int k = 0; k < 6; k++) {
        x = network_apply(&n, k % 2 == 0 ? "Tanh" : "Softplus", 1, &x, NULL);
    }
    network_output(&n, x);
    network_save(&n, NULL, path);
}

static kiln_status run(kiln_session *session) {
    return kiln_session_run(session, 1, &in, 1, &out, 1, &error);
}

static kiln_session *open_session(const kiln_session_options *options) {
    kiln_session *session = NULL;
    ck_assert_msg(kiln_session_create(plan, options, &session, &error) == KILN_OK, "%s",
                  error.message);
    return session;
}

static void begin(void) {
    close(mkstemp(strcpy(path, "/tmp/kiln-control-XXXXXX")));
    write_test_plan();
    ck_assert_int_eq(kiln_plan_open(path, NULL, &plan, &error), KILN_OK);
    for (size_t k = 0; k < VALUES; k++) {
        input[k] = (float)(k % 17) / 8 - 1;
    }
    kiln_session *session = open_session(NULL);
    ck_assert_int_eq(run(session), KILN_OK);
    memcpy(wanted, output, sizeof wanted);
    memset(output, 0, sizeof output);
    kiln_session_destroy(session);
}

static void end(void) {
    kiln_plan_close(plan);
    unlink(path);
}

/* ---- Cancelling ---------------------------------------------------------------------------- */

START_TEST(cancelled_before_a_run_ends_that_run_alone) {
    kiln_session *session = open_session(NULL);
    kiln_session_cancel(session);
    kiln_session_cancel(session);
    ck_assert_int_eq(run(session), KILN_ERROR_CANCELLED);
    ck_assert_int_eq(error.status, KILN_ERROR_CANCELLED);
    ck_assert_int_eq(run(session), KILN_OK);
    ck_assert_mem_eq(output, wanted, sizeof wanted);
    kiln_session_destroy(session);
}
END_TEST

typedef struct watched {
    size_t cancel_at, last; /* steps */
} watched;

static bool cancel_at_step(void *context, kiln_session *session, size_t step) {
    watched *w = context;
    w->last = step;
    if (step == w->cancel_at) {
        kiln_session_cancel(session);
    }
    return true;
}

START_TEST(no_layer_follows_the_one_in_progress) {
    kiln_session *session = open_session(NULL);
    watched w = {.cancel_at = 1};
    kiln_session_observe(session, cancel_at_step, &w);
    ck_assert_int_eq(run(session), KILN_ERROR_CANCELLED);
    ck_assert_uint_eq(w.last, 1);
    kiln_session_observe(session, NULL, NULL);
    ck_assert_int_eq(run(session), KILN_OK);
    ck_assert_mem_eq(output, wanted, sizeof wanted);
    kiln_session_destroy(session);
}
END_TEST

START_TEST(cancelled_in_the_last_layer_ends_that_run_not_the_next) {
    kiln_session *session = open_session(NULL);
    watched w = {.cancel_at = kiln_session_step_count(session) - 1};
    kiln_session_observe(session, cancel_at_step, &w);
    ck_assert_int_eq(run(session), KILN_ERROR_CANCELLED);
    kiln_session_observe(session, NULL, NULL);
    ck_assert_int_eq(run(session), KILN_OK);
    ck_assert_mem_eq(output, wanted, sizeof wanted);
    kiln_session_destroy(session);
}
END_TEST

static void *cancel_later(void *session) {
    usleep(20000);
    kiln_session_cancel(session);
    return NULL;
}

START_TEST(another_thread_may_cancel) {
    kiln_session *session =
        open_session(&(kiln_session_options){.size = sizeof(kiln_session_options), .threads = 2});
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_later, session), 0);
    kiln_status status = KILN_OK;
    while (status == KILN_OK) { /* for ever, if it were not for the other thread */
        status = run(session);
    }
    ck_assert_int_eq(status, KILN_ERROR_CANCELLED);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    kiln_session_destroy(session);
}
END_TEST

/* ---- Threads ------------------------------------------------------------------------------- */

START_TEST(a_pool_may_be_shared_and_stays) {
    pthreadpool_t pool = pthreadpool_create(2);
    kiln_session_options options = {.size = sizeof options, .threads = 7, .threadpool = pool};
    kiln_session *a = open_session(&options), *b = open_session(&options);
    ck_assert_int_eq(run(a), KILN_OK);
    ck_assert_mem_eq(output, wanted, sizeof wanted);
    kiln_session_destroy(a);
    memset(output, 0, sizeof output);
    ck_assert_int_eq(run(b), KILN_OK);
    ck_assert_mem_eq(output, wanted, sizeof wanted);
    kiln_session_destroy(b);
    ck_assert_uint_eq(pthreadpool_get_threads_count(pool), 2);
    pthreadpool_destroy(pool);
}
END_TEST

typedef struct seen {
    pthread_t caller, threads[8];
    atomic_uint calls, of_caller;
} seen;

static void note_thread(void *context, uint32_t thread) {
    seen *s = context;
    atomic_fetch_add(&s->calls, 1);
    if (pthread_equal(pthread_self(), s->caller)) {
        atomic_fetch_add(&s->of_caller, 1);
    }
    if (thread < 8) {
        s->threads[thread] = pthread_self();
    }
}

START_TEST(each_thread_is_greeted_once) {
    uint32_t threads = (uint32_t)_i;
    seen s = {.caller = pthread_self()};
    kiln_session_options options = {.size = sizeof options,
                                    .threads = threads,
                                    .thread_started = note_thread,
                                    .thread_context = &s};
    kiln_session *session = open_session(&options);
    ck_assert_uint_eq(atomic_load(&s.calls), threads - 1);
    ck_assert_uint_eq(atomic_load(&s.of_caller), 0);
    for (uint32_t a = 1; a < threads; a++) {
        for (uint32_t b = a + 1; b < threads; b++) {
            ck_assert(!pthread_equal(s.threads[a], s.threads[b]));
        }
    }
    ck_assert_int_eq(run(session), KILN_OK);
    ck_assert_mem_eq(output, wanted, sizeof wanted);
    kiln_session_destroy(session);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("cancel", cancelled_before_a_run_ends_that_run_alone),
        TEST("cancel", no_layer_follows_the_one_in_progress),
        TEST("cancel", cancelled_in_the_last_layer_ends_that_run_not_the_next),
        TEST("cancel", another_thread_may_cancel),
        TEST("threads", a_pool_may_be_shared_and_stays),
        LOOP("threads", each_thread_is_greeted_once, 1, 6),
    };
    return SUITE("session_control", tests, .begin = begin, .end = end);
}
