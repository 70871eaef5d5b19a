/* The compiler's graph: ONNX semantics (dims in ONNX order, row-major constants), free of protobuf.
 * Import makes it, passes rewrite it, lower reads it. Everything is owned by the graph and freed
 * with it. One graph is used by one thread. */
#ifndef KILN_COMPILER_GRAPH_H
#define KILN_COMPILER_GRAPH_H

#include "compiler/graph/name_table.h"
#include <kiln/kiln.h>
#include <kiln/plan_format.h>
#include <stdio.h>

/* While shapes are inferred the batch, when it is left to sessions, is this prime. A dims[0] that
 * is a multiple of it is "batched". A pass brings the batch there where a multiple is elsewhere
 * (passes/move_batch_first.c); where that cannot be, since the network mixes samples, the compiler
 * falls back to a batch of one. */
#define GRAPH_BATCH ((int64_t)99991)

enum { GRAPH_OTHER_BATCHES = 2 };

#define GRAPH_MAX_ELEMENTS ((int64_t)1 << 40) /* of one tensor; larger ones are refused */
#define GRAPH_SMALL_BYTES ((size_t)4096)      /* constants up to this size are always aligned */

struct op;
struct node;

typedef struct tensor {
    const char *name; /* unique in the graph */
    kiln_dtype dtype; /* F32, I64, BOOL; others only next to the graph's boundary casts */
    /* While importing, the model's own type where that is a narrow integer (element_type.h), which
     * is held in dtype; 0 otherwise. */
    kiln_dtype narrow;
    uint32_t rank;
    int64_t dims[KILN_MAX_RANK];
    bool shape_known;
    /* A constant's elements, or NULL when they are known only at run time. They are aligned, except
     * f32 of more than GRAPH_SMALL_BYTES in a mapped file: see tensor_align(). */
    const void *data;
    void *owned; /* = data when the graph must free() it */
    /* The integers that an f32 constant was dequantised from, or NULL: what plans store. */
    const struct quantized_constant *quantized;
    /* The elements of a constant that was computed from the batch's placeholder, at a batch of 1
     * and of 2 (batch.c); NULL: the same at every batch. */
    void *other[GRAPH_OTHER_BATCHES];
    uint8_t layout;          /* kiln_plan_layout; set by the layout pass */
    struct node *producer;   /* NULL for graph inputs and initializers */
    struct node **consumers; /* one entry a use; valid after graph_refresh */
    size_t consumer_count, consumer_capacity;
    /* A sequence has members instead of a shape and elements; the list is the graph's. */
    bool is_sequence;
    struct tensor **members;
    size_t member_count;
    bool left_out;            /* an input of the model, not of the part of it that is compiled */
    bool is_input, is_output; /* of the graph */
    bool open_batch;          /* an input whose first dimension the model leaves open */
    size_t mark;              /* scratch of whoever walks the graph */
} tensor;

/* Each value is (integer - zero) * scale, with a scale and a zero for each index of an axis, or one
 * of each for all. */
typedef struct quantized_constant {
    kiln_dtype dtype;        /* U8, I8 */
    const uint8_t *integers; /* in the order of the constant's elements; of I8 the bits */
    size_t count;            /* of scales and zeros */
    uint32_t axis;
    const float *scales, *zeros;
} quantized_constant;

typedef enum attribute_type {
    ATTRIBUTE_INT,
    ATTRIBUTE_FLOAT,
    ATTRIBUTE_STRING,
    ATTRIBUTE_TENSOR,
    ATTRIBUTE_INTS,
    ATTRIBUTE_FLOATS,
    ATTRIBUTE_ABSENT, /* while importing: a reference to what was not given */
    ATTRIBUTE_OTHER   /* graphs, sparse tensors, ...: present but unreadable */
} attribute_type;

typedef struct attribute {
    const char *name;
    attribute_type type;
    int64_t i;
    float f;
    const char *s;
    tensor *t;
    size_t count; /* of ints or floats */
    int64_t *ints;
    float *floats;
} attribute;

typedef struct node {
    const struct op *op;
    const char *name;   /* ONNX node name, or one made from its first output */
    const char *origin; /* "Conv + BatchNormalization + Relu" */
    size_t input_count, output_count;
    tensor **inputs;  /* NULL entries: optional inputs left out */
    tensor **outputs; /* NULL entries: outputs nobody wants */
    size_t attribute_count;
    attribute *attributes;
    /* The fused activation: the node's (f32) first output is clamped; -INFINITY, INFINITY: none. */
    float min, max;
    /* The map's channels where the node is a Gemm whose input 0 is a map flattened as it lies,
     * channels last (flatten_channels_last.c); 0 otherwise. It is no attribute, since a file could
     * have one of any name. */
    int64_t flattened_channels;
    bool dead;
    size_t mark;
} node;

