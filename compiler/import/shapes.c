/* Shapes of tensors: as given, or as the model has them. */
#include "compiler/import/importing.h"

#include <stdio.h>

bool is_settled_dimension(const Onnx__TensorShapeProto__Dimension *d) {
    return d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
           d->dim_value > 0;
}

/* "N x 3 x height x width"; an open batch is `batch` when that is given. */
static void describe_shape(const Onnx__TensorShapeProto *shape, const char *cross,
                           const char *batch, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t k = 0; k < shape->n_dim && used < size; k++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[k];
        bool named = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
                     d->dim_param != NULL && d->dim_param[0] != '\0';
        const char *open = k == 0 && batch != NULL ? batch : named ? d->dim_param : "?";
        int written = is_settled_dimension(d)
                          ? snprintf(out + used, size - used, "%s%lld", k > 0 ? cross : "",
                                     (long long)d->dim_value)
                          : snprintf(out + used, size - used, "%s%s", k > 0 ? cross : "", open);
        used += written > 0 ? (size_t)written : 0;
    }
}

static kiln_status open_fail(importing *im, const char *name, const Onnx__TensorShapeProto *shape) {
    char found[150], wanted[150];
    describe_shape(shape, " x ", NULL, found, sizeof found);
    describe_shape(shape, "x", "1", wanted, sizeof wanted);
    return graph_fail(im->g, KILN_ERROR_ARGUMENT,
                      "input '%s' has open dimensions: %s; settle them with --input %s=%s", name,
                      found, name, wanted);
}

static int64_t open_batch(importing *im) {
    im->g->batch_symbolic = im->g->batch_symbolic || im->symbolic_batch;
    return im->symbolic_batch ? GRAPH_BATCH : 1;
}

kiln_status shape_from_model(importing *im, const Onnx__TensorShapeProto *shape, tensor *t) {
    int64_t dims[KILN_MAX_RANK];
    if (shape == NULL) {
        return graph_fail(im->g, KILN_ERROR_ARGUMENT,
                          "input '%s' has no shape; give one with --input %s=1x3xHxW", t->name,
                          t->name);
    }
    if (shape->n_dim > KILN_MAX_RANK) {
        return graph_fail(im->g, KILN_ERROR_UNSUPPORTED,
                          "input '%s' has %zu dimensions; at most %d", t->name, shape->n_dim,
                          KILN_MAX_RANK);
    }
    for (size_t k = 0; k < shape->n_dim; k++) {
        if (k > 0 && !is_settled_dimension(shape->dim[k])) {
            return open_fail(im, t->name, shape);
        }
        dims[k] = is_settled_dimension(shape->dim[k]) ? shape->dim[k]->dim_value : open_batch(im);
    }
    return tensor_set_shape(im->g, NULL, t, (uint32_t)shape->n_dim, dims);
}

kiln_status shape_from_value(importing *im, const kiln_value *value,
                             const Onnx__TensorShapeProto *shape, tensor *t) {
    int64_t dims[KILN_MAX_RANK];
    if (shape != NULL && shape->n_dim != value->rank) {
        return graph_fail(im->g, KILN_ERROR_ARGUMENT,
                          "input '%s' has %zu dimensions; %u were given", t->name, shape->n_dim,
                          value->rank);
    }
    for (uint32_t k = 0; k < value->rank; k++) {
        bool batch = k == 0 && value->dims[0] == KILN_BATCH && value->data == NULL;
        dims[k] = batch ? open_batch(im) : value->dims[k];
        if (!batch && shape != NULL && is_settled_dimension(shape->dim[k]) &&
            shape->dim[k]->dim_value != dims[k]) {
            describe_shape(shape, "x", "N", im->g->fixed, sizeof im->g->fixed);
        }
    }
    return tensor_set_shape(im->g, NULL, t, value->rank, dims);
}

kiln_status shape_from_value_info(importing *im, const Onnx__ValueInfoProto *p, tensor *t) {
    kiln_dtype dtype;
    if (!dtype_of_onnx_type(p->type->tensor_type->elem_type, &dtype)) {
        return KILN_OK;
    }
    set_inner_type(t, dtype);
    const Onnx__TensorShapeProto *shape = p->type->tensor_type->shape;
    return shape != NULL && given_value(im, t->name, SIZE_MAX) == NULL
               ? shape_from_model(im, shape, t)
               : KILN_OK;
}
