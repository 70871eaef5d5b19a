/* Numpy broadcasting over physical dims, a row of the output at a time. Dims that all operands step
 * through as through one are merged, so that rows are long and few. */
#include "runtime/kernels/broadcast.h"

/* A task takes about so many elements, be they some rows or a part of one. */
#define PIECE ((size_t)8192)

typedef struct broadcast_task {
    const kernel_call *call;
    uint32_t input_count, rank;
    size_t dims[KILN_MAX_RANK], row, y_stride; /* `dims` leaves out the row */
    size_t strides[BROADCAST_MAX_INPUTS][KILN_MAX_RANK], steps[BROADCAST_MAX_INPUTS];
    size_t pieces;        /* tasks that a long row is cut into */
    size_t block, blocks; /* rows that a task takes together, and such tasks along dims[rank - 1] */
    const void *context;
    broadcast_function function;
} broadcast_task;

bool broadcast_fits(const kernel_call *call, uint32_t input_count) {
    size_t strides[KILN_MAX_RANK];
    for (uint32_t k = 0; k < input_count; k++) {
        if (!operand_broadcast(&call->inputs[k], &call->outputs[0], 0, strides)) {
            return false;
        }
    }
    return true;
}

/* Whether the row goes on where the innermost loop begins anew, for all operands. Rows of one
 * element take the loop's steps for theirs, where those are of one element, or none. */
static bool goes_on(broadcast_task *task) {
    uint32_t loop = task->rank - 1;
    for (uint32_t k = 0; k < task->input_count; k++) {
        size_t stride = task->strides[k][loop];
        if (task->row == 1 ? stride > 1 : stride != task->steps[k] * task->row) {
            return false;
        }
    }
    for (uint32_t k = 0; k < task->input_count && task->row == 1; k++) {
        task->steps[k] = task->strides[k][loop];
    }
    return true;
}

/* Takes the output's last dim for the row and the others for the loops around it; then merges into
 * the row each that goes on where the row ends. */
static void describe(const kernel_call *call, broadcast_task *task) {
    const operand *y = &call->outputs[0];
    bool dense = operand_is_dense(y);
    task->rank = y->rank == 0 ? 0 : y->rank - 1;
    task->row = y->rank == 0 ? 1 : operand_dim(y, task->rank, call->run.batch);
    task->y_stride = y->rank < 2 ? task->row : y->row_stride;
    for (uint32_t d = 0; d < task->rank; d++) {
        task->dims[d] = operand_dim(y, d, call->run.batch);
    }
    for (uint32_t k = 0; k < task->input_count; k++) {
        (void)operand_broadcast(&call->inputs[k], y, 0, task->strides[k]);
        task->steps[k] = y->rank == 0 ? 0 : task->strides[k][task->rank];
    }
    while (dense && task->rank > 0 && goes_on(task)) {
        task->row *= task->dims[--task->rank];
        task->y_stride = task->row;
    }
}

/* Merges loops that all operands step through as if they were one. */
static void merge_outer(broadcast_task *task) {
    uint32_t last = 0;
    for (uint32_t d = 1; d < task->rank; d++) {
        bool one = true;
        for (uint32_t k = 0; k < task->input_count; k++) {
            one = one && task->strides[k][last] == task->strides[k][d] * task->dims[d];
        }
        last += !one;
        task->dims[last] = one ? task->dims[last] * task->dims[d] : task->dims[d];
        for (uint32_t k = 0; k < task->input_count; k++) {
            task->strides[k][last] = task->strides[k][d];
        }
    }
    task->rank = task->rank == 0 ? 0 : last + 1;
}

/* Task number `unit`: a part of one row, or some whole rows along the innermost loop. */
static void run_piece(const broadcast_task *task, size_t unit) {
    const operand *y = &task->call->outputs[0];
    uint32_t last = task->rank == 0 ? 0 : task->rank - 1;
    size_t along = task->rank == 0 ? 1 : task->dims[last];
    size_t first = unit % task->pieces * PIECE, rest = unit / task->pieces;
    size_t row = rest % task->blocks * task->block, outer = rest / task->blocks;
    size_t r = outer * along + row, offsets[BROADCAST_MAX_INPUTS];
    broadcast_rows rows = {.output = (uint8_t *)y->data +
                                     (r * task->y_stride + first) * kiln_dtype_size(y->dtype),
                           .output_row_step = task->y_stride,
                           .rows = along - row < task->block ? along - row : task->block,
                           .count = task->row - first < PIECE ? task->row - first : PIECE};
    for (uint32_t k = 0; k < task->input_count; k++) {
        rows.steps[k] = task->steps[k];
        rows.row_steps[k] = task->rank == 0 ? 0 : task->strides[k][last];
        offsets[k] = first * task->steps[k] + row * rows.row_steps[k];
    }
    for (uint32_t d = last; d-- > 0;) {
        size_t at = outer % task->dims[d];
        outer /= task->dims[d];
        for (uint32_t k = 0; k < task->input_count; k++) {
            offsets[k] += at * task->strides[k][d];
        }
    }
    for (uint32_t k = 0; k < task->input_count; k++) {
        const operand *x = &task->call->inputs[k];
        rows.inputs[k] = (const uint8_t *)x->data + offsets[k] * kiln_dtype_size(x->dtype);
    }
    task->function(task->context, &rows);
}

static void run_pieces(void *context, size_t begin, size_t end) {
    for (size_t unit = begin; unit < end; unit++) {
        run_piece(context, unit);
    }
}

void broadcast_run(const kernel_call *call, uint32_t input_count, const void *context,
                   broadcast_function function) {
    broadcast_task task = {
        .call = call, .input_count = input_count, .context = context, .function = function};
    describe(call, &task);
    merge_outer(&task);
    size_t along = task.rank == 0 ? 1 : task.dims[task.rank - 1];
    task.pieces = (task.row + PIECE - 1) / PIECE;
    task.block = task.row < PIECE ? PIECE / task.row : 1;
    task.blocks = (along + task.block - 1) / task.block;
    size_t units = task.pieces * task.blocks;
    for (uint32_t d = 0; d + 1 < task.rank; d++) {
        units *= task.dims[d];
    }
    kernel_parallel(call, units, 1, &task, run_pieces);
}

typedef struct by_row {
    const void *context;
    broadcast_row row;
    uint32_t input_count;
    size_t sizes[BROADCAST_MAX_INPUTS], output_size; /* sizes of elements in bytes */
} by_row;

static void run_rows(const void *context, const broadcast_rows *rows) {
    const by_row *b = context;
    for (size_t r = 0; r < rows->rows; r++) {
        const void *inputs[BROADCAST_MAX_INPUTS];
        for (uint32_t k = 0; k < b->input_count; k++) {
            inputs[k] = (const uint8_t *)rows->inputs[k] + r * rows->row_steps[k] * b->sizes[k];
        }
        b->row(b->context, inputs, rows->steps,
               (uint8_t *)rows->output + r * rows->output_row_step * b->output_size, rows->count);
    }
}

void broadcast_run_by_row(const kernel_call *call, uint32_t input_count, const void *context,
                          broadcast_row row) {
    by_row b = {context, row, input_count, {0}, kiln_dtype_size(call->outputs[0].dtype)};
    for (uint32_t k = 0; k < input_count; k++) {
        b.sizes[k] = kiln_dtype_size(call->inputs[k].dtype);
    }
    broadcast_run(call, input_count, &b, run_rows);
}
