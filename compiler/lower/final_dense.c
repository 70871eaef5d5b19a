/* The network's own final dense layers, which training may replace: the fully-connected steps that
 * are met walking back from the outputs through whatever is neither convolution nor pooling. */
#include "compiler/lower/lowering.h"

/* The step that writes each tensor; KILN_PLAN_NONE: none does. */
static void find_producers(const program *p, uint32_t *producer) {
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        producer[t] = KILN_PLAN_NONE;
    }
    for (uint32_t s = 0; s < p->step_count; s++) {
        for (uint32_t k = 0; k < p->steps[s].output_count; k++) {
            uint32_t id = p->steps[s].operands[p->steps[s].input_count + k];
            if (id != KILN_PLAN_NONE) {
                producer[id] = s;
            }
        }
    }
}

/* May the step stand between a final dense layer and the output? */
static bool is_passed(const program_step *step) {
    return step->kernel == KILN_KERNEL_COPY || step->kernel == KILN_KERNEL_CAST ||
           step->kernel == KILN_KERNEL_UNARY || step->kernel == KILN_KERNEL_SOFTMAX ||
           step->kernel == KILN_KERNEL_PRELU;
}

static void mark_before(lowering *l, const uint32_t *producer, uint32_t id) {
    while (id != KILN_PLAN_NONE) {
        uint32_t s = producer[id];
        if (s == KILN_PLAN_NONE && l->memories[id].root != id) {
            id = l->memories[id].root; /* a view of what another step wrote */
            continue;
        }
        if (s == KILN_PLAN_NONE) {
            return;
        }
        program_step *step = &l->p->steps[s];
        bool dense = step->kernel == KILN_KERNEL_FULLY_CONNECTED;
        if (!dense && !is_passed(step)) {
            return;
        }
        step->flags |= dense ? KILN_STEP_FINAL_DENSE : 0;
        id = step->operands[0];
    }
}

kiln_status lowering_mark_final_dense(lowering *l) {
    program *p = l->p;
    uint32_t *producer = graph_allocate(l->g, (p->tensor_count + 1) * sizeof *producer);
    if (producer == NULL) {
        return KILN_ERROR_MEMORY;
    }
    find_producers(p, producer);
    for (size_t k = 0; k < p->output_count; k++) {
        mark_before(l, producer, p->outputs[k]);
    }
    return KILN_OK;
}
