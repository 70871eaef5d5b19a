/* What the files of compiler/import/ share. */
#ifndef KILN_COMPILER_IMPORTING_H
#define KILN_COMPILER_IMPORTING_H

#include "compiler/graph/element_type.h"
#include "compiler/graph/name_table.h"
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

/* Field numbers of the standard's onnx.proto that are walked, not unpacked: of ModelProto, then of
 * GraphProto. */
enum { MODEL_GRAPH = 7 };
enum {
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_SPARSE_INITIALIZER = 15
};

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
uint8_t *wire_without(ProtobufCAllocator *memory, kiln_span message, uint32_t number,
                      size_t *out_size, kiln_span *out_removed);

/* ---- Names ---------------------------------------------------------------------------------- */

struct function;

/* Where names are looked up while a subgraph or a function's body is imported. */
typedef struct scope {
    struct scope *outer; /* where it stands */
    name_table names;    /* what is defined in it; the tensor is NULL for an input left out */
    const char *prefix;  /* of its tensors' names in the graph */
    size_t depth;
    bool in_function;
    const node *call; /* of a function's body: the node, with its attributes. NULL: a subgraph */
    tensor **outputs; /* of a subgraph */
    size_t output_count, room;
} scope;

/* ---- One import ---------------------------------------------------------------------------- */

typedef struct importing {
    graph *g;
    mapped_file *files;
    const char *folder; /* of the model: external data lie in it */
    kiln_span model;
    const kiln_compile_options *options;
    bool symbolic_batch;
    const char *looked_for; /* by who walks over the model for a name */
    scope *scope;           /* NULL: the model's graph, whose names are the tensors' */
    name_table functions;
    size_t inlined_nodes, inlined_bytes;
    /* What messages are unpacked by: malloc, which remembers that there was no more. Messages that
     * could not be unpacked are damaged only if it was not that. */
    ProtobufCAllocator memory;
    bool starved;
    bool needs_version; /* of the default ONNX domain: some operator is of it */
} importing;

void import_memory(importing *im); /* walk.c: sets it up */

/* What follows stands in the order of the files' dependence: each calls those above it only. */

/* ---- Walking over messages (walk.c) -------------------------------------------------------- */

/* Makes a copy of bytes of the file that ends in a zero. */
kiln_status read_text(importing *im, kiln_span bytes, const char **out_text);
/* Imports one message. */
typedef kiln_status (*part_importer)(importing *im, kiln_span message);
/* Gives every field `number` of a message to `take`. */
kiln_status each_field(importing *im, kiln_span message, uint32_t number, part_importer take);
/* The same for the model's graph, which may come in several pieces: protobuf merges them. */
kiln_status each_part(importing *im, uint32_t number, part_importer take);

/* ---- Scopes (scope.c) ---------------------------------------------------------------------- */

/* Scopes that were opened are closed in turn, on failure too. */
kiln_status scope_open(importing *im, scope *s, const char *prefix);
void scope_close(importing *im, scope *s);
kiln_status scope_bind(importing *im, scope *s, const char *name, tensor *t);
bool scope_has(const importing *im, const char *name); /* defined right there */
/* A new tensor of that name, which is not there yet. NULL: out of memory. */
tensor *scope_define(importing *im, const char *name);
/* Finds what a node means by a name, which is made when it is first met. */
kiln_status scope_tensor(importing *im, const char *name, tensor **out_tensor);
/* A node's outputs are defined before any node is imported, so that they hide names outside. */
kiln_status scope_define_outputs(importing *im, kiln_span node_message);
/* Nodes, the fields `node_field` of a message, into the innermost scope. */
kiln_status scope_import_nodes(importing *im, kiln_span message, uint32_t node_field,
                               part_importer import_node);
/* The call whose function's body is being imported; NULL: none. */
const node *scope_call(const importing *im);

/* ---- Types and shapes ---------------------------------------------------------------------- */

/* types.c: gives a tensor inside the graph the type that holds values of `dtype`. */
void set_inner_type(tensor *t, kiln_dtype dtype);
/* Appends a cast at the graph's boundary to the nodes. */
kiln_status add_boundary_cast(importing *im, tensor *from, tensor *to);

/* given.c: are the caller's values of a rank that we take, and (once nodes and inputs are there)
 * named after an input? */
kiln_status check_given(const importing *im);
kiln_status check_given_names(const importing *im);
/* By name, or, for a value without one, by position among the inputs. NULL: not given. */
const kiln_value *given_value(const importing *im, const char *name, size_t position);

/* shapes.c: is the dimension a number? */
bool is_settled_dimension(const Onnx__TensorShapeProto__Dimension *d);
/* Sets the shape as the model declares it (NULL: not at all). An open batch is for sessions to
 * choose, or 1; other open dimensions are refused. */
