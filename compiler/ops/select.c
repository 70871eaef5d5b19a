/* ArgMax, ArgMin, TopK: positions of values along one axis. */
#include "compiler/ops/axes.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

static double value_at(tensor *t, int64_t at) {
    return t->dtype == KILN_F32 ? (double)tensor_f32(t)[at] : (double)tensor_i64(t)[at];
}

/* ---- ArgMax, ArgMin ------------------------------------------------------------------------ */

static kiln_status infer_arg(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    uint32_t axis, rank = 0;
    int64_t dims[KILN_MAX_RANK];
    kiln_status status = require_dtype(g, n, 0, MASK_NUMBERS);
    if (status == KILN_OK) {
        status = node_axis(g, n, node_int(n, "axis", 0), x->rank, &axis);
    }
    if (status == KILN_OK) {
        status = refuse_batch(g, n, x, axis);
    }
    if (status != KILN_OK) {
        return status;
    }
    for (uint32_t k = 0; k < x->rank; k++) {
        if (k != axis || node_int(n, "keepdims", 1) != 0) {
            dims[rank++] = k == axis ? 1 : x->dims[k];
        }
    }
    n->outputs[0]->dtype = KILN_I64;
    return tensor_set_shape(g, n, n->outputs[0], rank, dims);
}

static kiln_status evaluate_arg(graph *g, node *n) {
    tensor *x = n->inputs[0];
    uint32_t axis;
    kiln_status status = node_axis(g, n, node_int(n, "axis", 0), x->rank, &axis);
    if (status != KILN_OK) {
        return status;
    }
    axis_span v = axis_span_of(x, axis);
    bool minimum = strcmp(n->op->name, "ArgMin") == 0;
    bool last = node_int(n, "select_last_index", 0) != 0;
    for (int64_t column = 0; column < v.outer * v.inner; column++) {
        int64_t start = column / v.inner * v.size * v.inner + column % v.inner, best = 0;
        for (int64_t k = 1; k < v.size; k++) {
            double value = value_at(x, start + k * v.inner);
            double found = value_at(x, start + best * v.inner);
            bool better = minimum ? value < found : value > found;
            best = better || (last && value == found) ? k : best;
        }
        ((int64_t *)n->outputs[0]->owned)[column] = best;
    }
    return KILN_OK;
}

/* The kernel works on physical order; a result whose remaining dims come out otherwise is brought
 * into place by way of a row-major copy of the input. */
static uint32_t row_major_input(lowering *l, node *n) {
    tensor *x = n->inputs[0];
    int64_t by_axis[KILN_MAX_RANK];
    uint32_t copy = lower_temporary(l, x->dtype, x->rank, x->dims, KILN_ROW_MAJOR);
    physical_strides(l, x, by_axis);
    kiln_status status = copy == KILN_PLAN_NONE
                             ? lower_status(l)
                             : lower_copy(l, n, lower_tensor(l, x), copy, by_axis, 0);
    return status == KILN_OK ? copy : KILN_PLAN_NONE;
}

static kiln_status lower_arg(lowering *l, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    uint32_t axis;
    kiln_status status = node_axis(lower_graph(l), n, node_int(n, "axis", 0), x->rank, &axis);
    bool direct = x->layout == KILN_ROW_MAJOR || (y->rank == x->rank && y->layout == x->layout);
    kiln_arg_reduce_params params = {.axis = direct ? physical_axis(x, axis) : axis,
                                     .minimum = strcmp(n->op->name, "ArgMin") == 0,
                                     .select_last = node_int(n, "select_last_index", 0) != 0};
    uint32_t from = direct ? lower_tensor(l, x) : row_major_input(l, n), to = lower_tensor(l, y);
    return status == KILN_OK
               ? lower_step(l, n, KILN_KERNEL_ARG_REDUCE, &params, sizeof params, 1, &from, 1, &to)
               : status;
}

/* ---- TopK ---------------------------------------------------------------------------------- */

/* k by attribute (until opset 9) or constant input. */
static kiln_status read_top_k(const graph *g, const node *n, uint32_t *out_axis, int64_t *out_k) {
    const tensor *x = n->inputs[0];
    kiln_status status = node_axis(g, n, node_int(n, "axis", -1), x->rank, out_axis);
    if (n->input_count < 2) {
        *out_k = node_int(n, "k", 0);
    } else if (node_input_ints(n, 1, out_k, 1) != 1) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "k is not known");
    }
    if (status == KILN_OK && (*out_k < 1 || *out_k > x->dims[*out_axis])) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "k is %lld of %lld", (long long)*out_k,
                         (long long)x->dims[*out_axis]);
    }
    return status;
}

