/* Kernels: one table, with a kernel for each of the plan format's (KILN_EACH_KERNEL in
 * plan_kernels.h). Its functions, in the order in which they are called:
 *
 *   check    Judges a step when a plan is opened, from the plan's records alone: dims and
 * parameters, after the rules of the operands have been found to hold. After it, the kernel must be
 *            unable to read or write outside its operands whatever the data holds (index tables are
 *            data: prepare checks those). Returns what is wrong, for a message, or NULL.
 *
 *   lacks    Names what the step needs and the library is built without (KILN_KERNELS), or returns
 *            NULL. NULL: it needs nothing.
 *
 *   scratch  Says how many bytes of scratch a run of so many rows, samples and threads needs, from
 *            what check may look at. NULL: none.
 *
 *   heap     Says likewise what XNNPACK allocates besides packed weights. NULL: none to speak of.
 *
 *   packs    Names the packed form of the weights that the kernel wants, if it wants one. Packing
 *            is the session's, which looks first whether the plan has it.
 *
 *   prepare  Makes the kernel's state when a session is created: creates the XNNPACK operator,
 *            checks constant tables. NULL: there is nothing to do.
 *
 *   bind     Sets pointers and sizes for call->run.batch. It is called at creation for the maximum
 *            batch, the only time that it may allocate, and again when a run's batch differs. NULL:
 *            there is nothing to do.
 *
 *   run      Computes. It allocates nothing.
 *
 *   release  Gives back what the state holds besides memory of kernel_allocate's, also where
 * prepare has failed after it had made one. NULL: there is nothing of that kind. */
#ifndef KILN_RUNTIME_KERNEL_H
#define KILN_RUNTIME_KERNEL_H

#include "runtime/base/thread_pool.h"
#include "runtime/plan/bands.h"
#include <pthreadpool.h>

#define KERNEL_MAX_OPERANDS 64 /* inputs + outputs of one step */

/* One operand of a step, in physical terms. */
typedef struct operand {
    void *data; /* NULL during check; constants: valid from prepare on; arena: from bind on */
    kiln_dtype dtype;
    uint32_t rank;
    size_t dims[KILN_MAX_RANK]; /* physical order, batch of one */
    size_t inner;               /* dims[rank-1], of which elements follow each other; 1: scalar */
    size_t outer;               /* product of the other dims, batch of one */
    size_t row_stride;          /* elements from one row of `inner` to the next; = inner: dense */
    size_t elements;            /* outer * inner */
    bool batched;               /* dims[0] and outer are per sample */
    bool constant;
    uint8_t place;  /* kiln_plan_place */
    uint8_t layout; /* kiln_plan_layout */
    /* The row of an image that data points to. It is 0 but in a band, which holds some rows. */
    size_t first_row;
    const kiln_plan_tensor_record *record;
} operand;

/* What kernels run on. */
typedef struct kernel_host {
    size_t threads;
    thread_pool *pool;         /* a pool of so many threads; NULL for one */
    pthreadpool_t pthreadpool; /* the same for XNNPACK; NULL where it computes nothing */
    const kiln_allocator *allocator;
    const kiln_plan_view *plan; /* NULL during check */
} kernel_host;

/* What a run computes. During prepare and bind: the largest that there may be. */
typedef struct kernel_run {
    uint32_t batch;
    /* Rows of the output image: all of them, but in a band, where one sample is computed stripe by
     * stripe. */
    size_t begin_row, end_row;
    void *scratch; /* what run may write to; aligned to 64, undefined before */
} kernel_run;

/* One step of a session, or of a plan being checked. */
typedef struct kernel_call {
    /* The step as the plan has it. */
    const struct kernel *kernel;
    const kiln_plan_step *step;
    const char *name;   /* layer name, for messages */
    const void *params; /* params_bytes have been checked to be the traits' */
    uint32_t input_count, output_count;
    operand *inputs; /* absent ones: dims all 0, record NULL */
    operand *outputs;
    /* Its surroundings. */
    const kernel_host *host; /* outlives the call */
    uint32_t max_batch;      /* the largest batch that a run may have */
    bool in_band;            /* runs compute some rows of one sample */
    uint8_t measured;        /* of a convolution: what was measured to be fastest here, 1 + a
                                kiln_conv_algorithm of ours or KILN_CONV_BY_XNNPACK; 0: nothing was */
    /* What is made of the step: `state` by prepare, `packed` by the session in the form that packs
     * has named. */
    void *state;                 /* the kernel's own */
    struct kernel_block *blocks; /* what prepare has allocated */
    const float *packed;         /* input 1 in the packed form; from bind on */
    kernel_run run;
} kernel_call;

/* Weights as a kernel reads them. */
typedef struct packed_form {
    const char *name; /* at most 31 characters; a new one when fill's result changes */
    size_t bytes;
    /* Writes all of the bytes, from input 1 of the call, after prepare, with its threads. They
     * depend on that constant, the name, and the set of micro-kernels; no other operand, no batch,
     * no number of threads. */
    void (*fill)(const kernel_call *call, float *to);
    bool reads_f16; /* fill takes the constant as it is stored; false: as f32 */
} packed_form;

