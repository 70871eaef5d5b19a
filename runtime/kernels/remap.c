/* REMAP: each dim of the output takes its index into the input from a table. */
#include "runtime/kernels/kernel.h"

#include <math.h>
#include <string.h>

typedef struct remap_task {
    const kernel_call *call;
    const int64_t *tables[KILN_MAX_RANK]; /* NULL where each index is its own (the batch) */
    size_t strides[KILN_MAX_RANK];        /* x's stride in elements */
    uint64_t fill;                        /* the bits of one element */
    size_t before, first, part; /* of a row: what lies together in x, too, from `first` on */
} remap_task;

/* Finds the tables, which lie one after the other, of all dims but a batched dim 0. */
static size_t table_entries(const kernel_call *call) {
    const operand *y = &call->outputs[0];
    size_t entries = 0;
    for (uint32_t k = y->batched ? 1 : 0; k < y->rank; k++) {
        entries += y->dims[k];
    }
    return entries;
}

static const char *check(const kernel_call *call) {
    const kiln_remap_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    if (isnan(p->fill) || p->rank != y->rank || p->batched > 1) {
        return "parameters out of range";
    }
    bool sound = x->rank == y->rank && x->rank > 0 && x->batched == y->batched &&
                 y->batched == (p->batched != 0) &&
                 call->inputs[1].elements == table_entries(call) &&
                 (!x->batched || x->dims[0] == y->dims[0]);
    return sound ? NULL : "the operands do not fit";
}

static kiln_status prepare(kernel_call *call, kiln_error *error) {
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    const int64_t *table = call->inputs[1].data;
    for (uint32_t k = y->batched ? 1 : 0; k < y->rank; k++) {
        for (size_t i = 0; i < y->dims[k]; i++) {
            if (table[i] < -1 || table[i] >= (int64_t)x->dims[k]) {
                return kernel_fail(call, error, "an index lies outside the input");
            }
        }
        table += y->dims[k];
    }
    return KILN_OK;
}

static uint64_t fill_bits(kiln_dtype dtype, double fill) {
    uint64_t bits = 0;
    float f = (float)fill;
    int64_t i = fill >= 9.2e18 ? INT64_MAX : fill <= -9.2e18 ? INT64_MIN : (int64_t)fill;
    switch (dtype) {
    case KILN_F32:
        memcpy(&bits, &f, sizeof f);
        break;
    case KILN_BOOL:
        bits = fill != 0.0;
        break;
    default:
        memcpy(&bits, &i, sizeof i);
        break;
    }
    return bits;
}

static void remap_elements(const remap_task *task, const uint8_t *from, uint8_t *to, size_t begin,
                           size_t end, size_t size) {
    const int64_t *table = task->tables[task->call->outputs[0].rank - 1];
    for (size_t c = begin; c < end; c++) {
        bool inside = from != NULL && table[c] >= 0;
        element_copy(to + c * size,
                     inside ? from + (size_t)table[c] * size : (const void *)&task->fill, size);
    }
}

/* A row, whose first element in x would be that at `from`; NULL: the row is all fill. */
static void remap_row(const remap_task *task, const uint8_t *from, uint8_t *to, size_t size) {
    size_t done = 0;
    if (from != NULL) {
        remap_elements(task, from, to, 0, task->before, size);
        memcpy(to + task->before * size, from + task->first * size, task->part * size);
        done = task->before + task->part;
    }
    remap_elements(task, from, to, done, task->call->outputs[0].inner, size);
}

static void remap_rows(void *context, size_t begin, size_t end) {
    const remap_task *task = context;
    const operand *x = &task->call->inputs[0], *y = &task->call->outputs[0];
    size_t size = kiln_dtype_size(x->dtype);
    for (size_t r = begin; r < end; r++) {
        size_t rest = r, base = y->rank == 1 ? r * x->inner : 0;
        bool outside = false;
        for (uint32_t k = y->rank - 1; k-- > 0;) {
            size_t dim = k == 0 ? SIZE_MAX : y->dims[k], index = rest % dim;
            rest /= dim;
            int64_t from = task->tables[k] == NULL ? (int64_t)index : task->tables[k][index];
            outside = outside || from < 0;
            base += from < 0 ? 0 : (size_t)from * task->strides[k];
        }
        remap_row(task, outside ? NULL : (const uint8_t *)x->data + base * size,
                  (uint8_t *)y->data + r * y->inner * size, size);
    }
}

/* Without a table, a batched x of rank 1 has samples for rows. */
static void find_part(remap_task *task) {
    const operand *y = &task->call->outputs[0];
    const int64_t *table = task->tables[y->rank - 1];
    while (table != NULL && task->before < y->inner && table[task->before] < 0) {
        task->before++;
    }
    size_t left = y->inner - task->before;
    task->first = table != NULL && left > 0 ? (size_t)table[task->before] : 0;
    while (task->part < left && (table == NULL || table[task->before + task->part] ==
                                                      (int64_t)(task->first + task->part))) {
        task->part++;
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_remap_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    remap_task task = {.call = call, .fill = fill_bits(x->dtype, p->fill)};
    const int64_t *table = call->inputs[1].data;
    size_t stride = 1;
    for (uint32_t k = y->batched ? 1 : 0; k < y->rank; k++) {
        task.tables[k] = table;
        table += y->dims[k];
    }
    for (uint32_t k = x->rank; k-- > 0;) {
        task.strides[k] = stride;
        stride *= x->dims[k];
    }
    find_part(&task);
    kernel_parallel(call, operand_outer(y, call->run.batch), 1 + 4096 / y->inner, &task,
                    remap_rows);
    return KILN_OK;
}

const kernel kernel_remap = {
    KERNEL("remap", kiln_remap_params, NULL, KERNEL_INPUTS(2, 2, 0, IS_I64 | IS_CONSTANT),
           KERNEL_OUTPUTS(1, 1, IS_TYPED_LIKE_X)),
    .check = check,
    .prepare = prepare,
    .run = run,
};
