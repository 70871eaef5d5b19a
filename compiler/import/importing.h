/* What the files of compiler/import/ share. */
#ifndef KILN_COMPILER_IMPORTING_H
#define KILN_COMPILER_IMPORTING_H

#include "compiler/graph/element_type.h"
#include "compiler/import/import.h"
#include "onnx.pb-c.h"

/* ---- Files (files.c) ----------------------------------------------------------------------- */

/* Mapped files of one import: the model and its external data. Constants point into them. */
typedef struct mapped_file {
    char *path;
    kiln_span bytes;
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
    kiln_span bytes; /* WIRE_BYTES */
    kiln_span whole; /* tag included */
} wire_field;

/* Takes one field off the front. False at the end, and when what follows is no field: then
 * *inout_sound becomes false. */
bool wire_next(kiln_span *inout_rest, wire_field *out_field, bool *inout_sound);

/* A copy of a message without its fields `number`, to be freed by the caller; *out_removed is the
 * content of the last one (data NULL: there was none), which stays where it lies. NULL: the message
 * is damaged, or there is no memory. */
uint8_t *wire_without(kiln_span message, uint32_t number, size_t *out_size, kiln_span *out_removed);

/* ---- One import ---------------------------------------------------------------------------- */

typedef struct importing {
    graph *g;
    mapped_file *files;
    const char *folder; /* of the model: external data lie in it */
    kiln_span model;
    const kiln_value *inputs;
    size_t input_count;
    bool symbolic_batch;
    bool needs_version; /* of the default ONNX domain: some operator is of it */
} importing;

/* nodes.c */
kiln_status import_node(importing *im, kiln_span message);
/* order.c: every operand is defined, and defined before it is read; reorders nodes if need be. */
kiln_status import_order(importing *im);

/* attributes.c */
kiln_status import_attributes(importing *im, kiln_span node_message, node *n);
/* A Constant node's only attribute becomes the tensor's value; n is for messages. */
kiln_status import_constant_value(importing *im, kiln_span node_message, const node *n, tensor *t);

/* boundary.c: graph inputs and outputs, one message each; g->inputs and g->outputs have room. */
kiln_status import_input(importing *im, kiln_span message);
kiln_status import_output(importing *im, kiln_span message);
/* A cast at the graph's boundary, appended to the nodes. */
kiln_status add_boundary_cast(importing *im, tensor *from, tensor *to);

/* bind.c: values and shapes given by the caller. */
kiln_status check_given(const importing *im);
/* By name, or, for a value without one, by position among the inputs. NULL: not given. */
const kiln_value *given_value(const importing *im, const char *name, size_t position);
/* Given values that are needed when compiling become constants; other inputs get their casts. */
kiln_status bind_inputs(importing *im);

/* Gives a tensor inside the graph the type that holds values of `dtype`. */
void set_inner_type(tensor *t, kiln_dtype dtype);

/* narrow.c: arithmetic on integers narrower than what holds them gets casts that wrap. Last: nodes
 * are in order, inputs bound. */
kiln_status wrap_narrow_integers(importing *im);

/* ---- Tensors ------------------------------------------------------------------------------- */

/* Fills t from a TensorProto: shape, dtype, data. `raw` are its raw_data where they lie in a file
 * that stays mapped, and then f32 and i64 elements stay there; with NULL data the proto's own are
 * copied. Copies are t->owned. */
kiln_status import_tensor_proto(importing *im, const Onnx__TensorProto *proto, kiln_span raw,
                                tensor *t);
/* The same in two steps: its type, then its elements, of t->dtype. */
kiln_status proto_dtype(const importing *im, const Onnx__TensorProto *proto, const tensor *t,
                        kiln_dtype *out_type);
kiln_status import_typed_proto(importing *im, const Onnx__TensorProto *proto, kiln_span raw,
                               kiln_dtype type, tensor *t);
/* The same from the message's bytes, which stay mapped. */
kiln_status import_tensor(importing *im, kiln_span message, tensor *t);
/* A new tensor of the graph, under its own name. */
kiln_status import_initializer(importing *im, kiln_span message);

/* external_data.c: the bytes that a TensorProto with external data means. `needed` is the size that
 * its shape asks for: what lies behind it belongs to others when no length is given. */
kiln_status import_external_data(importing *im, const Onnx__TensorProto *proto, const tensor *t,
                                 size_t needed, kiln_span *out_raw);

#endif
