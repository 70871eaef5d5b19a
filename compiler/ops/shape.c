/* Shape, Size, Range, ConstantOfShape: what is computed when compiling and never at run time. */
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

/* Opset 15: a part of the shape. */
static void shape_range(const node *n, int64_t *out_start, int64_t *out_end) {
    int64_t rank = n->inputs[0]->rank;
    int64_t start = node_int(n, "start", 0), end = node_int(n, "end", rank);
    start += start < 0 ? rank : 0;
    end += end < 0 ? rank : 0;
    *out_start = start < 0 ? 0 : start > rank ? rank : start;
    *out_end = end < *out_start ? *out_start : end > rank ? rank : end;
}

static kiln_status infer_shape(graph *g, node *n) {
    int64_t start, end;
    shape_range(n, &start, &end);
    int64_t count = end - start;
    n->outputs[0]->dtype = KILN_I64;
    return tensor_set_shape(g, n, n->outputs[0], 1, &count);
}

static kiln_status evaluate_shape(graph *g, node *n) {
    (void)g;
    int64_t start, end;
    shape_range(n, &start, &end);
    for (int64_t k = start; k < end; k++) {
        ((int64_t *)n->outputs[0]->owned)[k - start] = n->inputs[0]->dims[k];
    }
    return KILN_OK;
}

static kiln_status infer_size(graph *g, node *n) {
    n->outputs[0]->dtype = KILN_I64;
    return tensor_set_shape(g, n, n->outputs[0], 0, NULL);
}

static kiln_status evaluate_size(graph *g, node *n) {
    (void)g;
    *(int64_t *)n->outputs[0]->owned = tensor_elements(n->inputs[0]);
    return KILN_OK;
}

static kiln_status infer_constant_of_shape(graph *g, node *n) {
    int64_t dims[KILN_MAX_RANK];
    int count = node_input_ints(n, 0, dims, KILN_MAX_RANK);
    const attribute *value = node_attribute(n, "value");
    if (count < 0) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "a shape that is not known, or of more "
                         "than %d dimensions",
                         KILN_MAX_RANK);
    }
    if (value != NULL && (value->t == NULL || tensor_elements(value->t) != 1)) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "attribute 'value' is not one element");
    }
    n->outputs[0]->dtype = value != NULL ? value->t->dtype : KILN_F32;
    return tensor_set_shape(g, n, n->outputs[0], (uint32_t)count, dims);
}

static kiln_status evaluate_constant_of_shape(graph *g, node *n) {
    (void)g;
    const attribute *value = node_attribute(n, "value");
    tensor *y = n->outputs[0];
    size_t size = kiln_dtype_size(y->dtype);
    for (int64_t k = 0; k < tensor_elements(y) && value != NULL; k++) {
        memcpy((uint8_t *)y->owned + (size_t)k * size, tensor_bytes(value->t), size);
    }
    return KILN_OK;
}

/* The batch is open, else it were folded: one value for all elements of a sample. */
static kiln_status lower_constant_of_shape(lowering *l, node *n) {
    const attribute *value = node_attribute(n, "value");
    const int64_t strides[KILN_MAX_RANK] = {0};
    tensor *y = n->outputs[0];
    tensor *one = graph_add_constant(lower_graph(l), NULL, y->dtype, 0, NULL);
    if (one == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (value != NULL) {
        memcpy(one->owned, value->t->data, kiln_dtype_size(y->dtype));
    }
    return lower_by_axes(l, n, one, y, strides, 0);
}

static double range_value(tensor *t) {
    return t->dtype == KILN_F32 ? (double)tensor_f32(t)[0] : (double)tensor_i64(t)[0];
}

static kiln_status infer_range(graph *g, node *n) {
    kiln_status status = require_same_dtype(g, n, 0);
    for (size_t k = 0; k < 3 && status == KILN_OK; k++) {
        status = require_dtype(g, n, k, MASK_NUMBERS);
        if (status == KILN_OK &&
            (!tensor_is_constant(n->inputs[k]) || tensor_elements(n->inputs[k]) != 1)) {
            status = node_fail(g, n, KILN_ERROR_UNSUPPORTED, "input %zu is no known scalar", k);
        }
    }
    if (status != KILN_OK) {
        return status;
    }
    double start = range_value(n->inputs[0]), limit = range_value(n->inputs[1]);
    double count = ceil((limit - start) / range_value(n->inputs[2]));
    if (!(count < 1e9)) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "a range of %g elements", count);
    }
    int64_t elements = count > 0 ? (int64_t)count : 0;
    n->outputs[0]->dtype = n->inputs[0]->dtype;
    return tensor_set_shape(g, n, n->outputs[0], 1, &elements);
}

static kiln_status evaluate_range(graph *g, node *n) {
    (void)g;
    tensor *y = n->outputs[0];
    for (int64_t k = 0; k < tensor_elements(y); k++) {
        if (y->dtype == KILN_F32) {
            ((float *)y->owned)[k] =
                (float)(range_value(n->inputs[0]) + (double)k * range_value(n->inputs[2]));
        } else {
            uint64_t step = (uint64_t)tensor_i64(n->inputs[2])[0];
            ((int64_t *)y->owned)[k] =
                (int64_t)((uint64_t)tensor_i64(n->inputs[0])[0] + (uint64_t)k * step);
        }
    }
    return KILN_OK;
}

const op ops_shape[] = {
    {"Shape", 1, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .flags = OP_SHAPE_ONLY, .infer = infer_shape,
     .evaluate = evaluate_shape, .lower = lower_unfoldable},
    {"Size", 1, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .flags = OP_SHAPE_ONLY, .infer = infer_size,
     .evaluate = evaluate_size, .lower = lower_unfoldable},
    {"ConstantOfShape", 9, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .constant_inputs = 1,
     .infer = infer_constant_of_shape, .evaluate = evaluate_constant_of_shape,
     .lower = lower_constant_of_shape},
    {"Range", 11, OP_INPUTS(3, 3), OP_OUTPUTS(1, 1), .constant_inputs = 7, .infer = infer_range,
     .evaluate = evaluate_range, .lower = lower_unfoldable},
    {.name = NULL},
};
