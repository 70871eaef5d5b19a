/* AttributeProto to attribute. */
#include "compiler/import/importing.h"

#include <stdlib.h>
#include <string.h>

static const char *copy_text(importing *im, const ProtobufCBinaryData *text) {
    char *copy = graph_allocate(im->g, text->len + 1);
    if (copy != NULL && text->len > 0) {
        memcpy(copy, text->data, text->len);
    }
    return copy;
}

/* Older exporters leave the type out: what is there tells. */
static Onnx__AttributeProto__AttributeType type_of(const Onnx__AttributeProto *p) {
    if (p->has_type && p->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED) {
        return p->type;
    }
    return p->t != NULL      ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR
           : p->has_g        ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH
           : p->n_ints > 0   ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS
           : p->n_floats > 0 ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS
           : p->has_s        ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING
           : p->has_f        ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT
                             : ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
}

/* A tensor of the attribute's own: it is no value of the graph. */
static kiln_status read_tensor(importing *im, const node *n, const Onnx__AttributeProto *p,
                               attribute *a) {
    if (p->t == NULL) {
        return node_fail(im->g, n, KILN_ERROR_FORMAT, "attribute '%s' has no tensor", a->name);
    }
    a->type = ATTRIBUTE_TENSOR;
    a->t = graph_allocate(im->g, sizeof *a->t);
    if (a->t == NULL) {
        return KILN_ERROR_MEMORY;
    }
    a->t->name = graph_printf(im->g, "%s.%s", n->name, a->name);
    return a->t->name != NULL ? import_tensor_proto(im, p->t, (kiln_span){NULL, 0}, a->t)
                              : KILN_ERROR_MEMORY;
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

static kiln_status read_attribute(importing *im, const node *n, const Onnx__AttributeProto *p,
                                  attribute *a) {
    a->name = graph_strdup(im->g, p->name != NULL ? p->name : "");
    if (a->name == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (p->ref_attr_name != NULL && p->ref_attr_name[0] != '\0') {
        return node_fail(im->g, n, KILN_ERROR_UNSUPPORTED,
                         "attribute '%s' refers to a function's attribute", a->name);
    }
    switch (type_of(p)) {
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
        return read_tensor(im, n, p, a);
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

kiln_status import_attributes(importing *im, const Onnx__NodeProto *proto, node *n) {
    n->attributes = graph_allocate(im->g, (proto->n_attribute + 1) * sizeof *n->attributes);
    if (n->attributes == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < proto->n_attribute; k++) {
        kiln_status status = read_attribute(im, n, proto->attribute[k], &n->attributes[k]);
        if (status != KILN_OK) {
            return status;
        }
        n->attribute_count++;
    }
    return KILN_OK;
}
