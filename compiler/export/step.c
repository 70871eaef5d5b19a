/* The step that is being exported: its operands, and why it cannot be. */
#include "compiler/export/exporting.h"
#include "runtime/plan/layout.h"

#include <stdarg.h>
#include <stdio.h>

uint32_t step_operand(const exporting *x, uint32_t k) {
    return k < (uint32_t)x->step->input_count + x->step->output_count
               ? x->v.operands[x->step->first_operand + k]
               : KILN_PLAN_NONE;
}

const kiln_plan_tensor_record *step_tensor(const exporting *x, uint32_t k) {
    return &x->v.tensors[step_operand(x, k)];
}

uint32_t step_result(const exporting *x) {
    return step_operand(x, x->step->input_count);
}

kiln_status export_fail(exporting *x, const char *format, ...) {
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return kiln_fail(x->error, KILN_ERROR_UNSUPPORTED, "layer '%.80s' (%s) cannot be exported: %s",
                     x->v.strings + x->step->name, kiln_kernel_describe(x->step->kernel)->name,
                     text);
}

int64_t logical_axis_of(const kiln_plan_tensor_record *t, uint32_t axis) {
    return layout_logical_axis(t->layout, t->rank, axis);
}
