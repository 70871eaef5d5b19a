/* The plan under verification: compiled or opened, run, and what its steps computed recorded. */
#include "compiler/compile.h"
#include "compiler/import/import.h"
#include "compiler/verify/verify.h"

#include <stdlib.h>
#include <string.h>

/* ---- Compiling ----------------------------------------------------------------------------- */

/* Data settle an input's shape, but for its batch where the model leaves that open: the plan is to
 * be the one that others get, too. */
static kiln_status leave_batch_open(verification *v, kiln_value *values) {
    graph *g = NULL;
    kiln_compile_options options = verification_options(v, v->given, v->given_count);
    kiln_status status = import_model(v->onnx_path, &options, false, v->error, &g);
    uint32_t batch = 0;
    bool alike = true;
    for (size_t k = 0; status == KILN_OK && k < g->input_count; k++) {
        const kiln_value *value = find_value(values, v->given_count, g->inputs[k]->name);
        if (value != NULL && value->data != NULL && g->inputs[k]->open_batch) {
            alike = alike && (batch == 0 || batch == value->dims[0]);
            batch = value->dims[0];
        }
    }
    for (size_t k = 0; status == KILN_OK && alike && k < g->input_count; k++) {
        for (size_t i = 0; i < v->given_count; i++) {
            if (values[i].data != NULL && g->inputs[k]->open_batch &&
                strcmp(values[i].name, g->inputs[k]->name) == 0) {
                values[i].data = NULL;
                values[i].dims[0] = KILN_BATCH;
            }
        }
    }
    graph_free(g);
    return status;
}

/* Does the plan leave the batch of all inputs open whose batch was left open to it? */
static bool is_open(const verification *v, const kiln_value *values) {
    bool open = v->plan != NULL;
    for (size_t k = 0; open && k < kiln_plan_input_count(v->plan); k++) {
        kiln_tensor_info info;
        (void)kiln_plan_input(v->plan, k, &info);
        const kiln_value *value = find_value(values, v->given_count, info.name);
        bool wanted = value != NULL && value->rank > 0 && value->dims[0] == KILN_BATCH;
        open = open && (info.batched || !wanted);
    }
    return open;
}

static kiln_status compile_plan(verification *v, const kiln_value *values) {
    kiln_compile_options options = verification_options(v, values, v->given_count);
    kiln_compile_report report;
    kiln_plan_close(v->plan);
    v->plan = NULL;
    file_writer out;
    kiln_status status = file_begin_scratch(&out, v->error);
    if (status != KILN_OK) {
        return status;
    }
    status = compile_to(&out, v->onnx_path, &options, &report, v->error);
    if (status == KILN_OK) {
        status = kiln_plan_open_fd(out.descriptor, 0, report.plan_bytes, NULL, &v->plan, v->error);
    }
    return file_end(&out, status, v->error); /* the mapping stays */
}

