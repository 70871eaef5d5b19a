/* Whether a network ends in an embedding, by what its plan says. */
#include "runtime/plan/plan.h"
#include "runtime/plan/sub_plan.h"

#include <kiln/train.h>
#include <string.h>

enum { LEAST = 64, MULTIPLE = 32 };

/* Whether what ends the network says that it decides between classes. */
static bool decides(const kiln_plan_view *v) {
    size_t step = v->step_count;
    uint32_t at = v->outputs[0];
    while (plan_producer(v, at, step, &step)) {
        const kiln_plan_step *s = &v->steps[step];
        kiln_unary_params unary = {.op = KILN_UNARY_CLAMP};
        if (s->kernel == KILN_KERNEL_UNARY) {
            memcpy(&unary, v->params + s->params_offset, sizeof unary);
        }
        if (s->kernel == KILN_KERNEL_SOFTMAX || unary.op == KILN_UNARY_SIGMOID) {
            return true;
        }
        if (s->kernel != KILN_KERNEL_COPY && s->kernel != KILN_KERNEL_CAST) {
            return false;
        }
        at = v->operands[s->first_operand];
    }
    return false;
}

bool kiln_plan_is_embedding(const kiln_plan *plan) {
    const kiln_plan_view *v = &plan->view;
    if (v->output_count != 1 || v->label_count > 0 || decides(v)) {
        return false;
    }
    const kiln_plan_tensor_record *t = &v->tensors[v->outputs[0]];
    uint64_t width = t->rank >= 2 ? t->dims[1] : 0;
    return width >= LEAST && width % MULTIPLE == 0 && kiln_plan_tensor_elements(t) == width;
}
