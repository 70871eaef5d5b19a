/* Concat and Split. */
#include "compiler/ops/axes.h"
#include "compiler/ops/expand.h"
#include "compiler/ops/support.h"

#include <string.h>

/* ---- Concat -------------------------------------------------------------------------------- */

static kiln_status concat_axis(const graph *g, const node *n, uint32_t *out_axis) {
    return node_axis(g, n, node_int(n, "axis", g->opset < 4 ? 1 : 0), n->inputs[0]->rank, out_axis);
}

static kiln_status infer_concat(graph *g, node *n) {
    const tensor *first = n->inputs[0];
    uint32_t axis;
    int64_t dims[KILN_MAX_RANK];
    kiln_status status = first != NULL ? concat_axis(g, n, &axis)
                                       : node_fail(g, n, KILN_ERROR_FORMAT, "input 0 is missing");
    if (status == KILN_OK) {
        status = require_same_dtype(g, n, 0);
    }
    if (status == KILN_OK && n->input_count > 1) {
        status = refuse_batch(g, n, first, axis);
    }
    if (status != KILN_OK) {
        return status;
    }
    memcpy(dims, first->dims, sizeof dims);
    for (size_t k = 1; k < n->input_count; k++) {
        const tensor *t = n->inputs[k];
        bool fits = t != NULL && t->rank == first->rank;
        for (uint32_t d = 0; fits && d < t->rank; d++) {
            fits = d == axis || t->dims[d] == first->dims[d];
        }
        if (!fits) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "input %zu has another shape than input 0",
                             k);
        }
        dims[axis] += t->dims[axis];
    }
    n->outputs[0]->dtype = first->dtype;
    return tensor_set_shape(g, n, n->outputs[0], first->rank, dims);
}

static kiln_status evaluate_concat(graph *g, node *n) {
    uint32_t axis;
    kiln_status status = concat_axis(g, n, &axis);
    if (status != KILN_OK) {
        return status;
    }
    tensor *y = n->outputs[0];
    axis_span whole = axis_span_of(y, axis);
    size_t size = kiln_dtype_size(y->dtype), start = 0;
    size_t whole_row = (size_t)(whole.size * whole.inner) * size;
    for (size_t k = 0; k < n->input_count; k++) {
        size_t row = (size_t)(n->inputs[k]->dims[axis] * whole.inner) * size;
        const uint8_t *from = tensor_bytes(n->inputs[k]);
        for (size_t o = 0; o < (size_t)whole.outer && row > 0; o++) {
            memcpy((uint8_t *)y->owned + o * whole_row + start, from + o * row, row);
        }
        start += row;
    }
    return KILN_OK;
}

/* Without what has no elements. */
static kiln_status expand_concat(expansion *e, node *n) {
    attribute along = {.name = "axis", .type = ATTRIBUTE_INT};
    uint32_t axis;
    tensor **full = graph_allocate(e->g, n->input_count * sizeof *full);
    size_t count = 0;
    if (full == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < n->input_count; k++) {
        if (tensor_elements(n->inputs[k]) != 0) {
            full[count++] = n->inputs[k];
        }
    }
    if (count == n->input_count) {
        return KILN_OK;
    }
    kiln_status status = concat_axis(e->g, n, &axis);
    along.i = status == KILN_OK ? axis : 0;
    expand_result(e, 0, count == 1 ? full[0] : expand_apply(e, "Concat", count, full, &along));
    return status;
}

static kiln_status lower_concat_node(lowering *l, node *n) {
    uint32_t axis;
    kiln_status status = concat_axis(lower_graph(l), n, &axis);
    if (status != KILN_OK) {
        return status;
    }
    tensor *y = n->outputs[0];
    if (n->input_count == 1) {
        return lower_alias(l, n, y, n->inputs[0]);
    }
    uint32_t *inputs = graph_allocate(lower_graph(l), n->input_count * sizeof *inputs);
    if (inputs == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < n->input_count; k++) {
        inputs[k] = lower_broadcast(l, n, n->inputs[k], y);
    }
    return lower_concat(l, n, n->input_count, inputs, y, physical_axis(y, axis));
}

/* ---- Split --------------------------------------------------------------------------------- */

/* Finds the size of each part: given by attribute or constant input, or else even, the last part
 * smaller. */
