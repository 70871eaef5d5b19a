/* CumSum. */
#include "compiler/ops/axes.h"
#include "compiler/ops/support.h"

/* The axis is a constant input. */
static kiln_status sum_axis(const graph *g, const node *n, uint32_t *out_axis) {
    int64_t axis;
    if (node_input_ints(n, 1, &axis, 1) != 1) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "an axis that is no known integer");
    }
    kiln_status status = node_axis(g, n, axis, n->inputs[0]->rank, out_axis);
    return status == KILN_OK ? refuse_batch(g, n, n->inputs[0], *out_axis) : status;
}

static kiln_status infer_cumulative_sum(graph *g, node *n) {
    uint32_t axis;
    kiln_status status = require_dtype(g, n, 0, MASK_NUMBERS);
    if (status == KILN_OK) {
        status = refuse_batch_values(g, n, 1);
    }
    if (status == KILN_OK) {
        status = sum_axis(g, n, &axis);
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

static kiln_status evaluate_cumulative_sum(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    tensor *y = n->outputs[0];
    bool exclusive = node_int(n, "exclusive", 0) != 0, reverse = node_int(n, "reverse", 0) != 0;
    uint32_t axis;
    kiln_status status = sum_axis(g, n, &axis);
    if (status != KILN_OK) {
        return status;
    }
    axis_span v = axis_span_of(x, axis);
    for (int64_t column = 0; column < v.outer * v.inner; column++) {
        int64_t start = column / v.inner * v.size * v.inner + column % v.inner;
        double sum = 0;
        uint64_t integer = 0;
        for (int64_t k = 0; k < v.size; k++) {
            int64_t at = start + (reverse ? v.size - 1 - k : k) * v.inner;
            double before = sum;
            uint64_t integer_before = integer;
            if (x->dtype == KILN_F32) {
                sum += (double)tensor_f32(x)[at];
                ((float *)y->owned)[at] = (float)(exclusive ? before : sum);
            } else {
                integer += (uint64_t)tensor_i64(x)[at];
                ((int64_t *)y->owned)[at] = (int64_t)(exclusive ? integer_before : integer);
            }
        }
    }
    return KILN_OK;
}

static kiln_status lower_cumulative_sum(lowering *l, node *n) {
    uint32_t axis;
    kiln_status status = sum_axis(lower_graph(l), n, &axis);
    if (status != KILN_OK) {
        return status;
    }
    kiln_cumulative_sum_params params = {.axis = physical_axis(n->inputs[0], axis),
                                         .exclusive = node_int(n, "exclusive", 0) != 0,
                                         .reverse = node_int(n, "reverse", 0) != 0};
    uint32_t x = lower_input(l, n, 0), y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_CUMULATIVE_SUM, &params, sizeof params, 1, &x, 1, &y);
}

const op ops_cumulative[] = {
    {"CumSum", 11, OP_INPUTS(2, 2), OP_OUTPUTS(1, 1), .constant_inputs = 2, .layout = OP_ANY,
     .infer = infer_cumulative_sum, .evaluate = evaluate_cumulative_sum,
     .lower = lower_cumulative_sum},
    {.name = NULL},
};
