/* Building and writing an ONNX model with protobuf-c's structures. */
#include "compiler/export/model.h"
#include "compiler/graph/element_type.h"
#include "runtime/base/files.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)INT32_MAX) /* protobuf's limit */
#define MAX_ATTRIBUTES 12             /* of a node */

void model_init(onnx_model *m) {
    *m = (onnx_model){.opset = 17};
    onnx__model_proto__init(&m->model);
    onnx__graph_proto__init(&m->graph);
}

void model_free(onnx_model *m) {
    for (size_t k = 0; k < m->owned_count; k++) {
        free(m->owned[k]);
    }
    free(m->owned);
    *m = (onnx_model){0};
}

void *model_allocate(onnx_model *m, size_t size) {
    if (m->owned_count == m->owned_capacity) {
        size_t capacity = m->owned_capacity == 0 ? 256 : m->owned_capacity * 2;
        void **grown = realloc(m->owned, capacity * sizeof *grown);
        m->failed = m->failed || grown == NULL;
        m->owned = grown != NULL ? grown : m->owned;
        m->owned_capacity = grown != NULL ? capacity : m->owned_capacity;
    }
    void *block = m->failed ? NULL : calloc(1, size + 1);
    if (block != NULL) {
        m->owned[m->owned_count++] = block;
    }
    m->failed = block == NULL;
    return block;
}

