/* ReduceMean, ReduceSum, ... over any axes. */
#include "compiler/ops/expand.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    kiln_reduce_op kernel;
} kinds[] = {
    {"ReduceMean", KILN_REDUCE_MEAN},      {"ReduceSum", KILN_REDUCE_SUM},
    {"ReduceMax", KILN_REDUCE_MAX},        {"ReduceMin", KILN_REDUCE_MIN},
    {"ReduceProd", KILN_REDUCE_PROD},      {"ReduceL1", KILN_REDUCE_L1},
    {"ReduceL2", KILN_REDUCE_L2},          {"ReduceSumSquare", KILN_REDUCE_SUM_SQUARE},
    {"ReduceLogSum", KILN_REDUCE_LOG_SUM}, {"ReduceLogSumExp", KILN_REDUCE_LOG_SUM_EXP},
};

static kiln_reduce_op kind_of(const node *n) {
    size_t k = 0;
    while (strcmp(kinds[k].name, n->op->name) != 0) {
        k++;
    }
    return kinds[k].kernel;
}

/* Axes by attribute or constant input; none: all, or none with noop_with_empty_axes. */
static kiln_status read_axes(const graph *g, const node *n, bool reduced[KILN_MAX_RANK]) {
    int64_t axes[KILN_MAX_RANK];
    uint32_t rank = n->inputs[0]->rank;
    bool input = n->input_count > 1 && n->inputs[1] != NULL;
    int count = input ? node_input_ints(n, 1, axes, KILN_MAX_RANK)
                      : node_ints(n, "axes", axes, KILN_MAX_RANK);
    if (input && count < 0) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "axes are not known");
    }
    bool all = count <= 0 && node_int(n, "noop_with_empty_axes", 0) == 0;
    for (uint32_t k = 0; k < KILN_MAX_RANK; k++) {
        reduced[k] = all && k < rank;
    }
    for (int k = 0; k < count; k++) {
        uint32_t axis;
        kiln_status status = node_axis(g, n, axes[k], rank, &axis);
        if (status != KILN_OK) {
            return status;
        }
        reduced[axis] = true;
    }
    return KILN_OK;
}

static kiln_status infer_reduce(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    bool reduced[KILN_MAX_RANK], keep = node_int(n, "keepdims", 1) != 0;
    int64_t dims[KILN_MAX_RANK];
    uint32_t rank = 0;
    bool logarithm = kind_of(n) == KILN_REDUCE_LOG_SUM || kind_of(n) == KILN_REDUCE_LOG_SUM_EXP;
    bool extreme = kind_of(n) == KILN_REDUCE_MAX || kind_of(n) == KILN_REDUCE_MIN;
    kiln_status status = require_dtype(g, n, 0,
                                       logarithm ? MASK_F32
                                       : extreme ? MASK_ALL
                                                 : MASK_NUMBERS);
    if (status == KILN_OK) {
        status = read_axes(g, n, reduced);
    }
    for (uint32_t k = 0; k < x->rank && status == KILN_OK; k++) {
        if (reduced[k]) {
            status = refuse_batch(g, n, x, k);
        }
        if (!reduced[k] || keep) {
            dims[rank++] = reduced[k] ? 1 : x->dims[k];
        }
    }
    if (status != KILN_OK) {
        return status;
    }
    n->outputs[0]->dtype = x->dtype;
    return tensor_set_shape(g, n, n->outputs[0], rank, dims);
}

static double accumulate(kiln_reduce_op op, double sum, double v) {
    switch (op) {
    case KILN_REDUCE_MAX:
    case KILN_REDUCE_LOG_SUM_EXP:
        return v > sum || isnan(v) ? v : sum;
    case KILN_REDUCE_MIN:
        return v < sum || isnan(v) ? v : sum;
    case KILN_REDUCE_PROD:
        return sum * v;
    case KILN_REDUCE_L1:
        return sum + fabs(v);
    case KILN_REDUCE_L2:
    case KILN_REDUCE_SUM_SQUARE:
        return sum + v * v;
    default:
        return sum + v;
    }
}