static kiln_status infer_top_k(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    uint32_t axis;
    int64_t k, dims[KILN_MAX_RANK];
    kiln_status status = require_dtype(g, n, 0, MASK_NUMBERS);
    if (status == KILN_OK) {
        status = read_top_k(g, n, &axis, &k);
    }
    if (status == KILN_OK) {
        status = refuse_batch(g, n, x, axis);
    }
    if (status != KILN_OK) {
        return status;
    }
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = k;
    for (size_t o = 0; o < n->output_count && status == KILN_OK; o++) {
        if (n->outputs[o] != NULL) {
            n->outputs[o]->dtype = o == 0 ? x->dtype : KILN_I64;
            status = tensor_set_shape(g, n, n->outputs[o], x->rank, dims);
        }
    }
    return status;
}

/* Selection by repeated search: obviously right, and short. */
static kiln_status evaluate_top_k(graph *g, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    tensor *indices = n->output_count > 1 ? n->outputs[1] : NULL;
    uint32_t axis;
    int64_t count;
    kiln_status status = read_top_k(g, n, &axis, &count);
    if (status != KILN_OK) {
        return status;
    }
    axis_span v = axis_span_of(x, axis);
    bool largest = node_int(n, "largest", 1) != 0;
    for (int64_t column = 0; column < v.outer * v.inner; column++) {
        int64_t start = column / v.inner * v.size * v.inner + column % v.inner;
        int64_t out = column / v.inner * count * v.inner + column % v.inner, before = -1;
        for (int64_t k = 0; k < count; k++) {
            int64_t best = -1;
            for (int64_t j = 0; j < v.size; j++) {
                double value = value_at(x, start + j * v.inner);
                double found = best < 0 ? 0 : value_at(x, start + best * v.inner);
                double last = before < 0 ? 0 : value_at(x, start + before * v.inner);
                bool after = before < 0 || (largest ? value < last : value > last) ||
                             (value == last && j > before);
                best = after && (best < 0 || (largest ? value > found : value < found)) ? j : best;
            }
            before = best < 0 ? 0 : best;
            size_t size = kiln_dtype_size(x->dtype);
            if (y != NULL) {
                memcpy((uint8_t *)y->owned + (size_t)(out + k * v.inner) * size,
                       tensor_bytes(x) + (size_t)(start + before * v.inner) * size, size);
            }
            if (indices != NULL) {
                ((int64_t *)indices->owned)[out + k * v.inner] = before;
            }
        }
    }
    return KILN_OK;
}

static kiln_status lower_top_k(lowering *l, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    uint32_t axis;
    int64_t k;
    kiln_status status = read_top_k(lower_graph(l), n, &axis, &k);
    kiln_top_k_params params = {.axis = status == KILN_OK ? physical_axis(x, axis) : 0,
                                .k = (uint32_t)k,
                                .largest = node_int(n, "largest", 1) != 0};
    const tensor *any = y != NULL ? y : n->outputs[1];
    uint32_t from = lower_tensor(l, x);
    uint32_t to[2] = {y != NULL ? lower_tensor(l, y)
                                : lower_temporary(l, x->dtype, x->rank, any->dims, any->layout),
                      lower_output(l, n, 1)};
    return status == KILN_OK ? lower_step(l, n, KILN_KERNEL_TOP_K, &params, sizeof params, 1, &from,
                                          n->output_count > 1 ? 2 : 1, to)
                             : status;
}

const op ops_select[] = {
    {"ArgMax", 1, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .layout = OP_ANY, .infer = infer_arg,
     .evaluate = evaluate_arg, .lower = lower_arg},
    {"ArgMin", 1, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .layout = OP_ANY, .infer = infer_arg,
     .evaluate = evaluate_arg, .lower = lower_arg},
    {"TopK", 1, OP_INPUTS(1, 2), OP_OUTPUTS(1, 2), .constant_inputs = 2, .layout = OP_ANY,
     .infer = infer_top_k, .evaluate = evaluate_top_k, .lower = lower_top_k},
    {.name = NULL},
};