/* The row of an operator; NULL: there is none. */
typedef const struct op *(*op_finder)(const char *name);

typedef struct graph {
    const char *file; /* path of the model, for messages */
    int64_t opset;    /* of the default ONNX domain */
    op_finder find_op;
    node **nodes; /* in topological order */
    size_t node_count, node_capacity;
    tensor **tensors;
    size_t tensor_count, tensor_capacity;
    tensor **inputs; /* initializers not included */
    size_t input_count;
    tensor **outputs;
    size_t output_count;
    bool batch_symbolic;   /* some input's dims[0] is GRAPH_BATCH */
    uint32_t threads;      /* that evaluation may use; 0 = 1 */
    kiln_error *error;     /* may be NULL */
    const char *producer;  /* "pytorch 1.10", for metadata */
    uint64_t source_bytes; /* of the model's files */
    uint64_t fold_limit;   /* bytes of constants that are computed; 0: the default */
    double folded_bytes, folded_work;
    char note[512];                      /* warnings for the user: graph_note */
    char fixed[96];                      /* the model's own shape where another was given, or "" */
    struct arena *arena;                 /* memory of everything above */
    name_table names;                    /* of tensors */
    size_t fresh_names;                  /* made up so far */
    void (*release_file)(void *context); /* unmaps what constants point into */
    void *file_context;
} graph;

/* ---- Making and freeing -------------------------------------------------------------------- */

/* `find_op` is the operator table (op_find), which those consult who build nodes by name. */
kiln_status graph_create(const char *file, op_finder find_op, kiln_error *error, graph **out_graph);
void graph_free(graph *g);

/* Zeroed memory that lives as long as the graph; NULL, with the graph's error set, when there is
 * none. So do graph_strdup and graph_printf. */
