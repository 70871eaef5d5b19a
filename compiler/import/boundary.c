/* Graph inputs and outputs: their types, their shapes, and the casts to types that only exist
 * there.
 * */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"

#include <stdio.h>
#include <string.h>

/* ---- Types --------------------------------------------------------------------------------- */

static kiln_status read_type(importing *im, const char *kind, const Onnx__ValueInfoProto *p,
                             kiln_dtype *out_dtype) {
    const Onnx__TypeProto *type = p->type;
    if (type == NULL || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
        type->tensor_type == NULL) {
        bool none = type == NULL || type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET;
        return graph_fail(im->g, KILN_ERROR_UNSUPPORTED, "%s '%s' %s; supported: tensors", kind,
                          p->name,
                          none ? "has no type" : "is a sequence, map, sparse or optional type");
    }
    int32_t elements = type->tensor_type->elem_type;
    if (!dtype_of_onnx_type(elements, out_dtype)) {
        return graph_fail(im->g, KILN_ERROR_UNSUPPORTED,
                          "%s '%s' is of type %s; supported: bool, integers of 8 to 64 bits, "
                          "floats of 16 to 64",
                          kind, p->name, onnx_type_name(elements));
    }
    return KILN_OK;
}

kiln_status add_boundary_cast(importing *im, tensor *from, tensor *to) {
    graph *g = im->g;
    node *cast = graph_add_node(g, op_find("Cast"), NULL, 1, &from, 1, &to);
    if (cast == NULL) {
        return KILN_ERROR_MEMORY;
    }
    kiln_status status = node_set_int(g, cast, "to", onnx_type_of_dtype(to->dtype));
    return status == KILN_OK ? node_set_int(g, cast, "boundary", 1) : status;
}

/* ---- Shapes -------------------------------------------------------------------------------- */

static bool is_settled(const Onnx__TensorShapeProto__Dimension *d) {
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
        int written = is_settled(d)
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

/* An open batch is for sessions to choose, or 1; other open dimensions are refused. */
static kiln_status shape_from_model(importing *im, const Onnx__TensorShapeProto *shape, tensor *t) {
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
        if (k > 0 && !is_settled(shape->dim[k])) {
            return open_fail(im, t->name, shape);
        }
        dims[k] = is_settled(shape->dim[k]) ? shape->dim[k]->dim_value : open_batch(im);
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
        if (!batch && shape != NULL && is_settled(shape->dim[k]) &&
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

/* ---- Inputs -------------------------------------------------------------------------------- */

static kiln_status make_input(importing *im, const Onnx__ValueInfoProto *p) {
    kiln_dtype dtype;
    kiln_status status = read_type(im, "input", p, &dtype);
    if (status != KILN_OK) {
        return status;
    }
    tensor *t = graph_add_tensor(im->g, p->name, dtype);
    if (t == NULL) {
        return KILN_ERROR_MEMORY;
    }
    const kiln_value *value = given_value(im, p->name, im->g->input_count);
    const Onnx__TensorShapeProto *shape = p->type->tensor_type->shape;
    t->is_input = true;
    t->open_batch = shape != NULL && shape->n_dim > 0 && !is_settled(shape->dim[0]);
    im->g->inputs[im->g->input_count++] = t;
    return value != NULL ? shape_from_value(im, value, shape, t) : shape_from_model(im, shape, t);
}

kiln_status import_input(importing *im, kiln_span message) {
    Onnx__ValueInfoProto *p = onnx__value_info_proto__unpack(NULL, message.size, message.data);
    kiln_status status = KILN_OK;
    if (p == NULL || p->name == NULL || p->name[0] == '\0') {
        status = graph_fail(im->g, KILN_ERROR_FORMAT, "an input is damaged or has no name");
    } else if (graph_find_tensor(im->g, p->name) == NULL) {
        status = make_input(im, p);
    } else if (graph_find_tensor(im->g, p->name)->is_input) {
        status = graph_fail(im->g, KILN_ERROR_FORMAT, "input '%s' is defined twice", p->name);
    } else {
        status = bind_initializer(im, graph_find_tensor(im->g, p->name));
    }
    if (p != NULL) {
        onnx__value_info_proto__free_unpacked(p, NULL);
    }
    return status;
}

/* ---- Outputs ------------------------------------------------------------------------------- */

/* The graph computes f32 or i64 where the caller wants another type: the output keeps its name,
 * what is inside gets another. */
static kiln_status cast_output(importing *im, tensor *inner, kiln_dtype dtype,
                               tensor **out_output) {
    *out_output = graph_add_tensor(im->g, inner->name, dtype);
    if (*out_output == NULL) {
        return KILN_ERROR_MEMORY;
    }
    graph_swap_names(im->g, inner, *out_output);
    return add_boundary_cast(im, inner, *out_output);
}

/* Outputs may come without a type: inference tells it. */
static kiln_status output_dtype(importing *im, const Onnx__ValueInfoProto *p,
                                kiln_dtype *out_dtype) {
    const Onnx__TypeProto *type = p->type;
    bool untyped = type == NULL || type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET ||
                   (type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
                    type->tensor_type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED);
    *out_dtype = KILN_F32;
    return untyped ? KILN_OK : read_type(im, "output", p, out_dtype);
}

static kiln_status make_output(importing *im, const Onnx__ValueInfoProto *p) {
    graph *g = im->g;
    kiln_dtype dtype;
    kiln_status status = output_dtype(im, p, &dtype);
    if (status != KILN_OK) {
        return status;
    }
    tensor *t = graph_find_tensor(g, p->name);
    if (t == NULL || (t->producer == NULL && !t->is_input && t->data == NULL)) {
        return graph_fail(g, KILN_ERROR_FORMAT, "output '%s' is not computed by any node", p->name);
    }
    /* One that is listed twice stands twice in the list. */
    if (dtype != inner_dtype(dtype) && !t->is_input && !t->is_output) {
        status = cast_output(im, t, dtype, &t);
    }
    if (status == KILN_OK) {
        t->is_output = true;
        g->outputs[g->output_count++] = t;
    }
    return status;
}

kiln_status import_output(importing *im, kiln_span message) {
    Onnx__ValueInfoProto *p = onnx__value_info_proto__unpack(NULL, message.size, message.data);
    kiln_status status =
        p == NULL || p->name == NULL || p->name[0] == '\0'
            ? graph_fail(im->g, KILN_ERROR_FORMAT, "an output is damaged or has no name")
            : make_output(im, p);
    if (p != NULL) {
        onnx__value_info_proto__free_unpacked(p, NULL);
    }
    return status;
}
