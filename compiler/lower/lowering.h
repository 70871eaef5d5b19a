/* What the files of compiler/lower/ share and nobody else sees. */
#ifndef KILN_COMPILER_LOWERING_H
#define KILN_COMPILER_LOWERING_H

#include "compiler/lower/lower.h"
#include "runtime/plan/bands.h"

/* Where a tensor's elements lie, while storages are being decided. Every arena tensor lies in the
 * memory of one root tensor (often itself). */
typedef struct memory {
    uint32_t root;       /* id of the tensor that owns the memory */
    uint64_t offset;     /* bytes from the root's start, the same at any batch */
    uint32_t row_stride; /* elements */
    bool same_outer;     /* has its root's `outer`: may follow it to a wider stride */
} memory;

/* Concatenations and slices stay open until all readers and writers are known; until then they are
 * steps of these pseudo-kernels. */
enum { LOWER_CONCAT = KILN_KERNEL_COUNT + 1, LOWER_SLICE };

/* The whole as `outer` times `inner` elements, of which each part takes some of the inner ones: the
 * parts are columns of that matrix. They are columns of the tensor's own inner dim, the one that
 * has a stride, only where the axis is the last physical one: an axis with dims of one behind it
 * has another inner dim, though its elements follow each other as well. */
typedef struct lower_columns {
    uint64_t outer, inner; /* elements */
    uint64_t start;        /* LOWER_SLICE: first column */
    bool last_axis;        /* the axis is the last physical one */
} lower_columns;

struct lowering {
    graph *g;
    const kiln_compile_options *options;
    program *p;
    memory *memories; /* one a program tensor */
    size_t memory_capacity;
    const node *current;
    kiln_status status;
};

/* program.c */
uint32_t lowering_add_tensor(lowering *l, const char *name, kiln_dtype dtype, uint32_t rank,
                             const int64_t *dims, uint8_t layout, uint8_t place);
kiln_status lowering_add_step(lowering *l, const program_step *step);
/* program_layout.c */
uint32_t program_inner(const program_tensor *t); /* last physical dim, 1 for a scalar */
uint64_t program_bytes(const program_tensor *t);
void program_physical_dims(const program_tensor *t, uint32_t out_dims[KILN_MAX_RANK]);
bool program_same_physical(const program_tensor *a, const program_tensor *b);

/* ---- Uses (uses.c) ------------------------------------------------------------------------- */

/* A tensor's uses, in order of steps. */
typedef struct tensor_use {
    uint32_t step;
    uint8_t operand; /* index among the inputs, or among the outputs */
    bool is_output;
} tensor_use;

typedef struct use_table {
    tensor_use *uses;
    size_t *first; /* tensor_count + 1 entries: uses of t are first[t] .. first[t+1] */
    /* The tensors of each root, as lists that end in NONE. */
    uint32_t *tenant, *next_tenant;
} use_table;

kiln_status use_table_build(lowering *l, use_table *out_table);
/* Makes `root` the root of t, which is in no list. */
void use_table_add_tenant(lowering *l, use_table *table, uint32_t t, uint32_t root);
/* Is the tensor's memory its own, and nobody else's? */
bool use_table_is_alone(const use_table *table, uint32_t tensor_id);
/* The step that makes a tensor of the arena, where one other use alone reads it and its memory is
 * its own; else NONE. */
uint32_t use_table_maker_for_one(const lowering *l, const use_table *table, uint32_t tensor_id);
/* Where a step alone reads x, a view of the whole of a memory, and makes y of it in one of its own:
 * the step that makes what is viewed; else NONE. */
uint32_t use_table_maker_of_viewed(const lowering *l, const use_table *table, uint32_t x,
                                   uint32_t y);
/* Puts y, and all that lies in its memory, where x lies, which is what it says no more. */
void use_table_share_viewed(lowering *l, use_table *table, uint32_t x, uint32_t y);
/* Does it begin where its memory does, and have no gaps between rows? */
bool lowering_is_dense(const lowering *l, uint32_t tensor_id);
/* May every use of the tensor live with strided rows? */
bool uses_allow_strides(const lowering *l, const use_table *table, uint32_t tensor_id);
/* Is it a step of the pseudo-kernels above? */
bool step_is_pseudo(const program_step *step);

/* ---- Bands (band_steps.c) ------------------------------------------------------------------ */

/* The band that a step is in; NULL: none. */
const kiln_plan_band *program_band_of(const program *p, uint32_t step);
/* How a step's rows follow from those of an input. False: it computes whole outputs only. */
bool program_step_rows(const program *p, uint32_t step, uint32_t input, row_rule *out_rule);
/* The band's steps as the schedule sees them; false: they cannot be a band. */
bool program_band_steps(const program *p, const kiln_plan_band *band, band_steps *out_steps);

/* ---- What is done to the program, in this order -------------------------------------------- */

/* concat_views.c: concatenations and slices become shared memory or COPY steps. */
kiln_status lowering_share_concats(lowering *l);
/* final_dense.c: sets KILN_STEP_FINAL_DENSE. */
kiln_status lowering_mark_final_dense(lowering *l);
/* algorithms.c: sets the algorithm of each convolution; can it add to its results? */
void lowering_choose_algorithms(lowering *l);
bool conv_adds(uint32_t algorithm);
/* residual.c: convolutions take over additions. */
kiln_status lowering_fuse_residuals(lowering *l);
/* Removes the steps that are left without an output. */
void lowering_remove_steps(lowering *l);
/* scales.c: convolutions and additions take over the scale of a map's channels. */
kiln_status lowering_fold_scales(lowering *l);
/* functions.c: convolutions, dense layers and additions take over functions of one element. */
kiln_status lowering_fuse_functions(lowering *l);
/* pools.c: depthwise convolutions take over the pool of 2x2 that follows. */
kiln_status lowering_fuse_pools(lowering *l);
/* views.c: steps read tensors instead of views that are like them. */
kiln_status lowering_read_roots(lowering *l);
/* bands.c: chooses which steps run together in stripes, and what then has rolling rows. It tries
 * the two below on each choice. */
kiln_status lowering_choose_bands(lowering *l);
/* in_place.c: elementwise results take over an operand's memory. */
kiln_status lowering_share_in_place(lowering *l);
/* storage.c: roots become storages with lifetimes. */
kiln_status lowering_make_storages(lowering *l);

#endif
