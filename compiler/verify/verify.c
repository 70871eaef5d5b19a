/* kiln_verify: the compiled plan beside the naive evaluation of the model as it was imported. */
#include "compiler/verify/verify.h"
#include "compiler/compile.h"
#include <kiln/element.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Reference ----------------------------------------------------------------------------- */

/* Gives a graph input the data that the plan will get. */
static kiln_status set_input(graph *g, tensor *t, const kiln_value *value) {
    size_t bytes = (size_t)tensor_elements(t) * kiln_dtype_size(t->dtype);
    kiln_status status = tensor_allocate(g, t);
    if (status == KILN_OK && bytes > 0) {
        memcpy(t->owned, value->data, bytes);
    }
    return status;
}

/* Casts from and to the types that only inputs and outputs have. */
static kiln_status evaluate_boundary_cast(graph *g, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    kiln_status status = tensor_allocate(g, y);
    for (int64_t k = 0; status == KILN_OK && k < tensor_elements(y); k++) {
        kiln_element_convert(x->dtype, x->data, y->dtype, y->owned, (size_t)k);
    }
    return status;
}

static bool is_boundary_cast(const node *n) {
    return strcmp(n->op->name, "Cast") == 0 && node_int(n, "boundary", 0) != 0;
}

static bool is_last_use(const node *n, const tensor *t) {
    return t->consumers[t->consumer_count - 1] == n;
}

/* Values that the plan also has stay until compared; the rest goes after its last use. */
static void release_inputs(const verification *v, node *n) {
    for (size_t k = 0; k < n->input_count; k++) {
        tensor *t = n->inputs[k];
        bool kept = t == NULL || t->is_output || t->is_input || t->producer == NULL ||
                    t->consumer_count == 0 || !is_last_use(n, t);
        if (!kept && !verification_wants(v, t->name)) {
            tensor_release(t);
        }
    }
}

static kiln_status evaluate_reference(verification *v) {
    graph *g = v->reference;
    for (size_t k = 0; k < g->input_count; k++) {
        const kiln_value *value = find_value(v->inputs, v->input_count, g->inputs[k]->name);
        kiln_status status = value != NULL
                                 ? set_input(g, g->inputs[k], value)
                                 : kiln_fail(v->error, KILN_ERROR_ARGUMENT,
                                             "no data for input '%s'", g->inputs[k]->name);
        if (status != KILN_OK) {
            return status;
        }
    }
    for (size_t k = 0; k < g->node_count; k++) {
        node *n = g->nodes[k];
        kiln_status status = graph_infer_node(g, n);
        if (status == KILN_OK) {
            status = is_boundary_cast(n) ? evaluate_boundary_cast(g, n) : graph_evaluate_node(g, n);
        }
        if (status != KILN_OK) {
            return status;
        }
        release_inputs(v, n);
    }
    return KILN_OK;
}

/* ---- Plan ---------------------------------------------------------------------------------- */

/* Compares one output of a step with the reference's tensor of that name. */
static kiln_status compare_step_output(verification *v, kiln_session *session, size_t step,
                                       size_t output) {
    kiln_tensor_info info;
    kiln_step_profile profile;
    if (kiln_session_step_output(session, step, output, &info) != KILN_OK || info.name[0] == '\0') {
        return KILN_OK;
    }
    tensor *reference = graph_find_tensor(v->reference, info.name);
    size_t bytes = info.bytes * (info.batched ? v->batch : 1);
    size_t count = bytes / kiln_dtype_size(info.dtype);
    if (reference == NULL || reference->data == NULL || reference->dtype != info.dtype ||
        (size_t)tensor_elements(reference) != count) {
        return KILN_OK;
    }
    void *ours = malloc(bytes + 1);
    kiln_buffer buffer = {ours, bytes};
    kiln_status status = ours != NULL
                             ? kiln_session_step_read(session, step, output, buffer, v->error)
                             : kiln_fail(v->error, KILN_ERROR_MEMORY, "out of memory");
    if (status == KILN_OK) {
        (void)kiln_session_profile(session, step, &profile);
        compare_layer(v, info.name, profile.kernel, info.dtype, ours, tensor_bytes(reference),
                      count);
    }
    free(ours);
    return status;
}

static bool observe(void *context, kiln_session *session, size_t step) {
    verification *v = context;
    for (size_t k = 0; k < kiln_session_step_output_count(session, step); k++) {
        if (v->observed == KILN_OK) {
            v->observed = compare_step_output(v, session, step, k);
        }
    }
    return v->observed == KILN_OK;
}

