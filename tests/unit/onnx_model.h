/* Small ONNX models for tests of import: built with the generated code, written to a temporary
 * folder. One model at a time, in static storage. */
#ifndef KILN_TESTS_ONNX_MODEL_H
#define KILN_TESTS_ONNX_MODEL_H

#include "compiler/import/import.h"
#include "onnx.pb-c.h"
#include "tests/scratch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PARTS = 16, MAX_NAMES = 12, MAX_MODEL_BYTES = 1 << 16 };

/* ONNX's types of elements. */
enum {
    FLOAT = 1,
    UINT8,
    INT8,
    UINT16,
    INT16,
    INT32,
    INT64,
    STRING,
    BOOL,
    FLOAT16,
    DOUBLE,
    UINT32,
    UINT64,
    BFLOAT16 = 16
};

typedef struct names {
    char text[256];
    char *each[MAX_NAMES];
    size_t count;
} names;

static struct {
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opset, *opsets[1];
    Onnx__NodeProto nodes[MAX_PARTS], *node_list[MAX_PARTS];
    names inputs_of[MAX_PARTS], outputs_of[MAX_PARTS];
    Onnx__AttributeProto attributes[MAX_PARTS], *attribute_list[MAX_PARTS];
    Onnx__TensorProto tensors[MAX_PARTS], *tensor_list[MAX_PARTS];
    Onnx__ValueInfoProto ends[2][MAX_PARTS], *end_list[2][MAX_PARTS];
    Onnx__TypeProto types[2][MAX_PARTS];
    Onnx__TypeProto__Tensor tensor_types[2][MAX_PARTS];
    Onnx__TensorShapeProto shapes[2][MAX_PARTS];
    Onnx__TensorShapeProto__Dimension dims[2][MAX_PARTS][MAX_NAMES],
        *dim_list[2][MAX_PARTS][MAX_NAMES];
    names dim_names[2][MAX_PARTS];
    char folder[64], path[128];
    uint8_t bytes[MAX_MODEL_BYTES];
    size_t size;
    kiln_error error;
    graph *g;
} m;

/* Words between spaces; "-" is an empty one. */
static inline void split(const char *text, names *out) {
    snprintf(out->text, sizeof out->text, "%s", text);
    out->count = 0;
    for (char *word = strtok(out->text, " "); word != NULL; word = strtok(NULL, " ")) {
        out->each[out->count++] = strcmp(word, "-") == 0 ? word + 1 : word;
    }
}

static inline void model_begin(int64_t opset) {
    onnx__model_proto__init(&m.model);
    onnx__graph_proto__init(&m.graph);
    onnx__operator_set_id_proto__init(&m.opset);
    m.opsets[0] = &m.opset;
    m.opset.has_version = true;
    m.opset.version = opset;
    m.model.graph = &m.graph;
    m.model.opset_import = m.opsets;
    m.model.n_opset_import = opset > 0;
    m.graph.node = m.node_list;
    m.graph.initializer = m.tensor_list;
    m.graph.input = m.end_list[0];
    m.graph.output = m.end_list[1];
}

/* dims: "N 3 4", names are open dimensions; NULL: no shape. */
static inline void model_end_point(int side, char *name, int32_t type, const char *dims) {
    size_t k = side == 0 ? m.graph.n_input++ : m.graph.n_output++;
    m.end_list[side][k] = &m.ends[side][k];
    onnx__value_info_proto__init(&m.ends[side][k]);
    onnx__type_proto__init(&m.types[side][k]);
    onnx__type_proto__tensor__init(&m.tensor_types[side][k]);
    onnx__tensor_shape_proto__init(&m.shapes[side][k]);
    m.ends[side][k].name = name;
    m.ends[side][k].type = &m.types[side][k];
    m.types[side][k].value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    m.types[side][k].tensor_type = &m.tensor_types[side][k];
    m.tensor_types[side][k].has_elem_type = true;
    m.tensor_types[side][k].elem_type = type;
    if (dims == NULL) {
        return;
    }
    m.tensor_types[side][k].shape = &m.shapes[side][k];
    names *words = &m.dim_names[side][k];
    split(dims, words);
    m.shapes[side][k].n_dim = words->count;
    m.shapes[side][k].dim = m.dim_list[side][k];
    for (size_t d = 0; d < words->count; d++) {
        Onnx__TensorShapeProto__Dimension *dim = m.dim_list[side][k][d] = &m.dims[side][k][d];
        onnx__tensor_shape_proto__dimension__init(dim);
        char *end;
        long long value = strtoll(words->each[d], &end, 10);
        bool number = end != words->each[d];
        dim->value_case = number ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
                                 : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        if (number) {
            dim->dim_value = value;
        } else {
            dim->dim_param = words->each[d];
        }
    }
}

