/* kiln_compile: import, passes, lower, place, write. */
#include "compiler/compile.h"
#include "compiler/import/import.h"
#include "compiler/lower/lower.h"
#include "compiler/passes/passes.h"
#include "compiler/place/place.h"
#include "compiler/write/write.h"
#include "runtime/base/options.h"
#include <kiln/compile.h>

#include <stdio.h>
#include <string.h>

static void report_program(const program *p, kiln_compile_report *report) {
    report->operators_planned = p->step_count;
    report->arena_bytes = p->arena_bytes;
    report->arena_lower_bound_bytes = p->lower_bound_bytes;
    report->arena_unbanded_bytes =
        p->unbanded_bytes != 0 ? p->unbanded_bytes : p->lower_bound_bytes;
    report->arena_no_reuse_bytes = p->no_reuse_bytes;
    report->placement = p->placement;
    report->copies = p->copies;
    report->boundary_copies = p->boundary_copies;
    report->batchable = p->batchable;
    report->bands = p->band_count;
    for (size_t k = 0; k < p->band_count; k++) {
        report->banded_steps += p->bands[k].last_step - p->bands[k].first_step + 1;
    }
}

/* out NULL: nothing is written. */
static kiln_status compile(const char *onnx_path, file_writer *out,
                           const kiln_compile_options *options, bool symbolic_batch,
                           bool *out_was_symbolic, kiln_compile_report *report, kiln_error *error) {
    graph *g = NULL;
    program *p = NULL;
    kiln_status status = import_model(onnx_path, options, symbolic_batch, error, &g);
    if (status != KILN_OK) {
        return status;
    }
    *out_was_symbolic = g->batch_symbolic;
    report->operators_imported = g->node_count;
    status = out != NULL && out->target[0] != '\0' ? import_keep(g, out->path, error) : KILN_OK;
    if (status == KILN_OK) {
        status = passes_run(g, options, report);
    }
    if (status == KILN_OK) {
        status = graph_explain(g, "lowering", lower_graph_to_program(g, options, &p));
    }
    if (status == KILN_OK) {
        status = graph_explain(g, "placement", place_program(p));
    }
    if (status == KILN_OK) {
        report_program(p, report);
        snprintf(report->note, sizeof report->note, "%s", g->note);
        status = out != NULL ? write_plan(p, out, options, report, error) : KILN_OK;
        status = graph_explain(g, "writing", status);
    }
    if (g->fixed[0] != '\0' && error != NULL &&
        (status == KILN_ERROR_FORMAT || status == KILN_ERROR_UNSUPPORTED)) {
        kiln_error reason = *error;
        status = kiln_fail(error, status, "%s; this model fixes its size at %s", reason.message,
                           g->fixed);
    }
    graph_free(g);
    return status;
}

static bool asks_for_open_batch(const kiln_compile_options *options) {
    for (size_t k = 0; k < options->input_count; k++) {
        const kiln_value *input = &options->inputs[k];
        if (input->rank > 0 && input->dims[0] == KILN_BATCH && input->data == NULL) {
            return true;
        }
    }
    return false;
}

/* With the batch open, if the network is sound so. */
static kiln_status compile_any_batch(const char *onnx_path, file_writer *out,
                                     const kiln_compile_options *options,
                                     kiln_compile_report *out_report, kiln_error *out_detail) {
    bool was_symbolic = false;
    *out_report = (kiln_compile_report){0};
    *out_detail = (kiln_error){0};
    kiln_status status =
        compile(onnx_path, out, options, true, &was_symbolic, out_report, out_detail);
    /* Shapes that fit at one batch only are an error of the file's at any other. */
    bool may_fit = status == KILN_ERROR_UNSUPPORTED || status == KILN_ERROR_FORMAT;
    if (!may_fit || !was_symbolic) {
        return status;
    }
    kiln_error reason = *out_detail;
    bool wanted = asks_for_open_batch(options); /* then only to tell what stands in the way */
    *out_report = (kiln_compile_report){0};
    *out_detail = (kiln_error){0};
    status = compile(onnx_path, wanted ? NULL : out, options, false, &was_symbolic, out_report,
                     out_detail);
    if (status != KILN_OK) {
        return status;
    }
    if (wanted) {
        return kiln_fail(out_detail, KILN_ERROR_UNSUPPORTED, "the batch cannot be left open: %s",
                         reason.message);
    }
    out_report->batch_lost = true;
    char others[sizeof out_report->note];
    memcpy(others, out_report->note, sizeof others);
    snprintf(out_report->note, sizeof out_report->note, "batch fixed at 1: %s%s%.400s",
             reason.message, others[0] != '\0' ? "; " : "", others);
    return KILN_OK;
}

kiln_status compile_to(file_writer *out, const char *onnx_path, const kiln_compile_options *options,
                       kiln_compile_report *out_report, kiln_error *error) {
    kiln_compile_options used = *options;
    kiln_compile_report report;
    kiln_error detail;
    if (used.weights != 0 && used.weights != KILN_F32 && used.weights != KILN_F16) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "weights are stored as f32 or f16, not %s",
                         kiln_dtype_name(used.weights));
    }
    if (used.convolution >= KILN_CONVOLUTION_COUNT || used.memory >= KILN_MEMORY_COUNT) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "no such kind of convolution or memory: %u, %u",
                         (unsigned)used.convolution, (unsigned)used.memory);
    }
    kiln_status status = compile_any_batch(onnx_path, out, &used, &report, &detail);
    if (status == KILN_ERROR_MEMORY && used.memory_limit != 0 && used.memory != KILN_MEMORY_MIN) {
        used.memory = KILN_MEMORY_MIN;
        status = compile_any_batch(onnx_path, out, &used, &report, &detail);
    }
    if (status != KILN_OK) {
        return detail.message[0] != '\0'
                   ? kiln_fail(error, status, "%s", detail.message)
                   : kiln_fail(error, status, "%s: %s", onnx_path, kiln_status_name(status));
    }
    if (out_report != NULL) {
        *out_report = report;
    }
    return KILN_OK;
}

kiln_status kiln_compile(const char *onnx_path, const char *plan_path,
                         const kiln_compile_options *options, kiln_compile_report *out_report,
                         kiln_error *error) {
    kiln_compile_options used;
    file_writer out;
    if (onnx_path == NULL || plan_path == NULL) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "kiln_compile: no path");
    }
    kiln_status status = OPTIONS_TAKE(kiln_compile_options, options, &used, error);
    if (status == KILN_OK) {
        status = file_begin(&out, plan_path, error);
    }
    return status == KILN_OK
               ? file_end(&out, compile_to(&out, onnx_path, &used, out_report, error), error)
               : status;
}