static char *copy_text(onnx_model *m, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = model_allocate(m, size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

const char *model_text(onnx_model *m, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *copy = copy_text(m, text);
    return copy != NULL ? copy : "";
}

/* protobuf-c wants arrays of pointers to what is not const. */
static char *plain(const char *text) {
    return (char *)(uintptr_t)text;
}

/* Makes one more place at the end of an array of pointers. */
static void append(onnx_model *m, void *array, size_t *count, size_t *capacity, void *item) {
    void **items = *(void ***)array;
    if (*count == *capacity) {
        size_t larger = *capacity == 0 ? 16 : *capacity * 2;
        void **grown = model_allocate(m, larger * sizeof *grown);
        if (grown == NULL) {
            return;
        }
        if (*count > 0) {
            memcpy(grown, items, *count * sizeof *grown);
        }
        *capacity = larger;
        *(void ***)array = items = grown;
    }
    items[(*count)++] = item;
}

/* ---- Nodes --------------------------------------------------------------------------------- */

const char *model_node(onnx_model *m, const char *op_type, const char *name, size_t count,
                       const char *const *inputs, Onnx__NodeProto **out_node) {
    Onnx__NodeProto *node = model_allocate(m, sizeof *node);
    name = name != NULL ? name : model_text(m, "kiln_%zu", m->names++);
    const char *node_name = model_text(m, "%s/%s", name, op_type);
    char **all = model_allocate(m, (count + 1) * sizeof *all);
    Onnx__AttributeProto **attributes = model_allocate(m, MAX_ATTRIBUTES * sizeof *attributes);
    if (out_node != NULL) {
        *out_node = m->failed ? &m->spare : node;
    }
    if (m->failed) {
        return "";
    }
    onnx__node_proto__init(node);
    node->op_type = plain(op_type);
    node->name = plain(node_name);
    node->n_input = count;
    node->input = all;
    for (size_t k = 0; k < count; k++) {
        node->input[k] = plain(inputs[k] != NULL ? inputs[k] : "");
    }
    node->n_output = 1;
    node->output = all + count;
    node->output[0] = plain(name);
    node->attribute = attributes;
    append(m, &m->graph.node, &m->graph.n_node, &m->node_capacity, node);
    return name;
}

/* NULL: the model has failed. */
static Onnx__AttributeProto *add_attribute(onnx_model *m, Onnx__NodeProto *node, const char *name,
                                           Onnx__AttributeProto__AttributeType type) {
    Onnx__AttributeProto *a = model_allocate(m, sizeof *a);
    if (a != NULL) {
        onnx__attribute_proto__init(a);
        a->name = plain(name);
        a->has_type = 1;
        a->type = type;
        node->attribute[node->n_attribute++] = a; /* rows give no more */
    }
    return a;
}

void model_int(onnx_model *m, Onnx__NodeProto *node, const char *name, int64_t value) {
    Onnx__AttributeProto *a =
        add_attribute(m, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (a != NULL) {
        a->has_i = 1;
        a->i = value;
    }
}

void model_string(onnx_model *m, Onnx__NodeProto *node, const char *name, const char *value) {
    Onnx__AttributeProto *a =
        add_attribute(m, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    if (a != NULL) {
        a->has_s = 1;
        a->s.data = (uint8_t *)plain(model_text(m, "%s", value));
        a->s.len = strlen(value);
    }
}

void model_float(onnx_model *m, Onnx__NodeProto *node, const char *name, float value) {
    Onnx__AttributeProto *a =
        add_attribute(m, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (a != NULL) {
        a->has_f = 1;
        a->f = value;
    }
}

void model_ints(onnx_model *m, Onnx__NodeProto *node, const char *name, size_t count,
                const int64_t *values) {
    Onnx__AttributeProto *a =
        add_attribute(m, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    int64_t *ints = model_allocate(m, (count + 1) * sizeof *ints);
    if (ints != NULL) {
        memcpy(ints, values, count * sizeof *ints);
        a->n_ints = count;
        a->ints = ints;
    }
}

/* ---- Initializers -------------------------------------------------------------------------- */

static void *add_initializer(onnx_model *m, const char **inout_name, int32_t type, size_t element,
                             size_t rank, const int64_t *dims) {
    Onnx__TensorProto *t = model_allocate(m, sizeof *t);
    size_t count = 1;
    *inout_name = *inout_name != NULL ? *inout_name : model_text(m, "kiln_%zu", m->names++);
    int64_t *own_dims = model_allocate(m, (rank + 1) * sizeof *own_dims);
    for (size_t k = 0; k < rank; k++) {
        count *= (size_t)dims[k];
    }
    void *data = model_allocate(m, count * element);
    if (m->failed) {
        return NULL;
    }
    onnx__tensor_proto__init(t);
    t->name = plain(*inout_name);
    t->has_data_type = 1;
    t->data_type = type;
    t->n_dims = rank;
    t->dims = own_dims;
    if (rank > 0) {
        memcpy(own_dims, dims, rank * sizeof *dims);
    }
    t->has_raw_data = 1;
    t->raw_data.len = count * element;
    t->raw_data.data = data;
    append(m, &m->graph.initializer, &m->graph.n_initializer, &m->initializer_capacity, t);
    return m->failed ? NULL : data;
}

float *model_floats_room(onnx_model *m, const char **inout_name, size_t rank, const int64_t *dims) {
    return add_initializer(m, inout_name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, sizeof(float), rank,
                           dims);
}

const char *model_elements(onnx_model *m, const char *name, kiln_dtype dtype, size_t rank,
                           const int64_t *dims, const void *data) {
    size_t bytes = kiln_dtype_size(dtype);
    void *room = add_initializer(m, &name, (int32_t)onnx_type_of_dtype(dtype), bytes, rank, dims);
    for (size_t k = 0; k < rank; k++) {
        bytes *= (size_t)dims[k];
    }
    if (room != NULL) {
        memcpy(room, data, bytes);
    }
    return name;
}

const char *model_floats(onnx_model *m, const char *name, size_t rank, const int64_t *dims,
                         const float *data) {
    return model_elements(m, name, KILN_F32, rank, dims, data);
}

const char *model_integers(onnx_model *m, size_t count, const int64_t *values) {
    const int64_t dims = (int64_t)count;
    return model_elements(m, NULL, KILN_I64, 1, &dims, values);
}

/* ---- Ends and metadata --------------------------------------------------------------------- */

void model_end(onnx_model *m, bool input, const char *name, kiln_dtype dtype, size_t rank,
               const uint32_t *dims, bool batched) {
    Onnx__ValueInfoProto *value = model_allocate(m, sizeof *value);
    Onnx__TypeProto *type = model_allocate(m, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = model_allocate(m, sizeof *tensor);
    Onnx__TensorShapeProto *shape = model_allocate(m, sizeof *shape);
    Onnx__TensorShapeProto__Dimension **all = model_allocate(m, (rank + 1) * sizeof *all);
    if (m->failed) {
        return;
    }
    onnx__value_info_proto__init(value);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    value->name = plain(name);
    value->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = (int32_t)onnx_type_of_dtype(dtype);
    tensor->shape = shape;
    shape->dim = all;
    for (size_t k = 0; k < rank; k++) {
        Onnx__TensorShapeProto__Dimension *dim = model_allocate(m, sizeof *dim);
        if (dim == NULL) {
            return;
        }
        onnx__tensor_shape_proto__dimension__init(dim);
        bool symbol = k == 0 && batched;
        dim->value_case = symbol ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                                 : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (symbol) {
            dim->dim_param = plain("N");
        } else {
            dim->dim_value = dims[k];
        }
        shape->dim[shape->n_dim++] = dim;
    }
    if (input) {
        append(m, &m->graph.input, &m->graph.n_input, &m->input_capacity, value);
    } else {
        append(m, &m->graph.output, &m->graph.n_output, &m->output_capacity, value);
    }
}

void model_metadata(onnx_model *m, const char *key, const char *value) {
    Onnx__StringStringEntryProto *entry = model_allocate(m, sizeof *entry);
    char *own_key = copy_text(m, key), *own_value = copy_text(m, value);
    if (m->failed) {
        return;
    }
    onnx__string_string_entry_proto__init(entry);
    entry->key = own_key;
    entry->value = own_value;
    append(m, &m->model.metadata_props, &m->model.n_metadata_props, &m->metadata_capacity, entry);
}

/* ---- Writing ------------------------------------------------------------------------------- */

static kiln_status write_bytes(const char *path, const uint8_t *bytes, size_t size,
                               kiln_error *error) {
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    return status == KILN_OK ? file_end(&out, file_write(&out, bytes, size, error), error) : status;
}

kiln_status model_write(onnx_model *m, const char *path, kiln_error *error) {
    static Onnx__OperatorSetIdProto opset, *opsets[1] = {&opset};
    onnx__operator_set_id_proto__init(&opset);
    opset.domain = plain("");
    opset.has_version = 1;
    opset.version = m->opset;
    m->model.has_ir_version = 1;
    m->model.ir_version = 8;
    m->model.producer_name = plain("kiln");
    m->model.producer_version = plain(KILN_VERSION);
    m->model.n_opset_import = 1;
    m->model.opset_import = opsets;
    m->model.graph = &m->graph;
    m->graph.name = plain("kiln");
    size_t size = onnx__model_proto__get_packed_size(&m->model);
    if (size > MAX_BYTES) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "%s: an ONNX file of %zu bytes; protobuf holds 2 GiB", path, size);
    }
    uint8_t *bytes = malloc(size + 1);
    if (bytes == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for a file of %zu bytes", size);
    }
    (void)onnx__model_proto__pack(&m->model, bytes);
    kiln_status status = write_bytes(path, bytes, size, error);
    free(bytes);
    return status;
}
