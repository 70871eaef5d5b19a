/* How much memory sessions need besides weights. */
#include "runtime/session.h"

size_t call_scratch(const kernel_call *call) {
    const kernel *row = kernel_find(call->step->kernel);
    return row->scratch != NULL ? row->scratch(call) : 0;
}

static void add_up(const kiln_plan_view *v, const kernel_call *calls, kiln_memory_use *out) {
    for (size_t step = 0; step < v->step_count; step++) {
        const kernel *row = kernel_find(v->steps[step].kernel);
        size_t scratch = call_scratch(&calls[step]);
        out->scratch_bytes = scratch > out->scratch_bytes ? scratch : out->scratch_bytes;
        out->heap_bytes += row->heap != NULL ? row->heap(&calls[step]) : 0;
    }
    out->total_bytes = out->arena_bytes + out->scratch_bytes + out->heap_bytes;
}

kiln_status kiln_plan_memory(const kiln_plan *plan, const kiln_session_options *options,
                             kiln_memory_use *out_use, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    const kiln_allocator *a = &plan->allocator;
    kiln_session_options defaults;
    kiln_session_options_init(&defaults);
    options = options != NULL ? options : &defaults;
    uint32_t batch = options->max_batch == 0 ? 1 : options->max_batch;
    size_t call_bytes = (v->step_count + 1) * sizeof(kernel_call);
    size_t operand_bytes = (v->operand_count + 1) * sizeof(operand);
    kernel_call *calls = a->allocate(a->context, call_bytes, 64);
    operand *operands = a->allocate(a->context, operand_bytes, 64);
    *out_use = (kiln_memory_use){.arena_bytes = v->header->arena_bytes * batch};
    if (calls != NULL && operands != NULL) {
        for (size_t step = 0; step < v->step_count; step++) {
            call_describe(v, step, operands + v->steps[step].first_operand, &calls[step]);
            calls[step].batch = calls[step].max_batch = batch;
            calls[step].threads = options->threads == 0 ? 1 : options->threads;
        }
        describe_bands(v, calls, NULL);
        add_up(v, calls, out_use);
    }
    bool failed = calls == NULL || operands == NULL;
    if (calls != NULL) {
        a->release(a->context, calls, call_bytes);
    }
    if (operands != NULL) {
        a->release(a->context, operands, operand_bytes);
    }
    return failed ? kiln_fail(error, KILN_ERROR_MEMORY, "out of memory") : KILN_OK;
}