static kiln_status split_sizes(const graph *g, const node *n, uint32_t axis, int64_t *sizes) {
    int64_t total = n->inputs[0]->dims[axis], parts = (int64_t)n->output_count, sum = 0;
    bool input = n->input_count > 1 && n->inputs[1] != NULL;
    int count =
        input ? node_input_ints(n, 1, sizes, (int)parts) : node_ints(n, "split", sizes, (int)parts);
    if (input && count < 0) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "the sizes of the parts are not known");
    }
    if (count < 0) {
        parts = node_int(n, "num_outputs", parts);
        int64_t part = parts > 0 ? (total + parts - 1) / parts : 0;
        for (int64_t k = 0; k < (int64_t)n->output_count; k++) {
            sizes[k] = k + 1 < parts ? part : total - part * (parts - 1);
        }
        count = (int)n->output_count;
    }
    for (int k = 0; k < count; k++) {
        if (sizes[k] < 0 || sizes[k] > total) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "part %d has size %lld", k,
                             (long long)sizes[k]);
        }
        sum += sizes[k];
    }
    if (count != (int)n->output_count || sum != total) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "parts of %lld in all; the axis has %lld",
                         (long long)sum, (long long)total);
    }
    return KILN_OK;
}

/* Axis and sizes; sizes live in the graph's arena. */
static kiln_status read_split(graph *g, const node *n, uint32_t *out_axis, int64_t **out_sizes) {
    *out_sizes = graph_allocate(g, n->output_count * sizeof **out_sizes);
    if (*out_sizes == NULL) {
        return KILN_ERROR_MEMORY;
    }
    kiln_status status = node_axis(g, n, node_int(n, "axis", 0), n->inputs[0]->rank, out_axis);
    return status == KILN_OK ? split_sizes(g, n, *out_axis, *out_sizes) : status;
}

static kiln_status infer_split(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    uint32_t axis;
    int64_t *sizes, dims[KILN_MAX_RANK];
    kiln_status status = read_split(g, n, &axis, &sizes);
    if (status == KILN_OK) {
        status = refuse_batch(g, n, x, axis);
    }
    memcpy(dims, x->dims, sizeof dims);
    for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
        if (n->outputs[k] != NULL) {
            dims[axis] = sizes[k];
            n->outputs[k]->dtype = x->dtype;
            status = tensor_set_shape(g, n, n->outputs[k], x->rank, dims);
        }
    }
    return status;
}

static kiln_status evaluate_split(graph *g, node *n) {
    tensor *x = n->inputs[0];
    uint32_t axis;
    int64_t *sizes;
    kiln_status status = read_split(g, n, &axis, &sizes);
    if (status != KILN_OK) {
        return status;
    }
    axis_span whole = axis_span_of(x, axis);
    size_t size = kiln_dtype_size(x->dtype), start = 0;
    size_t whole_row = (size_t)(whole.size * whole.inner) * size;
    const uint8_t *from = tensor_bytes(x);
    for (size_t k = 0; k < n->output_count; k++) {
        size_t row = (size_t)(sizes[k] * whole.inner) * size;
        for (size_t o = 0; o < (size_t)whole.outer && n->outputs[k] != NULL && row > 0; o++) {
            memcpy((uint8_t *)n->outputs[k]->owned + o * row, from + o * whole_row + start, row);
        }
        start += row;
    }
    return KILN_OK;
}

static kiln_status lower_split(lowering *l, node *n) {
    uint32_t axis;
    int64_t *sizes, start = 0;
    kiln_status status = read_split(lower_graph(l), n, &axis, &sizes);
    for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
        if (n->outputs[k] != NULL) {
            status = lower_slice(l, n, n->inputs[0], n->outputs[k],
                                 physical_axis(n->inputs[0], axis), start);
        }
        start += sizes[k];
    }
    return status;
}

const op ops_concat[] = {
    {"Concat", 1, OP_INPUTS(1, 255), OP_OUTPUTS(1, 1), .layout = OP_ANY, .infer = infer_concat,
     .evaluate = evaluate_concat, .lower = lower_concat_node, .expand = expand_concat},
    {"Split", 2, OP_INPUTS(1, 2), OP_OUTPUTS(1, 255), .constant_inputs = 2, .layout = OP_ANY,
     .infer = infer_split, .evaluate = evaluate_split, .lower = lower_split},
    {.name = NULL},
};
