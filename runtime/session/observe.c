/* Looking into a session: profile, observer, captures. */
#include "runtime/session/session.h"

#include <string.h>

size_t kiln_session_step_count(const kiln_session *s) {
    return s->plan->view.step_count;
}

kiln_status kiln_session_profile(const kiln_session *s, size_t step,
                                 kiln_step_profile *out_profile) {
    if (step >= s->plan->view.step_count) {
        return KILN_ERROR_ARGUMENT;
    }
    *out_profile =
        (kiln_step_profile){.name = s->calls[step].name,
                            .kernel = kiln_kernel_describe(s->calls[step].step->kernel)->name,
                            .nanoseconds = s->nanoseconds[step],
                            .runs = s->profile ? s->runs : 0,
                            .macs = kiln_plan_step_macs(s->plan, step)};
    return KILN_OK;
}

size_t kiln_session_step_output_count(const kiln_session *s, size_t step) {
    return step < s->plan->view.step_count ? s->calls[step].output_count : 0;
}

kiln_status kiln_session_step_output(const kiln_session *s, size_t step, size_t output,
                                     kiln_tensor_info *out_info) {
    const operand *o =
        output < kiln_session_step_output_count(s, step) ? &s->calls[step].outputs[output] : NULL;
    if (o == NULL || !operand_present(o) || o->record->rolling_rows != 0) {
        return KILN_ERROR_ARGUMENT;
    }
    tensor_info(&s->plan->view, (uint32_t)(o->record - s->plan->view.tensors), out_info);
    return KILN_OK;
}

/* Rows of `row` elements to ONNX order: channels-last pixels are spread over the channels' planes.
 */
static void read_operand(const operand *o, uint32_t batch, uint8_t *out) {
    size_t size = kiln_dtype_size(o->dtype), rows = operand_outer(o, batch);
    size_t samples = o->rank == 0 ? 1 : operand_dim(o, 0, batch), pixels = rows / samples;
    const uint8_t *data = o->data;
    for (size_t r = 0; r < rows; r++) {
        const uint8_t *from = data + r * o->row_stride * size;
        if (o->layout != KILN_CHANNELS_LAST) {
            memcpy(out + r * o->inner * size, from, o->inner * size);
            continue;
        }
        size_t sample = r / pixels, pixel = r % pixels;
        for (size_t c = 0; c < o->inner; c++) {
            memcpy(out + ((sample * o->inner + c) * pixels + pixel) * size, from + c * size, size);
        }
    }
}

kiln_status kiln_session_step_read(const kiln_session *s, size_t step, size_t output,
                                   kiln_buffer buffer, kiln_error *error) {
    kiln_tensor_info info;
    if (step != s->observed_step || kiln_session_step_output(s, step, output, &info) != KILN_OK) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "step %zu, output %zu cannot be read now: only by an observer of the step",
                         step, output);
    }
    size_t bytes = info.bytes * (info.batched ? s->batch : 1);
    if (buffer.data == NULL || buffer.size != bytes) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "tensor '%.80s' has %zu bytes, the buffer %zu",
                         info.name, bytes, buffer.size);
    }
    read_operand(&s->calls[step].outputs[output], s->batch, buffer.data);
    return KILN_OK;
}

/* The rows of an image that a band's step has just computed, to ONNX order. */
static void read_rows(const kernel_call *call, uint32_t sample, uint8_t *out) {
    const operand *o = &call->outputs[0];
    size_t size = kiln_dtype_size(o->dtype), height = o->dims[1], width = o->dims[2];
    for (size_t row = call->run.begin_row; row < call->run.end_row; row++) {
        const uint8_t *from =
            (const uint8_t *)o->data + (row - o->first_row) * width * o->row_stride * size;
        for (size_t x = 0; x < width; x++, from += o->row_stride * size) {
            for (size_t c = 0; c < o->inner; c++) {
                size_t at = ((sample * o->inner + c) * height + row) * width + x;
                memcpy(out + at * size, from + c * size, size);
            }
        }
    }
}

static void capture_rows(kiln_session *s, size_t step, uint32_t sample) {
    const kernel_call *call = &s->calls[step];
    const kiln_plan_tensor_record *y = call->outputs[0].record;
    for (size_t c = 0; c < s->capture_count; c++) {
        if (y->rolling_rows != 0 && &s->plan->view.tensors[s->captures[c].tensor] == y) {
            read_rows(call, sample, s->captures[c].buffer.data);
        }
    }
}

static bool after_step(kiln_session *s, size_t step) {
    const kernel_call *call = &s->calls[step];
    s->observed_step = step;
    for (size_t c = 0; c < s->capture_count; c++) {
        for (uint32_t k = 0; k < call->output_count; k++) {
            const operand *o = &call->outputs[k];
            if (operand_present(o) &&
                (uint32_t)(o->record - s->plan->view.tensors) == s->captures[c].tensor) {
                kiln_buffer buffer = s->captures[c].buffer;
                kiln_tensor_info info;
                tensor_info(&s->plan->view, s->captures[c].tensor, &info);
                buffer.size = info.bytes * (info.batched ? s->batch : 1);
                (void)kiln_session_step_read(s, step, k, buffer, NULL);
            }
        }
    }
    bool go_on = s->observer == NULL || s->observer(s->observer_context, s, step);
    s->observed_step = SIZE_MAX;
    return go_on;
}

static const session_watch watch = {capture_rows, after_step};

void kiln_session_observe(kiln_session *s, kiln_observer observer, void *context) {
    s->watch = &watch;
    s->observer = observer;
    s->observer_context = context;
}

/* No step writes a tensor that is another view of what one has written. */
static bool is_written(const kiln_session *s, uint32_t tensor) {
    const kiln_plan_tensor_record *record = &s->plan->view.tensors[tensor];
    for (size_t step = 0; step < s->plan->view.step_count; step++) {
        const kernel_call *call = &s->calls[step];
        for (uint32_t k = 0; k < call->output_count; k++) {
            if (call->outputs[k].record == record) {
                return true;
            }
        }
    }
    return false;
}

kiln_status kiln_session_capture(kiln_session *s, const char *name, kiln_buffer buffer,
                                 kiln_error *error) {
    const kiln_plan_view *v = &s->plan->view;
    uint32_t tensor = 0;
    while (tensor < v->tensor_count &&
           (v->tensors[tensor].place != KILN_PLACE_ARENA || name[0] == '\0' ||
            strcmp(v->strings + v->tensors[tensor].name, name) != 0)) {
        tensor++;
    }
    if (tensor == v->tensor_count) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "the plan has no intermediate tensor '%s'",
                         name);
    }
    if (!is_written(s, tensor)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "tensor '%.80s' is a view of one that a step writes: capture that one",
                         name);
    }
    kiln_tensor_info info;
    tensor_info(v, tensor, &info);
    size_t bytes = info.bytes * (info.batched ? s->max_batch : 1);
    if (buffer.data != NULL && buffer.size < bytes) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "tensor '%.80s' needs a buffer of %zu bytes, not %zu", name, bytes,
                         buffer.size);
    }
    size_t at = 0;
    while (at < s->capture_count && s->captures[at].tensor != tensor) {
        at++;
    }
    if (buffer.data == NULL) {
        if (at < s->capture_count) {
            s->captures[at] = s->captures[--s->capture_count];
        }
        return KILN_OK;
    }
    if (at == MAX_CAPTURES) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "at most %d captures", MAX_CAPTURES);
    }
    s->watch = &watch;
    s->captures[at] = (capture){tensor, buffer};
    s->capture_count += at == s->capture_count;
    return KILN_OK;
}
