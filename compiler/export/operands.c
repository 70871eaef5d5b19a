/* The values that a step reads, and what becomes of its result. */
#include "compiler/export/exporting.h"

#include <math.h>

static const char *scalar(exporting *x, float value) {
    return model_floats(&x->model, NULL, 0, NULL, &value);
}

kiln_status finish(exporting *x, const char *value) {
    value_written(x, step_result(x), value);
    return KILN_OK;
}

const char *clamped_value(exporting *x, const char *value, const char *name, float min, float max) {
    if (isinf(min) && isinf(max)) {
        return value;
    }
    if (min == 0 && isinf(max)) {
        return model_node(&x->model, "Relu", name, 1, &value, NULL);
    }
    const char *inputs[3] = {value, isinf(min) ? NULL : scalar(x, min),
                             isinf(max) ? NULL : scalar(x, max)};
    return model_node(&x->model, "Clip", name, isinf(max) ? 2 : 3, inputs, NULL);
}

kiln_status finish_clamped(exporting *x, const char *value, float min, float max) {
    uint32_t out = step_result(x), function = KILN_STEP_FUNCTION(x->step->flags);
    if (function != KILN_UNARY_CLAMP) {
        const kiln_unary_params p = {.op = function, .alpha = min, .beta = isnan(max) ? 0 : max};
        return export_function(x, value, &p);
    }
    bool free = isinf(min) && isinf(max);
    return finish(x, free ? value : clamped_value(x, value, value_name(x, out), min, max));
}

bool inputs_of(exporting *x, size_t count, const char **out) {
    for (uint32_t k = 0; k < count; k++) {
        bool absent = k >= x->step->input_count || step_operand(x, k) == KILN_PLAN_NONE;
        out[k] = absent ? NULL : value_of(x, step_operand(x, k));
        if (!absent && out[k] == NULL) {
            return false;
        }
    }
    return true;
}
