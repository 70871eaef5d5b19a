/* Steps and operands as kernels see them, from the plan's records. */
#include "runtime/kernels/kernel.h"
#include "runtime/plan/layout.h"

void operand_describe(const kiln_plan_tensor_record *t, operand *out_operand) {
    *out_operand = (operand){0};
    if (t == NULL) {
        return;
    }
    operand *o = out_operand;
    o->record = t;
    o->dtype = (kiln_dtype)t->dtype;
    o->rank = t->rank;
    o->batched = t->batched != 0;
    o->constant = t->place == KILN_PLACE_CONSTANT;
    o->place = t->place;
    o->layout = t->layout;
    for (uint32_t k = 0; k < t->rank; k++) {
        o->dims[k] = t->dims[layout_logical_axis(t->layout, t->rank, k)];
    }
    o->inner = t->rank == 0 ? 1 : o->dims[t->rank - 1];
    o->outer = 1;
    for (uint32_t k = 0; k + 1 < t->rank; k++) {
        o->outer *= o->dims[k];
    }
    o->elements = o->outer * o->inner;
    o->row_stride = t->row_stride;
}

static uint8_t measured_of(const kiln_plan_view *view, size_t step) {
    return view->choices != NULL ? view->choices->measured[step] : 0;
}

const void *step_params(const kiln_plan_view *view, size_t step) {
    return measured_of(view, step) != 0
               ? (const void *)&view->choices->params[step]
               : (const void *)(view->params + view->steps[step].params_offset);
}

void call_describe(const kiln_plan_view *view, size_t step, const kernel_host *host,
                   operand *operands, kernel_call *out_call) {
    const kiln_plan_step *s = &view->steps[step];
    uint32_t count = (uint32_t)s->input_count + s->output_count;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t id = view->operands[s->first_operand + k];
        operand_describe(id == KILN_PLAN_NONE ? NULL : &view->tensors[id], &operands[k]);
    }
    *out_call = (kernel_call){.kernel = kernel_find(s->kernel),
                              .step = s,
                              .name = view->strings + s->name,
                              .params = step_params(view, step),
                              .measured = measured_of(view, step),
                              .input_count = s->input_count,
                              .output_count = s->output_count,
                              .inputs = operands,
                              .outputs = operands + s->input_count,
                              .host = host,
                              .max_batch = 1,
                              .run = {.batch = 1}};
    image_dims y;
    if (s->output_count > 0 && operand_image(&out_call->outputs[0], &y)) {
        out_call->run.end_row = y.h;
    }
}
