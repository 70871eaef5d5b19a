/* Trilu, EyeLike, Compress, NonZero: what lies on one side of a diagonal, or where a condition
 * holds, as is known when compiling. */
#include "compiler/graph/element_type.h"
#include "compiler/ops/axes.h"
#include "compiler/ops/expand.h"
#include "compiler/ops/support.h"

#include <string.h>

/* ---- Trilu --------------------------------------------------------------------------------- */

static int64_t diagonal_of(const node *n) {
    int64_t k = 0;
    (void)node_input_ints(n, 1, &k, 1);
    return k;
}

static kiln_status infer_trilu(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    if (x->rank < 2) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "an input of rank %u is no matrix", x->rank);
    }
    kiln_status status = refuse_batch_values(g, n, 1);
    if (status == KILN_OK && x->rank == 2) {
        status = refuse_batch(g, n, x, 0);
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

static bool is_kept(const node *n, int64_t row, int64_t column) {
    bool upper = node_int(n, "upper", 1) != 0;
    return upper ? column - row >= diagonal_of(n) : column - row <= diagonal_of(n);
}

static kiln_status evaluate_trilu(graph *g, node *n) {
    (void)g;
    tensor *x = n->inputs[0];
    int64_t columns = x->dims[x->rank - 1], rows = x->dims[x->rank - 2];
    size_t size = kiln_dtype_size(x->dtype);
    for (int64_t k = 0; k < tensor_elements(x); k++) {
        if (is_kept(n, k / columns % rows, k % columns)) {
            memcpy((uint8_t *)n->outputs[0]->owned + (size_t)k * size,
                   tensor_bytes(x) + (size_t)k * size, size);
        }
    }
    return KILN_OK;
}

static kiln_status expand_trilu(expansion *e, node *n) {
    tensor *x = n->inputs[0];
    tensor *mask = expand_constant(e, KILN_BOOL, 2, x->dims + x->rank - 2);
    int64_t columns = x->dims[x->rank - 1];
    for (int64_t k = 0; mask != NULL && k < tensor_elements(mask); k++) {
        ((uint8_t *)mask->owned)[k] = is_kept(n, k / columns, k % columns);
    }
    expand_result(e, 0, expand_where(e, mask, x, expand_number(e, x->dtype, 0)));
    return KILN_OK;
}

/* ---- EyeLike ------------------------------------------------------------------------------- */

static kiln_status infer_eye_like(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    kiln_dtype dtype = x->dtype;
    if (x->rank != 2) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "an input of rank %u is no matrix", x->rank);
    }
    if (node_attribute(n, "dtype") != NULL &&
        !dtype_of_onnx_type(node_int(n, "dtype", 1), &dtype)) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "elements of type %s",
                         onnx_type_name(node_int(n, "dtype", 1)));
    }
    n->outputs[0]->dtype = inner_dtype(dtype);
    return tensor_set_shape(g, n, n->outputs[0], 2, x->dims);
}

static kiln_status evaluate_eye_like(graph *g, node *n) {
    (void)g;
    tensor *y = n->outputs[0];
    int64_t diagonal = node_int(n, "k", 0);
    for (int64_t row = 0; row < y->dims[0]; row++) {
        int64_t column = row + diagonal, at = row * y->dims[1] + column;
        if (column < 0 || column >= y->dims[1]) {
            continue;
        }
        if (y->dtype == KILN_F32) {
            ((float *)y->owned)[at] = 1;
        } else if (y->dtype == KILN_I64) {
            ((int64_t *)y->owned)[at] = 1;
        } else {
            ((uint8_t *)y->owned)[at] = 1;
        }
    }
    return KILN_OK;
}

/* ---- Compress ------------------------------------------------------------------------------ */

/* Along which axis, and how many elements it has; without one, x is flattened. */
static kiln_status compress_span(graph *g, const node *n, axis_span *out) {
    const tensor *x = n->inputs[0];
    uint32_t axis;
    if (node_attribute(n, "axis") == NULL) {
        *out = (axis_span){1, tensor_elements(x), 1};
        return x->rank > 0 ? refuse_batch(g, n, x, 0) : KILN_OK;
    }
    kiln_status status = node_axis(g, n, node_int(n, "axis", 0), x->rank, &axis);
    if (status == KILN_OK) {
        status = refuse_batch(g, n, x, axis);
    }
    if (status == KILN_OK) {
        *out = axis_span_of(x, axis);
    }
    return status;
}

/* Positions along the axis that are kept; a short condition keeps none after its end. */
static int64_t kept_positions(const node *n, int64_t size, int64_t *out_positions) {
    tensor *condition = n->inputs[1];
    int64_t count = 0, known = tensor_elements(condition);
    for (int64_t k = 0; k < known && k < size; k++) {
        if (tensor_bytes(condition)[k] != 0) {
            if (out_positions != NULL) {
                out_positions[count] = k;
            }
            count++;
        }
    }
    return count;
}