kiln_status verification_open_plan(verification *v) {
    if (v->options->plan_path != NULL) {
        kiln_plan_options opening = {.size = sizeof opening,
                                     .read_into_memory = v->options->read_into_memory};
        return kiln_plan_open(v->options->plan_path, &opening, &v->plan, v->error);
    }
    kiln_value *values = calloc(v->given_count + 1, sizeof *values);
    if (values == NULL) {
        return kiln_fail(v->error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (v->given_count > 0) {
        memcpy(values, v->given, v->given_count * sizeof *values);
    }
    kiln_status status = v->options->data_folder != NULL ? leave_batch_open(v, values) : KILN_OK;
    if (status == KILN_OK) {
        status = compile_plan(v, values);
    }
    bool unsound = status == KILN_ERROR_UNSUPPORTED || status == KILN_ERROR_FORMAT;
    if (v->options->data_folder != NULL && (unsound || status == KILN_OK) && !is_open(v, values)) {
        status = compile_plan(v, v->given); /* only one batch is possible: that of the data, then */
    }
    free(values);
    return status;
}

/* ---- Running ------------------------------------------------------------------------------- */

/* Keeps data, which it then owns, when the model has a tensor of that name. */
static kiln_status record(comparison *c, const kiln_tensor_info *info, const char *kernel,
                          void *data, size_t bytes) {
    tensor *t = info->name[0] != '\0' ? graph_find_tensor(c->reference, info->name) : NULL;
    if (t == NULL) {
        free(data);
        return KILN_OK;
    }
    if (c->record_count == c->record_capacity) {
        size_t capacity = c->record_capacity == 0 ? 64 : c->record_capacity * 2;
        recorded *grown = realloc(c->records, capacity * sizeof *grown);
        if (grown == NULL) {
            free(data);
            return kiln_fail(c->v->error, KILN_ERROR_MEMORY, "out of memory");
        }
        c->records = grown;
        c->record_capacity = capacity;
    }
    c->records[c->record_count++] = (recorded){.t = t,
                                               .kernel = kernel,
                                               .dtype = info->dtype,
                                               .count = bytes / kiln_dtype_size(info->dtype),
                                               .data = data,
                                               .next = first_record(t)};
    t->mark = c->record_count * MARK_FIRST_RECORD;
    return KILN_OK;
}

static kiln_status record_step(comparison *c, kiln_session *session, size_t step, size_t output) {
    kiln_tensor_info info;
    kiln_step_profile profile;
    if (kiln_session_step_output(session, step, output, &info) != KILN_OK || info.name[0] == '\0') {
        return KILN_OK;
    }
    size_t bytes = info.bytes * (info.batched ? c->batch : 1);
    kiln_buffer buffer = {malloc(bytes + 1), bytes};
    kiln_status status = buffer.data != NULL
                             ? kiln_session_step_read(session, step, output, buffer, c->v->error)
                             : kiln_fail(c->v->error, KILN_ERROR_MEMORY, "out of memory");
    if (status != KILN_OK) {
        free(buffer.data);
        return status;
    }
    (void)kiln_session_profile(session, step, &profile);
    return record(c, &info, profile.kernel, buffer.data, bytes);
}

static bool observe(void *context, kiln_session *session, size_t step) {
    comparison *c = context;
    for (size_t k = 0; k < kiln_session_step_output_count(session, step); k++) {
        if (c->observed == KILN_OK) {
            c->observed = record_step(c, session, step, k);
        }
    }
    return c->observed == KILN_OK;
}

/* Records what a caller would get, not only what the last steps wrote. */
static kiln_status record_outputs(comparison *c) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < c->plan_outputs && status == KILN_OK; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_output(c->v->plan, k, &info);
        void *copy = malloc(c->out[k].size + 1);
        if (copy == NULL) {
            return kiln_fail(c->v->error, KILN_ERROR_MEMORY, "out of memory");
        }
        memcpy(copy, c->out[k].data, c->out[k].size);
        status = record(c, &info, "output", copy, c->out[k].size);
    }
    return status;
}

static kiln_status prepare_buffers(comparison *c) {
    for (size_t k = 0; k < c->plan_inputs; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_input(c->v->plan, k, &info);
        const kiln_value *value = find_value(c->inputs, c->input_count, info.name);
        if (value == NULL) {
            return kiln_fail(c->v->error, KILN_ERROR_ARGUMENT, "no data for input '%s'", info.name);
        }
        uint32_t batch = c->batch;
        kiln_status status = value_batch(value, &info, &batch, c->v->error);
        if (status != KILN_OK) {
            return status;
        }
        memcpy(&c->in[k].data, &value->data, sizeof c->in[k].data); /* inputs are not written to */
        c->in[k].size = value_bytes(value);
    }
    for (size_t k = 0; k < c->plan_outputs; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_output(c->v->plan, k, &info);
        c->out[k].size = info.bytes * (info.batched ? c->batch : 1);
        c->out[k].data = calloc(1, c->out[k].size + 1);
        if (c->out[k].data == NULL) {
            return kiln_fail(c->v->error, KILN_ERROR_MEMORY, "out of memory");
        }
    }
    return KILN_OK;
}

kiln_status comparison_run(comparison *c) {
    const verification *v = c->v;
    kiln_session *session = NULL;
    kiln_session_options options;
    kiln_session_options_init(&options);
    c->plan_inputs = kiln_plan_input_count(v->plan);
    c->plan_outputs = kiln_plan_output_count(v->plan);
    c->in = calloc(c->plan_inputs + 1, sizeof *c->in);
    c->out = calloc(c->plan_outputs + 1, sizeof *c->out);
    if (c->in == NULL || c->out == NULL) {
        return kiln_fail(v->error, KILN_ERROR_MEMORY, "out of memory");
    }
    kiln_status status = prepare_buffers(c);
    options.threads = v->options->threads;
    options.max_batch = c->batch;
    if (status == KILN_OK) {
        status = kiln_session_create(v->plan, &options, &session, v->error);
    }
    if (status == KILN_OK) {
        if (!v->options->outputs_only) {
            kiln_session_observe(session, observe, c);
        }
        status = kiln_session_run(session, c->batch, c->in, c->plan_inputs, c->out, c->plan_outputs,
                                  v->error);
    }
    kiln_session_destroy(session);
    status = status == KILN_OK ? c->observed : status;
    return status == KILN_OK && !v->options->outputs_only ? record_outputs(c) : status;
}
