/* Numpy broadcasting over physical dims, a row of the output at a time. */
#include "runtime/kernels/broadcast.h"

typedef struct broadcast_task {
    const kernel_call *call;
    uint32_t input_count;
    size_t strides[BROADCAST_MAX_INPUTS][KILN_MAX_RANK];
    const void *context;
    broadcast_row row;
} broadcast_task;

bool broadcast_fits(const kernel_call *call, uint32_t input_count) {
    size_t strides[KILN_MAX_RANK];
    for (uint32_t k = 0; k < input_count; k++) {
        if (!operand_broadcast(&call->inputs[k], &call->outputs[0], strides)) {
            return false;
        }
    }
    return true;
}

/* A rank-1 batched output is rows of dims[0] elements, one a sample: its operands go along. */
static void rows_of_output(void *context, size_t begin, size_t end) {
    const broadcast_task *task = context;
    const operand *y = &task->call->outputs[0];
    size_t y_size = kiln_dtype_size(y->dtype);
    for (size_t r = begin; r < end; r++) {
        const void *inputs[BROADCAST_MAX_INPUTS];
        size_t steps[BROADCAST_MAX_INPUTS];
        for (uint32_t k = 0; k < task->input_count; k++) {
            const operand *x = &task->call->inputs[k];
            size_t rest = r, offset = 0;
            if (y->rank == 1) {
                offset = x->batched ? r * y->row : 0;
            }
            for (uint32_t d = y->rank < 2 ? 0 : y->rank - 1; d-- > 0;) {
                size_t dim = d == 0 ? SIZE_MAX : y->dims[d];
                offset += rest % dim * task->strides[k][d];
                rest /= dim;
            }
            inputs[k] = (const uint8_t *)x->data + offset * kiln_dtype_size(x->dtype);
            steps[k] = y->rank == 0 ? 0 : task->strides[k][y->rank - 1];
        }
        task->row(task->context, inputs, steps, (uint8_t *)y->data + r * y->row_stride * y_size,
                  y->row);
    }
}

void broadcast_run(const kernel_call *call, uint32_t input_count, const void *context,
                   broadcast_row row) {
    broadcast_task task = {
        .call = call, .input_count = input_count, .context = context, .row = row};
    const operand *y = &call->outputs[0];
    for (uint32_t k = 0; k < input_count; k++) {
        (void)operand_broadcast(&call->inputs[k], y, task.strides[k]);
    }
    kernel_parallel(call, operand_rows(y, call->batch), 1 + 4096 / y->row, &task, rows_of_output);
}
