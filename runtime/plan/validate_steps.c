/* Steps of an untrusted plan: operands, places, strides, overlaps, order, and each kernel's own
 * check. Tensors and storages have been checked before. */
#include "runtime/base/memory.h"
#include "runtime/kernels/kernel.h"
#include "runtime/plan/plan.h"

#include <string.h>

/* ---- One step ------------------------------------------------------------------------------ */

static bool check_shape_of_step(const kiln_plan *plan, const kiln_plan_step *s) {
    const kiln_plan_view *v = &plan->view;
    const kernel *kernel = kernel_find(s->kernel);
    uint64_t params = v->param_bytes;
    uint32_t count = (uint32_t)s->input_count + s->output_count;
    if (s->input_count < kernel->min_inputs || s->input_count > kernel->max_inputs ||
        s->output_count < kernel->min_outputs || s->output_count > kernel->max_outputs ||
        count > KERNEL_MAX_OPERANDS || s->params_offset % 8 != 0 ||
        s->params_bytes != kernel->traits.params_bytes || s->params_offset > params ||
        s->params_bytes > params - s->params_offset || s->first_operand > v->operand_count ||
        count > v->operand_count - s->first_operand) {
        return false;
    }
    for (uint32_t k = 0; k < count; k++) {
        uint32_t id = v->operands[s->first_operand + k];
        if (id >= v->tensor_count && id != KILN_PLAN_NONE) {
            return false;
        }
    }
    return s->input_count >= 1 && s->output_count >= 1;
}

/* Those of one kind, of which the plan's own lie at `boundary`. */
static kiln_status check_places_of(const kernel_call *call, const char *kind,
                                   const operand *operands, uint32_t count, uint32_t least,
                                   uint32_t strided, kiln_plan_place boundary, kiln_error *error) {
    bool moves = call->step->kernel == KILN_KERNEL_COPY || call->step->kernel == KILN_KERNEL_CAST;
    bool writes = boundary == KILN_PLACE_OUTPUT;
    for (uint32_t k = 0; k < count; k++) {
        const operand *o = &operands[k];
        if (!operand_present(o)) {
            if (k < least) {
                return kernel_fail(call, error, "%s %u is absent", kind, k);
            }
            continue;
        }
        bool inside = o->place == KILN_PLACE_ARENA || (o->constant && !writes) ||
                      (o->place == boundary && moves);
        if (!inside || (!operand_is_dense(o) && (k >= 8 || (strided >> k & 1) == 0))) {
            return kernel_fail(call, error, "%s %u lies where the kernel cannot %s", kind, k,
                               writes ? "write" : "read");
        }
    }
    return KILN_OK;
}

/* Checks that the inputs and outputs that a kernel needs are there, in places where it may read and
 * write. */
static kiln_status check_places(const kernel_call *call, const kernel *kernel, kiln_error *error) {
    kiln_status status =
        check_places_of(call, "input", call->inputs, call->input_count, kernel->min_inputs,
                        kernel->traits.strided_inputs, KILN_PLACE_INPUT, error);
    return status != KILN_OK
               ? status
               : check_places_of(call, "output", call->outputs, call->output_count,
                                 kernel->min_outputs == 0 ? 1 : kernel->min_outputs,
                                 kernel->traits.strided_outputs, KILN_PLACE_OUTPUT, error);
}

/* Do two operands share bytes of a storage? Of operands with one stride, columns are compared. */
static bool overlaps(const operand *a, const operand *b) {
    if (!operand_present(a) || !operand_present(b) || a->place != KILN_PLACE_ARENA ||
        b->place != KILN_PLACE_ARENA || a->record->storage != b->record->storage) {
        return false;
    }
    size_t a_size = kiln_dtype_size(a->dtype), b_size = kiln_dtype_size(b->dtype);
    uint64_t a_begin = a->record->offset, b_begin = b->record->offset;
    uint64_t a_end = a_begin + ((a->outer - 1) * a->row_stride + a->inner) * a_size;
    uint64_t b_end = b_begin + ((b->outer - 1) * b->row_stride + b->inner) * b_size;
    /* Batched tensors go on, sample after sample, to the storage's end. */
    bool batched = a->batched || b->batched;
    if (!batched && (a_end <= b_begin || b_end <= a_begin)) {
        return false;
    }
    uint64_t stride = a->row_stride * a_size;
    if (stride != b->row_stride * b_size) {
        return true;
    }
    uint64_t a_column = a_begin % stride, b_column = b_begin % stride;
    bool in_rows = a_column + a->inner * a_size <= stride && b_column + b->inner * b_size <= stride;
    return !in_rows ||
           (a_column < b_column + b->inner * b_size && b_column < a_column + a->inner * a_size);
}

