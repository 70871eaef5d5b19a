/* Graph inputs and outputs: types, open dimensions, given values. */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"
#include <kiln/half.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By name, or, for a value without one, by position among the inputs. */
static const kiln_value *given_value(const importing *im, const char *name, size_t position) {
    for (size_t k = 0; k < im->input_count; k++) {
        const char *given = im->inputs[k].name;
        if (strcmp(given, name) == 0 || (given[0] == '\0' && k == position)) {
            return &im->inputs[k];
        }
    }
    return NULL;
}

/* ---- Types --------------------------------------------------------------------------------- */

/* Types of inputs and outputs; other floating-point types would promise a precision that is not
 * there. */
static bool boundary_dtype(int32_t type, kiln_dtype *out_dtype) {
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        *out_dtype = KILN_F32;
        return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        *out_dtype = KILN_I64;
        return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
        *out_dtype = KILN_BOOL;
        return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
        *out_dtype = KILN_F16;
        return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        *out_dtype = KILN_I32;
        return true;
    default:
        return false;
    }
}

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
    if (!boundary_dtype(elements, out_dtype)) {
        return graph_fail(im->g, KILN_ERROR_UNSUPPORTED,
                          "%s '%s' is of type %s; supported: float, float16, int64, int32, bool",
                          kind, p->name, onnx_type_name(elements));
    }
    return KILN_OK;
}

static kiln_dtype inner_dtype(kiln_dtype dtype) {
    return dtype == KILN_F16 ? KILN_F32 : dtype == KILN_I32 ? KILN_I64 : dtype;
}

static int64_t onnx_type_of(kiln_dtype dtype) {
    switch (dtype) {
    case KILN_F16:
        return ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
    case KILN_I32:
        return ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
    case KILN_I64:
        return ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    default:
        return ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    }
}

/* A cast between the caller's type and the graph's. */
static kiln_status add_boundary_cast(importing *im, tensor *from, tensor *to) {
    graph *g = im->g;
    node *cast = graph_add_node(g, op_find("Cast"), NULL, 1, &from, 1, &to);
    if (cast == NULL) {
        return KILN_ERROR_MEMORY;
    }
    kiln_status status = node_set_int(g, cast, "to", onnx_type_of(to->dtype));
    return status == KILN_OK ? node_set_int(g, cast, "boundary", 1) : status;
}

/* ---- Shapes -------------------------------------------------------------------------------- */

/* "N x 3 x height x width". */
static void describe_shape(const Onnx__TensorShapeProto *shape, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t k = 0; k < shape->n_dim && used + 1 < size; k++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[k];
        bool known = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
                     d->dim_value > 0;
        bool named = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
                     d->dim_param != NULL && d->dim_param[0] != '\0';
        int written = known ? snprintf(out + used, size - used, "%s%lld", k > 0 ? " x " : "",
                                       (long long)d->dim_value)
                            : snprintf(out + used, size - used, "%s%s", k > 0 ? " x " : "",
                                       named ? d->dim_param : "?");
        used += written > 0 ? (size_t)written : 0;
    }
}

/* The shape from the model, KILN's placeholder or 1 for an open batch. Other open dims are refused.
 */
static kiln_status shape_from_model(importing *im, const char *name,
                                    const Onnx__TensorShapeProto *shape, tensor *t) {
    int64_t dims[KILN_MAX_RANK];
    if (shape == NULL) {
        return graph_fail(im->g, KILN_ERROR_ARGUMENT,
                          "input '%s' has no shape; give one with --input %s=1x3xHxW", name, name);
    }
    if (shape->n_dim > KILN_MAX_RANK) {
        return graph_fail(im->g, KILN_ERROR_UNSUPPORTED,
                          "input '%s' has %zu dimensions; at most %d", name, shape->n_dim,
                          KILN_MAX_RANK);
    }
    for (size_t k = 0; k < shape->n_dim; k++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[k];
        bool known = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
                     d->dim_value > 0;
        if (known) {
            dims[k] = d->dim_value;
        } else if (k == 0) {
            dims[k] = im->symbolic_batch ? GRAPH_BATCH : 1;
            im->g->batch_symbolic = im->g->batch_symbolic || im->symbolic_batch;
        } else {
            char text[200];
            describe_shape(shape, text, sizeof text);
            return graph_fail(im->g, KILN_ERROR_ARGUMENT,
                              "input '%s' has open dimensions: %s; settle them with --input %s=...",
                              name, text, name);
        }
    }
    return tensor_set_shape(im->g, NULL, t, (uint32_t)shape->n_dim, dims);
}