static kiln_status infer_compress(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    int64_t dims[KILN_MAX_RANK];
    axis_span v;
    kiln_status status = require_dtype(g, n, 1, MASK_BOOL);
    if (status == KILN_OK && n->inputs[1]->rank != 1) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "the condition has rank %u, not 1",
                           n->inputs[1]->rank);
    }
    if (status == KILN_OK && !tensor_is_constant(n->inputs[1])) {
        status = node_fail(g, n, KILN_ERROR_UNSUPPORTED, "a condition that only a run can tell");
    }
    if (status == KILN_OK) {
        status = compress_span(g, n, &v);
    }
    if (status == KILN_OK) {
        status = refuse_batch_values(g, n, 1);
    }
    if (status != KILN_OK) {
        return status;
    }
    int64_t axis = node_int(n, "axis", 0);
    bool flat = node_attribute(n, "axis") == NULL;
    memcpy(dims, x->dims, sizeof dims);
    dims[flat ? 0 : axis < 0 ? axis + x->rank : axis] = kept_positions(n, v.size, NULL);
    n->outputs[0]->dtype = x->dtype;
    return tensor_set_shape(g, n, n->outputs[0], flat ? 1 : x->rank, dims);
}

static kiln_status evaluate_compress(graph *g, node *n) {
    tensor *x = n->inputs[0];
    axis_span v;
    kiln_status status = compress_span(g, n, &v);
    if (status != KILN_OK) {
        return status;
    }
    size_t run = (size_t)v.inner * kiln_dtype_size(x->dtype);
    uint8_t *to = n->outputs[0]->owned;
    int64_t known = tensor_elements(n->inputs[1]);
    for (int64_t k = 0; k < v.outer * v.size; k++) {
        if (k % v.size < known && tensor_bytes(n->inputs[1])[k % v.size] != 0) {
            memcpy(to, tensor_bytes(x) + (size_t)k * run, run);
            to += run;
        }
    }
    return KILN_OK;
}

static kiln_status expand_compress(expansion *e, node *n) {
    axis_span v;
    kiln_status status = compress_span(e->g, n, &v);
    if (status != KILN_OK) {
        return status;
    }
    int64_t count = kept_positions(n, v.size, NULL);
    bool flat = node_attribute(n, "axis") == NULL;
    const attribute along = {
        .name = "axis", .type = ATTRIBUTE_INT, .i = flat ? 0 : node_int(n, "axis", 0)};
    tensor *inputs[2] = {flat ? expand_reshape(e, n->inputs[0], 1, &v.size) : n->inputs[0],
                         expand_constant(e, KILN_I64, 1, &count)};
    if (inputs[1] != NULL) {
        (void)kept_positions(n, v.size, inputs[1]->owned);
    }
    expand_result(e, 0, expand_apply(e, "Gather", 2, inputs, &along));
    return KILN_OK;
}

/* ---- NonZero ------------------------------------------------------------------------------- */

static bool is_zero(tensor *t, int64_t k) {
    return t->dtype == KILN_F32   ? tensor_f32_at(t, k) == 0
           : t->dtype == KILN_I64 ? tensor_i64(t)[k] == 0
                                  : tensor_bytes(t)[k] == 0;
}

static kiln_status infer_non_zero(graph *g, node *n) {
    tensor *x = n->inputs[0];
    int64_t dims[2] = {x->rank > 0 ? x->rank : 1, 0};
    if (!tensor_is_constant(x)) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "as many results as a run has non-zeros");
    }
    kiln_status status = refuse_batch_values(g, n, 0);
    for (int64_t k = 0; k < tensor_elements(x); k++) {
        dims[1] += !is_zero(x, k);
    }
    n->outputs[0]->dtype = KILN_I64;
    return status == KILN_OK ? tensor_set_shape(g, n, n->outputs[0], 2, dims) : status;
}

static kiln_status evaluate_non_zero(graph *g, node *n) {
    (void)g;
    tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t count = y->dims[1], at = 0, index[KILN_MAX_RANK] = {0};
    for (int64_t k = 0; k < tensor_elements(x); k++) {
        if (!is_zero(x, k)) {
            index_of(x, k, index);
            for (int64_t d = 0; d < y->dims[0]; d++) {
                ((int64_t *)y->owned)[d * count + at] = index[d];
            }
            at++;
        }
    }
    return KILN_OK;
}

const op ops_mask[] = {
    {"Trilu", 14, OP_INPUTS(1, 2), OP_OUTPUTS(1, 1), .constant_inputs = 2, .infer = infer_trilu,
     .evaluate = evaluate_trilu, .expand = expand_trilu},
    {"EyeLike", 9, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .flags = OP_SHAPE_ONLY,
     .infer = infer_eye_like, .evaluate = evaluate_eye_like, .lower = lower_unfoldable},
    {"Compress", 9, OP_INPUTS(2, 2), OP_OUTPUTS(1, 1), .constant_inputs = 2,
     .infer = infer_compress, .evaluate = evaluate_compress, .expand = expand_compress},
    {"NonZero", 9, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .constant_inputs = 1, .infer = infer_non_zero,
     .evaluate = evaluate_non_zero, .lower = lower_unfoldable},
    {.name = NULL},
};
