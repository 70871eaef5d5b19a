/* What the files of compiler/import/ share. */
#ifndef KILN_COMPILER_IMPORTING_H
#define KILN_COMPILER_IMPORTING_H

#include "compiler/import/import.h"
#include "onnx.pb-c.h"

/* ---- Files (files.c) ----------------------------------------------------------------------- */

/* Mapped files of one import: the model and its external data. Constants point into them. */
typedef struct mapped_file {
    char *path;
    uint8_t *data;
    size_t size;
    struct mapped_file *next;
} mapped_file;

/* Maps a regular file, once a path; an empty one is refused. */
kiln_status files_map(mapped_file **inout_files, const char *path, kiln_error *error,
                      kiln_span *out_bytes);
void files_unmap(void *files); /* a graph's release_file */

/* ---- The wire format (wire.c) -------------------------------------------------------------- */

/* protobuf's types of fields that are not deprecated. */
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct wire_field {
    uint32_t number, type;
    uint64_t value;  /* WIRE_VARINT */
    kiln_span bytes; /* WIRE_BYTES */
    kiln_span whole; /* tag included */
} wire_field;

/* Takes one field off the front. False at the end, and when what follows is no field: then
 * *out_sound is false. */
bool wire_next(kiln_span *inout_rest, wire_field *out_field, bool *out_sound);

/* ---- One import ---------------------------------------------------------------------------- */

typedef struct importing {
    graph *g;
    mapped_file *files;
    const char *folder; /* of the model: external data lie in it */
    const kiln_value *inputs;
    size_t input_count;
    bool symbolic_batch;
    char unknown[256]; /* operators that are not in the table */
} importing;

/* "float16", "uint8": the name of an ONNX element type. */
const char *onnx_type_name(int32_t type);
/* The element type inside the graph of data of an ONNX type; false: not supported. */
bool dtype_of_onnx(int32_t type, kiln_dtype *out_dtype);

/* Fills t from a TensorProto: shape, dtype, data. `raw` are its raw_data bytes where they lie in a
 * file that stays mapped, else NULL data. t is registered with the graph or not, as the caller
 * likes: memory comes from the graph's pool. */
kiln_status import_tensor_proto(importing *im, const Onnx__TensorProto *proto, kiln_span raw,
                                tensor *t);
/* The same from the message's bytes, which stay mapped: raw data are not copied. The tensor is made
 * and entered in the graph under its name. */
kiln_status import_initializer(importing *im, kiln_span message);

kiln_status import_attributes(importing *im, const Onnx__NodeProto *proto, node *n);
/* Graph inputs: shapes, boundary casts, given values. */
kiln_status import_input(importing *im, kiln_span message);
kiln_status import_outputs(importing *im, const kiln_span *messages, size_t count);
kiln_status bind_values(importing *im);

#endif