kiln_status shape_from_model(importing *im, const Onnx__TensorShapeProto *shape, tensor *t);
/* Sets it as the caller gives it, which the model's own (or NULL) may contradict. */
kiln_status shape_from_value(importing *im, const kiln_value *value,
                             const Onnx__TensorShapeProto *shape, tensor *t);
/* Sets type and shape of a tensor inside the model from what that says about it, if it does. */
kiln_status shape_from_value_info(importing *im, const Onnx__ValueInfoProto *p, tensor *t);

/* ---- Constants ----------------------------------------------------------------------------- */

/* external_data.c: finds the bytes that a TensorProto with external data means. `needed` is the
 * size that its shape asks for: what lies behind it belongs to others when no length is given. */
kiln_status import_external_data(importing *im, const Onnx__TensorProto *proto, const tensor *t,
                                 size_t needed, kiln_span *out_raw);

/* tensor_data.c: fills t from the bytes of a TensorProto, which stay mapped: shape, dtype, data. */
kiln_status import_tensor(importing *im, kiln_span message, tensor *t);
/* The same from an unpacked one in two steps: its type, then its elements, of t->dtype. `raw` are
 * its raw_data where they lie in a file that stays mapped, and then f32 and i64 elements stay
 * there; with NULL data the proto's own are copied. Copies are t->owned. */
kiln_status proto_dtype(const importing *im, const Onnx__TensorProto *proto, const tensor *t,
                        kiln_dtype *out_type);
kiln_status import_typed_proto(importing *im, const Onnx__TensorProto *proto, kiln_span raw,
                               kiln_dtype type, tensor *t);
/* Makes a new tensor of the graph, under its own name. */
kiln_status import_initializer(importing *im, kiln_span message);
/* A part_importer that fails. */
kiln_status refuse_sparse_initializer(importing *im, kiln_span message);

/* ---- Nodes --------------------------------------------------------------------------------- */

/* attributes.c */
kiln_status import_attributes(importing *im, kiln_span node_message, node *n);
/* A function's attribute, unless the call has it; there is room behind its attributes. */
kiln_status import_default_attribute(importing *im, kiln_span message, node *call);
/* A Constant node's only attribute becomes the tensor's value; n is for messages. */
kiln_status import_constant_value(importing *im, kiln_span node_message, const node *n, tensor *t);

/* add_node.c */
bool is_onnx_domain(const char *domain);
/* Fails where somebody else has made an output of n. Marks those seen (tensor.mark), for one that
 * stands twice in the list. */
kiln_status claim_outputs(importing *im, const node *n);
/* Adds a node without attributes, whose outputs nobody else makes. */
kiln_status add_imported_node(importing *im, const node *draft, node **out_node);

/* functions.c: the model's functions are collected, and freed, ... */
kiln_status import_function(importing *im, kiln_span message);
void functions_free(importing *im);
int64_t functions_opset(const importing *im); /* of the default domain; 0: none */
/* ... found (NULL: none), and called: the call becomes the body's nodes. */
struct function *find_function(importing *im, const Onnx__NodeProto *p);
kiln_status import_call(importing *im, kiln_span message, struct function *f, node *call,
                        part_importer import_node);
/* Refuses bodies that multiply beyond measure. */
kiln_status count_inlined(importing *im, kiln_span node_message);

/* subgraph.c: both branches become nodes. `draft` has the condition; the branches' outputs are put
 * behind it. */
kiln_status import_if(importing *im, kiln_span message, const node *draft, size_t output_count,
                      part_importer import_node);

/* nodes.c */
kiln_status import_node(importing *im, kiln_span message);

/* order.c: every operand is defined, and defined before it is read; reorders nodes if need be. */
kiln_status import_order(importing *im);

/* ---- Inputs and outputs -------------------------------------------------------------------- */

/* bind.c: an initializer that is listed as an input takes the value given for it. */
kiln_status bind_initializer(importing *im, tensor *t);
/* Given values become constants (samples only where they are needed when compiling); other inputs
 * get their casts. */
kiln_status bind_inputs(importing *im);

/* boundary.c: one message each; g->inputs and g->outputs have room. */
kiln_status import_input(importing *im, kiln_span message);
kiln_status import_output(importing *im, kiln_span message);

/* part.c: outputs named by the caller. */
kiln_status import_part_outputs(importing *im);
/* Inputs named by the caller. The model's own that are not named are left out, which holds when
 * nothing reads them any more (passes/drop_unread_inputs.c). Where only what stands upstream tells
 * an input's shape, `import` imports the model once more up to there. */
typedef kiln_status (*model_importer)(const char *path, const kiln_compile_options *options,
                                      bool symbolic_batch, kiln_error *error, graph **out_graph);
kiln_status import_part_inputs(importing *im, model_importer import);

/* narrow.c: arithmetic on integers narrower than what holds them gets casts that wrap. Last: nodes
 * are in order, inputs bound. */
kiln_status wrap_narrow_integers(importing *im);

#endif
