/* ONNX messages as bytes, by protobuf-c from schemas/onnx.proto. Concatenated protobuf messages
 * merge (protobuf "Encoding" guide, "Last One Wins"), so that a GraphProto can be written piece by
 * piece: nodes as they are built, each weight by itself with its values streamed, inputs and
 * outputs. */
#include "models/encode.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.pb-c.h"

enum { OPSET = 17, IR_VERSION = 8, CHUNK = 1 << 14 };

/* ---- Buffers ------------------------------------------------------------------------------- */

static bool reserve(encode_buffer *buffer, size_t more) {
    if (buffer->failed || more > SIZE_MAX / 4 - buffer->size)
        buffer->failed = true;
    if (!buffer->failed && buffer->size + more > buffer->capacity) {
        size_t capacity = 2 * (buffer->size + more);
        uint8_t *data = realloc(buffer->data, capacity);
        if (data != NULL) {
            buffer->data = data;
            buffer->capacity = capacity;
        } else {
            buffer->failed = true;
        }
    }
    return !buffer->failed;
}

static void append_message(encode_buffer *buffer, const ProtobufCMessage *message) {
    size_t size = protobuf_c_message_get_packed_size(message);
    if (reserve(buffer, size))
        buffer->size += protobuf_c_message_pack(message, buffer->data + buffer->size);
}

/* A field's tag and length; the caller writes its bytes after it. The number comes from the schema,
 * so that a misspelt name is the only possible mistake, and it fails at once. */
static void append_field_head(encode_buffer *buffer, const ProtobufCMessageDescriptor *message,
                              const char *field, uint64_t length) {
    const ProtobufCFieldDescriptor *found =
        protobuf_c_message_descriptor_get_field_by_name(message, field);
    if (found == NULL || !reserve(buffer, 20)) {
        buffer->failed = true;
        return;
    }
    const uint64_t varints[] = {(uint64_t)found->id << 3 | 2, length};
    for (size_t i = 0; i < 2; i++) {
        uint64_t rest = varints[i];
        for (; rest >= 128; rest >>= 7)
            buffer->data[buffer->size++] = (uint8_t)(rest | 128);
        buffer->data[buffer->size++] = (uint8_t)rest;
    }
}

void encode_buffer_release(encode_buffer *buffer) {
    free(buffer->data);
    *buffer = (encode_buffer){0};
}

/* ---- Nodes --------------------------------------------------------------------------------- */

/* protobuf-c's structs hold pointers without const; packing reads only. */
static char *text(const char *string) {
    union {
        const char *in;
        char *out;
    } cast = {string};
    return cast.out;
}

static uint32_t float_bits_little_endian(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return htole32(bits);
}

typedef struct packed_attribute {
    Onnx__AttributeProto message;
    Onnx__TensorProto tensor;
    uint32_t scalar;
    int64_t ints[4];
} packed_attribute;

static void fill_attribute(packed_attribute *out, const encode_attribute *attribute) {
    Onnx__AttributeProto *message = &out->message;
    onnx__attribute_proto__init(message);
    message->name = text(attribute->name);
    message->has_type = true;
    switch (attribute->kind) {
    case ENCODE_INT:
        message->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        message->has_i = true;
        message->i = attribute->ints[0];
        break;
    case ENCODE_INTS:
        message->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        memcpy(out->ints, attribute->ints, sizeof(out->ints));
        message->n_ints = attribute->count;
        message->ints = out->ints;
        break;
    case ENCODE_FLOAT:
        message->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        message->has_f = true;
        message->f = attribute->real;
        break;
    case ENCODE_SCALAR:
        message->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
        message->t = &out->tensor;
        onnx__tensor_proto__init(&out->tensor);
        out->tensor.has_data_type = true;
        out->tensor.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
        out->scalar = float_bits_little_endian(attribute->real);
        out->tensor.has_raw_data = true;
        out->tensor.raw_data.data = (uint8_t *)&out->scalar;
        out->tensor.raw_data.len = sizeof(out->scalar);
        break;
    }
}

void encode_append_node(encode_buffer *buffer, const encode_node *node) {
    packed_attribute attributes[ENCODE_MAX_ATTRIBUTES];
    Onnx__AttributeProto *attribute_pointers[ENCODE_MAX_ATTRIBUTES];
    char **inputs = calloc(node->input_count + 1, sizeof(*inputs));
    if (inputs == NULL || node->attribute_count > ENCODE_MAX_ATTRIBUTES) {
        buffer->failed = true;
        free(inputs);
        return;
    }
    for (size_t i = 0; i < node->input_count; i++)
        inputs[i] = text(node->inputs[i]);
    for (size_t i = 0; i < node->attribute_count; i++) {
        fill_attribute(&attributes[i], &node->attributes[i]);
        attribute_pointers[i] = &attributes[i].message;
    }
    char *output = text(node->output);
    Onnx__NodeProto message = ONNX__NODE_PROTO__INIT;
    message.op_type = text(node->operator_type);
    message.name = text(node->name);
    message.n_input = node->input_count;
    message.input = inputs;
    message.n_output = 1;
    message.output = &output;
    message.n_attribute = node->attribute_count;
    message.attribute = attribute_pointers;
    Onnx__NodeProto *pointer = &message;
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    graph.n_node = 1;
    graph.node = &pointer;
    append_message(buffer, &graph.base);
    free(inputs);
}

/* ---- Weights ------------------------------------------------------------------------------- */

