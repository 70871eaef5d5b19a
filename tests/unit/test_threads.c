/* Threads share out all work once, wait for nobody who has not begun; where they cannot start that
 * is an error, not a wait without end. */
#include "runtime/base/allocator.h"
#include "runtime/session/threads.h"
#include "tests/unit/network.h"
#include "tests/unit/no_threads.h"
#include "tests/unit/suite.h"

#include <dlfcn.h>
#include <errno.h>
#include <float.h>
#include <kiln/machine.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

/* Stands before the C library's, for pthreadpool too: one call fails. 0: none. */
static unsigned calls_until_failure;
static unsigned calls;
/* Or threads come no further than a gate until it is opened. */
static bool holds_back;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

typedef struct held {
    void *(*run)(void *);
    void *context;
} held;

static void *pass_gate(void *context) {
    held h = *(held *)context;
    free(context);
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    return h.run(h.context);
}

__attribute__((visibility("default"))) int pthread_create(pthread_t *restrict out_thread,
                                                          const pthread_attr_t *restrict attributes,
                                                          void *(*run)(void *),
                                                          void *restrict context) {
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&real, &symbol, sizeof real);
    if (++calls == calls_until_failure) {
        return EAGAIN;
    }
    if (!holds_back) {
        return real(out_thread, attributes, run, context);
    }
    held *h = malloc(sizeof *h);
    *h = (held){run, context};
    return real(out_thread, attributes, pass_gate, h);
}

/* ---- Sharing out ---------------------------------------------------------------------------- */

#define MOST_ITEMS 5000

static atomic_uchar seen[MOST_ITEMS];
static atomic_size_t tasks;

static void see(void *context, size_t item) {
    (void)context;
    (void)atomic_fetch_add(&seen[item], 1);
    (void)atomic_fetch_add(&tasks, 1);
}

static void see_range(void *context, size_t begin, size_t count) {
    const size_t *most = context;
    ck_assert(count > 0 && count <= *most && begin % *most == 0);
    for (size_t k = begin; k < begin + count; k++) {
        see(NULL, k);
    }
}

#define COLUMNS 70

static void see_cell(void *context, size_t row, size_t column) {
    ck_assert(column < COLUMNS);
    see(context, row * COLUMNS + column);
}

static void see_cells(void *context, size_t row, size_t begin, size_t count) {
    ck_assert(begin + count <= COLUMNS);
    see_range(context, begin, count);
    for (size_t k = begin; k < begin + count; k++) { /* of the first row; moved to its own */
        (void)atomic_fetch_sub(&seen[k], 1);
        (void)atomic_fetch_add(&seen[row * COLUMNS + k], 1);
    }
}

/* Each of the first `count` has been seen once, and no other. */
static void check_seen(size_t count) {
    ck_assert_uint_eq(atomic_load(&tasks), count);
    for (size_t k = 0; k < MOST_ITEMS; k++) {
        ck_assert_uint_eq(atomic_load(&seen[k]), k < count);
        atomic_store(&seen[k], 0);
    }
    atomic_store(&tasks, 0);
}

/* More threads than there are cores, too: then they sleep between jobs. */
START_TEST(each_item_is_done_once) {
    static const size_t counts[] = {0, 1, 2, 3, 7, 8, 9, 63, 1000, 4096, MOST_ITEMS};
    uint32_t threads = (uint32_t)_i;
    thread_pool *pool = NULL;
    ck_assert_int_eq(thread_pool_create(default_allocator(), threads, &pool, NULL), KILN_OK);
    ck_assert_uint_eq(thread_pool_threads(pool), threads);
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        thread_pool_each(pool, see, NULL, counts[k]);
        check_seen(counts[k]);
        for (size_t most = 1; most < 100; most += 13) {
            thread_pool_ranges(pool, see_range, &most, counts[k], most);
            check_seen(counts[k]);
        }
    }
    for (size_t most = 3; most < 80; most += 9) {
        thread_pool_grid(pool, see_cell, NULL, 31, COLUMNS);
        check_seen((size_t)31 * COLUMNS);
        thread_pool_grid_ranges(pool, see_cells, &most, 31, COLUMNS, most);
        check_seen((size_t)31 * COLUMNS);
    }
    thread_pool_destroy(pool);
}
END_TEST

static void add_one(void *context, size_t item) {
    (void)item;
    (void)atomic_fetch_add((atomic_size_t *)context, 1);
}

/* Short jobs one after the other, with pauses in which threads fall asleep. */
START_TEST(no_job_mixes_with_the_next) {
    thread_pool *pool = NULL;
    ck_assert_int_eq(thread_pool_create(default_allocator(), (uint32_t)_i, &pool, NULL), KILN_OK);
    for (size_t job = 0; job < 4000; job++) {
        atomic_size_t sum = 0;
        thread_pool_each(pool, add_one, &sum, 1 + job % 11);
        ck_assert_uint_eq(atomic_load(&sum), 1 + job % 11);
        if (job % 1000 == 0) {
            (void)usleep(1000);
        }
    }
    thread_pool_destroy(pool);
}
END_TEST

