/* Pad: constant, reflect, edge, wrap; negative padding crops. */
#include "compiler/ops/support.h"

#include <stdlib.h>
#include <string.h>

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP } pad_mode;

typedef struct pad_parameters {
    pad_mode mode;
    int64_t begin[KILN_MAX_RANK], end[KILN_MAX_RANK];
} pad_parameters;

static kiln_status read_mode(const graph *g, const node *n, pad_mode *out_mode) {
    static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
    const char *mode = node_string(n, "mode", "constant");
    for (int k = 0; k < 4; k++) {
        if (strcmp(mode, names[k]) == 0) {
            *out_mode = (pad_mode)k;
            return KILN_OK;
        }
    }
    return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                     "mode '%s'; supported: constant, reflect, edge, wrap", mode);
}

/* Pads by attribute (until opset 10) or constant input, for all axes or those of input 3. */
static kiln_status read_pads(const graph *g, const node *n, pad_parameters *p) {
    uint32_t rank = n->inputs[0]->rank;
    int64_t pads[2 * KILN_MAX_RANK], axes[KILN_MAX_RANK];
    bool input = n->input_count > 1 && n->inputs[1] != NULL;
    int count = input ? node_input_ints(n, 1, pads, 2 * KILN_MAX_RANK)
                      : node_ints(n, "pads", pads, 2 * KILN_MAX_RANK);
    int axis_count = n->input_count > 3 && n->inputs[3] != NULL
                         ? node_input_ints(n, 3, axes, KILN_MAX_RANK)
                         : -1;
    int wanted = axis_count >= 0 ? 2 * axis_count : (int)(2 * rank);
    *p = (pad_parameters){.mode = PAD_CONSTANT};
    if (count != wanted) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "pads are not %d known numbers", wanted);
    }
    for (int k = 0; k < count / 2; k++) {
        uint32_t axis;
        kiln_status status = node_axis(g, n, axis_count >= 0 ? axes[k] : k, rank, &axis);
        if (status != KILN_OK) {
            return status;
        }
        p->begin[axis] = pads[k];
        p->end[axis] = pads[count / 2 + k];
    }
    return read_mode(g, n, &p->mode);
}

static kiln_status infer_pad(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    pad_parameters p;
    int64_t dims[KILN_MAX_RANK];
    kiln_status status = read_pads(g, n, &p);
    if (status == KILN_OK && n->input_count > 2 && n->inputs[2] != NULL &&
        (n->inputs[2]->dtype != x->dtype || tensor_elements(n->inputs[2]) != 1)) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "the value is no scalar of the input's type");
    }
    for (uint32_t k = 0; k < x->rank && status == KILN_OK; k++) {
        const int64_t limit = INT32_MAX;
        if (p.begin[k] > limit || p.end[k] > limit || p.begin[k] < -limit || p.end[k] < -limit) {
            status = node_fail(g, n, KILN_ERROR_FORMAT, "padding of axis %u is out of range", k);
        } else if (p.begin[k] != 0 || p.end[k] != 0) {
            status = refuse_batch(g, n, x, k);
        }
        if (status == KILN_OK && p.mode == PAD_REFLECT &&
            (p.begin[k] >= x->dims[k] || p.end[k] >= x->dims[k])) {
            status =
                node_fail(g, n, KILN_ERROR_UNSUPPORTED, "reflection of more than the axis has");
        }
        dims[k] = status == KILN_OK ? x->dims[k] + p.begin[k] + p.end[k] : 0;
    }
    if (status != KILN_OK) {
        return status;
    }
    n->outputs[0]->dtype = x->dtype;
    return tensor_set_shape(g, n, n->outputs[0], x->rank, dims);
}

