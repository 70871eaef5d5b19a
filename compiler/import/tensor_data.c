/* TensorProto to tensor, in all forms of storage. f32, i64 and bool raw data stay in the file; the
 * rest is converted. */
#include "compiler/import/importing.h"
#include <kiln/half.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RAW_DATA_FIELD = 9 };

const char *onnx_type_name(int32_t type) {
    static const char *const names[] = {"undefined",  "float",   "uint8",  "int8",   "uint16",
                                        "int16",      "int32",   "int64",  "string", "bool",
                                        "float16",    "double",  "uint32", "uint64", "complex64",
                                        "complex128", "bfloat16"};
    return type >= 0 && (size_t)type < sizeof names / sizeof *names ? names[type]
                                                                    : "an unknown type";
}

bool dtype_of_onnx(int32_t type, kiln_dtype *out_dtype) {
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        *out_dtype = KILN_F32;
        return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
        *out_dtype = KILN_I64;
        return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
        *out_dtype = KILN_BOOL;
        return true;
    default:
        return false;
    }
}

/* Bytes of one element of raw data. */
static size_t raw_size(int32_t type) {
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
        return 8;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
        return 4;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
        return 2;
    default:
        return 1;
    }
}

/* ---- Conversion ---------------------------------------------------------------------------- */

static float f32_from_bf16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static float float_from_raw(int32_t type, const uint8_t *raw) {
    uint16_t half;
    double wide;
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
        memcpy(&half, raw, 2);
        return kiln_f32_from_f16(half);
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
        memcpy(&half, raw, 2);
        return f32_from_bf16(half);
    default:
        memcpy(&wide, raw, 8);
        return (float)fmin(fmax(wide, -INFINITY), INFINITY);
    }
}

static int64_t integer_from_raw(int32_t type, const uint8_t *raw) {
    size_t size = raw_size(type);
    uint64_t bits = 0;
    memcpy(&bits, raw, size);
    bool is_signed = type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8 ||
                     type == ONNX__TENSOR_PROTO__DATA_TYPE__INT16 ||
                     type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
    uint64_t sign = (uint64_t)1 << (size * 8 - 1);
    return (int64_t)(is_signed && (bits & sign) != 0 ? bits | ~(sign * 2 - 1) : bits);
}

static void convert_raw(int32_t type, const uint8_t *raw, size_t count, tensor *t, void *out) {
    size_t size = raw_size(type);
    for (size_t k = 0; k < count; k++) {
        if (t->dtype == KILN_F32) {
            ((float *)out)[k] = float_from_raw(type, raw + k * size);
        } else {
            ((int64_t *)out)[k] = integer_from_raw(type, raw + k * size);
        }
    }
}

/* ---- Typed fields -------------------------------------------------------------------------- */

static size_t typed_count(const Onnx__TensorProto *p) {
    switch (p->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        return p->n_float_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        return p->n_double_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return p->n_int64_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
        return p->n_uint64_data;
    default:
        return p->n_int32_data;
    }
}

static void copy_typed(const Onnx__TensorProto *p, size_t count, void *out) {
    for (size_t k = 0; k < count; k++) {
        switch (p->data_type) {
        case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
            ((float *)out)[k] = p->float_data[k];
            break;
        case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
            ((float *)out)[k] = (float)fmin(fmax(p->double_data[k], -INFINITY), INFINITY);
            break;
        case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
            ((float *)out)[k] = kiln_f32_from_f16((uint16_t)p->int32_data[k]);
            break;
        case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
            ((float *)out)[k] = f32_from_bf16((uint16_t)p->int32_data[k]);
            break;
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
            ((int64_t *)out)[k] = p->int64_data[k];
            break;
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
            ((int64_t *)out)[k] = (int64_t)p->uint64_data[k];
            break;
        case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
            ((uint8_t *)out)[k] = p->int32_data[k] != 0;
            break;
        default:
            ((int64_t *)out)[k] = p->int32_data[k];
            break;
        }
    }
}

