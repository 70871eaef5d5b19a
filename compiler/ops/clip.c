/* Clip: bounds by attribute or by constant input. */
#include "compiler/ops/support.h"
#include "compiler/ops/unary.h"

#include <math.h>

/* Bounds by attribute (until opset 10) or by constant input. */
static float clip_bound(const node *n, size_t k, const char *name, float fallback) {
    if (k < n->input_count && n->inputs[k] != NULL) {
        const float *value = n->inputs[k]->dtype == KILN_F32 ? tensor_f32(n->inputs[k]) : NULL;
        return value != NULL ? value[0] : fallback;
    }
    return node_float(n, name, fallback);
}

static int64_t clip_integer_bound(const node *n, size_t k, int64_t fallback) {
    bool given = k < n->input_count && n->inputs[k] != NULL;
    const int64_t *value = given ? tensor_i64(n->inputs[k]) : NULL;
    return value != NULL ? value[0] : fallback;
}

static kiln_status infer_clip(graph *g, node *n) {
    kiln_status status = require_dtype(g, n, 0, MASK_NUMBERS);
    if (status == KILN_OK) {
        status = require_same_dtype(g, n, 0);
    }
    for (size_t k = 1; k < n->input_count && status == KILN_OK; k++) {
        if (n->inputs[k] != NULL && tensor_elements(n->inputs[k]) != 1) {
            status =
                node_fail(g, n, KILN_ERROR_FORMAT, "bound '%s' is no scalar", n->inputs[k]->name);
        }
    }
    if (status == KILN_OK &&
        (isnan(clip_bound(n, 1, "min", -INFINITY)) || isnan(clip_bound(n, 2, "max", INFINITY)))) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "a bound is not a number (NaN)");
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status evaluate_clip(graph *g, node *n) {
    (void)g;
    int64_t count = tensor_elements(n->inputs[0]);
    if (n->inputs[0]->dtype == KILN_F32) {
        const float *from = tensor_f32(n->inputs[0]);
        float low = clip_bound(n, 1, "min", -INFINITY), high = clip_bound(n, 2, "max", INFINITY);
        float *to = n->outputs[0]->owned;
        for (int64_t k = 0; k < count; k++) {
            float raised = from[k] < low ? low : from[k];
            to[k] = raised > high ? high : raised;
        }
        return KILN_OK;
    }
    const int64_t *from = tensor_i64(n->inputs[0]);
    int64_t low = clip_integer_bound(n, 1, INT64_MIN), high = clip_integer_bound(n, 2, INT64_MAX);
    int64_t *to = n->outputs[0]->owned;
    for (int64_t k = 0; k < count; k++) {
        int64_t raised = from[k] < low ? low : from[k];
        to[k] = raised > high ? high : raised;
    }
    return KILN_OK;
}

static uint32_t scalar_i64(lowering *l, int64_t value) {
    return lower_constant_data(l, NULL, KILN_I64, 0, NULL, &value);
}

static kiln_status lower_clip(lowering *l, node *n) {
    if (n->inputs[0]->dtype == KILN_F32) {
        /* With min > max, everything is max. */
        float high = clip_bound(n, 2, "max", INFINITY);
        float low = fminf(clip_bound(n, 1, "min", -INFINITY), high);
        return emit_unary(l, n, KILN_UNARY_CLAMP, low, high);
    }
    kiln_binary_params params = {.op = KILN_BINARY_MAX, .min = -INFINITY, .max = INFINITY};
    tensor *x = n->inputs[0];
    uint32_t raised = lower_temporary(l, KILN_I64, x->rank, x->dims, n->outputs[0]->layout);
    uint32_t low[2] = {lower_input(l, n, 0), scalar_i64(l, clip_integer_bound(n, 1, INT64_MIN))};
    kiln_status status =
        lower_step(l, n, KILN_KERNEL_BINARY, &params, sizeof params, 2, low, 1, &raised);
    uint32_t high[2] = {raised, scalar_i64(l, clip_integer_bound(n, 2, INT64_MAX))};
    uint32_t y = lower_output(l, n, 0);
    params.op = KILN_BINARY_MIN;
    return status != KILN_OK
               ? status
               : lower_step(l, n, KILN_KERNEL_BINARY, &params, sizeof params, 2, high, 1, &y);
}

const op ops_clip[] = {
    {"Clip", 6, OP_INPUTS(1, 3), OP_OUTPUTS(1, 1), .constant_inputs = 6, .layout = OP_ANY,
     .flags = OP_ELEMENTWISE, .infer = infer_clip, .evaluate = evaluate_clip, .lower = lower_clip},
    {.name = NULL},
};
