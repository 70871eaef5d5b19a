/* Work in two dimensions and in ranges, as items of a pool. */
#include "runtime/base/thread_pool.h"

typedef struct range_job {
    thread_pool_range *task;
    void *context;
    size_t count, most;
} range_job;

static void run_range(void *context, size_t item) {
    const range_job *job = context;
    size_t begin = item * job->most, left = job->count - begin;
    job->task(job->context, begin, left < job->most ? left : job->most);
}

void thread_pool_ranges(thread_pool *p, thread_pool_range *task, void *context, size_t count,
                        size_t most) {
    range_job job = {task, context, count, most};
    thread_pool_each(p, run_range, &job, count / most + (count % most != 0));
}

typedef struct grid_job {
    thread_pool_cell *cell;
    thread_pool_cells *cells;
    void *context;
    size_t columns, most, ranges; /* ranges of a row */
} grid_job;

static void run_cell(void *context, size_t item) {
    const grid_job *job = context;
    job->cell(job->context, item / job->columns, item % job->columns);
}

static void run_cells(void *context, size_t item) {
    const grid_job *job = context;
    size_t begin = item % job->ranges * job->most, left = job->columns - begin;
    job->cells(job->context, item / job->ranges, begin, left < job->most ? left : job->most);
}

void thread_pool_grid(thread_pool *p, thread_pool_cell *task, void *context, size_t rows,
                      size_t columns) {
    grid_job job = {.cell = task, .context = context, .columns = columns};
    thread_pool_each(p, run_cell, &job, rows * columns);
}

void thread_pool_grid_ranges(thread_pool *p, thread_pool_cells *task, void *context, size_t rows,
                             size_t columns, size_t most) {
    grid_job job = {.cells = task,
                    .context = context,
                    .columns = columns,
                    .most = most,
                    .ranges = columns / most + (columns % most != 0)};
    thread_pool_each(p, run_cells, &job, rows * job.ranges);
}
