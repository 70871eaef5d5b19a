/* ONNX's element types (the numbers of TensorProto.DataType), Kiln's for them, and in what the
 * graph computes instead. */
#ifndef KILN_COMPILER_ELEMENT_TYPE_H
#define KILN_COMPILER_ELEMENT_TYPE_H

#include <kiln/kiln.h>

/* False: a type that Kiln does not read. */
bool dtype_of_onnx_type(int64_t type, kiln_dtype *out_dtype);
int64_t onnx_type_of_dtype(kiln_dtype dtype);
/* "float16", "uint8". */
const char *onnx_type_name(int64_t type);

/* The type inside the graph of values of a type at its boundary: f32, i64 or bool. 8-bit integers
 * are f32, which holds them exactly: what reads them (quantised layers, pools) computes in f32. */
kiln_dtype inner_dtype(kiln_dtype dtype);
/* Is it an integer type that the graph holds in a wider one, so that arithmetic has to wrap? (i32
 * is not: its arithmetic is that of i64.) */
bool is_narrow_integer(kiln_dtype dtype);

#endif
