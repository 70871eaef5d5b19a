/* MATMUL of two run-time matrices with broadcast leading dims, on the micro-kernel of matrix
 * products. A task packs a panel of b, some depth at a time, where its core's cache keeps it, and
 * multiplies some rows of a by it. */
#include "runtime/kernels/kernel.h"
#include "runtime/ukernels/ukernels.h"

#include <math.h>
#include <string.h>

#define DEPTH ((size_t)256)
#define LEAST_ROWS ((size_t)32) /* rows of a task, at least, which pay for packing the panel */
#define DEEP_ROWS ((size_t)64)  /* rows of a task, at most, where k is more than DEPTH */

typedef struct matmul_task {
    const kernel_call *call;
    size_t m, k, n;
    size_t panels, chunks;                                     /* of one matrix of results */
    size_t rows;                                               /* rows in a chunk */
    size_t a_strides[KILN_MAX_RANK], b_strides[KILN_MAX_RANK]; /* counted in elements */
} matmul_task;

static const char *check(const kernel_call *call) {
    const kiln_matmul_params *p = call->params;
    const operand *a = &call->inputs[0], *b = &call->inputs[1], *y = &call->outputs[0];
    size_t strides[KILN_MAX_RANK];
    if (!(p->min < p->max)) {
        return "parameters out of range";
    }
    bool sound = y->rank >= 2 && operand_broadcast(a, y, 2, strides) &&
                 operand_broadcast(b, y, 2, strides) && !(b->batched && b->rank == 2) &&
                 a->dims[a->rank - 1] == b->dims[b->rank - 2] &&
                 a->dims[a->rank - 2] == y->dims[y->rank - 2] &&
                 b->dims[b->rank - 1] == y->dims[y->rank - 1] &&
                 (y->batched == (a->batched || b->batched)) &&
                 (y->rank > 2 || a->batched == y->batched);
    return sound ? NULL : "the matrices do not fit";
}

/* Computes y[rows][columns] = clamp(a b), where a, b and y point to their first elements. Where k
 * is more than a panel's depth, the sums are kept aside until they are complete, so that y, where
 * other tasks write, is never read. */
static void multiply(const matmul_task *task, const float *a, const float *b, float *y, size_t rows,
                     size_t columns) {
    static const float no_bias[GEMM_MAX_NR];
    const kiln_matmul_params *p = task->call->params;
    const ukernels *best = ukernels_best();
    float panel[DEPTH * GEMM_MAX_NR], sums[DEEP_ROWS * GEMM_MAX_NR];
    bool deep = task->k > DEPTH;
    size_t nr = best->nr, stride = deep ? nr : task->n;
    float *to = deep ? sums : y;
    for (size_t at = 0; at < task->k; at += DEPTH) {
        size_t depth = task->k - at < DEPTH ? task->k - at : DEPTH;
        bool last = at + depth == task->k;
        gemm_epilogue epilogue = {.bias = no_bias,
                                  .add = at > 0 ? sums : NULL,
                                  .add_stride = nr,
                                  .min = last ? p->min : -INFINITY,
                                  .max = last ? p->max : INFINITY};
        kernel_pack_panel(b + at * task->n, depth, task->n, columns, 1, nr, panel);
        best->gemm(rows, deep ? nr : columns, depth, a + at, task->k, panel, to, stride, &epilogue);
    }
    for (size_t row = 0; row < rows && deep; row++) {
        memcpy(y + row * task->n, sums + row * nr, columns * sizeof *y);
    }
}

/* Finds where the matrices of one product begin, counted in elements. */
static void find_matrices(const matmul_task *task, size_t matrix, size_t *out_a, size_t *out_b) {
    const operand *y = &task->call->outputs[0];
    *out_a = *out_b = 0;
    for (uint32_t k = y->rank - 2; k-- > 0;) {
        size_t dim = k == 0 ? SIZE_MAX : y->dims[k];
        *out_a += matrix % dim * task->a_strides[k];
        *out_b += matrix % dim * task->b_strides[k];
        matrix /= dim;
    }
}

/* Computes the units [begin, end): each is one panel of one chunk of rows of one matrix of results.
 */
static void matmul_units(void *context, size_t begin, size_t end) {
    const matmul_task *task = context;
    const kernel_call *call = task->call;
    size_t nr = ukernels_best()->nr;
    for (size_t unit = begin; unit < end; unit++) {
        size_t column = unit % task->panels * nr, chunk = unit / task->panels % task->chunks;
        size_t matrix = unit / task->panels / task->chunks, row = chunk * task->rows, a_at, b_at;
        size_t rows = task->m - row < task->rows ? task->m - row : task->rows;
        find_matrices(task, matrix, &a_at, &b_at);
        const float *a = (const float *)call->inputs[0].data + a_at + row * task->k;
        const float *b = (const float *)call->inputs[1].data + b_at + column;
        float *to = (float *)call->outputs[0].data + (matrix * task->m + row) * task->n + column;
        size_t columns = task->n - column < nr ? task->n - column : nr;
        multiply(task, a, b, to, rows, columns);
    }
}

static size_t round_up_ratio(size_t a, size_t b) {
    return (a + b - 1) / b;
}

/* A few tasks for each thread, if there are rows enough. */
static void split(matmul_task *task, size_t matrices) {
    task->panels = round_up_ratio(task->n, ukernels_best()->nr);
    size_t chunks = 1 + 4 * task->call->host->threads / (matrices * task->panels + 1);
    size_t most = round_up_ratio(task->m, LEAST_ROWS);
    task->rows = round_up_ratio(task->m, chunks < most ? chunks : most);
    if (task->k > DEPTH && task->rows > DEEP_ROWS) {
        task->rows = DEEP_ROWS;
    }
    task->chunks = round_up_ratio(task->m, task->rows);
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *a = &call->inputs[0], *b = &call->inputs[1], *y = &call->outputs[0];
    matmul_task task = {.call = call, .k = a->dims[a->rank - 1], .n = y->inner};
    (void)operand_broadcast(a, y, 2, task.a_strides);
    (void)operand_broadcast(b, y, 2, task.b_strides);
    task.m = y->rank == 2 ? operand_dim(y, 0, call->run.batch) : y->dims[y->rank - 2];
    size_t matrices = operand_outer(y, call->run.batch) / task.m;
    split(&task, matrices);
    size_t operations = task.rows * task.k * ukernels_best()->nr;
    kernel_parallel(call, matrices * task.panels * task.chunks, 1 + 65536 / (operations + 1), &task,
                    matmul_units);
    return KILN_OK;
}

const kernel kernel_matmul = {
    KERNEL("matmul", kiln_matmul_params, product_macs,
           KERNEL_INPUTS(2, 2, IS_F32 | IS_ROW_MAJOR, IS_F32 | IS_ROW_MAJOR),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_ROW_MAJOR)),
    .check = check,
    .run = run,
};