void *graph_allocate(graph *g, size_t size);
const char *graph_strdup(graph *g, const char *text);
const char *graph_printf(graph *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for one more pointer in an array of the graph's: the array itself while `count` is below its
 * capacity, else a copy twice as large. NULL as graph_allocate; the array is then as it was. */
void *graph_grow(graph *g, void *items, size_t count, size_t *inout_capacity);

/* Adds a tensor of no shape; where the name is NULL or taken it gets a fresh one. NULL: out of
 * memory. */
tensor *graph_add_tensor(graph *g, const char *name, kiln_dtype dtype);
tensor *graph_find_tensor(const graph *g, const char *name); /* NULL: none */
/* Gives each the other's name. Names are never changed otherwise, since they are indexed. */
void graph_swap_names(graph *g, tensor *a, tensor *b);
/* Adds a constant with zeroed, owned, aligned data. dims may be NULL when rank is 0. */
tensor *graph_add_constant(graph *g, const char *name, kiln_dtype dtype, uint32_t rank,
                           const int64_t *dims);
/* Appends a node; arrays are copied. NULL: out of memory. */
node *graph_add_node(graph *g, const struct op *op, const char *name, size_t input_count,
                     tensor *const *inputs, size_t output_count, tensor *const *outputs);
/* Inserts a node before `position` in the order. */
node *graph_insert_node(graph *g, size_t position, const struct op *op, const char *name,
                        size_t input_count, tensor *const *inputs, size_t output_count,
                        tensor *const *outputs);

/* Sets the graph's error: "FILE: node 'NAME' (OP): " + message. Returns status. */
kiln_status node_fail(const graph *g, const node *n, kiln_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "FILE: " + message. */
kiln_status graph_fail(const graph *g, kiln_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For whoever calls what should have set the graph's error when it failed: if it has not, the error
 * tells at least at which node, or in which step. Returns status, which may be KILN_OK. */
kiln_status node_explain(const graph *g, const node *n, kiln_status status);
kiln_status graph_explain(const graph *g, const char *step, kiln_status status);

/* Adds a warning for the user. */
void graph_note(graph *g, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- Walking and rewriting ----------------------------------------------------------------- */

/* Removes dead nodes, rebuilds producers and consumers. Call after a batch of changes. */
kiln_status graph_refresh(graph *g);
/* Makes every tensor's mark 0. Whoever uses marks begins with this, as others leave theirs. */
void graph_clear_marks(const graph *g);
/* Notes that n reads t once more. */
kiln_status tensor_add_consumer(graph *g, tensor *t, node *n);
/* Points one input elsewhere, keeping consumer lists right. */
kiln_status node_set_input(graph *g, node *n, size_t k, tensor *t);
/* All consumers of `from` read `to` instead. Where `from` is a graph output it stays one, so
 * callers check is_output first. */
kiln_status graph_replace_uses(graph *g, tensor *from, tensor *to);
/* The only consumer of t, when t is not a graph output and has exactly one use; else NULL. */
node *tensor_single_consumer(const tensor *t);
/* Checks order, producers, shapes, dtypes. Debug builds call it after each pass, whose bugs it
 * shows. */
kiln_status graph_validate(const graph *g);
/* Text form, one node a line. */
void graph_dump(const graph *g, FILE *out);

/* ---- Tensors ------------------------------------------------------------------------------- */

bool tensor_is_constant(const tensor *t); /* false for NULL */
int64_t tensor_elements(const tensor *t); /* product of dims; 1 for a scalar */
bool tensor_is_batched(const graph *g, const tensor *t);
bool tensor_depends_on_batch(const tensor *t); /* as a constant does; false for NULL */
bool tensor_same_shape(const tensor *a, const tensor *b);
/* A constant's elements, which must be of that dtype and aligned. Import aligns all but large f32,
 * which graph_evaluate_node aligns for the evaluator: inference may read any small input, an
 * evaluator everything, and passes read f32 one by one. */
const float *tensor_f32(const tensor *t);
const int64_t *tensor_i64(const tensor *t);
const uint8_t *tensor_bytes(const tensor *t);    /* any dtype */
float tensor_f32_at(const tensor *t, int64_t k); /* aligned or not */
/* Copies a constant whose elements lie unaligned in a file. */
kiln_status tensor_align(const graph *g, tensor *t);
/* Sets shape; checks rank, signs and the element limit. n names the culprit in the message. */
kiln_status tensor_set_shape(const graph *g, const node *n, tensor *t, uint32_t rank,
                             const int64_t *dims);
/* Gives a tensor zeroed owned data by its shape and dtype (evaluation). */
kiln_status tensor_allocate(const graph *g, tensor *t);
/* Frees owned data; the tensor is no constant afterwards. */
void tensor_release(tensor *t);
/* Frees its values at other batches alone. */
void tensor_release_other(tensor *t);
/* Copies elements, those at other batches too, to a tensor that has data of that size. */
kiln_status tensor_copy_elements(const graph *g, const tensor *from, tensor *to);
/* Writes "1x3x224x224", with N for the batch; returns the buffer. */
const char *tensor_shape_text(const tensor *t, char *buffer, size_t size);

/* ---- Attributes ---------------------------------------------------------------------------- */

const attribute *node_attribute(const node *n, const char *name); /* NULL: absent */
int64_t node_int(const node *n, const char *name, int64_t fallback);
float node_float(const node *n, const char *name, float fallback);
const char *node_string(const node *n, const char *name, const char *fallback);
/* Returns the number of ints copied into out (at most capacity); -1 when absent or not ints. */
int node_ints(const node *n, const char *name, int64_t *out, int capacity);
kiln_status node_set_int(graph *g, node *n, const char *name, int64_t value);
kiln_status node_set_float(graph *g, node *n, const char *name, float value);
kiln_status node_set_string(graph *g, node *n, const char *name, const char *value);
kiln_status node_set_ints(graph *g, node *n, const char *name, const int64_t *values, size_t count);
/* Resolves an axis, which counts from the end where it is negative, and checks its range. */
kiln_status node_axis(const graph *g, const node *n, int64_t axis, uint32_t rank,
                      uint32_t *out_axis);
/* Returns the number of values of a constant i64 input copied into out (at most capacity); -1 when
 * it is absent or not constant. */
int node_input_ints(const node *n, size_t k, int64_t *out, int capacity);

/* ---- Evaluation ---------------------------------------------------------------------------- */

/* Infers output shapes and dtypes of one node (op->infer). */
kiln_status graph_infer_node(graph *g, node *n);
/* Computes one node's outputs naively from constant inputs, fused clamp included. */
kiln_status graph_evaluate_node(graph *g, node *n);
/* The same for a constant of the plan, if the graph's limit of such (in bytes, and in work) allows
 * it: a small file may ask for any amount. */
kiln_status graph_fold_node(graph *g, node *n);
/* Counts such constants, which n asks for, against the limit. */
kiln_status graph_charge_fold(graph *g, const node *n, double more_bytes, double more_work);

/* ---- While the batch is open (batch.c) ------------------------------------------------------ */

/* Computes the values at other batches of a node that was just evaluated. */
kiln_status graph_evaluate_other_batches(graph *g, node *n);
/* Is what a run computes sound at every batch? Constants that depend on it may only shape tensors,
 * in multiples of it. */
kiln_status graph_check_batch(graph *g, node *n);

#endif
