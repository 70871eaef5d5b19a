/* What a network computes of its last convolutions: goes back from an output, step by step. */
#include "runtime/faces/detector.h"
#include <kiln/plan_format.h>

/* Tensors that lie in one storage may be parts of one another (of a concatenation, or in place). */
static bool is_wanted(const kiln_plan_view *view, const uint8_t *tensors, const uint8_t *storages,
                      uint32_t tensor) {
    uint32_t storage = view->tensors[tensor].storage;
    return tensors[tensor] != 0 || (storage != KILN_PLAN_NONE && storages[storage] != 0);
}

static void want(const kiln_plan_view *view, uint8_t *tensors, uint8_t *storages, uint32_t tensor) {
    if (tensor != KILN_PLAN_NONE) {
        uint32_t storage = view->tensors[tensor].storage;
        tensors[tensor] = 1;
        if (storage != KILN_PLAN_NONE) {
            storages[storage] = 1;
        }
    }
}

/* What computes features, and not something of the outputs. */
static bool is_layer(uint32_t kernel) {
    return kernel == KILN_KERNEL_CONV_2D || kernel == KILN_KERNEL_DECONV_2D ||
           kernel == KILN_KERNEL_CONV_ND || kernel == KILN_KERNEL_FULLY_CONNECTED ||
           kernel == KILN_KERNEL_MATMUL;
}

static void note(const kiln_plan_view *view, const kiln_plan_step *step, bool *inout_sigmoid,
                 bool *inout_softmax, bool *inout_exponential) {
    *inout_softmax |= step->kernel == KILN_KERNEL_SOFTMAX;
    if (step->kernel == KILN_KERNEL_UNARY) {
        const kiln_unary_params *p = (const void *)(view->params + step->params_offset);
        *inout_sigmoid |= p->op == KILN_UNARY_SIGMOID;
        *inout_exponential |= p->op == KILN_UNARY_EXP;
    }
}

/* Goes back from an output and tells which functions were on the way. */
static kiln_status walk(const kiln_allocator *allocator, const kiln_plan_view *view,
                        uint32_t output, bool *out_sigmoid, bool *out_softmax,
                        bool *out_exponential, kiln_error *error) {
    uint8_t *tensors = memory_zeros(allocator, view->tensor_count + view->storage_count + 1, 1);
    if (tensors == NULL) {
        return memory_fail(error);
    }
    uint8_t *storages = tensors + view->tensor_count;
    *out_sigmoid = *out_softmax = *out_exponential = false;
    want(view, tensors, storages, view->outputs[output]);
    for (size_t k = view->step_count; k-- > 0;) {
        const kiln_plan_step *step = &view->steps[k];
        const uint32_t *operands = view->operands + step->first_operand;
        bool writes = false;
        for (uint32_t o = 0; o < step->output_count; o++) {
            uint32_t tensor = operands[step->input_count + o];
            writes |= tensor != KILN_PLAN_NONE && is_wanted(view, tensors, storages, tensor);
        }
        if (writes && !is_layer(step->kernel)) {
            note(view, step, out_sigmoid, out_softmax, out_exponential);
            for (uint32_t i = 0; i < step->input_count; i++) {
                want(view, tensors, storages, operands[i]);
            }
        }
    }
    memory_free(tensors);
    return KILN_OK;
}

kiln_status trace_outputs(detector_layout *inout_layout, kiln_error *error) {
    kiln_plan_view view;
    bool other[3];
    const detector_level *first = &inout_layout->levels[0];
    kiln_plan_inspect(inout_layout->plan, &view);
    kiln_status status = walk(&inout_layout->plan->allocator, &view, first->scores.output,
                              &inout_layout->sigmoid, &inout_layout->softmax, &other[0], error);
    return status != KILN_OK ? status
                             : walk(&inout_layout->plan->allocator, &view, first->boxes.output,
                                    &other[0], &other[1], &inout_layout->exponential, error);
}