/* An initializer but for its values: GraphProto's field head, the TensorProto, raw_data's head. */
static void append_initializer_head(encode_buffer *buffer, const encode_initializer *initializer) {
    Onnx__TensorProto tensor = ONNX__TENSOR_PROTO__INIT;
    int64_t dims[4];
    memcpy(dims, initializer->dims, sizeof(dims));
    tensor.name = initializer->name;
    tensor.n_dims = initializer->rank;
    tensor.dims = dims;
    tensor.has_data_type = true;
    tensor.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;

    encode_buffer body = {0};
    const uint64_t bytes = (uint64_t)initializer->elements * sizeof(float);
    append_message(&body, &tensor.base);
    append_field_head(&body, tensor.base.descriptor, "raw_data", bytes);
    append_field_head(buffer, &onnx__graph_proto__descriptor, "initializer", body.size + bytes);
    if (!body.failed && reserve(buffer, body.size)) {
        memcpy(buffer->data + buffer->size, body.data, body.size);
        buffer->size += body.size;
    } else {
        buffer->failed = true;
    }
    encode_buffer_release(&body);
}

static bool write_values(const encode_initializer *initializer, weights_stream stream, FILE *file) {
    static _Thread_local float chunk[CHUNK];
    for (size_t left = initializer->elements; left > 0;) {
        size_t count = left < CHUNK ? left : CHUNK;
        weights_fill(&stream, initializer->distribution, chunk, count);
        for (size_t i = 0; i < count; i++) {
            uint32_t bits = float_bits_little_endian(chunk[i]);
            memcpy(&chunk[i], &bits, sizeof(bits));
        }
        if (fwrite(chunk, sizeof(float), count, file) != count)
            return false;
        left -= count;
    }
    return true;
}

/* ---- The model ----------------------------------------------------------------------------- */

/* GraphProto's name, input and output. */
static void append_boundary(encode_buffer *buffer, const encode_model *model) {
    const encode_value *values[2] = {&model->input, &model->output};
    Onnx__TensorShapeProto__Dimension dims[2][4], *dim_pointers[2][4];
    Onnx__TensorShapeProto shapes[2];
    Onnx__TypeProto__Tensor tensors[2];
    Onnx__TypeProto types[2];
    Onnx__ValueInfoProto infos[2], *pointers[2] = {&infos[0], &infos[1]};
    for (size_t v = 0; v < 2; v++) {
        for (size_t d = 0; d < values[v]->rank; d++) {
            Onnx__TensorShapeProto__Dimension *dim = dim_pointers[v][d] = &dims[v][d];
            onnx__tensor_shape_proto__dimension__init(dim);
            if (values[v]->dims[d] == 0) {
                dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
                dim->dim_param = text("batch");
            } else {
                dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
                dim->dim_value = values[v]->dims[d];
            }
        }
        onnx__tensor_shape_proto__init(&shapes[v]);
        shapes[v].n_dim = values[v]->rank;
        shapes[v].dim = dim_pointers[v];
        onnx__type_proto__tensor__init(&tensors[v]);
        tensors[v].has_elem_type = true;
        tensors[v].elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
        tensors[v].shape = &shapes[v];
        onnx__type_proto__init(&types[v]);
        types[v].value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
        types[v].tensor_type = &tensors[v];
        onnx__value_info_proto__init(&infos[v]);
        infos[v].name = text(values[v]->name);
        infos[v].type = &types[v];
    }
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    graph.name = text(model->name);
    graph.n_input = graph.n_output = 1;
    graph.input = &pointers[0];
    graph.output = &pointers[1];
    append_message(buffer, &graph.base);
}

/* ModelProto's own fields and the head of its graph, whose bytes follow. */
static void append_model_head(encode_buffer *buffer, uint64_t graph_bytes) {
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *pointer = &opset;
    opset.has_version = true;
    opset.version = OPSET;
    Onnx__ModelProto message = ONNX__MODEL_PROTO__INIT;
    message.has_ir_version = true;
    message.ir_version = IR_VERSION;
    message.producer_name = text("kiln-models");
    message.n_opset_import = 1;
    message.opset_import = &pointer;
    append_message(buffer, &message.base);
    append_field_head(buffer, message.base.descriptor, "graph", graph_bytes);
}

static bool write_buffer(const encode_buffer *buffer, FILE *file) {
    return !buffer->failed &&
           (buffer->size == 0 || fwrite(buffer->data, 1, buffer->size, file) == buffer->size);
}

bool encode_write_model(const encode_model *model, FILE *file) {
    bool written = false;
    encode_buffer boundary = {0}, head = {0};
    append_boundary(&boundary, model);
    uint64_t graph_bytes = model->nodes->size + boundary.size;
    for (size_t i = 0; i < model->initializer_count; i++) {
        head.size = 0;
        append_initializer_head(&head, &model->initializers[i]);
        graph_bytes += head.size + (uint64_t)model->initializers[i].elements * sizeof(float);
    }
    head.size = 0;
    append_model_head(&head, graph_bytes);
    if (head.failed || boundary.failed || model->nodes->failed) {
        errno = ENOMEM;
        goto cleanup;
    }
    written = write_buffer(&head, file) && write_buffer(model->nodes, file);
    for (size_t i = 0; written && i < model->initializer_count; i++) {
        head.size = 0;
        append_initializer_head(&head, &model->initializers[i]);
        written = write_buffer(&head, file) &&
                  write_values(&model->initializers[i], weights_begin(model->seed, i), file);
    }
    written = written && write_buffer(&boundary, file);

cleanup:
    encode_buffer_release(&boundary);
    encode_buffer_release(&head);
    return written;
}
