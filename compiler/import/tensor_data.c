/* TensorProto to tensor, in all forms of storage. f32, i64 and bool raw data stay in the file; the
 * rest is converted. */
#include "compiler/import/importing.h"
#include <kiln/half.h>

#include <stdlib.h>
#include <string.h>

enum { RAW_DATA_FIELD = 9 };

const char *onnx_type_name(int32_t type) {
    static const char *const names[] = {
        "undefined",      "float",      "uint8",          "int8",       "uint16",   "int16",
        "int32",          "int64",      "string",         "bool",       "float16",  "double",
        "uint32",         "uint64",     "complex64",      "complex128", "bfloat16", "float8e4m3fn",
        "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",     "float4e2m1"};
    return type >= 0 && (size_t)type < sizeof names / sizeof *names ? names[type]
                                                                    : "an unknown type";
}

/* The element type inside the graph of data of an ONNX type; false: not supported. */
static bool dtype_of_onnx(int32_t type, kiln_dtype *out_dtype) {
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
        return (float)wide;
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

static void convert_raw(int32_t type, const uint8_t *raw, size_t count, tensor *t) {
    size_t size = raw_size(type);
    for (size_t k = 0; k < count; k++) {
        if (t->dtype == KILN_F32) {
            ((float *)t->owned)[k] = float_from_raw(type, raw + k * size);
        } else if (t->dtype == KILN_I64) {
            ((int64_t *)t->owned)[k] = integer_from_raw(type, raw + k * size);
        } else {
            ((uint8_t *)t->owned)[k] = raw[k] != 0;
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
            ((float *)out)[k] = (float)p->double_data[k];
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

/* ---- Tensors ------------------------------------------------------------------------------- */

static kiln_status set_shape(importing *im, const Onnx__TensorProto *p, tensor *t) {
    if (p->n_dims > KILN_MAX_RANK) {
        return graph_fail(im->g, KILN_ERROR_UNSUPPORTED,
                          "tensor '%s' has %zu dimensions; at most %d", t->name, p->n_dims,
                          KILN_MAX_RANK);
    }
    return tensor_set_shape(im->g, NULL, t, (uint32_t)p->n_dims, p->dims);
}

/* f32 and i64 can stay as they lie in the file; bools only when they are all 0 or 1. */
static bool is_usable_as_it_is(int32_t type, kiln_span raw) {
    const uint8_t *bytes = raw.data;
    if (type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL) {
        for (size_t k = 0; k < raw.size; k++) {
            if (bytes[k] > 1) {
                return false;
            }
        }
        return true;
    }
    return type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
           type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
}

static kiln_status count_fail(importing *im, const tensor *t, size_t found, const char *unit,
                              size_t expected) {
    return graph_fail(im->g, KILN_ERROR_FORMAT,
                      "tensor '%s' holds %zu %s where its shape needs %zu", t->name, found, unit,
                      expected);
}

static kiln_status take_raw(importing *im, int32_t type, kiln_span raw, bool stays, tensor *t) {
    size_t count = (size_t)tensor_elements(t), size = raw_size(type);
    if (raw.size != count * size) {
        return count_fail(im, t, raw.size, "bytes", count * size);
    }
    bool as_it_is = is_usable_as_it_is(type, raw);
    if (stays && as_it_is && count > 0) {
        t->data = raw.data;
        return KILN_OK;
    }
    kiln_status status = tensor_allocate(im->g, t);
    if (status == KILN_OK && as_it_is && count > 0) {
        memcpy(t->owned, raw.data, raw.size);
    } else if (status == KILN_OK) {
        convert_raw(type, raw.data, count, t);
    }
    return status;
}

kiln_status import_tensor_proto(importing *im, const Onnx__TensorProto *p, kiln_span raw,
                                tensor *t) {
    if (!p->has_data_type || !dtype_of_onnx(p->data_type, &t->dtype)) {
        return graph_fail(im->g, KILN_ERROR_UNSUPPORTED, "tensor '%s' is of type %s", t->name,
                          onnx_type_name(p->data_type));
    }
    kiln_status status = set_shape(im, p, t);
    if (status != KILN_OK) {
        return status;
    }
    size_t count = (size_t)tensor_elements(t);
    if (p->has_data_location && p->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT) {
        status = import_external_data(im, p, t, count * raw_size(p->data_type), &raw);
        return status == KILN_OK ? take_raw(im, p->data_type, raw, true, t) : status;
    }
    if (raw.data != NULL) {
        return take_raw(im, p->data_type, raw, true, t);
    }
    if (p->has_raw_data) {
        raw = (kiln_span){p->raw_data.data, p->raw_data.len};
        return take_raw(im, p->data_type, raw, false, t);
    }
    if (typed_count(p) != count) {
        return count_fail(im, t, typed_count(p), "elements", count);
    }
    status = tensor_allocate(im->g, t);
    if (status == KILN_OK) {
        copy_typed(p, count, t->owned);
    }
    return status;
}

/* protobuf-c would copy the raw data: it gets the message without them. */
static Onnx__TensorProto *unpack_tensor(importing *im, kiln_span message, const char *name,
                                        kiln_span *out_raw) {
    size_t size = 0;
    uint8_t *bare = wire_without(message, RAW_DATA_FIELD, &size, out_raw);
    Onnx__TensorProto *p = bare != NULL ? onnx__tensor_proto__unpack(NULL, size, bare) : NULL;
    free(bare);
    if (p == NULL) {
        graph_fail(im->g, KILN_ERROR_FORMAT, "%s is damaged", name);
    }
    return p;
}

kiln_status import_tensor(importing *im, kiln_span message, tensor *t) {
    kiln_span raw;
    Onnx__TensorProto *p = unpack_tensor(im, message, t->name, &raw);
    if (p == NULL) {
        return KILN_ERROR_FORMAT;
    }
    kiln_status status = import_tensor_proto(im, p, raw, t);
    onnx__tensor_proto__free_unpacked(p, NULL);
    return status;
}

kiln_status import_initializer(importing *im, kiln_span message) {
    kiln_span raw;
    Onnx__TensorProto *p = unpack_tensor(im, message, "an initializer", &raw);
    if (p == NULL) {
        return KILN_ERROR_FORMAT;
    }
    const char *name = p->name != NULL ? p->name : "";
    kiln_status status = KILN_OK;
    if (name[0] == '\0' || graph_find_tensor(im->g, name) != NULL) {
        status = graph_fail(im->g, KILN_ERROR_FORMAT,
                            "initializer '%s' is defined twice or has no name", name);
    } else {
        tensor *t = graph_add_tensor(im->g, name, KILN_F32);
        status = t != NULL ? import_tensor_proto(im, p, raw, t) : KILN_ERROR_MEMORY;
    }
    onnx__tensor_proto__free_unpacked(p, NULL);
    return status;
}
