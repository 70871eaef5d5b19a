/* A process that may start no thread, as containers and quotas make them. Check runs each test in a
 * process of its own, and ends it if it hangs. */
#ifndef KILN_TESTS_NO_THREADS_H
#define KILN_TESTS_NO_THREADS_H

#include <check.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static inline void limit_threads(rlim_t most) {
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &limit), 0);
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
}

static inline void forbid_threads(void) {
    limit_threads(1);
    if (geteuid() == 0) { /* whom the limit does not bind */
        ck_assert_int_eq(setuid(65534), 0);
    }
}

/* The leak sanitizer starts one when the test ends, to look at the others. */
static inline void allow_threads(void) {
    limit_threads(RLIM_INFINITY);
    ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

#endif
