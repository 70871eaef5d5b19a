/* What the files of kiln bench share. */
#ifndef KILN_COMPILER_CLI_BENCH_H
#define KILN_COMPILER_CLI_BENCH_H

#include "compiler/cli/cli.h"
#include <kiln/machine.h>

/* Nanoseconds of a clock that never goes back. */
uint64_t clock_now(void);

/* The median of `count` values, which are sorted. */
double median_of(double *values, size_t count);

/* When each step of each run began and ended. A step begins when the one before it ends; runs come
 * in the order first, warm-up, timed. */
typedef struct run_record {
    size_t steps, capacity, runs;
    uint64_t *begins; /* [capacity] */
    uint64_t *ends;   /* [capacity][steps] */
    uint64_t *totals; /* [steps]: nanoseconds of all runs so far */
} run_record;
kiln_status record_create(run_record *r, size_t steps, size_t runs, kiln_error *error);
void record_free(run_record *r);
/* Around a run of a session that was made with profile = true. */
void record_begin_run(run_record *r);
void record_end_run(run_record *r, const kiln_session *session);
uint64_t record_step_begin(const run_record *r, size_t run, size_t step);
uint64_t record_step_end(const run_record *r, size_t run, size_t step);

/* What one step is and does, from the plan. */
typedef struct step_work {
    size_t step;
    const char *name, *kernel;
    char how[64]; /* whose kernel, and its algorithm */
    const kiln_plan_tensor_record *output;
    double operations; /* multiplications and additions of its definition */
    double done;       /* those that the algorithm's products do: Winograd's fewer */
    double bytes;      /* inputs, weights as stored and outputs, once each */
} step_work;
void step_work_of(const kiln_plan *plan, size_t step, uint32_t batch, step_work *out_work);

/* One configuration that was measured. */
typedef struct bench_measured {
    const kiln_plan *plan;
    const run_record *record;
    uint32_t threads, batch;
    size_t untimed;                   /* runs of the record: the first and the warm-up */
    uint64_t begin, opened, prepared; /* of loading */
} bench_measured;

/* Each step's time beside what the machine can do, as a table (the slowest first) or as members of
 * a JSON object, each after a comma. *inout_alone is the time of all steps on one thread, 0 where
 * it is not known, and is set by a configuration of one thread. */
kiln_status profile_print(const bench_measured *b, bool json, double *inout_alone,
                          kiln_error *error);

/* What several threads are worth: the machine's, and of the network's steps (bench_scaling.c). All
 * are 0 for one thread, those of the steps also where their time on one thread is not known. */
typedef struct bench_scaling {
    uint32_t threads;
    double machine;   /* the threads' peak, divided by one thread's in the same seconds */
    bool steady;      /* and that is what so many threads should give */
    double steps;     /* the steps' time on one thread, divided by that on all */
    double serial;    /* the part of the work that does not scale */
    double limits[2]; /* how many times as fast it can be at most, on so many: */
} bench_scaling;
extern const uint32_t bench_scaling_threads[2];
kiln_status scaling_measure(const kiln_machine *machine, double alone, double together,
                            bench_scaling *out, kiln_error *error);
void scaling_print(const bench_scaling *s);      /* a line or two; nothing of one thread */
void scaling_print_json(const bench_scaling *s); /* a member, after a comma; likewise */

/* A file of Chrome's trace events, one process a configuration. */
typedef struct trace_file {
    file_writer out;
    uint64_t start;
    size_t events, processes;
} trace_file;
kiln_status trace_begin(trace_file *t, const char *path, kiln_error *error);
void trace_add(trace_file *t, const bench_measured *b);
kiln_status trace_commit(trace_file *t, kiln_error *error);
void trace_abandon(trace_file *t);

#endif