static double start_of(kiln_reduce_op op) {
    return op == KILN_REDUCE_PROD                                   ? 1
           : op == KILN_REDUCE_MAX || op == KILN_REDUCE_LOG_SUM_EXP ? -INFINITY
           : op == KILN_REDUCE_MIN                                  ? INFINITY
                                                                    : 0;
}

/* Element r of those that are reduced together, the first of which is `base`. */
static double reduced_value(tensor *x, const bool reduced[KILN_MAX_RANK], int64_t base,
                            const int64_t strides[KILN_MAX_RANK], int64_t r) {
    int64_t at = base;
    for (uint32_t d = x->rank; d-- > 0;) {
        if (reduced[d]) {
            at += r % x->dims[d] * strides[d];
            r /= x->dims[d];
        }
    }
    return x->dtype == KILN_F32   ? (double)tensor_f32(x)[at]
           : x->dtype == KILN_I64 ? (double)tensor_i64(x)[at]
                                  : (double)tensor_bytes(x)[at];
}

/* Loops over the reduced elements of output element k. */
static double reduce_element(const node *n, tensor *x, const bool reduced[KILN_MAX_RANK], int64_t k,
                             int64_t *out_count) {
    int64_t strides[KILN_MAX_RANK], base = 0, count = 1;
    dense_strides(x->rank, x->dims, strides);
    for (uint32_t d = x->rank; d-- > 0;) {
        if (reduced[d]) {
            count *= x->dims[d];
        } else {
            base += k % x->dims[d] * strides[d];
            k /= x->dims[d];
        }
    }
    kiln_reduce_op op = kind_of(n);
    double sum = start_of(op);
    for (int64_t r = 0; r < count; r++) {
        sum = accumulate(op, sum, reduced_value(x, reduced, base, strides, r));
    }
    if (op == KILN_REDUCE_LOG_SUM_EXP) { /* the sum was the largest: it cannot overflow */
        double largest = isinf(sum) ? 0 : sum, scaled = 0;
        for (int64_t r = 0; r < count; r++) {
            scaled += exp(reduced_value(x, reduced, base, strides, r) - largest);
        }
        sum = largest + log(scaled);
    }
    *out_count = count;
    return sum;
}

static kiln_status evaluate_reduce(graph *g, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    bool reduced[KILN_MAX_RANK];
    kiln_status status = read_axes(g, n, reduced);
    for (int64_t k = 0; k < tensor_elements(y) && status == KILN_OK; k++) {
        int64_t count;
        double value = reduce_element(n, x, reduced, k, &count);
        value = kind_of(n) == KILN_REDUCE_MEAN ? value / (double)count : value;
        value = kind_of(n) == KILN_REDUCE_L2 ? sqrt(value) : value;
        value = kind_of(n) == KILN_REDUCE_LOG_SUM ? log(value) : value;
        if (y->dtype == KILN_F32) {
            ((float *)y->owned)[k] = (float)value;
        } else if (y->dtype == KILN_BOOL) {
            ((uint8_t *)y->owned)[k] = value > 0;
        } else {
            double bounded = fmax(-9.2e18, fmin(9.2e18, value));
            ((int64_t *)y->owned)[k] = (int64_t)bounded;
        }
    }
    return status;
}

/* The kernel knows numbers: all of some truth values are true where the least of them is 1. */
static kiln_status expand_reduce(expansion *e, node *n) {
    if (n->inputs[0]->dtype == KILN_BOOL) {
        tensor *inputs[] = {expand_cast(e, n->inputs[0], KILN_I64),
                            n->input_count > 1 ? n->inputs[1] : NULL};
        tensor *y =
            expand_node(e, n->op->name, n->input_count, inputs, n->attribute_count, n->attributes);
        expand_result(e, 0, expand_cast(e, y, KILN_BOOL));
    }
    return KILN_OK;
}

/* ---- Lowering ------------------------------------------------------------------------------ */

static bool is_global_average(const node *n, const bool reduced[KILN_MAX_RANK]) {
    const tensor *x = n->inputs[0];
    bool image = x->layout == KILN_CHANNELS_LAST && x->rank >= 3 && x->dtype == KILN_F32 &&
                 kind_of(n) == KILN_REDUCE_MEAN && !reduced[0] && !reduced[1];
    for (uint32_t k = 2; k < x->rank; k++) {
        image = image && reduced[k];
    }
    return image;
}

