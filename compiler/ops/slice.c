/* Slice. */
#include "compiler/ops/support.h"

#include <string.h>

typedef struct slice_range {
    int64_t start[KILN_MAX_RANK], step[KILN_MAX_RANK], count[KILN_MAX_RANK];
} slice_range;

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

/* Parameter lists: attributes until opset 9, inputs 1..4 after. Missing: -1. */
static int read_list(const node *n, size_t input, const char *name, int64_t *out) {
    if (n->input_count > 1) {
        bool given = input < n->input_count && n->inputs[input] != NULL;
        return given ? node_input_ints(n, input, out, KILN_MAX_RANK) : -1;
    }
    return node_ints(n, name, out, KILN_MAX_RANK);
}

static kiln_status set_axis(const graph *g, const node *n, slice_range *range, uint32_t axis,
                            int64_t start, int64_t end, int64_t step) {
    int64_t dim = n->inputs[0]->dims[axis];
    if (step == 0 || step == INT64_MIN) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "a step of %lld", (long long)step);
    }
    start = start < 0 ? start + dim : start;
    end = end < 0 && end > INT64_MIN + dim ? end + dim : end;
    if (step > 0) {
        start = clamp(start, 0, dim);
        end = clamp(end, 0, dim);
        range->count[axis] = end > start ? (end - start - 1) / step + 1 : 0;
    } else {
        start = clamp(start, dim > 0 ? 0 : -1, dim - 1);
        end = clamp(end, -1, dim - 1);
        range->count[axis] = start > end ? (start - end - 1) / -step + 1 : 0;
    }
    range->start[axis] = start;
    range->step[axis] = step;
    return KILN_OK;
}

static kiln_status read_slice(const graph *g, const node *n, slice_range *range) {
    const tensor *x = n->inputs[0];
    int64_t starts[KILN_MAX_RANK], ends[KILN_MAX_RANK], axes[KILN_MAX_RANK], steps[KILN_MAX_RANK];
    int count = read_list(n, 1, "starts", starts), end_count = read_list(n, 2, "ends", ends);
    int axis_count = read_list(n, 3, "axes", axes), step_count = read_list(n, 4, "steps", steps);
    if (count < 0 || end_count != count || (axis_count >= 0 && axis_count != count) ||
        (step_count >= 0 && step_count != count) || count > (int)x->rank) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "starts, ends, axes and steps are not known lists of one length");
    }
    for (uint32_t k = 0; k < x->rank; k++) {
        range->start[k] = 0;
        range->step[k] = 1;
        range->count[k] = x->dims[k];
    }
    for (int k = 0; k < count; k++) {
        uint32_t axis;
        kiln_status status = node_axis(g, n, axis_count >= 0 ? axes[k] : k, x->rank, &axis);
        if (status == KILN_OK) {
            status =
                set_axis(g, n, range, axis, starts[k], ends[k], step_count >= 0 ? steps[k] : 1);
        }
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}

static bool is_whole(const slice_range *range, const tensor *x, uint32_t axis) {
    return range->count[axis] == x->dims[axis] && (range->step[axis] == 1 || x->dims[axis] == 1);
}

static kiln_status infer_slice(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    slice_range range;
    kiln_status status = read_slice(g, n, &range);
    if (status == KILN_OK && x->rank > 0 && !is_whole(&range, x, 0)) {
        status = refuse_batch(g, n, x, 0);
    }
    if (status != KILN_OK) {
        return status;
    }
    n->outputs[0]->dtype = x->dtype;
    return tensor_set_shape(g, n, n->outputs[0], x->rank, range.count);
}

static kiln_status evaluate_slice(graph *g, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    slice_range range;
    kiln_status status = read_slice(g, n, &range);
    if (status != KILN_OK) {
        return status;
    }
    int64_t strides[KILN_MAX_RANK], index[KILN_MAX_RANK];
    size_t size = kiln_dtype_size(x->dtype);
    const uint8_t *from = tensor_bytes(x);
    dense_strides(x->rank, x->dims, strides);
    for (int64_t k = 0; k < tensor_elements(y); k++) {
        index_of(y, k, index);
        for (uint32_t d = 0; d < x->rank; d++) {
            index[d] = range.start[d] + index[d] * range.step[d];
        }
        memcpy((uint8_t *)y->owned + (size_t)k * size,
               from + (size_t)dot_index(x->rank, index, strides) * size, size);
    }
    return KILN_OK;
}

/* Do transposes alone read it, which copy anyway? Then they do so from what is cut. */
static bool is_read_through(const lowering *l, const tensor *y) {
    bool through = y->producer != NULL && strcmp(y->producer->op->name, "Slice") == 0 &&
                   y->consumer_count > 0 && !y->is_output;
    for (size_t k = 0; k < y->consumer_count && through; k++) {
        const node *reader = y->consumers[k];
        through = strcmp(reader->op->name, "Transpose") == 0 && !transpose_keeps_order(l, reader);
    }
    return through;
}

tensor *strided_source(lowering *l, tensor *x, int64_t out_by_axis[KILN_MAX_RANK],
                       int64_t *out_start) {
    slice_range range;
    *out_start = 0;
    if (!is_read_through(l, x) || read_slice(lower_graph(l), x->producer, &range) != KILN_OK) {
        physical_strides(l, x, out_by_axis);
        return x;
    }
    physical_strides(l, x->producer->inputs[0], out_by_axis);
    for (uint32_t k = 0; k < x->rank; k++) {
        *out_start += range.start[k] * out_by_axis[k];
        out_by_axis[k] *= range.step[k];
    }
    return x->producer->inputs[0];
}

static kiln_status lower_slice_node(lowering *l, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    slice_range range;
    kiln_status status = read_slice(lower_graph(l), n, &range);
    if (status != KILN_OK) {
        return status;
    }
    uint32_t cut = 0, cut_axis = 0;
    bool steps = false;
    for (uint32_t k = 0; k < x->rank; k++) {
        if (!is_whole(&range, x, k)) {
            cut++;
            cut_axis = k;
            steps = steps || range.step[k] != 1;
        }
    }
    if (cut == 0) {
        return lower_alias(l, n, y, x);
    }
    if (is_read_through(l, y)) {
        return KILN_OK;
    }
    if (cut == 1 && !steps) {
        return lower_slice(l, n, x, y, physical_axis(x, cut_axis), range.start[cut_axis]);
    }
    int64_t strides[KILN_MAX_RANK], start = 0;
    physical_strides(l, x, strides);
    for (uint32_t k = 0; k < x->rank; k++) {
        start += range.start[k] * strides[k];
        strides[k] *= range.step[k];
    }
    return lower_by_axes(l, n, x, y, strides, start);
}

const op ops_slice[] = {
    {"Slice", 1, OP_INPUTS(1, 5), OP_OUTPUTS(1, 1), .constant_inputs = 30, .layout = OP_ANY,
     .infer = infer_slice, .evaluate = evaluate_slice, .lower = lower_slice_node},
    {.name = NULL},
};
