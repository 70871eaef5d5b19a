/* MATMUL of two run-time matrices with broadcast leading dims, plain C. Rows of the result are
 * accumulated over K with N innermost, which vectorises; four rows at a time share each row of b.
 */
#include "runtime/kernels/kernel.h"

#include <string.h>

#define ROWS 4

typedef struct matmul_task {
    const kernel_call *call;
    size_t m, k, n;
    size_t a_strides[KILN_MAX_RANK], b_strides[KILN_MAX_RANK]; /* in matrices' elements */
} matmul_task;

/* Strides of an operand's leading dims through y's; false when they do not broadcast. */
static bool lead_strides(const operand *o, const operand *y, size_t strides[KILN_MAX_RANK]) {
    if (o->rank < 2 || o->rank > y->rank || (o->batched && (!y->batched || o->rank != y->rank))) {
        return false;
    }
    size_t stride = o->dims[o->rank - 2] * o->dims[o->rank - 1];
    uint32_t missing = y->rank - o->rank;
    for (uint32_t k = y->rank - 2; k-- > 0;) {
        size_t dim = k < missing ? 1 : o->dims[k - missing];
        bool spread = dim == 1 && !(k == 0 && o->batched);
        if (!spread && (dim != y->dims[k] || (k == 0 && y->batched && !o->batched))) {
            return false;
        }
        strides[k] = spread ? 0 : stride;
        stride *= dim;
    }
    return true;
}

static kiln_status check(const kernel_call *call, kiln_error *error) {
    const kiln_matmul_params *p = call->params;
    const operand *a = &call->inputs[0], *b = &call->inputs[1], *y = &call->outputs[0];
    size_t strides[KILN_MAX_RANK];
    if (!(p->min < p->max)) {
        return kernel_fail(call, error, "parameters out of range");
    }
    bool sound =
        a->dtype == KILN_F32 && b->dtype == KILN_F32 && y->dtype == KILN_F32 &&
        a->layout == KILN_ROW_MAJOR && b->layout == KILN_ROW_MAJOR && y->layout == KILN_ROW_MAJOR &&
        y->rank >= 2 && lead_strides(a, y, strides) && lead_strides(b, y, strides) &&
        !(b->batched && b->rank == 2) && a->dims[a->rank - 1] == b->dims[b->rank - 2] &&
        a->dims[a->rank - 2] == y->dims[y->rank - 2] &&
        b->dims[b->rank - 1] == y->dims[y->rank - 1] &&
        (y->batched == (a->batched || b->batched)) && (y->rank > 2 || a->batched == y->batched);
    return sound ? KILN_OK : kernel_fail(call, error, "the matrices do not fit");
}

static void multiply_rows(const float *a, const float *b, float *y, size_t rows, size_t depth,
                          size_t n) {
    memset(y, 0, rows * n * sizeof *y);
    for (size_t k = 0; k < depth; k++) {
        const float *b_row = b + k * n;
        for (size_t r = 0; r < rows; r++) {
            float factor = a[r * depth + k];
            float *y_row = y + r * n;
            for (size_t c = 0; c < n; c++) {
                y_row[c] += factor * b_row[c];
            }
        }
    }
}

static void clamp_rows(const kiln_matmul_params *p, float *y, size_t count) {
    for (size_t k = 0; k < count; k++) {
        y[k] = y[k] < p->min ? p->min : y[k] > p->max ? p->max : y[k];
    }
}

/* Units: groups of ROWS rows of one result matrix. */
static void matmul_units(void *context, size_t begin, size_t end) {
    const matmul_task *task = context;
    const kernel_call *call = task->call;
    const operand *y = &call->outputs[0];
    size_t groups = (task->m + ROWS - 1) / ROWS;
    for (size_t unit = begin; unit < end; unit++) {
        size_t row = unit % groups * ROWS, matrix = unit / groups, rest = matrix;
        size_t rows = task->m - row < ROWS ? task->m - row : ROWS, a_at = 0, b_at = 0;
        for (uint32_t k = y->rank - 2; k-- > 0;) {
            size_t dim = k == 0 ? SIZE_MAX : y->dims[k];
            a_at += rest % dim * task->a_strides[k];
            b_at += rest % dim * task->b_strides[k];
            rest /= dim;
        }
        float *out = (float *)y->data + (matrix * task->m + row) * task->n;
        multiply_rows((const float *)call->inputs[0].data + a_at + row * task->k,
                      (const float *)call->inputs[1].data + b_at, out, rows, task->k, task->n);
        clamp_rows(call->params, out, rows * task->n);
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *a = &call->inputs[0], *b = &call->inputs[1], *y = &call->outputs[0];
    matmul_task task = {.call = call, .k = a->dims[a->rank - 1], .n = y->row};
    (void)lead_strides(a, y, task.a_strides);
    (void)lead_strides(b, y, task.b_strides);
    task.m = y->rank == 2 ? operand_dim(y, 0, call->run.batch) : y->dims[y->rank - 2];
    size_t matrices = operand_rows(y, call->run.batch) / task.m;
    size_t units = matrices * ((task.m + ROWS - 1) / ROWS);
    kernel_parallel(call, units, 1 + 16384 / (task.k * task.n), &task, matmul_units);
    return KILN_OK;
}

const kernel kernel_matmul = {
    .traits = {.name = "matmul", .runs_on = "Kiln", .params_bytes = sizeof(kiln_matmul_params)},
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .check = check,
    .run = run,
};