static inline void model_input(char *name, int32_t type, const char *dims) {
    model_end_point(0, name, type, dims);
}

static inline void model_output(char *name, int32_t type) {
    model_end_point(1, name, type, NULL);
}

static inline Onnx__NodeProto *model_node(char *op, const char *inputs, const char *outputs) {
    size_t k = m.graph.n_node++;
    Onnx__NodeProto *n = m.node_list[k] = &m.nodes[k];
    onnx__node_proto__init(n);
    n->op_type = op;
    split(inputs, &m.inputs_of[k]);
    split(outputs, &m.outputs_of[k]);
    n->input = m.inputs_of[k].each;
    n->n_input = m.inputs_of[k].count;
    n->output = m.outputs_of[k].each;
    n->n_output = m.outputs_of[k].count;
    return n;
}

/* x -> Relu -> y */
static inline void relu_model(const char *dims) {
    model_begin(13);
    model_input((char *)(uintptr_t) "x", FLOAT, dims);
    model_output((char *)(uintptr_t) "y", FLOAT);
    model_node((char *)(uintptr_t) "Relu", "x", "y");
}

/* The only attribute of a node. */
static inline Onnx__AttributeProto *model_attribute(Onnx__NodeProto *n, char *name, int type) {
    size_t k = (size_t)(n - m.nodes);
    Onnx__AttributeProto *a = m.attribute_list[k] = &m.attributes[k];
    onnx__attribute_proto__init(a);
    a->name = name;
    a->has_type = true;
    a->type = (Onnx__AttributeProto__AttributeType)type;
    n->attribute = &m.attribute_list[k];
    n->n_attribute = 1;
    return a;
}

static inline Onnx__TensorProto *model_initializer(char *name, int32_t type, size_t rank,
                                                   int64_t *dims) {
    size_t k = m.graph.n_initializer++;
    Onnx__TensorProto *t = m.tensor_list[k] = &m.tensors[k];
    onnx__tensor_proto__init(t);
    t->name = name;
    t->has_data_type = true;
    t->data_type = type;
    t->n_dims = rank;
    t->dims = dims;
    return t;
}

static inline void set_raw(Onnx__TensorProto *t, void *bytes, size_t size) {
    t->has_raw_data = true;
    t->raw_data = (ProtobufCBinaryData){size, bytes};
}

/* ---- Files --------------------------------------------------------------------------------- */

static inline const char *in_folder(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", m.folder, name);
    return path;
}

static inline void write_bytes(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static inline void model_pack(void) {
    m.size = onnx__model_proto__get_packed_size(&m.model);
    ck_assert_uint_le(m.size, sizeof m.bytes);
    onnx__model_proto__pack(&m.model, m.bytes);
}

static inline void make_folder(void) {
    memset(&m, 0, sizeof m);
    const char *base = getenv("TMPDIR");
    snprintf(m.folder, sizeof m.folder, "%.40s/kiln-import-XXXXXX", base != NULL ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(m.folder));
    snprintf(m.path, sizeof m.path, "%s/model.onnx", m.folder);
}

static inline void remove_folder(void) {
    graph_free(m.g);
    m.g = NULL;
    ck_assert(scratch_remove(m.folder));
}

/* Writes the model and imports it. */
static inline kiln_status import_with(const kiln_value *values, size_t count, bool symbolic) {
    model_pack();
    write_bytes(m.path, m.bytes, m.size);
    graph_free(m.g);
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.inputs = values;
    options.input_count = count;
    options.sample_inputs = true;
    return import_model(m.path, &options, symbolic, &m.error, &m.g);
}

static inline void import_fine(void) {
    kiln_status status = import_with(NULL, 0, true);
    ck_assert_msg(status == KILN_OK, "%s", m.error.message);
}

#define ASSERT_REFUSED(call, expected, ...)                                                        \
    do {                                                                                           \
        const char *const parts[] = {__VA_ARGS__};                                                 \
        ck_assert_int_eq(call, expected);                                                          \
        for (size_t part = 0; part < sizeof parts / sizeof *parts; part++) {                       \
            ck_assert_msg(strstr(m.error.message, parts[part]) != NULL, "'%s' is not in: %s",      \
                          parts[part], m.error.message);                                           \
        }                                                                                          \
    } while (0)
#define REFUSED(expected, ...) ASSERT_REFUSED(import_with(NULL, 0, true), expected, __VA_ARGS__)

static inline tensor *found(const char *name) {
    tensor *t = graph_find_tensor(m.g, name);
    ck_assert_msg(t != NULL, "no tensor '%s'", name);
    return t;
}

#endif
