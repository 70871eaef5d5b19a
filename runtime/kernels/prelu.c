/* PRELU: each channel has a slope of its own for numbers below zero. */
#include "runtime/kernels/kernel.h"
#include "runtime/ukernels/ukernels.h"

#include <math.h>

#define LEAST_ELEMENTS ((size_t)4096) /* a thread is not worth waking for fewer */

static const char *check(const kernel_call *call) {
    const operand *x = &call->inputs[0];
    return x->rank > 0 && call->inputs[1].elements == x->inner && !(x->batched && x->rank < 2)
               ? NULL
               : "the slopes do not fit the channels";
}

static void run_rows(void *context, size_t begin, size_t end) {
    const kernel_call *call = context;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    elementwise_rows rows = {.a = (const float *)x->data + begin * x->row_stride,
                             .b = call->inputs[1].data,
                             .min = -INFINITY,
                             .max = INFINITY,
                             .y = (float *)y->data + begin * y->row_stride,
                             .a_step = x->row_stride,
                             .y_step = y->row_stride,
                             .rows = end - begin,
                             .count = x->inner};
    ukernels_prelu(ukernels_best())(&rows);
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    const operand *x = &call->inputs[0];
    (void)error;
    kernel_parallel(call, operand_outer(x, call->run.batch), 1 + LEAST_ELEMENTS / (x->inner + 1),
                    call, run_rows);
    return KILN_OK;
}

const kernel kernel_prelu = {
    KERNEL("prelu", kiln_prelu_params, NULL, KERNEL_INPUTS(2, 2, IS_F32, IS_F32 | IS_CONSTANT),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_SHAPED_LIKE_X), KERNEL_STRIDED(1, 1),
           KERNEL_IN_PLACE(1)),
    .check = check,
    .run = run,
};
