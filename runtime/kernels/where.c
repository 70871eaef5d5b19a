/* WHERE: a choice between two operands, element by element, with broadcasting. */
#include "runtime/kernels/broadcast.h"

static void choose_row(const void *context, const void *const *inputs, const size_t *steps,
                       void *output, size_t count) {
    size_t size = *(const size_t *)context;
    for (size_t k = 0; k < count; k++) {
        uint32_t choice = ((const uint8_t *)inputs[0])[k * steps[0]] != 0 ? 1 : 2;
        element_copy((uint8_t *)output + k * size,
                     (const uint8_t *)inputs[choice] + k * steps[choice] * size, size);
    }
}

static const char *check(const kernel_call *call) {
    return call->inputs[1].dtype == call->outputs[0].dtype &&
                   call->inputs[2].dtype == call->outputs[0].dtype && broadcast_fits(call, 3)
               ? NULL
               : "the operands do not fit the output";
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    size_t size = kiln_dtype_size(call->outputs[0].dtype);
    broadcast_run_by_row(call, 3, &size, choose_row);
    return KILN_OK;
}

const kernel kernel_where = {
    KERNEL("where", kiln_where_params, NULL, KERNEL_INPUTS(3, 3, IS_BOOL), KERNEL_OUTPUTS(1, 1, 0),
           KERNEL_STRIDED(7, 1)),
    .check = check,
    .run = run,
};
