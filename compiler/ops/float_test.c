/* IsNaN, IsInf: what f32 elements are, as bools. */
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

static bool tests_nan(const node *n) {
    return strcmp(n->op->name, "IsNaN") == 0;
}

static kiln_status infer_test(graph *g, node *n) {
    kiln_status status = require_dtype(g, n, 0, MASK_F32);
    if (status == KILN_OK) {
        status = infer_same(g, n);
    }
    n->outputs[0]->dtype = KILN_BOOL;
    return status;
}

static kiln_status evaluate_test(graph *g, node *n) {
    (void)g;
    const float *x = tensor_f32(n->inputs[0]);
    uint8_t *y = n->outputs[0]->owned;
    bool negative = node_int(n, "detect_negative", 1) != 0;
    bool positive = node_int(n, "detect_positive", 1) != 0;
    for (int64_t k = 0; k < tensor_elements(n->inputs[0]); k++) {
        bool infinite = (x[k] == INFINITY && positive) || (x[k] == -INFINITY && negative);
        y[k] = tests_nan(n) ? x[k] != x[k] : infinite;
    }
    return KILN_OK;
}

static kiln_status lower_test(lowering *l, node *n) {
    kiln_unary_params params = {.op = tests_nan(n) ? KILN_UNARY_IS_NAN : KILN_UNARY_IS_INF,
                                .alpha = node_int(n, "detect_negative", 1) != 0,
                                .beta = node_int(n, "detect_positive", 1) != 0};
    uint32_t x = lower_input(l, n, 0), y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_UNARY, &params, sizeof params, 1, &x, 1, &y);
}

#define ROW(op_name, opset)                                                                        \
    {                                                                                              \
        .name = op_name, .min_opset = opset, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1,   \
        .max_outputs = 1, .layout = OP_ANY, .flags = OP_ELEMENTWISE, .infer = infer_test,          \
        .evaluate = evaluate_test, .lower = lower_test                                             \
    }

const op ops_float_test[] = {
    ROW("IsNaN", 9),
    ROW("IsInf", 10),
    {.name = NULL},
};