static kiln_status shape_from_value(importing *im, const kiln_value *value,
                                    const Onnx__TensorShapeProto *shape, tensor *t) {
    int64_t dims[KILN_MAX_RANK];
    if (shape != NULL && shape->n_dim != value->rank) {
        return graph_fail(im->g, KILN_ERROR_ARGUMENT,
                          "input '%s' has %zu dimensions; %u were given", t->name, shape->n_dim,
                          value->rank);
    }
    for (uint32_t k = 0; k < value->rank; k++) {
        dims[k] = value->dims[k];
        if (k == 0 && value->dims[0] == KILN_BATCH && value->data == NULL) {
            dims[0] = im->symbolic_batch ? GRAPH_BATCH : 1;
            im->g->batch_symbolic = im->g->batch_symbolic || im->symbolic_batch;
        }
    }
    return tensor_set_shape(im->g, NULL, t, value->rank, dims);
}

/* ---- Inputs -------------------------------------------------------------------------------- */

static kiln_status add_input(importing *im, tensor *t) {
    graph *g = im->g;
    tensor **inputs = graph_allocate(g, (g->input_count + 1) * sizeof *inputs);
    if (inputs == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (g->input_count > 0) {
        memcpy(inputs, g->inputs, g->input_count * sizeof *inputs);
    }
    inputs[g->input_count++] = t;
    g->inputs = inputs;
    t->is_input = true;
    return KILN_OK;
}

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
    status = value != NULL ? shape_from_value(im, value, shape, t)
                           : shape_from_model(im, p->name, shape, t);
    return status == KILN_OK ? add_input(im, t) : status;
}

kiln_status import_input(importing *im, kiln_span message) {
    Onnx__ValueInfoProto *p = onnx__value_info_proto__unpack(NULL, message.size, message.data);
    kiln_status status = KILN_OK;
    if (p == NULL || p->name == NULL || p->name[0] == '\0') {
        status = graph_fail(im->g, KILN_ERROR_FORMAT, "an input is damaged or has no name");
    } else if (graph_find_tensor(im->g, p->name) == NULL) { /* else it is an initializer */
        status = make_input(im, p);
    } else if (graph_find_tensor(im->g, p->name)->is_input) {
        status = graph_fail(im->g, KILN_ERROR_FORMAT, "input '%s' is defined twice", p->name);
    }
    if (p != NULL) {
        onnx__value_info_proto__free_unpacked(p, NULL);
    }
    return status;
}

/* ---- Outputs ------------------------------------------------------------------------------- */

/* The graph computes f32 or i64 where the caller wants f16 or i32: the output keeps its name, what
 * is inside gets another. */
static kiln_status cast_output(importing *im, tensor **inout_output, kiln_dtype dtype) {
    tensor *inner = *inout_output;
    tensor *outer = graph_add_tensor(im->g, inner->name, dtype);
    if (outer == NULL) {
        return KILN_ERROR_MEMORY;
    }
    const char *name = inner->name;
    inner->name = outer->name;
    outer->name = name;
    *inout_output = outer;
    return add_boundary_cast(im, inner, outer);
}

static kiln_status make_output(importing *im, const Onnx__ValueInfoProto *p, tensor **out_output) {
    kiln_dtype dtype = KILN_F32;
    bool typed = p->type != NULL && p->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
                 p->type->tensor_type != NULL && p->type->tensor_type->elem_type != 0;
    bool other = p->type != NULL && p->type->value_case != ONNX__TYPE_PROTO__VALUE__NOT_SET;
    kiln_status status = typed || other ? read_type(im, "output", p, &dtype) : KILN_OK;
    if (status != KILN_OK) {
        return status;
    }
    tensor *t = graph_find_tensor(im->g, p->name);
    if (t == NULL || (t->producer == NULL && !t->is_input && t->data == NULL)) {
        return graph_fail(im->g, KILN_ERROR_FORMAT, "output '%s' is not computed by any node",
                          p->name);
    }
    *out_output = t;
    bool narrow = typed && dtype != inner_dtype(dtype) && !(t->is_input && t->dtype == dtype);
    return narrow ? cast_output(im, out_output, dtype) : KILN_OK;
}

kiln_status import_outputs(importing *im, const kiln_span *messages, size_t count) {
    graph *g = im->g;
    g->outputs = graph_allocate(g, (count + 1) * sizeof *g->outputs);
    if (g->outputs == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < count; k++) {
        Onnx__ValueInfoProto *p =
            onnx__value_info_proto__unpack(NULL, messages[k].size, messages[k].data);
        kiln_status status =
            p == NULL || p->name == NULL
                ? graph_fail(g, KILN_ERROR_FORMAT, "an output is damaged or has no name")
                : make_output(im, p, &g->outputs[k]);
        if (p != NULL) {
            onnx__value_info_proto__free_unpacked(p, NULL);
        }
        if (status != KILN_OK) {
            return status;
        }
        g->outputs[k]->is_output = true;
        g->output_count++;
    }
    return count > 0 ? KILN_OK : graph_fail(g, KILN_ERROR_FORMAT, "the graph has no outputs");
}

