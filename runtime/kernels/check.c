/* What is asked of a step before it is run: the rules of its operands, then the kernel's own check.
 */
#include "runtime/kernels/finish.h"

static bool is_of_types(const operand *o, unsigned rule) {
    unsigned types = rule & (IS_F32 | IS_I64 | IS_BOOL);
    unsigned type = o->dtype == KILN_F32    ? IS_F32
                    : o->dtype == KILN_I64  ? IS_I64
                    : o->dtype == KILN_BOOL ? IS_BOOL
                                            : 0;
    return types == 0 || (types & type) != 0;
}

/* What an operand has that its rule does not allow; NULL: nothing. */
static const char *fault_of(const operand *o, unsigned rule, const operand *x) {
    unsigned rank = rule >> 12;
    image_dims dims;
    if (!is_of_types(o, rule) || ((rule & IS_TYPED_LIKE_X) != 0 && o->dtype != x->dtype)) {
        return "element type";
    }
    if (((rule & IS_CONSTANT) != 0 && !o->constant) || ((rule & IS_VARIABLE) != 0 && o->constant)) {
        return "place (constant or computed)";
    }
    if (((rule & IS_ROW_MAJOR) != 0 && o->layout != KILN_ROW_MAJOR) ||
        ((rule & IS_CHANNELS_LAST) != 0 && o->layout != KILN_CHANNELS_LAST)) {
        return "layout";
    }
    bool batch = o->batched == x->batched && o->dims[0] == x->dims[0];
    if (((rule & IS_BATCHED_LIKE_X) != 0 && !batch) || ((rule & IS_UNBATCHED) != 0 && o->batched)) {
        return "batch";
    }
    if ((rank != 0 && o->rank != rank) ||
        ((rule & IS_SHAPED_LIKE_X) != 0 && !operand_same_dims(o, x)) ||
        ((rule & IS_IMAGE) != 0 && !operand_image(o, &dims))) {
        return "shape";
    }
    return NULL;
}

static kiln_status check_operands(const kernel_call *call, kiln_error *error) {
    const kernel *kernel = call->kernel;
    for (uint32_t k = 0; k < call->input_count + call->output_count; k++) {
        bool output = k >= call->input_count;
        uint32_t which = output ? k - call->input_count : k;
        const operand *o = &call->inputs[k];
        unsigned rule = which >= KERNEL_MAX_RULES ? 0
                        : output                  ? kernel->output_rules[which]
                                                  : kernel->input_rules[which];
        const char *fault = operand_present(o) ? fault_of(o, rule, call->inputs) : NULL;
        if (fault != NULL) {
            return kernel_fail(call, error, "%s %u has another %s than the kernel takes",
                               output ? "output" : "input", which, fault);
        }
    }
    return KILN_OK;
}

kiln_status kernel_check(const kernel_call *call, kiln_error *error) {
    const kernel *kernel = call->kernel;
    uint32_t function = KILN_STEP_FUNCTION(call->step->flags);
    kiln_status status = check_operands(call, error);
    if (status != KILN_OK) {
        return status;
    }
    const char *fault = kernel->check != NULL ? kernel->check(call) : NULL;
    if (fault != NULL) {
        return kernel_fail(call, error, "%s", fault);
    }
    const char *lack = function != KILN_UNARY_CLAMP && finish_is_missing(function)
                           ? kiln_unary_op_name(function)
                       : kernel->lacks != NULL ? kernel->lacks(call)
                                               : NULL;
    return lack == NULL ? KILN_OK
                        : kernel_fail(call, error,
                                      "this library is built without %s; see KILN_KERNELS", lack);
}
