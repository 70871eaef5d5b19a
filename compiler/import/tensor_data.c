/* TensorProto to tensor, in all forms of storage. f32, i64 and bool raw data stay in the file,
 * where they are aligned or large; the rest is converted. */
#include "compiler/import/importing.h"
#include <kiln/element.h>

#include <stdlib.h>
#include <string.h>

enum { RAW_DATA_FIELD = 9 };

/* ---- Conversion ---------------------------------------------------------------------------- */

/* Makes one element of the file's type element k of the tensor. */
static void put_element(kiln_dtype type, const void *element, size_t k, tensor *t) {
    kiln_element_convert(type, element, t->dtype,
                         (uint8_t *)t->owned + k * kiln_dtype_size(t->dtype), 0);
}

/* Converts raw data, which need not be aligned. */
static void convert_raw(kiln_dtype type, const uint8_t *raw, size_t count, tensor *t) {
    size_t size = kiln_dtype_size(type);
    for (size_t k = 0; k < count; k++) {
        uint64_t element;
        memcpy(&element, raw + k * size, size);
        put_element(type, &element, k, t);
    }
}

/* ---- Typed fields -------------------------------------------------------------------------- */

static size_t typed_count(kiln_dtype type, const Onnx__TensorProto *p) {
    return type == KILN_F32                       ? p->n_float_data
           : type == KILN_F64                     ? p->n_double_data
           : type == KILN_I64                     ? p->n_int64_data
           : type == KILN_U32 || type == KILN_U64 ? p->n_uint64_data
                                                  : p->n_int32_data;
}

static void copy_typed(kiln_dtype type, const Onnx__TensorProto *p, size_t count, tensor *t) {
    for (size_t k = 0; k < count; k++) {
        uint64_t element = 0;
        switch (type) {
        case KILN_F32:
            put_element(type, &p->float_data[k], k, t);
            break;
        case KILN_F64:
            put_element(type, &p->double_data[k], k, t);
            break;
        case KILN_I64:
            put_element(type, &p->int64_data[k], k, t);
            break;
        case KILN_U32:
        case KILN_U64:
            put_element(KILN_U64, &p->uint64_data[k], k, t);
            break;
        case KILN_F16:
        case KILN_BF16: /* their bits */
            kiln_element_put_integer(KILN_U16, &element, 0, p->int32_data[k]);
            put_element(type, &element, k, t);
            break;
        default:
            kiln_element_put_integer(type, &element, 0, p->int32_data[k]);
            put_element(type, &element, k, t);
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

/* What has the tensor's type already can stay as it lies in the file; bools only when they are all
 * 0 or 1. */
static bool is_usable_as_it_is(kiln_dtype type, kiln_span raw, const tensor *t) {
    const uint8_t *bytes = raw.data;
    for (size_t k = 0; type == KILN_BOOL && k < raw.size; k++) {
        if (bytes[k] > 1) {
            return false;
        }
    }
    return type == t->dtype;
}

static kiln_status count_fail(importing *im, const tensor *t, size_t found, const char *unit,
                              size_t expected) {
    return graph_fail(im->g, KILN_ERROR_FORMAT,
                      "tensor '%s' holds %zu %s where its shape needs %zu", t->name, found, unit,
                      expected);
}

static kiln_status take_raw(importing *im, kiln_dtype type, kiln_span raw, bool stays, tensor *t) {
    size_t count = (size_t)tensor_elements(t), size = kiln_dtype_size(type);
    if (raw.size != count * size) {
        return count_fail(im, t, raw.size, "bytes", count * size);
    }
    bool as_it_is = is_usable_as_it_is(type, raw, t);
    if (stays && as_it_is && count > 0) {
        t->data = raw.data;
        bool large = t->dtype == KILN_F32 && raw.size > GRAPH_SMALL_BYTES;
        return large ? KILN_OK : tensor_align(im->g, t);
    }
    kiln_status status = tensor_allocate(im->g, t);
    if (status == KILN_OK && as_it_is && count > 0) {
        memcpy(t->owned, raw.data, raw.size);
    } else if (status == KILN_OK) {
        convert_raw(type, raw.data, count, t);
    }
    return status;
}

kiln_status import_typed_proto(importing *im, const Onnx__TensorProto *p, kiln_span raw,
                               kiln_dtype type, tensor *t) {
    kiln_status status = set_shape(im, p, t);
    if (status != KILN_OK) {
        return status;
    }
    size_t count = (size_t)tensor_elements(t);
    if (p->has_data_location && p->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT) {
        status = import_external_data(im, p, t, count * kiln_dtype_size(type), &raw);
        return status == KILN_OK ? take_raw(im, type, raw, true, t) : status;
    }
    if (raw.data != NULL) {
        return take_raw(im, type, raw, true, t);
    }
    if (p->has_raw_data) {
        raw = (kiln_span){p->raw_data.data, p->raw_data.len};
        return take_raw(im, type, raw, false, t);
    }
    if (typed_count(type, p) != count) {
        return count_fail(im, t, typed_count(type, p), "elements", count);
    }
    status = tensor_allocate(im->g, t);
    if (status == KILN_OK) {
        copy_typed(type, p, count, t);
    }
    return status;
}

kiln_status proto_dtype(const importing *im, const Onnx__TensorProto *p, const tensor *t,
                        kiln_dtype *out_type) {
    return p->has_data_type && dtype_of_onnx_type(p->data_type, out_type)
               ? KILN_OK
               : graph_fail(im->g, KILN_ERROR_UNSUPPORTED, "tensor '%s' is of type %s", t->name,
                            onnx_type_name(p->data_type));
}

static kiln_status import_tensor_proto(importing *im, const Onnx__TensorProto *p, kiln_span raw,
                                       tensor *t) {
    kiln_dtype type;
    kiln_status status = proto_dtype(im, p, t, &type);
    if (status != KILN_OK) {
        return status;
    }
    set_inner_type(t, type);
    return import_typed_proto(im, p, raw, type, t);
}

/* Unpacks the message without the raw data, which protobuf-c would copy. */
static Onnx__TensorProto *unpack_tensor(importing *im, kiln_span message, const char *name,
                                        kiln_span *out_raw) {
    size_t size = 0;
    uint8_t *bare = wire_without(&im->memory, message, RAW_DATA_FIELD, &size, out_raw);
    Onnx__TensorProto *p =
        bare != NULL ? onnx__tensor_proto__unpack(&im->memory, size, bare) : NULL;
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
    if (name[0] == '\0' || scope_has(im, name)) {
        status = graph_fail(im->g, KILN_ERROR_FORMAT,
                            "initializer '%s' is defined twice or has no name", name);
    } else {
        tensor *t = scope_define(im, name);
        status = t != NULL ? import_tensor_proto(im, p, raw, t) : KILN_ERROR_MEMORY;
    }
    onnx__tensor_proto__free_unpacked(p, NULL);
    return status;
}

kiln_status refuse_sparse_initializer(importing *im, kiln_span message) {
    (void)message;
    return graph_fail(im->g, KILN_ERROR_UNSUPPORTED, "sparse initializers are not supported");
}
