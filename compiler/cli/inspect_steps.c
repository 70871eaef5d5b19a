/* What the forms of kiln inspect tell of steps. */
#include "compiler/cli/inspect.h"

uint64_t step_parameters(const kiln_plan_view *v, const kiln_plan_step *s) {
    uint64_t parameters = 0;
    for (uint32_t k = 0; k < s->input_count; k++) {
        uint32_t id = v->operands[s->first_operand + k];
        if (id != KILN_PLAN_NONE && v->tensors[id].place == KILN_PLACE_CONSTANT &&
            v->tensors[id].dtype == KILN_F32) {
            parameters += kiln_plan_tensor_elements(&v->tensors[id]);
        }
    }
    return parameters;
}

const kiln_plan_tensor_record *step_output(const kiln_plan_view *v, const kiln_plan_step *s) {
    return &v->tensors[v->operands[s->first_operand + s->input_count]];
}

uint64_t arena_offset(const kiln_plan_view *v, const kiln_plan_tensor_record *t) {
    return v->storages[t->storage].offset + t->offset;
}
