/* The graph's inputs and outputs. */
#include "compiler/import/importing.h"

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
    t->open_batch = shape != NULL && shape->n_dim > 0 && !is_settled_dimension(shape->dim[0]);
    im->g->inputs[im->g->input_count++] = t;
    return value != NULL ? shape_from_value(im, value, shape, t) : shape_from_model(im, shape, t);
}

kiln_status import_input(importing *im, kiln_span message) {
    Onnx__ValueInfoProto *p =
        onnx__value_info_proto__unpack(&im->memory, message.size, message.data);
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
    Onnx__ValueInfoProto *p =
        onnx__value_info_proto__unpack(&im->memory, message.size, message.data);
    kiln_status status =
        p == NULL || p->name == NULL || p->name[0] == '\0'
            ? graph_fail(im->g, KILN_ERROR_FORMAT, "an output is damaged or has no name")
            : make_output(im, p);
    if (p != NULL) {
        onnx__value_info_proto__free_unpacked(p, NULL);
    }
    return status;
}