/* ---- Given values -------------------------------------------------------------------------- */

/* Marks (tensor->mark = 1) what operators must know when compiling, traced back to the inputs. */
static void mark_needed(graph *g) {
    for (size_t k = 0; k < g->tensor_count; k++) {
        g->tensors[k]->mark = 0;
    }
    for (size_t k = g->node_count; k-- > 0;) {
        node *n = g->nodes[k];
        bool needed = false;
        for (size_t o = 0; o < n->output_count; o++) {
            needed = needed || (n->outputs[o] != NULL && n->outputs[o]->mark != 0);
        }
        needed = needed && (n->op->flags & OP_SHAPE_ONLY) == 0;
        for (size_t i = 0; i < n->input_count; i++) {
            bool slot = i < 32 && (n->op->constant_inputs >> i & 1) != 0;
            if (n->inputs[i] != NULL && (slot || needed)) {
                n->inputs[i]->mark = 1;
            }
        }
    }
}

static kiln_status bind_value(importing *im, tensor *t, const kiln_value *value) {
    size_t count = (size_t)tensor_elements(t);
    kiln_dtype dtype = inner_dtype(t->dtype);
    void *data = graph_allocate(im->g, count * kiln_dtype_size(dtype) + 1);
    if (data == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (value->dtype != t->dtype && value->dtype != dtype) {
        return graph_fail(im->g, KILN_ERROR_ARGUMENT, "input '%s' is of type %s; %s was given",
                          t->name, kiln_dtype_name(t->dtype), kiln_dtype_name(value->dtype));
    }
    for (size_t k = 0; k < count; k++) {
        if (value->dtype == KILN_F16) {
            ((float *)data)[k] = kiln_f32_from_f16(((const uint16_t *)value->data)[k]);
        } else if (value->dtype == KILN_I32) {
            ((int64_t *)data)[k] = ((const int32_t *)value->data)[k];
        }
    }
    if (value->dtype == dtype && count > 0) {
        memcpy(data, value->data, count * kiln_dtype_size(dtype));
    }
    t->dtype = dtype;
    t->data = data;
    t->is_input = false;
    return KILN_OK;
}

/* What is left of an f16 or i32 input: its readers read the cast. */
static kiln_status cast_input(importing *im, tensor *t) {
    graph *g = im->g;
    if (t->dtype == inner_dtype(t->dtype)) {
        return KILN_OK;
    }
    tensor *inner = graph_add_tensor(g, NULL, inner_dtype(t->dtype));
    if (inner == NULL) {
        return KILN_ERROR_MEMORY;
    }
    kiln_status status = graph_replace_uses(g, t, inner);
    size_t last = g->node_count;
    if (status == KILN_OK) {
        status = add_boundary_cast(im, t, inner);
    }
    if (status == KILN_OK) { /* to the front, where inputs are read */
        node *cast = g->nodes[last];
        memmove(g->nodes + 1, g->nodes, last * sizeof *g->nodes);
        g->nodes[0] = cast;
    }
    return status;
}

static kiln_status check_names(importing *im) {
    for (size_t k = 0; k < im->input_count; k++) {
        const tensor *t = graph_find_tensor(im->g, im->inputs[k].name);
        char names[300] = "";
        for (size_t i = 0; i < im->g->input_count; i++) {
            size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                     im->g->inputs[i]->name);
        }
        if (im->inputs[k].name[0] != '\0' &&
            (t == NULL || (!t->is_input && t->producer != NULL))) {
            return graph_fail(im->g, KILN_ERROR_ARGUMENT, "there is no input '%s'; inputs: %s",
                              im->inputs[k].name, names);
        }
    }
    return KILN_OK;
}

kiln_status bind_values(importing *im) {
    graph *g = im->g;
    kiln_status status = check_names(im);
    size_t kept = 0;
    mark_needed(g);
    for (size_t k = 0; k < g->input_count && status == KILN_OK; k++) {
        tensor *t = g->inputs[k];
        const kiln_value *value = given_value(im, t->name, k);
        if (t->mark != 0 && value != NULL && value->data != NULL) {
            status = bind_value(im, t, value);
        } else {
            status = cast_input(im, t);
            g->inputs[kept++] = t;
        }
    }
    g->input_count = kept;
    return status;
}
