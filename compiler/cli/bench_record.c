/* When steps began and ended, put together from the session's profile after each run. */
#include "compiler/cli/bench.h"

#include <stdlib.h>
#include <time.h>

uint64_t clock_now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median_of(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    return count > 0 ? values[count / 2] : 0;
}

kiln_status record_create(run_record *r, size_t steps, size_t runs, kiln_error *error) {
    *r = (run_record){.steps = steps, .capacity = runs};
    if (runs < SIZE_MAX / sizeof *r->ends / (steps + 1)) {
        r->begins = calloc(runs + 1, sizeof *r->begins);
        r->ends = calloc(runs * steps + 1, sizeof *r->ends);
        r->totals = calloc(steps + 1, sizeof *r->totals);
    }
    if (r->begins == NULL || r->ends == NULL || r->totals == NULL) {
        record_free(r);
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for the times of %zu runs", runs);
    }
    return KILN_OK;
}

void record_free(run_record *r) {
    free(r->begins);
    free(r->ends);
    free(r->totals);
    *r = (run_record){0};
}

void record_begin_run(run_record *r) {
    if (r->runs < r->capacity) {
        r->begins[r->runs++] = clock_now();
    }
}

/* A step of a band runs once a stripe; the session tells their sum, so that the band's steps seem
 * to run one after the other. */
void record_end_run(run_record *r, const kiln_session *session) {
    uint64_t at = r->runs > 0 ? r->begins[r->runs - 1] : 0;
    for (size_t step = 0; step < r->steps && r->runs > 0; step++) {
        kiln_step_profile profile;
        (void)kiln_session_profile(session, step, &profile);
        at += profile.nanoseconds - r->totals[step];
        r->totals[step] = profile.nanoseconds;
        r->ends[(r->runs - 1) * r->steps + step] = at;
    }
}

uint64_t record_step_begin(const run_record *r, size_t run, size_t step) {
    return step == 0 ? r->begins[run] : record_step_end(r, run, step - 1);
}

uint64_t record_step_end(const run_record *r, size_t run, size_t step) {
    return r->ends[run * r->steps + step];
}