/* Input index for output index k of an axis; -1: the fill value. */
static int64_t source_index(const pad_parameters *p, uint32_t axis, int64_t dim, int64_t k) {
    int64_t at = k - p->begin[axis];
    if (at >= 0 && at < dim) {
        return at;
    }
    switch (p->mode) {
    case PAD_REFLECT:
        return at < 0 ? -at : 2 * (dim - 1) - at;
    case PAD_EDGE:
        return at < 0 ? 0 : dim - 1;
    case PAD_WRAP:
        return (at % dim + dim) % dim;
    default:
        return -1;
    }
}

/* The fill value, in the input's type. */
static const void *fill_value(const node *n, float *scratch) {
    *scratch = node_float(n, "value", 0.0f);
    if (n->input_count > 2 && n->inputs[2] != NULL) {
        return tensor_bytes(n->inputs[2]);
    }
    return n->inputs[0]->dtype == KILN_F32 ? scratch : NULL;
}

static kiln_status evaluate_pad(graph *g, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    pad_parameters p;
    kiln_status status = read_pads(g, n, &p);
    int64_t index[KILN_MAX_RANK], strides[KILN_MAX_RANK];
    float scratch;
    const void *fill = fill_value(n, &scratch);
    const uint8_t *from = tensor_bytes(x);
    size_t size = kiln_dtype_size(x->dtype);
    dense_strides(x->rank, x->dims, strides);
    for (int64_t k = 0; k < tensor_elements(y) && status == KILN_OK; k++) {
        bool outside = false;
        index_of(y, k, index);
        for (uint32_t d = 0; d < x->rank; d++) {
            index[d] = source_index(&p, d, x->dims[d], index[d]);
            outside = outside || index[d] < 0;
        }
        uint8_t *to = (uint8_t *)y->owned + (size_t)k * size;
        if (!outside) {
            memcpy(to, from + (size_t)dot_index(x->rank, index, strides) * size, size);
        } else if (fill != NULL) {
            memcpy(to, fill, size);
        }
    }
    return status;
}

static double fill_number(const node *n) {
    float scratch;
    const void *fill = fill_value(n, &scratch);
    if (fill == NULL) {
        return 0.0;
    }
    if (n->inputs[0]->dtype == KILN_F32) {
        float value;
        memcpy(&value, fill, sizeof value);
        return (double)value;
    }
    int64_t value = 0;
    memcpy(&value, fill, kiln_dtype_size(n->inputs[0]->dtype));
    return (double)value;
}

static kiln_status lower_pad(lowering *l, node *n) {
    graph *g = lower_graph(l);
    const tensor *x = n->inputs[0], *y = n->outputs[0];
    pad_parameters p;
    kiln_status status = read_pads(g, n, &p);
    bool batched = tensor_is_batched(g, y);
    int64_t entries = 0, at = 0;
    for (uint32_t d = batched ? 1 : 0; d < y->rank; d++) {
        entries += y->dims[d];
    }
    int64_t *table = graph_allocate(g, ((size_t)entries + 1) * sizeof *table);
    if (status != KILN_OK || table == NULL) {
        return status != KILN_OK ? status : KILN_ERROR_MEMORY;
    }
    for (uint32_t position = batched ? 1 : 0; position < y->rank; position++) {
        uint32_t axis = logical_axis(y, position);
        for (int64_t k = 0; k < y->dims[axis]; k++) {
            table[at++] = source_index(&p, axis, x->dims[axis], k);
        }
    }
    kiln_remap_params params = {.rank = y->rank, .batched = batched, .fill = fill_number(n)};
    uint32_t inputs[2] = {lower_input(l, n, 0),
                          lower_constant_data(l, NULL, KILN_I64, 1, &entries, table)};
    uint32_t out = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_REMAP, &params, sizeof params, 2, inputs, 1, &out);
}

const op ops_pad[] = {
    {"Pad", 2, OP_INPUTS(1, 4), OP_OUTPUTS(1, 1), .constant_inputs = 14, .layout = OP_ANY,
     .infer = infer_pad, .evaluate = evaluate_pad, .lower = lower_pad},
    {.name = NULL},
};
