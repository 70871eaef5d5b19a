/* Lowering: graph to program. A program is the plan's records before placement: tensors with
 * physical layout, constants as strided views of the model's data (copied only while being
 * written), steps.
 *
 * Operators' lower functions use the first part; write/ and place/ read the program below. */
#ifndef KILN_COMPILER_LOWER_H
#define KILN_COMPILER_LOWER_H

#include "compiler/graph/graph.h"
#include "compiler/ops/ops.h"
#include <kiln/compile.h>

typedef struct lowering lowering;

/* ---- For operators' lower functions -------------------------------------------------------- */

/* Physical dims of a tensor under its layout (batch placeholder kept), and where a logical axis
 * lies among them. */
void physical_dims(const tensor *t, int64_t out_dims[KILN_MAX_RANK]);
uint32_t physical_axis(const tensor *t, uint32_t axis);
/* The inverse: which logical axis lies at a physical position. */
uint32_t logical_axis(const tensor *t, uint32_t position);

/* The program's tensor for a graph tensor: an arena tensor, or a constant in t's own layout, of
 * which identical uses share one. KILN_PLAN_NONE for t == NULL. */
uint32_t lower_tensor(lowering *l, tensor *t);
/* The same for operand k of a node, and for its output k. */
uint32_t lower_input(lowering *l, const node *n, size_t k);
uint32_t lower_output(lowering *l, const node *n, size_t k);

/* A constant with `rank` dims whose element [i0, i1, ..] is source.data[sum i*strides] (strides in
 * elements of source, which must be a constant tensor): permuted weights need no copy. The new
 * constant is row-major with these dims. A NULL strides means dense row-major. */
uint32_t lower_constant_view(lowering *l, tensor *source, uint32_t rank, const int64_t *dims,
                             const int64_t *strides);
/* A constant from a buffer (copied). */
uint32_t lower_constant_data(lowering *l, const char *name, kiln_dtype dtype, uint32_t rank,
                             const int64_t *dims, const void *data);

/* A nameless arena tensor with logical dims and layout. */
uint32_t lower_temporary(lowering *l, kiln_dtype dtype, uint32_t rank, const int64_t *dims,
                         uint8_t layout);
/* The same elements in the same physical order with other dims (row-major), e.g. to broadcast
 * [C] as [1,1,1,C] or to drop a unit dim. No step is made. */
uint32_t lower_reshaped(lowering *l, uint32_t tensor_id, uint32_t rank, const int64_t *dims);

/* Makes the output `view` the same memory as `base`: the same physical order of elements, whatever
 * the dims. No step is made unless base is a constant or graph input. */
kiln_status lower_alias(lowering *l, const node *n, tensor *view, tensor *base);

/* Adds one kernel call. Operands that the kernel may do without can be KILN_PLAN_NONE. */
kiln_status lower_step(lowering *l, const node *n, kiln_kernel kernel, const void *params,
                       size_t params_bytes, size_t input_count, const uint32_t *inputs,
                       size_t output_count, const uint32_t *outputs);

/* Adds flags (KILN_STEP_*) to the step that was made last. */
void lower_flag_step(lowering *l, uint32_t flags);

/* Adds the common form of COPY: x permuted, sliced or expanded. It loops over output's physical
 * dims, reading x at start + sum i*input_strides (dense physical elements of x). */
kiln_status lower_copy(lowering *l, const node *n, uint32_t x, uint32_t output,
                       const int64_t *input_strides, int64_t input_start);

/* Makes `output` the concatenation of the inputs along a physical axis; they have its physical dims
 * but for that axis (constants: see lower_broadcast). Which inputs are written in place and which
 * are copied is decided later, when lifetimes are known. */
kiln_status lower_concat(lowering *l, const node *n, size_t input_count, const uint32_t *inputs,
                         tensor *output, uint32_t physical_axis);
/* Makes `output` the part of x at [start, start + output's size) of a physical axis: a view where
 * readers allow it, else a copy. */
kiln_status lower_slice(lowering *l, const node *n, tensor *x, tensor *output,
                        uint32_t physical_axis, int64_t start);

/* Keeps a failure, whose error is set already, for lower_status. Returns KILN_PLAN_NONE, for who
 * returns an id and fails elsewhere than in a lower_ call. */
uint32_t lower_fail(lowering *l, kiln_status status);
/* The graph whose node is being lowered, for node_fail. */
graph *lower_graph(const lowering *l);
/* KILN_OK, or what an earlier lower_ call that returned an id ran into: return it
 * at the end of a lower function; lower_step checks it too. */
kiln_status lower_status(const lowering *l);

/* ---- The program --------------------------------------------------------------------------- */

/* A constant's elements in order: those of source at sum i*strides for i below dims, whatever the
 * tensor's own dims. */
typedef struct program_constant {
    tensor *source;   /* NULL: data */
    const void *data; /* dense; owned by the graph's arena */
    uint32_t rank;
    int64_t dims[KILN_MAX_RANK];
    int64_t strides[KILN_MAX_RANK]; /* elements of source */
} program_constant;

typedef struct program_tensor {
    const char *name; /* NULL: temporary */
    kiln_dtype dtype;
    uint8_t rank, layout, place, batched;
    uint32_t dims[KILN_MAX_RANK]; /* ONNX order, batch of one */
    uint32_t storage;             /* ARENA; index into program.storages */
    uint64_t slice_offset;        /* bytes within the storage */
    uint32_t row_stride;          /* elements */
    uint32_t rolling_rows;        /* rows held at a time; 0: all */
    program_constant constant;    /* CONSTANT */
    /* Set by write/. */
    uint64_t weights_offset, checksum;
    uint16_t stored_axis;
} program_tensor;

typedef struct program_step {
    kiln_kernel kernel;
    uint32_t flags;
    const char *name, *origin;
    uint32_t input_count, output_count;
    uint32_t *operands; /* inputs, then outputs */
    void *params;
    size_t params_bytes;
} program_step;

typedef struct program_storage {
    uint64_t bytes, offset;
    uint32_t first_step, last_step;
} program_storage;

typedef struct program {
    graph *source;
    program_tensor *tensors;
    size_t tensor_count, tensor_capacity;
    program_step *steps;
    size_t step_count, step_capacity;
    program_storage *storages;
    size_t storage_count;
    kiln_plan_band *bands;
    size_t band_count;
    uint32_t *inputs, *outputs; /* tensor ids */
    size_t input_count, output_count;
    uint64_t arena_bytes, lower_bound_bytes, no_reuse_bytes;
    uint64_t unbanded_bytes; /* the lower bound if each step ran as a whole */
    const char *placement;
    size_t copies, boundary_copies;
    bool batchable;
} program;

uint64_t program_elements(const program_tensor *t); /* batch of one */
/* The tensor as the plan has it, without its name, storage and constant. */
kiln_plan_tensor_record program_record(const program_tensor *t);

/* Does everything but placement: steps, aliasing, in-place results, storages with lifetimes. The
 * program is owned by the graph's arena. */
kiln_status lower_graph_to_program(graph *g, const kiln_compile_options *options,
                                   program **out_program);

#endif