/* Without kept unit dims, what remains of a channels-last input must still come out in ONNX's
 * order. */
static bool keeps_order(const tensor *x, const tensor *y, const bool reduced[KILN_MAX_RANK]) {
    if (y->layout == x->layout && y->rank == x->rank) {
        return true;
    }
    int64_t last = -1;
    for (uint32_t position = 0; position < x->rank; position++) {
        uint32_t axis = logical_axis(x, position);
        if (!reduced[axis] && x->dims[axis] != 1) {
            if ((int64_t)axis < last) {
                return false;
            }
            last = axis;
        }
    }
    return true;
}

/* The kept dims in physical order, for a temporary to be permuted; strides by y's axes. */
static uint32_t physical_result(const lowering *l, const tensor *x, const tensor *y,
                                const bool reduced[KILN_MAX_RANK], int64_t dims[KILN_MAX_RANK],
                                int64_t strides[KILN_MAX_RANK]) {
    int64_t by_axis[KILN_MAX_RANK] = {0}, stride = 1;
    uint32_t rank = 0, out = 0;
    for (uint32_t position = 0; position < x->rank; position++) {
        uint32_t axis = logical_axis(x, position);
        if (!reduced[axis]) {
            dims[rank++] = x->dims[axis];
        }
    }
    for (uint32_t position = x->rank; position-- > 0;) {
        uint32_t axis = logical_axis(x, position);
        if (!reduced[axis]) {
            by_axis[axis] = stride;
            stride *= sample_dim(l, x->dims[axis]);
        }
    }
    for (uint32_t axis = 0; axis < x->rank; axis++) {
        if (y->rank == x->rank || !reduced[axis]) {
            strides[out++] = reduced[axis] ? 0 : by_axis[axis];
        }
    }
    return rank;
}

static kiln_status lower_reduce(lowering *l, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    bool reduced[KILN_MAX_RANK];
    kiln_status status = read_axes(lower_graph(l), n, reduced);
    if (status != KILN_OK) {
        return status;
    }
    uint32_t from = lower_tensor(l, x), to = lower_tensor(l, y);
    if (is_global_average(n, reduced)) {
        kiln_global_pool_params pool = {n->min, n->max};
        return lower_step(l, n, KILN_KERNEL_GLOBAL_AVERAGE_POOL, &pool, sizeof pool, 1, &from, 1,
                          &to);
    }
    kiln_reduce_params params = {.op = kind_of(n), .min = n->min, .max = n->max};
    for (uint32_t axis = 0; axis < x->rank; axis++) {
        params.mask |= reduced[axis] ? 1u << physical_axis(x, axis) : 0;
    }
    if (keeps_order(x, y, reduced)) {
        return lower_step(l, n, KILN_KERNEL_REDUCE, &params, sizeof params, 1, &from, 1, &to);
    }
    int64_t dims[KILN_MAX_RANK], strides[KILN_MAX_RANK];
    uint32_t rank = physical_result(l, x, y, reduced, dims, strides);
    uint32_t between = lower_temporary(l, y->dtype, rank, dims, KILN_ROW_MAJOR);
    status = lower_step(l, n, KILN_KERNEL_REDUCE, &params, sizeof params, 1, &from, 1, &between);
    return status == KILN_OK ? lower_copy(l, n, between, to, strides, 0) : status;
}

#define ROW(op_name)                                                                               \
    {                                                                                              \
        .name = op_name, .min_opset = 1, .min_inputs = 1, .max_inputs = 2, .min_outputs = 1,       \
        .max_outputs = 1, .constant_inputs = 2, .layout = OP_ANY, .flags = OP_CLAMPS,              \
        .infer = infer_reduce, .evaluate = evaluate_reduce, .lower = lower_reduce,                 \
        .expand = expand_reduce                                                                    \
    }

const op ops_reduce[] = {
    ROW("ReduceMean"),   ROW("ReduceSum"),       ROW("ReduceMax"), ROW("ReduceMin"),
    ROW("ReduceProd"),   ROW("ReduceL1"),        ROW("ReduceL2"),  ROW("ReduceSumSquare"),
    ROW("ReduceLogSum"), ROW("ReduceLogSumExp"), {.name = NULL},
};
