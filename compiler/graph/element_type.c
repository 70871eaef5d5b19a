/* Element types of ONNX and of Kiln. */
#include "compiler/graph/element_type.h"

static const char *const onnx_names[] = {
    "undefined",      "float",      "uint8",          "int8",       "uint16",   "int16",
    "int32",          "int64",      "string",         "bool",       "float16",  "double",
    "uint32",         "uint64",     "complex64",      "complex128", "bfloat16", "float8e4m3fn",
    "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",     "float4e2m1"};

/* What is known of each type, by kiln_dtype. */
static const struct {
    int onnx;
    kiln_dtype inner;
    bool narrow;
} types[] = {
    [KILN_F32] = {1, KILN_F32, false},   [KILN_I64] = {7, KILN_I64, false},
    [KILN_BOOL] = {9, KILN_BOOL, false}, [KILN_F16] = {10, KILN_F32, false},
    [KILN_I32] = {6, KILN_I64, false},   [KILN_U8] = {2, KILN_F32, true},
    [KILN_I8] = {3, KILN_F32, true},     [KILN_F64] = {11, KILN_F32, false},
    [KILN_BF16] = {16, KILN_F32, false}, [KILN_U16] = {4, KILN_I64, true},
    [KILN_I16] = {5, KILN_I64, true},    [KILN_U32] = {12, KILN_I64, true},
    [KILN_U64] = {13, KILN_I64, false},
};

bool dtype_of_onnx_type(int64_t type, kiln_dtype *out_dtype) {
    for (kiln_dtype d = KILN_F32; kiln_dtype_size(d) != 0; d++) {
        if (types[d].onnx == type) {
            *out_dtype = d;
            return true;
        }
    }
    return false;
}

int64_t onnx_type_of_dtype(kiln_dtype dtype) {
    return types[dtype].onnx;
}

const char *onnx_type_name(int64_t type) {
    return type >= 0 && (size_t)type < sizeof onnx_names / sizeof *onnx_names ? onnx_names[type]
                                                                              : "an unknown type";
}

kiln_dtype inner_dtype(kiln_dtype dtype) {
    return types[dtype].inner;
}

bool is_narrow_integer(kiln_dtype dtype) {
    return types[dtype].narrow;
}
