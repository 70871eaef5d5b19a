/* The processor's peaks, measured: multiply-adds in registers, and reading from memory. */
#include "runtime/base/allocator.h"
#include "runtime/base/thread_pool.h"
#include "runtime/ukernels/ukernels.h"
#include <kiln/machine.h>

#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 256
#define TRIES 8
#define TRY_SECONDS 0.008
#define LEAST_BUFFER ((size_t)256 << 20)
#define LARGEST_BUFFER ((size_t)1024 << 20)

typedef struct measurement {
    const peak_ukernels *peak;
    thread_pool *pool; /* NULL: the caller's thread alone */
    uint32_t threads;
    size_t rounds;
    float *buffer;
    size_t part;             /* floats of it that a thread reads */
    float sums[MAX_THREADS]; /* what the threads computed: to have a use */
} measurement;

static double now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void multiply_add_task(void *context, size_t thread) {
    measurement *m = context;
    m->sums[thread] = m->peak->multiply_add(m->rounds, -0x1p-26f);
}

static void fill_task(void *context, size_t thread) {
    measurement *m = context;
    memset(m->buffer + thread * m->part, 0, m->part * sizeof(float));
}

static void read_task(void *context, size_t thread) {
    measurement *m = context;
    m->sums[thread] = m->peak->read(m->buffer + thread * m->part, m->part);
}

/* Seconds until every thread has done the task once. */
static double seconds_of(measurement *m, thread_pool_item *task) {
    double begin = now();
    thread_pool_each(m->pool, task, m, m->threads);
    return now() - begin;
}

static double best_seconds(measurement *m, thread_pool_item *task) {
    double best = seconds_of(m, task);
    for (int k = 1; k < TRIES; k++) {
        double again = seconds_of(m, task);
        best = again < best ? again : best;
    }
    return best;
}

/* How long a try is, one thread finds out alone: the start of the others does not count. */
static double measure_flops(measurement *m) {
    double begin, seconds = 0;
    for (m->rounds = 1 << 14; seconds < TRY_SECONDS; m->rounds *= 2) {
        begin = now();
        multiply_add_task(m, 0);
        seconds = now() - begin;
    }
    double operations = (double)m->peak->operations * (double)m->rounds * m->threads;
    return operations / best_seconds(m, multiply_add_task);
}

/* Large enough that caches hold little of it. */
static size_t buffer_bytes(void) {
    long cache = -1;
#ifdef _SC_LEVEL3_CACHE_SIZE
    cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
    size_t wanted = cache > 0 && cache < (long)LARGEST_BUFFER ? 4 * (size_t)cache : 0;
    wanted = wanted < LEAST_BUFFER ? LEAST_BUFFER : wanted;
    return wanted > LARGEST_BUFFER ? LARGEST_BUFFER : wanted;
}

/* Each thread fills the part that it reads later: on machines of several memories it lies near. */
static kiln_status measure_bandwidth(measurement *m, double *out_bandwidth, kiln_error *error) {
    const kiln_allocator *allocator = default_allocator();
    size_t bytes = buffer_bytes();
    m->buffer = allocator->allocate(allocator->context, bytes, 64);
    if (m->buffer == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for a buffer of %zu bytes", bytes);
    }
    m->part = bytes / sizeof(float) / m->threads / 1024 * 1024;
    (void)seconds_of(m, fill_task);
    double read = (double)m->part * sizeof(float) * m->threads;
    *out_bandwidth = read / best_seconds(m, read_task);
    allocator->release(allocator->context, m->buffer, bytes);
    return KILN_OK;
}

const char *kiln_machine_vectors(void) {
    return ukernels_best()->name;
}

kiln_status kiln_machine_measure(uint32_t threads, kiln_machine *out_machine, kiln_error *error) {
    if (out_machine == NULL || threads == 0 || threads > MAX_THREADS) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%u threads: 1 to %d are possible", threads,
                         MAX_THREADS);
    }
    measurement m = {.peak = ukernels_peak(ukernels_best()), .threads = threads};
    kiln_status status = thread_pool_create(default_allocator(), threads, &m.pool, error);
    if (status != KILN_OK) {
        return status;
    }
    double flops = measure_flops(&m), bandwidth = 0;
    status = measure_bandwidth(&m, &bandwidth, error);
    if (status == KILN_OK) {
        *out_machine = (kiln_machine){ukernels_best()->name, threads, flops, bandwidth};
    }
    thread_pool_destroy(m.pool);
    return status;
}
