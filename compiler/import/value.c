/* Values in files: NumPy's .npy (numpy.lib.format, version 1 to 3) and ONNX TensorProto. */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"
#include "runtime/base/files.h"
#include <kiln/element.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- One block ----------------------------------------------------------------------------- */

#define HEADER_BYTES ((sizeof(kiln_value) + 63) / 64 * 64)

static bool count_elements(uint32_t rank, const int64_t *dims, size_t *out_count) {
    *out_count = 1;
    for (uint32_t k = 0; k < rank; k++) {
        if (dims[k] < 0 || dims[k] > UINT32_MAX ||
            (dims[k] > 0 && *out_count > SIZE_MAX / 16 / (size_t)dims[k])) {
            return false;
        }
        *out_count *= (size_t)dims[k];
    }
    return true;
}

/* A value, its data and its name, to be released at once. NULL: no memory. */
static kiln_value *allocate_value(const char *name, kiln_dtype dtype, uint32_t rank,
                                  const int64_t *dims, size_t *out_bytes) {
    size_t count;
    if (!count_elements(rank, dims, &count)) {
        return NULL;
    }
    *out_bytes = count * kiln_dtype_size(dtype);
    uint8_t *block = calloc(1, HEADER_BYTES + *out_bytes + strlen(name) + 1);
    if (block == NULL) {
        return NULL;
    }
    kiln_value *value = (void *)block;
    char *text = (char *)block + HEADER_BYTES + *out_bytes;
    memcpy(text, name, strlen(name) + 1);
    *value = (kiln_value){.name = text, .dtype = dtype, .rank = rank, .data = block + HEADER_BYTES};
    for (uint32_t k = 0; k < rank; k++) {
        value->dims[k] = (uint32_t)dims[k];
    }
    return value;
}

void kiln_value_free(kiln_value *value) {
    free(value);
}

static void *data_of(kiln_value *value) {
    return (uint8_t *)value + HEADER_BYTES;
}

/* ---- TensorProto --------------------------------------------------------------------------- */

/* Reads a value, which keeps its type: that of a model's input or output. */
static kiln_status read_value(importing *im, const Onnx__TensorProto *p, tensor *t) {
    kiln_status status = proto_dtype(im, p, t, &t->dtype);
    return status == KILN_OK ? import_typed_proto(im, p, (kiln_span){NULL, 0}, t->dtype, t)
                             : status;
}

static kiln_status load_proto(const char *path, kiln_span file, kiln_value **out_value,
                              kiln_error *error) {
    importing im = {.folder = "."};
    import_memory(&im);
    Onnx__TensorProto *p = onnx__tensor_proto__unpack(&im.memory, file.size, file.data);
    kiln_status status =
        p != NULL    ? graph_create(path, op_find, error, &im.g)
        : im.starved ? kiln_fail(error, KILN_ERROR_MEMORY, "%s: out of memory", path)
                     : kiln_fail(error, KILN_ERROR_FORMAT, "%s: not a serialised TensorProto%s",
                                 path, file_instead(file));
    if (status != KILN_OK) {
        if (p != NULL) {
            onnx__tensor_proto__free_unpacked(p, NULL);
        }
        return status;
    }
    tensor t = {.name = p->name != NULL ? p->name : ""};
    bool external = p->has_data_location && p->data_location != 0;
    status = external ? kiln_fail(error, KILN_ERROR_UNSUPPORTED, "%s: external data", path)
                      : read_value(&im, p, &t);
    if (status == KILN_OK) {
        size_t bytes;
        *out_value = allocate_value(t.name, t.dtype, t.rank, t.dims, &bytes);
        if (*out_value == NULL) {
            status = kiln_fail(error, KILN_ERROR_MEMORY, "%s: out of memory", path);
        } else if (bytes > 0) {
            memcpy(data_of(*out_value), t.data, bytes);
        }
    }
    tensor_release(&t);
    onnx__tensor_proto__free_unpacked(p, NULL);
    graph_free(im.g);
    return status;
}

/* ---- .npy ---------------------------------------------------------------------------------- */

/* numpy has no bfloat16 of its own. Such outputs are written as f4, which holds them exactly; read
 * are also the arrays of two opaque bytes that the ml_dtypes package writes, and, by who gives them
 * to a bfloat16 input, u2 as its bits. */
static const struct {
    const char *descr;
    kiln_dtype dtype;
} npy_types[] = {{"<f4", KILN_F32},  {"<f8", KILN_F64},  {"<f2", KILN_F16}, {"<i4", KILN_I32},
                 {"<i8", KILN_I64},  {"|b1", KILN_BOOL}, {"|u1", KILN_U8},  {"|i1", KILN_I8},
                 {"<u2", KILN_U16},  {"<i2", KILN_I16},  {"<u4", KILN_U32}, {"<u8", KILN_U64},
                 {"<V2", KILN_BF16}, {"|V2", KILN_BF16}};

/* The text after 'key': in the header's dictionary; NULL when it is not there. */
static const char *after_key(const char *header, const char *key) {
    const char *at = strstr(header, key);
    at = at != NULL ? strchr(at, ':') : NULL;
    while (at != NULL && (*at == ':' || *at == ' ')) {
        at++;
    }
    return at;
}

static int parse_shape(const char *text, int64_t dims[KILN_MAX_RANK]) {
    int rank = 0;
    if (text == NULL || *text++ != '(') {
        return -1;
    }
    while (*text != ')') {
        char *end;
        if (*text == ',' || *text == ' ') {
            text++;
            continue;
        }
        long long dim = isdigit((unsigned char)*text) ? strtoll(text, &end, 10) : -1;
        if (dim < 0 || rank == KILN_MAX_RANK) {
            return -1;
        }
        dims[rank++] = dim;
        text = end;
    }
    return rank;
}

