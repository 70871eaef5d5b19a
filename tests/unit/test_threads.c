/* Threads that cannot start are an error, not a wait without end. */
#include "runtime/base/allocator.h"
#include "runtime/session/threads.h"
#include "tests/unit/network.h"
#include "tests/unit/no_threads.h"
#include "tests/unit/suite.h"

#include <dlfcn.h>
#include <errno.h>
#include <kiln/machine.h>
#include <pthread.h>

/* Stands before the C library's, for pthreadpool too: one call fails. 0: none. */
static unsigned calls_until_failure;
static unsigned calls;

__attribute__((visibility("default"))) int pthread_create(pthread_t *restrict out_thread,
                                                          const pthread_attr_t *restrict attributes,
                                                          void *(*run)(void *),
                                                          void *restrict context) {
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&real, &symbol, sizeof real);
    return ++calls == calls_until_failure ? EAGAIN : real(out_thread, attributes, run, context);
}

static void count_task(void *context, size_t thread) {
    ((unsigned char *)context)[thread] = 1;
}

START_TEST(a_pool_of_so_many_threads_starts) {
    for (uint32_t threads = 2; threads < 5; threads++) {
        pthreadpool_t pool = NULL;
        unsigned char seen[5] = {0};
        ck_assert_int_eq(threads_create_pool(default_allocator(), threads, &pool, NULL), KILN_OK);
        ck_assert_uint_eq(pthreadpool_get_threads_count(pool), threads);
        pthreadpool_parallelize_1d(pool, count_task, seen, threads, 0);
        ck_assert_uint_eq(seen[threads - 1], 1);
        pthreadpool_destroy(pool);
    }
}
END_TEST

START_TEST(one_thread_needs_no_pool) {
    pthreadpool_t pool = NULL;
    ck_assert_int_eq(threads_create_pool(default_allocator(), 1, &pool, NULL), KILN_OK);
    ck_assert_ptr_null(pool);
    ck_assert_uint_eq(calls, 0);
}
END_TEST

/* First comes the starter, then one is tried, then pthreadpool's own. pthreadpool of 2022 waits for
 * that one for ever, which is seen; that of 2026 neither waits nor tells, and does the work with
 * the threads that it has. */
START_TEST(any_thread_that_fails_is_an_error) {
    kiln_error error;
    pthreadpool_t pool;
    for (unsigned fails = 1; fails <= 3; fails++) {
        calls = 0;
        calls_until_failure = fails;
        kiln_status status = threads_create_pool(default_allocator(), 2, &pool, &error);
        ck_assert_uint_eq(calls, fails);
        if (fails == 3 && status == KILN_OK) {
            unsigned char seen[2] = {0};
            pthreadpool_parallelize_1d(pool, count_task, seen, 2, 0);
            ck_assert(seen[0] == 1 && seen[1] == 1);
            continue;
        }
        ck_assert_int_eq(status, KILN_ERROR_MEMORY);
        ck_assert_ptr_nonnull(strstr(error.message, "cannot start 2 threads"));
        ck_assert_ptr_null(pool);
    }
}
END_TEST

START_TEST(peaks_without_threads_are_an_error) {
    kiln_machine machine;
    kiln_error error;
    forbid_threads();
    ck_assert_int_eq(kiln_machine_measure(2, &machine, &error), KILN_ERROR_MEMORY);
    ck_assert_ptr_nonnull(strstr(error.message, "cannot start 2 threads"));
    allow_threads();
}
END_TEST

START_TEST(a_session_without_threads_is_an_error) {
    char path[] = "/tmp/kiln-threads-XXXXXX";
    kiln_compile_options compile;
    kiln_session_options options;
    kiln_session *session;
    kiln_plan *plan;
    kiln_error error;
    network n;
    kiln_compile_options_init(&compile);
    kiln_session_options_init(&options);
    ck_assert_int_eq(close(mkstemp(path)), 0);
    network_begin(&n, 1);
    tensor *x = network_input(&n, 2, 3, 3);
    network_output(&n, network_apply(&n, "Relu", 1, &x, NULL));
    ck_assert_int_eq(network_write(&n, &compile, path), KILN_OK);
    ck_assert_int_eq(kiln_plan_open(path, NULL, &plan, &error), KILN_OK);
    ck_assert_int_eq(unlink(path), 0);
    options.threads = 4;
    forbid_threads();
    ck_assert_int_eq(kiln_session_create(plan, &options, &session, &error), KILN_ERROR_MEMORY);
    ck_assert_ptr_nonnull(strstr(error.message, "cannot start 4 threads"));
    allow_threads();
    kiln_plan_close(plan);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("pool", a_pool_of_so_many_threads_starts),
        TEST("pool", one_thread_needs_no_pool),
        TEST("pool", any_thread_that_fails_is_an_error),
        TEST("without", peaks_without_threads_are_an_error),
        TEST("without", a_session_without_threads_is_an_error),
    };
    return SUITE("threads", tests);
}