static kiln_status prepare_buffers(verification *v) {
    for (size_t k = 0; k < v->plan_inputs; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_input(v->plan, k, &info);
        const kiln_value *value = find_value(v->inputs, v->input_count, info.name);
        if (value == NULL) {
            return kiln_fail(v->error, KILN_ERROR_ARGUMENT, "no data for input '%s'", info.name);
        }
        size_t bytes = value_bytes(value);
        uint32_t batch = info.batched && info.bytes > 0 ? (uint32_t)(bytes / info.bytes) : 1;
        v->batch = batch > v->batch ? batch : v->batch;
        memcpy(&v->in[k].data, &value->data, sizeof v->in[k].data);
        v->in[k].size = bytes;
    }
    for (size_t k = 0; k < v->plan_outputs; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_output(v->plan, k, &info);
        v->out[k].size = info.bytes * (info.batched ? v->batch : 1);
        v->out[k].data = calloc(1, v->out[k].size + 1);
        if (v->out[k].data == NULL) {
            return kiln_fail(v->error, KILN_ERROR_MEMORY, "out of memory");
        }
    }
    return KILN_OK;
}

static kiln_status run_plan(verification *v) {
    kiln_session *session = NULL;
    kiln_session_options options;
    kiln_session_options_init(&options);
    v->plan_inputs = kiln_plan_input_count(v->plan);
    v->plan_outputs = kiln_plan_output_count(v->plan);
    v->in = calloc(v->plan_inputs + 1, sizeof *v->in);
    v->out = calloc(v->plan_outputs + 1, sizeof *v->out);
    if (v->in == NULL || v->out == NULL) {
        return kiln_fail(v->error, KILN_ERROR_MEMORY, "out of memory");
    }
    kiln_status status = prepare_buffers(v);
    options.threads = v->options->threads;
    options.max_batch = v->batch;
    if (status == KILN_OK) {
        status = kiln_session_create(v->plan, &options, &session, v->error);
    }
    if (status == KILN_OK) {
        if (!v->options->outputs_only) {
            kiln_session_observe(session, observe, v);
        }
        status = kiln_session_run(session, v->batch, v->in, v->plan_inputs, v->out, v->plan_outputs,
                                  v->error);
    }
    kiln_session_destroy(session);
    return status == KILN_OK ? v->observed : status;
}

/* ---- All ----------------------------------------------------------------------------------- */

static kiln_status open_plan(verification *v, const char *onnx_path) {
    kiln_compile_options options;
    kiln_compile_report report;
    kiln_compile_options_init(&options);
    if (v->options->compile != NULL) {
        options = *v->options->compile;
    }
    if (v->options->plan_path != NULL) {
        return kiln_plan_open(v->options->plan_path, NULL, &v->plan, v->error);
    }
    /* Shapes of the data, and values where operators need them. */
    options.inputs = v->given;
    options.input_count = v->given_count;
    file_writer out;
    kiln_status status = file_begin_scratch(&out, v->error);
    if (status != KILN_OK) {
        return status;
    }
    status = compile_to(&out, onnx_path, &options, &report, v->error);
    if (status == KILN_OK) {
        status = kiln_plan_open_fd(out.descriptor, 0, report.plan_bytes, NULL, &v->plan, v->error);
    }
    return file_end(&out, status, v->error); /* the mapping stays */
}

static kiln_status judge(const verification *v) {
    const kiln_verify_report *r = v->report;
    if (r->first_difference[0] != '\0') {
        return kiln_fail(v->error, KILN_ERROR_MISMATCH,
                         "layer '%s' is the first out of tolerance: %.3g of its largest value, "
                         "%.3g allowed",
                         r->first_difference, v->first_relative, v->layer_tolerance);
    }
    if (r->worst_output_excess > 1.0) {
        return kiln_fail(v->error, KILN_ERROR_MISMATCH,
                         "output '%s' is out of tolerance: %.3g times what is allowed",
                         v->worst_output, r->worst_output_excess);
    }
    return KILN_OK;
}

kiln_status kiln_verify(const char *onnx_path, const kiln_verify_options *options,
                        kiln_verify_report *out_report, kiln_error *error) {
    static const kiln_verify_options defaults;
    kiln_verify_report report = {0};
    kiln_error detail = {0};
    verification v = {.options = options != NULL ? options : &defaults,
                      .report = &report,
                      .error = &detail,
                      .batch = 1};
    set_tolerances(&v);
    kiln_status status = verification_load_data(&v);
    if (status == KILN_OK) {
        status = open_plan(&v, onnx_path);
    }
    if (status == KILN_OK) {
        status = verification_name_inputs(&v, onnx_path);
    }
    if (status == KILN_OK && !v.options->outputs_only) {
        status = evaluate_reference(&v);
    }
    if (status == KILN_OK) {
        status = run_plan(&v);
    }
    if (status == KILN_OK) {
        status = compare_outputs(&v);
    }
    if (status == KILN_OK) {
        status = judge(&v);
    }
    if (out_report != NULL) {
        *out_report = report;
    }
    verification_free(&v);
    return status == KILN_OK ? KILN_OK : kiln_fail(error, status, "%s", detail.message);
}
