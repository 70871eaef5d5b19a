/* kiln_verify: the compiled plan beside the naive evaluation of the model as it was imported.
 *
 * Each layer is computed naively from the plan's own values of the layers before it, so that it is
 * judged by what it adds to their errors: a fault shows in its own layer and in no other. The model
 * is imported anew for each batch, with that batch fixed: what the compiler takes for granted of an
 * open one is checked, not shared. */
#include "compiler/verify/verify.h"
#include "runtime/base/options.h"

/* expected: the data folder's outputs are for this batch. */
static kiln_status compare_at(verification *v, uint32_t batch, bool expected) {
    comparison c = {.v = v, .batch = batch};
    kiln_status status = comparison_import(&c);
    if (status == KILN_OK) {
        status = comparison_run(&c);
    }
    if (status == KILN_OK && !v->options->outputs_only) {
        status = judge_layers(&c);
    }
    if (status == KILN_OK && expected) {
        status = compare_outputs(&c);
    }
    v->report->batches_compared += status == KILN_OK;
    comparison_free(&c);
    return status;
}

static bool is_batchable(const kiln_plan *plan) {
    bool batchable = false;
    for (size_t k = 0; k < kiln_plan_input_count(plan); k++) {
        kiln_tensor_info info;
        (void)kiln_plan_input(plan, k, &info);
        batchable = batchable || info.batched;
    }
    return batchable;
}

/* What is wrong from two samples on is not seen with one, nor the other way round. */
static kiln_status compare_batches(verification *v) {
    uint32_t first = 1, second = v->options->batch;
    kiln_status status = verification_data_batch(v, &first);
    second = second != 0 ? second : first == 1 ? 2 : 1;
    bool both = is_batchable(v->plan) && second != first && !v->options->outputs_only;
    if (status == KILN_OK) {
        status = compare_at(v, first, true);
    }
    return status == KILN_OK && both ? compare_at(v, second, false) : status;
}

static kiln_status judge(const verification *v) {
    const kiln_verify_report *r = v->report;
    if (r->first_difference[0] != '\0') {
        return kiln_fail(v->error, KILN_ERROR_MISMATCH,
                         "layer '%s' is the first out of tolerance, at batch %u: %.3g of its "
                         "largest value, %.3g allowed",
                         r->first_difference, r->first_difference_batch, v->first_relative,
                         v->layer_tolerance);
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
    kiln_verify_options used;
    kiln_compile_options compile;
    kiln_verify_report report = {0};
    kiln_error detail = {0};
    verification v = {
        .onnx_path = onnx_path, .options = &used, .report = &report, .error = &detail};
    kiln_status status = OPTIONS_TAKE(kiln_verify_options, options, &used, &detail);
    if (status == KILN_OK) {
        status = OPTIONS_TAKE(kiln_compile_options, used.compile, &compile, &detail);
        used.compile = &compile;
    }
    if (status == KILN_OK) {
        set_tolerances(&v);
        status = verification_load_data(&v);
    }
    if (status == KILN_OK) {
        status = verification_open_plan(&v);
    }
    if (status == KILN_OK) {
        status = compare_batches(&v);
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