/* Threads that the system has started, but given no core yet. */
START_TEST(nobody_waits_for_threads_that_have_not_come) {
    thread_pool *pool = NULL;
    (void)pthread_mutex_lock(&gate);
    holds_back = true;
    ck_assert_int_eq(thread_pool_create(default_allocator(), 4, &pool, NULL), KILN_OK);
    for (size_t job = 0; job < 100; job++) {
        thread_pool_each(pool, see, NULL, 100);
        check_seen(100);
    }
    (void)pthread_mutex_unlock(&gate);
    thread_pool_each(pool, see, NULL, 100);
    check_seen(100);
    thread_pool_destroy(pool);
}
END_TEST

static void halve(void *context, size_t item) {
    volatile float *numbers = context;
    numbers[item] *= 0.5f;
}

START_TEST(denormals_are_zeros_while_a_job_runs) {
    thread_pool *pool = NULL;
    float numbers[256];
    volatile float after = FLT_MIN;
    ck_assert_int_eq(thread_pool_create(default_allocator(), (uint32_t)_i, &pool, NULL), KILN_OK);
    for (size_t k = 0; k < 256; k++) {
        numbers[k] = FLT_MIN;
    }
    thread_pool_each(pool, halve, numbers, 256);
    for (size_t k = 0; k < 256; k++) {
        ck_assert(numbers[k] == 0);
    }
    ck_assert(after * 0.5f != 0);
    thread_pool_destroy(pool);
}
END_TEST

/* As servers do that make what their children share before they fork. */
START_TEST(a_child_of_the_process_works_alone) {
    thread_pool *pool = NULL;
    int status = 0;
    ck_assert_int_eq(thread_pool_create(default_allocator(), 3, &pool, NULL), KILN_OK);
    thread_pool_each(pool, see, NULL, 100);
    check_seen(100);
    (void)usleep(20000); /* they sleep */
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(20);
        thread_pool_each(pool, see, NULL, 100);
        thread_pool_destroy(pool);
        _exit(atomic_load(&tasks) == 100 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    thread_pool_destroy(pool);
}
END_TEST

/* ---- Threads that cannot start --------------------------------------------------------------- */

START_TEST(one_thread_needs_no_pool) {
    thread_pool *pool = NULL;
    ck_assert_int_eq(thread_pool_create(default_allocator(), 1, &pool, NULL), KILN_OK);
    ck_assert_ptr_null(pool);
    ck_assert_uint_eq(calls, 0);
}
END_TEST

START_TEST(any_thread_that_fails_is_an_error) {
    kiln_error error;
    thread_pool *pool;
    for (unsigned fails = 1; fails <= 3; fails++) {
        calls = 0;
        calls_until_failure = fails;
        ck_assert_int_eq(thread_pool_create(default_allocator(), 4, &pool, &error),
                         KILN_ERROR_MEMORY);
        ck_assert_uint_eq(calls, fails);
        ck_assert_ptr_nonnull(strstr(error.message, "cannot start 4 threads"));
        ck_assert_ptr_null(pool);
    }
}
END_TEST

/* For XNNPACK. First comes the starter, then one is tried, then pthreadpool's own. pthreadpool of
 * 2022 waits for that one for ever, which is seen; that of 2026 neither waits nor tells, and does
 * the work with the threads that it has. */
START_TEST(any_thread_of_pthreadpool_that_fails_is_an_error) {
    kiln_error error;
    pthreadpool_t theirs;
    for (unsigned fails = 1; fails <= 3; fails++) {
        calls = 0;
        calls_until_failure = fails;
        kiln_status status = threads_create_pthreadpool(default_allocator(), 2, &theirs, &error);
        ck_assert_uint_eq(calls, fails);
        if (fails == 3 && status == KILN_OK) {
            pthreadpool_parallelize_1d(theirs, see, NULL, 2, 0);
            check_seen(2);
            continue;
        }
        ck_assert_int_eq(status, KILN_ERROR_MEMORY);
        ck_assert_ptr_nonnull(strstr(error.message, "cannot start 2 threads"));
        ck_assert_ptr_null(theirs);
    }
}
END_TEST

START_TEST(a_lent_pool_does_the_work) {
    pthreadpool_t theirs = NULL;
    thread_pool *pool = NULL;
    ck_assert_int_eq(threads_create_pthreadpool(default_allocator(), 3, &theirs, NULL), KILN_OK);
    ck_assert_int_eq(threads_lend(default_allocator(), theirs, &pool, NULL), KILN_OK);
    ck_assert_uint_eq(thread_pool_threads(pool), 3);
    thread_pool_each(pool, see, NULL, 1000);
    check_seen(1000);
    thread_pool_destroy(pool);
    pthreadpool_destroy(theirs);
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
        LOOP("sharing", each_item_is_done_once, 1, 9),
        LOOP("sharing", no_job_mixes_with_the_next, 2, 6),
        TEST("sharing", nobody_waits_for_threads_that_have_not_come),
        LOOP("sharing", denormals_are_zeros_while_a_job_runs, 1, 4),
        TEST("sharing", a_lent_pool_does_the_work),
        TEST("sharing", a_child_of_the_process_works_alone),
        TEST("without", one_thread_needs_no_pool),
        TEST("without", any_thread_that_fails_is_an_error),
        TEST("without", any_thread_of_pthreadpool_that_fails_is_an_error),
        TEST("without", peaks_without_threads_are_an_error),
        TEST("without", a_session_without_threads_is_an_error),
    };
    return SUITE("threads", tests);
}
