/* export_plan: inputs, steps in order, outputs, descriptions. */
#include "compiler/export/export.h"
#include "compiler/export/exporting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_end(exporting *x, uint32_t tensor, bool input) {
    const kiln_plan_tensor_record *t = &x->v.tensors[tensor];
    model_end(&x->model, input, x->v.strings + t->name, (kiln_dtype)t->dtype, t->rank, t->dims,
              t->batched != 0);
    if (input) {
        value_written(x, tensor, value_name(x, tensor));
    }
}

/* Adds what kiln compile takes as --labels, --mean, --std and so on. */
static void add_descriptions(exporting *x, const kiln_plan *plan) {
    kiln_preprocess p;
    char text[256];
    size_t size = 1, labels = kiln_plan_label_count(plan);
    for (size_t k = 0; k < labels; k++) {
        size += strlen(kiln_plan_label(plan, k)) + 1;
    }
    char *all = calloc(1, size), *end = all;
    for (size_t k = 0; all != NULL && k < labels; k++) {
        size_t length = strlen(kiln_plan_label(plan, k));
        memcpy(end, kiln_plan_label(plan, k), length);
        for (size_t c = 0; c < length; c++) { /* a line is a label */
            end[c] = end[c] == '\n' || end[c] == '\r' ? ' ' : end[c];
        }
        end += length;
        *end++ = k + 1 < labels ? '\n' : '\0';
    }
    if (all != NULL && labels > 0) {
        model_metadata(&x->model, "labels", all);
    }
    x->model.failed = x->model.failed || all == NULL;
    free(all);
    kiln_plan_preprocess(plan, &p);
    if (p.present) {
        snprintf(text, sizeof text,
                 "x = pixel * scale + bias; scale %.9g %.9g %.9g; bias %.9g %.9g %.9g; %s; %s",
                 (double)p.scale[0], (double)p.scale[1], (double)p.scale[2], (double)p.bias[0],
                 (double)p.bias[1], (double)p.bias[2], p.bgr ? "bgr" : "rgb",
                 p.resize == KILN_RESIZE_STRETCH ? "stretch" : "centre-crop");
        model_metadata(&x->model, "preprocess", text);
    }
}

kiln_status export_plan(const kiln_plan *plan, const char *path, kiln_error *error) {
    exporting x = {.error = error};
    kiln_status status = KILN_OK;
    model_init(&x.model);
    kiln_plan_inspect(plan, &x.v);
    for (size_t k = 0; k < x.v.input_count; k++) {
        add_end(&x, x.v.inputs[k], true);
    }
    for (size_t k = 0; k < x.v.output_count; k++) {
        add_end(&x, x.v.outputs[k], false);
        (void)value_name(&x, x.v.outputs[k]); /* theirs alone */
    }
    for (size_t s = 0; s < x.v.step_count && status == KILN_OK; s++) {
        x.step = &x.v.steps[s];
        status = export_step(&x);
    }
    if (status == KILN_OK) {
        add_descriptions(&x, plan);
    }
    if (x.model.failed) { /* whatever that led to */
        status = kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (status == KILN_OK) {
        status = model_write(&x.model, path, error);
    }
    model_free(&x.model);
    free(x.memory);
    free((void *)x.taken);
    return status;
}