/* What is asked of an operand, bits that add up; of several element types it may have any, of none
 * all. X is input 0. */
enum {
    IS_F32 = 1 << 0,
    IS_I64 = 1 << 1,
    IS_BOOL = 1 << 2,
    IS_TYPED_LIKE_X = 1 << 3,
    IS_SHAPED_LIKE_X = 1 << 4,  /* dims, and whether they are a sample's */
    IS_BATCHED_LIKE_X = 1 << 5, /* dim 0, and whether it is a sample's */
    IS_UNBATCHED = 1 << 6,
    IS_CONSTANT = 1 << 7,
    IS_VARIABLE = 1 << 8,
    IS_ROW_MAJOR = 1 << 9,
    IS_CHANNELS_LAST = 1 << 10,
    IS_IMAGE = 1 << 11, /* operand_image */
};
#define HAS_RANK(rank) ((rank) << 12)

#define KERNEL_MAX_RULES 7

typedef struct kernel {
    kiln_kernel_traits traits;
    uint8_t min_inputs, max_inputs, min_outputs, max_outputs; /* absent operands count */
    uint16_t input_rules[KERNEL_MAX_RULES], output_rules[KERNEL_MAX_RULES];
    const char *(*check)(const kernel_call *call); /* NULL: the rules are enough */
    const char *(*lacks)(const kernel_call *call);
    kiln_status (*prepare)(kernel_call *call, kiln_error *error);
    kiln_status (*bind)(kernel_call *call, kiln_error *error);
    kiln_status (*run)(kernel_call *call, kiln_error *error);
    void (*release)(kernel_call *call);
    size_t (*scratch)(const kernel_call *call);
    size_t (*heap)(const kernel_call *call);
    uint64_t (*macs)(const kernel_call *call); /* for a batch of one; NULL: none to speak of */
    /* Whose kernel computes in the place of ours; NULL, or a result of NULL: nobody's. */
    const char *(*library)(const kernel_call *call);
    /* step_rows; run then honours begin_row, end_row and the operands' first_row, and prepare
     * and bind take end_row for the most rows of a run. NULL: computes whole outputs only. */
    uint32_t (*rows)(const kernel_call *call, uint32_t input, row_rule *out_rule);
    bool finishes;        /* results may go through a function: KILN_STEP_FUNCTION */
    bool packs_constants; /* constants are not read any more after prepare and fill */
    /* The packed form that the kernel wants of input 1, which it then reads in no other way: it may
     * not be loaded at all, since forms are shared by sessions and kept in files. False, or NULL:
     * it wants none. */
    bool (*packs)(const kernel_call *call, packed_form *out_form);
    /* Bit k: where the plan stores constant input k as f16 (record->stored_dtype), data points to
     * that. Other inputs are widened to their dtype before prepare. */
    uint8_t reads_f16;
} kernel;

/* To define one: its name, the type of its parameters, how many multiply-accumulates it takes
 * (NULL: none to speak of); then how many inputs and outputs it has, at least and at most, with the
 * rule of each, and the masks of those that may be strided, and of the inputs that the output may
 * replace. */
#define KERNEL(its_name, params, its_macs, ...)                                                    \
    .traits.name = (its_name), .traits.params_bytes = sizeof(params), .macs = (its_macs),          \
    __VA_ARGS__
#define KERNEL_INPUTS(least, most, ...)                                                            \
    .min_inputs = (least), .max_inputs = (most), .input_rules = {__VA_ARGS__}
#define KERNEL_OUTPUTS(least, most, ...)                                                           \
    .min_outputs = (least), .max_outputs = (most), .output_rules = {__VA_ARGS__}
#define KERNEL_STRIDED(inputs, outputs)                                                            \
    .traits.strided_inputs = (inputs), .traits.strided_outputs = (outputs)
#define KERNEL_IN_PLACE(inputs) .traits.in_place_inputs = (inputs)

/* table.c: all kernels, by kiln_kernel. NULL when out of range, and where the kernel is not built
 * in. */
const kernel *kernel_find(uint32_t kernel_id);

/* plan/names.c: NULL when out of range. */
const char *kernel_name(uint32_t kernel_id);

#define KERNEL_EXTERN(number, NAME, name) extern const kernel kernel_##name;
KILN_EACH_KERNEL(KERNEL_EXTERN)

/* ---- Choices ------------------------------------------------------------------------------- */

/* What kiln_plan_view's choices point to. */
struct kiln_plan_choices {
    const uint8_t *measured;        /* by step: as kernel_call's */
    const kiln_conv_params *params; /* by step, with the algorithm that was chosen */
};

/* ---- Descriptions (describe.c) ------------------------------------------------------------- */

/* Fills one operand from a tensor record, data excepted. NULL: an absent one. */
void operand_describe(const kiln_plan_tensor_record *record, operand *out_operand);
/* A step's parameters: the plan's, or those with the algorithm that was chosen. */
const void *step_params(const kiln_plan_view *view, size_t step);
/* One step as its kernel sees it, for a batch of one; operands points to room for all of its
 * operands. The kernel is known. */