/* The text of a header, without what stands before it; *out_data is what comes after it. */
static bool read_npy_header(kiln_span file, char *out_text, size_t text_size, kiln_span *out_data) {
    const uint8_t *bytes = file.data;
    if (file.size < 12) {
        return false;
    }
    /* Version 1 has a length of two bytes, later ones of four. */
    size_t before = bytes[6] == 1 ? 10 : 12;
    size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (before == 12) {
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    }
    if (length > file.size - before || length >= text_size) {
        return false;
    }
    memcpy(out_text, bytes + before, length);
    out_text[length] = '\0';
    *out_data = (kiln_span){bytes + before + length, file.size - before - length};
    return true;
}

static kiln_status load_npy(const char *path, kiln_span file, kiln_value **out_value,
                            kiln_error *error) {
    char text[1024];
    kiln_span data;
    if (!read_npy_header(file, text, sizeof text, &data)) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "%s: damaged .npy header", path);
    }
    const char *descr = after_key(text, "'descr'"), *order = after_key(text, "'fortran_order'");
    int64_t dims[KILN_MAX_RANK];
    int rank = parse_shape(after_key(text, "'shape'"), dims);
    size_t type = 0, types = sizeof npy_types / sizeof *npy_types, bytes = 0;
    while (type < types &&
           (descr == NULL || *descr != '\'' || strncmp(descr + 1, npy_types[type].descr, 3) != 0)) {
        type++;
    }
    if (rank < 0 || type == types || order == NULL || strncmp(order, "False", 5) != 0) {
        return kiln_fail(
            error, KILN_ERROR_UNSUPPORTED,
            "%s: supported arrays: b1, f2 to f8, i1 to i8, u1 to u8, little-endian, C order, "
            "up to %d dimensions",
            path, KILN_MAX_RANK);
    }
    kiln_dtype dtype = npy_types[type].dtype;
    size_t count, room = data.size / kiln_dtype_size(dtype);
    if (!count_elements((uint32_t)rank, dims, &count) || count > room) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "%s: fewer bytes than its shape needs", path);
    }
    *out_value = allocate_value("", dtype, (uint32_t)rank, dims, &bytes);
    if (*out_value == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "%s: out of memory", path);
    }
    uint8_t *to = data_of(*out_value);
    memcpy(to, data.data, bytes);
    for (size_t k = 0; dtype == KILN_BOOL && k < count; k++) {
        to[k] = to[k] != 0;
    }
    return KILN_OK;
}

/* ---- Loading and saving -------------------------------------------------------------------- */

kiln_status kiln_value_load(const char *path, kiln_value **out_value, kiln_error *error) {
    mapped_file *files = NULL;
    kiln_span file;
    *out_value = NULL;
    kiln_status status = files_map(&files, path, error, &file);
    if (status == KILN_OK) {
        bool npy = file.size >= 6 && memcmp(file.data, "\x93NUMPY", 6) == 0;
        status =
            npy ? load_npy(path, file, out_value, error) : load_proto(path, file, out_value, error);
    }
    files_unmap(files);
    return status;
}

static kiln_dtype written_dtype(const kiln_value *value) {
    return value->dtype == KILN_BF16 ? KILN_F32 : value->dtype;
}

/* numpy.lib.format version 1.0: the header is padded so that the data begin at a multiple of 64. */
static int npy_header(const kiln_value *value, char *out, size_t size) {
    size_t type = 0;
    while (npy_types[type].dtype != written_dtype(value)) {
        type++;
    }
    int used = snprintf(out, size, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                        npy_types[type].descr);
    for (uint32_t k = 0; k < value->rank; k++) {
        used += snprintf(out + used, size - (size_t)used, "%u,%s", value->dims[k],
                         k + 1 < value->rank ? " " : "");
    }
    used += snprintf(out + used, size - (size_t)used, "), }");
    while ((used + 11) % 64 != 0) {
        out[used++] = ' ';
    }
    out[used++] = '\n';
    return used;
}

static kiln_status write_elements(const kiln_value *value, size_t count, file_writer *out,
                                  kiln_error *error) {
    kiln_dtype dtype = written_dtype(value);
    if (dtype == value->dtype) {
        return file_write(out, value->data, count * kiln_dtype_size(dtype), error);
    }
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < count && status == KILN_OK; k++) {
        float wide = (float)kiln_element_number(value->dtype, value->data, k);
        status = file_write(out, &wide, sizeof wide, error);
    }
    return status;
}

static kiln_status write_npy(const kiln_value *value, file_writer *out, kiln_error *error) {
    char header[512];
    int length = npy_header(value, header, sizeof header);
    uint8_t front[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    size_t count = 1;
    front[8] = (uint8_t)(length & 0xff);
    front[9] = (uint8_t)(length >> 8);
    for (uint32_t k = 0; k < value->rank; k++) {
        count *= value->dims[k];
    }
    kiln_status status = file_write(out, front, sizeof front, error);
    if (status == KILN_OK) {
        status = file_write(out, header, (size_t)length, error);
    }
    return status == KILN_OK ? write_elements(value, count, out, error) : status;
}

kiln_status kiln_value_save_npy(const kiln_value *value, const char *path, kiln_error *error) {
    if (value->rank > KILN_MAX_RANK || kiln_dtype_size(value->dtype) == 0 || value->data == NULL) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: not a value to save", path);
    }
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    return status == KILN_OK ? file_end(&out, write_npy(value, &out, error), error) : status;
}