/* ---- External data ------------------------------------------------------------------------- */

/* A path below the model's folder: relative, without "..", and, links resolved, still inside. */
static kiln_status external_path(const importing *im, const tensor *t, const char *location,
                                 char *out_path) {
    char joined[PATH_MAX], folder[PATH_MAX];
    bool leaves = location[0] == '/' || location[0] == '\0' || strcmp(location, "..") == 0 ||
                  strncmp(location, "../", 3) == 0 || strstr(location, "/../") != NULL;
    if (leaves ||
        snprintf(joined, sizeof joined, "%s/%s", im->folder, location) >= (int)sizeof joined) {
        return graph_fail(im->g, KILN_ERROR_FORMAT,
                          "external data '%s' of '%s' lie outside the model's folder", location,
                          t->name);
    }
    if (realpath(joined, out_path) == NULL || realpath(im->folder, folder) == NULL) {
        return graph_fail(im->g, KILN_ERROR_IO, "external data file '%s' of '%s' is missing",
                          location, t->name);
    }
    size_t length = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
    if (strncmp(folder, out_path, length) != 0 || out_path[length] != '/') {
        return graph_fail(im->g, KILN_ERROR_FORMAT,
                          "external data '%s' of '%s' lie outside the model's folder", location,
                          t->name);
    }
    return KILN_OK;
}

static bool read_number(const char *text, uint64_t *out_value) {
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    *out_value = value;
    return end != text && *end == '\0' && text[0] != '-';
}

static kiln_status external_data(importing *im, const Onnx__TensorProto *p, const tensor *t,
                                 kiln_span *out_raw) {
    const char *location = NULL;
    uint64_t offset = 0, length = UINT64_MAX;
    for (size_t k = 0; k < p->n_external_data; k++) {
        const char *key = p->external_data[k]->key, *value = p->external_data[k]->value;
        bool sound = key != NULL && value != NULL;
        if (sound && strcmp(key, "location") == 0) {
            location = value;
        } else if (sound && strcmp(key, "offset") == 0) {
            sound = read_number(value, &offset);
        } else if (sound && strcmp(key, "length") == 0) {
            sound = read_number(value, &length);
        }
        if (!sound) {
            return graph_fail(im->g, KILN_ERROR_FORMAT, "tensor '%s': damaged external data",
                              t->name);
        }
    }
    char path[PATH_MAX];
    kiln_span file;
    kiln_status status = external_path(im, t, location != NULL ? location : "", path);
    if (status == KILN_OK) {
        status = files_map(&im->files, path, im->g->error, &file);
        im->g->file_context = im->files;
    }
    if (status != KILN_OK) {
        return status;
    }
    if (offset > file.size || (length != UINT64_MAX && length > file.size - offset)) {
        return graph_fail(im->g, KILN_ERROR_FORMAT,
                          "tensor '%s': external data end at byte %llu, the file at %zu", t->name,
                          (unsigned long long)(offset + (length == UINT64_MAX ? 0 : length)),
                          file.size);
    }
    *out_raw = (kiln_span){(const uint8_t *)file.data + offset,
                           length == UINT64_MAX ? file.size - offset : (size_t)length};
    return KILN_OK;
}

/* ---- Tensors ------------------------------------------------------------------------------- */

static kiln_status set_shape(importing *im, const Onnx__TensorProto *p, tensor *t) {
    int64_t dims[KILN_MAX_RANK];
    if (p->n_dims > KILN_MAX_RANK) {
        return graph_fail(im->g, KILN_ERROR_UNSUPPORTED,
                          "tensor '%s' has %zu dimensions; at most %d", t->name, p->n_dims,
                          KILN_MAX_RANK);
    }
    for (size_t k = 0; k < p->n_dims; k++) {
        dims[k] = p->dims[k];
    }
    return tensor_set_shape(im->g, NULL, t, (uint32_t)p->n_dims, dims);
}