static bool same_memory(const operand *a, const operand *b) {
    return a->record->storage == b->record->storage && a->record->offset == b->record->offset &&
           a->row_stride == b->row_stride && a->dtype == b->dtype && operand_same_dims(a, b);
}

static kiln_status check_overlaps(const kernel_call *call, const kernel *kernel,
                                  kiln_error *error) {
    for (uint32_t o = 0; o < call->output_count; o++) {
        for (uint32_t k = 0; k < call->input_count; k++) {
            bool in_place = o == 0 && k < 8 && (kernel->traits.in_place_inputs >> k & 1) != 0;
            if (overlaps(&call->outputs[o], &call->inputs[k]) &&
                !(in_place && same_memory(&call->outputs[o], &call->inputs[k]))) {
                return kernel_fail(call, error, "output %u overlaps input %u", o, k);
            }
        }
        for (uint32_t k = 0; k < o; k++) {
            if (overlaps(&call->outputs[o], &call->outputs[k])) {
                return kernel_fail(call, error, "outputs %u and %u overlap", o, k);
            }
        }
    }
    return KILN_OK;
}

/* ---- All steps ----------------------------------------------------------------------------- */

/* Checks that storages are used during their steps only, and written before they are read. */
static kiln_status check_order(const kiln_plan_view *v, const kernel_call *call, uint32_t step,
                               uint8_t *written, kiln_error *error) {
    for (uint32_t k = 0; k < call->input_count + call->output_count; k++) {
        const operand *o = &call->inputs[k];
        if (!operand_present(o) || o->place != KILN_PLACE_ARENA) {
            continue;
        }
        const kiln_plan_storage *s = &v->storages[o->record->storage];
        if (step < s->first_step || step > s->last_step) {
            return kernel_fail(call, error, "operand %u is used outside its storage's steps", k);
        }
        if (k < call->input_count && !written[o->record->storage]) {
            return kernel_fail(call, error, "input %u is read before it is written", k);
        }
    }
    for (uint32_t k = 0; k < call->output_count; k++) {
        const operand *o = &call->outputs[k];
        if (operand_present(o) && o->place == KILN_PLACE_ARENA) {
            written[o->record->storage] = 1;
        }
    }
    return KILN_OK;
}

static kiln_status check_step(const kiln_plan *plan, uint32_t step, uint8_t *written,
                              kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    operand operands[KERNEL_MAX_OPERANDS];
    const kernel_host host = {.threads = 1, .allocator = &plan->allocator};
    kernel_call call;
    const char *name = kernel_name(v->steps[step].kernel);
    if (name != NULL && kernel_find(v->steps[step].kernel) == NULL) {
        return kiln_fail(
            error, KILN_ERROR_FORMAT,
            "this library is built without the operator %s, which step %u calls; see KILN_KERNELS",
            name, step);
    }
    if (name == NULL) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "damaged plan, or one for a newer runtime: step %u calls kernel %u", step,
                         (unsigned)v->steps[step].kernel);
    }
    if (!check_shape_of_step(plan, &v->steps[step])) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "damaged plan: step %u", step);
    }
    uint32_t function = KILN_STEP_FUNCTION(v->steps[step].flags);
    bool pools = (v->steps[step].flags & KILN_STEP_POOLED) != 0;
    if ((v->steps[step].flags & ~KILN_STEP_FLAGS) != 0 ||
        (pools && v->steps[step].kernel != KILN_KERNEL_CONV_2D) ||
        (function != KILN_UNARY_CLAMP &&
         !kiln_step_takes_function(v->steps[step].kernel, function))) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "damaged plan, or one for a newer runtime: step %u has flags 0x%x", step,
                         (unsigned)v->steps[step].flags);
    }
    call_describe(v, step, &host, operands, &call);
    const kernel *kernel = kernel_find(v->steps[step].kernel);
    kiln_status status = check_places(&call, kernel, error);
    if (status == KILN_OK) {
        status = check_overlaps(&call, kernel, error);
    }
    if (status == KILN_OK) {
        status = check_order(v, &call, step, written, error);
    }
    return status == KILN_OK ? kernel_check(&call, error) : status;
}

kiln_status plan_validate_steps(const kiln_plan *plan, kiln_error *error) {
    uint8_t *written = memory_zeros(&plan->allocator, plan->view.storage_count, 1);
    if (written == NULL) {
        return memory_fail(error);
    }
    kiln_status status = KILN_OK;
    for (uint32_t s = 0; s < plan->view.step_count && status == KILN_OK; s++) {
        status = check_step(plan, s, written, error);
    }
    memory_free(written);
    return status;
}
