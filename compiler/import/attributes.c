/* AttributeProto to attribute. Tensors are not unpacked with it: they may be large. */
#include "compiler/import/importing.h"

#include <stdlib.h>
#include <string.h>

enum { NODE_ATTRIBUTE = 5, ATTRIBUTE_TENSOR_FIELD = 5 };

static const char *copy_text(importing *im, const ProtobufCBinaryData *text) {
    char *copy = graph_allocate(im->g, text->len + 1);
    if (copy != NULL && text->len > 0) {
        memcpy(copy, text->data, text->len);
    }
    return copy;
}

/* Older exporters leave the type out: it is that of the field that is there. */
static Onnx__AttributeProto__AttributeType type_of(const Onnx__AttributeProto *p, kiln_span t) {
    if (p->has_type && p->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED) {
        return p->type;
    }
    return t.data != NULL    ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR
           : p->has_g        ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH
           : p->n_ints > 0   ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS
           : p->n_floats > 0 ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS
           : p->has_s        ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING
           : p->has_f        ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT
                             : ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
}

/* A tensor of the attribute's own, which is no value of the graph. Its data are copied to the
 * arena: nobody would free what an aligned view of the file's may need. */
static kiln_status read_tensor(importing *im, const node *n, kiln_span message, attribute *a) {
    tensor t = {.name = graph_printf(im->g, "%s.%s", n->name, a->name)};
    a->t = graph_allocate(im->g, sizeof *a->t);
    kiln_status status =
        a->t != NULL && t.name != NULL ? import_tensor(im, message, &t) : KILN_ERROR_MEMORY;
    if (status != KILN_OK) {
        return status;
    }
    size_t bytes = (size_t)tensor_elements(&t) * kiln_dtype_size(t.dtype);
    void *copy = graph_allocate(im->g, bytes + 1);
    if (copy != NULL && bytes > 0) {
        memcpy(copy, t.data, bytes);
    }
    tensor_release(&t);
    t.data = copy;
    *a->t = t;
    return copy != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

static kiln_status read_lists(importing *im, const Onnx__AttributeProto *p, attribute *a) {
    bool ints = a->type == ATTRIBUTE_INTS;
    a->count = ints ? p->n_ints : p->n_floats;
    size_t bytes = a->count * (ints ? sizeof(int64_t) : sizeof(float));
    void *copy = graph_allocate(im->g, bytes + 1);
    if (copy == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (bytes > 0) {
        memcpy(copy, ints ? (const void *)p->ints : (const void *)p->floats, bytes);
    }
    a->ints = ints ? copy : NULL;
    a->floats = ints ? NULL : copy;
    return KILN_OK;
}

static kiln_status read_value(importing *im, const node *n, const Onnx__AttributeProto *p,
                              kiln_span t, attribute *a) {
    switch (type_of(p, t)) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        a->type = ATTRIBUTE_INT;
        a->i = p->i;
        return KILN_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        a->type = ATTRIBUTE_FLOAT;
        a->f = p->f;
        return KILN_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        a->type = ATTRIBUTE_STRING;
        a->s = copy_text(im, &p->s);
        return a->s != NULL ? KILN_OK : KILN_ERROR_MEMORY;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        a->type = ATTRIBUTE_TENSOR;
        return t.data != NULL ? KILN_OK
                              : node_fail(im->g, n, KILN_ERROR_FORMAT,
                                          "attribute '%s' has no tensor", a->name);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        a->type = ATTRIBUTE_INTS;
        return read_lists(im, p, a);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        a->type = ATTRIBUTE_FLOATS;
        return read_lists(im, p, a);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS:
        return node_fail(im->g, n, KILN_ERROR_UNSUPPORTED, "subgraphs are not supported");
    default:
        a->type = ATTRIBUTE_OTHER;
        return KILN_OK;
    }
}

/* In a function's body an attribute may refer to one of the call. One that the call leaves out is
 * left out. */
static kiln_status read_reference(importing *im, const node *n, const char *name, attribute *a) {
    const node *call = scope_call(im);
    const char *own_name = a->name;
    const attribute *given = call != NULL ? node_attribute(call, name) : NULL;
    *a = given != NULL ? *given : (attribute){.type = ATTRIBUTE_ABSENT};
    a->name = own_name;
    return call != NULL ? KILN_OK
                        : node_fail(im->g, n, KILN_ERROR_FORMAT,
                                    "attribute '%s' refers to a function's attribute", own_name);
}

/* Reads everything but a tensor's content, whose message is returned. */
static kiln_status read_bare_attribute(importing *im, const node *n, kiln_span message,
                                       attribute *a, kiln_span *out_tensor) {
    size_t size = 0;
    uint8_t *bare = wire_without(&im->memory, message, ATTRIBUTE_TENSOR_FIELD, &size, out_tensor);
    Onnx__AttributeProto *p =
        bare != NULL ? onnx__attribute_proto__unpack(&im->memory, size, bare) : NULL;
    free(bare);
    if (p == NULL) {
        return node_fail(im->g, n, KILN_ERROR_FORMAT, "an attribute is damaged");
    }
    a->name = graph_strdup(im->g, p->name != NULL ? p->name : "");
    kiln_status status = a->name != NULL ? KILN_OK : KILN_ERROR_MEMORY;
    bool refers = p->ref_attr_name != NULL && p->ref_attr_name[0] != '\0';
    if (status == KILN_OK) {
        status = refers ? read_reference(im, n, p->ref_attr_name, a)
                        : read_value(im, n, p, *out_tensor, a);
    }
    onnx__attribute_proto__free_unpacked(p, NULL);
    return status;
}

static kiln_status read_attribute(importing *im, const node *n, kiln_span message, attribute *a) {
    kiln_span content;
    kiln_status status = read_bare_attribute(im, n, message, a, &content);
    bool own_tensor = status == KILN_OK && a->type == ATTRIBUTE_TENSOR && a->t == NULL;
    return own_tensor ? read_tensor(im, n, content, a) : status;
}

static bool next_attribute(kiln_span *inout_rest, wire_field *out_field) {
    bool sound = true;
    while (wire_next(inout_rest, out_field, &sound)) {
        if (out_field->number == NODE_ATTRIBUTE && out_field->type == WIRE_BYTES) {
            return true;
        }
    }
    return false;
}

static size_t count_attributes(kiln_span node_message) {
    wire_field field;
    size_t count = 0;
    while (next_attribute(&node_message, &field)) {
        count++;
    }
    return count;
}

kiln_status import_attributes(importing *im, kiln_span node_message, node *n) {
    wire_field field;
    n->attributes = graph_allocate(im->g, count_attributes(node_message) * sizeof *n->attributes);
    if (n->attributes == NULL) {
        return KILN_ERROR_MEMORY;
    }
    while (next_attribute(&node_message, &field)) {
        attribute *a = &n->attributes[n->attribute_count];
        kiln_status status = read_attribute(im, n, field.bytes, a);
        if (status != KILN_OK) {
            return status;
        }
        n->attribute_count += a->type != ATTRIBUTE_ABSENT;
    }
    return KILN_OK;
}

kiln_status import_default_attribute(importing *im, kiln_span message, node *call) {
    attribute a = {0};
    kiln_status status = read_attribute(im, call, message, &a);
    if (status == KILN_OK && node_attribute(call, a.name) == NULL) {
        call->attributes[call->attribute_count++] = a;
    }
    return status;
}

/* Gives t the elements of an attribute, which lie in the arena and are freed with it. */
static kiln_status take_tensor(importing *im, const node *n, const tensor *from, tensor *t) {
    t->dtype = from->dtype;
    t->narrow = from->narrow;
    t->data = from->data;
    return tensor_set_shape(im->g, n, t, from->rank, from->dims);
}

kiln_status import_constant_value(importing *im, kiln_span node_message, const node *n, tensor *t) {
    wire_field field;
    kiln_span message;
    attribute *a = graph_allocate(im->g, sizeof *a);
    if (a == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (count_attributes(node_message) != 1 || !next_attribute(&node_message, &field)) {
        return node_fail(im->g, n, KILN_ERROR_FORMAT, "expected one attribute");
    }
    kiln_status status = read_bare_attribute(im, n, field.bytes, a, &message);
    if (status != KILN_OK) {
        return status;
    }
    if (a->type == ATTRIBUTE_TENSOR) {
        return a->t != NULL ? take_tensor(im, n, a->t, t) : import_tensor(im, message, t);
    }
    const int64_t count = (int64_t)a->count;
    t->data = a->type == ATTRIBUTE_INT      ? (const void *)&a->i
              : a->type == ATTRIBUTE_FLOAT  ? (const void *)&a->f
              : a->type == ATTRIBUTE_INTS   ? (const void *)a->ints
              : a->type == ATTRIBUTE_FLOATS ? (const void *)a->floats
                                            : NULL;
    if (t->data == NULL) {
        return node_fail(im->g, n, KILN_ERROR_UNSUPPORTED,
                         "attribute '%s'; supported: value, value_float(s), value_int(s)", a->name);
    }
    bool integer = a->type == ATTRIBUTE_INT || a->type == ATTRIBUTE_INTS;
    bool list = a->type == ATTRIBUTE_INTS || a->type == ATTRIBUTE_FLOATS;
    t->dtype = integer ? KILN_I64 : KILN_F32;
    return tensor_set_shape(im->g, n, t, list ? 1 : 0, &count);
}