kiln_status import_tensor_proto(importing *im, const Onnx__TensorProto *p, kiln_span raw,
                                tensor *t) {
    if (!p->has_data_type || !dtype_of_onnx(p->data_type, &t->dtype)) {
        return graph_fail(im->g, KILN_ERROR_UNSUPPORTED, "tensor '%s' is of type %s", t->name,
                          onnx_type_name(p->data_type));
    }
    kiln_status status = set_shape(im, p, t);
    bool external =
        p->has_data_location && p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    if (status == KILN_OK && external) {
        status = external_data(im, p, t, &raw);
    }
    if (status != KILN_OK) {
        return status;
    }
    bool in_file = raw.data != NULL;
    if (!in_file && p->has_raw_data) {
        raw = (kiln_span){p->raw_data.data, p->raw_data.len};
    }
    size_t count = (size_t)tensor_elements(t), size = raw_size(p->data_type);
    bool is_raw = in_file || p->has_raw_data;
    size_t found = is_raw ? raw.size / size : typed_count(p);
    bool whole = is_raw && !external ? raw.size == count * size : found == count;
    if (!whole && !(external && found > count)) {
        return graph_fail(im->g, KILN_ERROR_FORMAT,
                          "tensor '%s' holds %zu elements where its shape has %zu", t->name, found,
                          count);
    }
    bool as_is = size == kiln_dtype_size(t->dtype) &&
                 (p->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
                  p->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ||
                  p->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL);
    if (in_file && as_is && count > 0) {
        t->data = raw.data;
        return KILN_OK;
    }
    void *data = graph_allocate(im->g, count * kiln_dtype_size(t->dtype) + 1);
    if (data == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (is_raw && as_is && count > 0) {
        memcpy(data, raw.data, count * size);
    } else if (is_raw) {
        convert_raw(p->data_type, raw.data, count, t, data);
    } else {
        copy_typed(p, count, data);
    }
    t->data = data;
    return KILN_OK;
}

/* The message without its raw data, for protobuf-c, which would copy them; they stay where they
 * are. Its size: */
static size_t stripped_size(kiln_span message, bool *out_sound) {
    wire_field field;
    size_t size = 0;
    while (wire_next(&message, &field, out_sound)) {
        bool raw = field.number == RAW_DATA_FIELD && field.type == WIRE_BYTES;
        size += raw ? 0 : field.whole.size;
    }
    return size;
}

kiln_status import_initializer(importing *im, kiln_span message) {
    kiln_span raw = {NULL, 0};
    bool sound = true;
    size_t size = stripped_size(message, &sound), used = 0;
    uint8_t *stripped = sound ? malloc(size + 1) : NULL;
    wire_field field;
    while (stripped != NULL && wire_next(&message, &field, &sound)) {
        if (field.number == RAW_DATA_FIELD && field.type == WIRE_BYTES) {
            raw = field.bytes;
        } else {
            memcpy(stripped + used, field.whole.data, field.whole.size);
            used += field.whole.size;
        }
    }
    Onnx__TensorProto *proto =
        stripped != NULL ? onnx__tensor_proto__unpack(NULL, size, stripped) : NULL;
    free(stripped);
    if (proto == NULL) {
        return graph_fail(im->g, KILN_ERROR_FORMAT, "an initializer is damaged");
    }
    const char *name = proto->name != NULL ? proto->name : "";
    kiln_status status = KILN_OK;
    if (name[0] == '\0' || graph_find_tensor(im->g, name) != NULL) {
        status = graph_fail(im->g, KILN_ERROR_FORMAT,
                            "initializer '%s' is defined twice or has no name", name);
    } else {
        tensor *t = graph_add_tensor(im->g, name, KILN_F32);
        status = t != NULL ? import_tensor_proto(im, proto, raw, t) : KILN_ERROR_MEMORY;
    }
    onnx__tensor_proto__free_unpacked(proto, NULL);
    return status;
}