void call_describe(const kiln_plan_view *view, size_t step, const kernel_host *host,
                   operand *operands, kernel_call *out_call);

/* ---- Checking (check.c) --------------------------------------------------------------------- */

/* Whether operands and parameters are such that the kernel can run, and all that it needs is built
 * in. */
kiln_status kernel_check(const kernel_call *call, kiln_error *error);

/* ---- Helpers (support.c) ------------------------------------------------------------------- */

/* "layer 'NAME' (conv_2d): " + message; KILN_ERROR_FORMAT. */
kiln_status kernel_fail(const kernel_call *call, kiln_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool operand_present(const operand *o);
/* Whether the call has that one. */
bool has_input(const kernel_call *call, uint32_t k);
bool has_output(const kernel_call *call, uint32_t k);
/* Its data; NULL: the call has none. */
void *optional_input(const kernel_call *call, uint32_t k);
void *optional_output(const kernel_call *call, uint32_t k);
/* Whether two have the same rank, physical dims and batched flag. */
bool operand_same_dims(const operand *a, const operand *b);
/* The same but for one dim. */
bool operand_same_dims_but(const operand *a, const operand *b, uint32_t axis);
/* outer * batch when batched, else outer. */
size_t operand_outer(const operand *o, uint32_t batch);
/* dims[0] * batch when batched and rank > 0, else dims[0]; other dims as they are. */
size_t operand_dim(const operand *o, uint32_t dim, uint32_t batch);
bool operand_is_dense(const operand *o);
/* Images: channels-last of rank 3 (height 1) or 4. False when o is neither. */
typedef struct image_dims {
    size_t n, h, w, c; /* n is that of a batch of one */
} image_dims;
bool operand_image(const operand *o, image_dims *out_dims);
/* The first pixel of a row of an f32 image's sample; sample 0 in a band. */
float *operand_image_row(const operand *o, size_t sample, size_t row);
/* Convolutions: what is added to results before they are clamped; NULL: nothing. */
const operand *conv_addend(const kernel_call *call);
/* And by what x's channels are scaled before all else; NULL: by nothing. */
const operand *conv_scale(const kernel_call *call);
/* How many results' maximum an output is, along rows and along columns: 1, or 2 (KILN_STEP_POOLED).
 */
size_t conv_pool(const kernel_call *call);
/* Multiply-accumulates of a convolution, in which each element of `of` (the output, or transposed
 * the input) meets one filter; and of a product of matrices. */
uint64_t conv_macs(const kernel_call *call, const operand *of);
uint64_t product_macs(const kernel_call *call);
/* Copies one element of 1, 2, 4 or 8 bytes. */
static inline void element_copy(void *to, const void *from, size_t size) {
    if (size == 1) {
        *(uint8_t *)to = *(const uint8_t *)from;
    } else if (size == 2) {
        *(uint16_t *)to = *(const uint16_t *)from;
    } else if (size == 4) {
        *(uint32_t *)to = *(const uint32_t *)from;
    } else {
        *(uint64_t *)to = *(const uint64_t *)from;
    }
}
static inline size_t size_min(size_t a, size_t b) {
    return a < b ? a : b;
}
/* Zeros, aligned to 64, which are the call's until it is released. NULL, and the error: there is no
 * memory. */
void *kernel_allocate(kernel_call *call, size_t size, kiln_error *error);
void kernel_free_all(kernel_call *call);
/* A convolution's biases, zeros where it has none, and zeros behind them: so many floats. */
float *conv_bias(kernel_call *call, size_t floats, kiln_error *error);
/* Elements [begin, begin + count) of a constant f32 operand, at any time: after packing, too, when
 * its data may have been given back. */
void kernel_read_constant(const kernel_call *call, const operand *o, size_t begin, size_t count,
                          float *out);
/* Whether the dim exists and is not the batch, so that it may be treated alone. */
bool axis_is_sound(const operand *o, uint32_t axis);
/* Strides (elements, row_stride applied) of o broadcast to out's physical dims but the `last`,
 * aligned at the end; 0 where broadcast. False when it does not broadcast (a dim differs and is not
 * 1, or batch flags disagree: a batched operand needs a batched out and full rank). */
bool operand_broadcast(const operand *o, const operand *out, uint32_t last,
                       size_t strides[KILN_MAX_RANK]);
/* Where the index-th element of nested loops lies, the innermost loop first. */
size_t strided_offset(uint32_t rank, const size_t *dims, const size_t *strides, size_t index);
/* Packs `depth` rows of up to nr columns, which is a multiple of 4, of a matrix product's second
 * operand: to[depth][nr] = the element at i * step + column * column_step, zeros behind. */
void kernel_pack_panel(const float *from, size_t depth, size_t step, size_t columns,
                       size_t column_step, size_t nr, float *to);
/* Splits [0, count) over the pool in ranges; body(context, begin, end). */
void kernel_parallel(const kernel_call *call, size_t count, size_t grain, void *context,
                     void (*body)(void *context, size_t begin, size_t end));

#endif
