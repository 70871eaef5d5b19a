/* Kiln compiler: an ONNX file in, a plan file out. Library kilnc; needs protobuf-c.
 * Thread-safe: no state is kept between calls. Memory is malloc's. Errors as in kiln.h: of any
 * function that reads files KILN_ERROR_IO (they cannot be read or written), KILN_ERROR_FORMAT (they
 * are damaged, or something else), KILN_ERROR_UNSUPPORTED (sound, but outside of what Kiln does;
 * the message names the node, what was found and what is supported) and KILN_ERROR_MEMORY. */
#ifndef KILN_COMPILE_H
#define KILN_COMPILE_H

#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The value of one tensor, dense row-major. */
typedef struct kiln_value {
    const char *name; /* graph input's name; "": the input at this place of the list */
    kiln_dtype dtype;
    uint32_t rank;
    uint32_t dims[KILN_MAX_RANK];
    const void *data; /* NULL: only the shape is given */
} kiln_value;

/* Reads a value from a file that by its content is .npy (NumPy: f2 f4 f8, i1 to i8, u1 to u8, b1,
 * little-endian, C order; V2 is bf16) or a serialised ONNX TensorProto, whose name it then has,
 * else
 * "". One block: release with kiln_value_free. */
KILN_API kiln_status kiln_value_load(const char *path, kiln_value **out_value, kiln_error *error);
KILN_API void kiln_value_free(kiln_value *value); /* NULL is allowed */
/* Writes FILE.npy (temporary file, then renamed); bf16, which NumPy does not know, as f4.
 * KILN_ERROR_ARGUMENT: the value has no data, or no sound type or rank. */
KILN_API kiln_status kiln_value_save_npy(const kiln_value *value, const char *path,
                                         kiln_error *error);

/* How convolutions are computed. Winograd's algorithm, for kernels of 3x3 with stride 1 or 2,
 * multiplies less and rounds more: outputs within 1e-3 of the exact ones, relative to the largest,
 * against 1e-4. */
typedef enum kiln_convolution {
    KILN_CONVOLUTION_AUTO = 0,  /* by layer, what a model of the costs finds cheapest */
    KILN_CONVOLUTION_EXACT = 1, /* never Winograd's */
    KILN_CONVOLUTION_WINOGRAD_2 = 2,
    KILN_CONVOLUTION_WINOGRAD_4 = 3,
    KILN_CONVOLUTION_WINOGRAD_6 = 4, /* stride 1 alone */
    KILN_CONVOLUTION_DIRECT = 5,     /* XNNPACK's, for all where it is built in: to compare with */
    KILN_CONVOLUTION_COUNT = 6
} kiln_convolution;

/* Activation memory against time. Convolutions, poolings and additions in a row may be run as a
 * band: some rows of their images at a time, so that what lies between them is never in memory
 * whole. */
typedef enum kiln_memory {
    KILN_MEMORY_BALANCED = 0, /* bands that cost little time */
    KILN_MEMORY_MIN = 1,      /* bands wherever they lower the peak */
    KILN_MEMORY_SPEED = 2,    /* none: every layer's output can be looked at */
    KILN_MEMORY_COUNT = 3
} kiln_memory;

typedef struct kiln_compile_options {
    size_t size; /* sizeof(kiln_compile_options) */
    /* Shapes that settle open dimensions or replace fixed ones. An entry with data settles the
     * value of an input, of one with an initializer, too, which is then no input of the plan: one
     * on which shapes depend (Reshape's shape, Slice's starts, ...), a flag, a constant. A dims[0]
     * of KILN_BATCH leaves the batch to sessions; where that cannot be it is an error, not a plan
     * for a batch of one. */
    const kiln_value *inputs;
    size_t input_count;
    /* A part of the model: its outputs and inputs are the tensors of these names, inner ones in
     * f32, i64 or bool. An inner tensor's shape is what `inputs` says, or what the model before it
     * makes, or what the file declares. The outputs must not need another input of the model. None:
     * the model's own. */
    const char *const *part_inputs;
    size_t part_input_count;
    const char *const *part_outputs;
    size_t part_output_count;
    bool sample_inputs; /* data in `inputs` are samples: bound only where shapes depend on them */
    kiln_dtype weights; /* storage type: KILN_F16, or KILN_F32; 0: that */
    const char *const *labels; /* class labels, or NULL */
    size_t label_count;
    kiln_preprocess preprocess; /* present = false: none is recorded */
    kiln_convolution convolution;
    kiln_memory memory;
    /* A plan whose sessions need more (kiln_plan_memory: one thread, batch 1) is an error, with the
     * layers named that stand in the way; `memory` is then tried as MIN, too. 0: no limit. */
    uint64_t memory_limit;
    /* Bytes of constants that may be computed while compiling, all of them together, and, at 16
     * steps a byte, the work for them: a file of some hundred bytes can ask for any amount. More is
     * an error. 0: 1 GiB, and 16 bytes for each byte of the model's files. */
    uint64_t fold_limit;
    bool no_fusion;         /* skip optional passes: for finding a bug */
    const char *dump_after; /* name of a pass, or NULL: print the graph after it to `dump` */
    void *dump;             /* FILE *; NULL: none */
} kiln_compile_options;
KILN_OPTIONS_INIT(kiln_compile_options)

#define KILN_BATCH 0u /* in kiln_value.dims[0]: chosen by the session */

/* Applies a named preset: "imagenet" (torchvision mean/std), "caffe" (BGR minus mean, 0..255),
 * "tf" (-1..1), "none" (0..255). KILN_ERROR_ARGUMENT for another name. */
KILN_API kiln_status kiln_preprocess_preset(const char *name, kiln_preprocess *out_preprocess);

#define KILN_MAX_FUSIONS 24
/* What the compiler did; filled by kiln_compile. Names are constants of the library. */
typedef struct kiln_compile_report {
    size_t operators_imported; /* nodes of the ONNX graph */
    size_t operators_planned;  /* steps of the plan, copies of inputs and outputs included */
    size_t fusion_count;
    struct {
        const char *pass;     /* "fold_batch_norm" */
        size_t rewrites;      /* how often it applied */
        size_t before, after; /* nodes */
    } fusions[KILN_MAX_FUSIONS];
    uint64_t plan_bytes;
    uint64_t weights_bytes;             /* stored, identical ones once */
    uint64_t arena_bytes;               /* batch 1 */
    uint64_t arena_lower_bound_bytes;   /* largest set of bytes live at one step */
    uint64_t arena_unbanded_bytes;      /* the lower bound if every layer ran as a whole */
    uint64_t arena_no_reuse_bytes;      /* sum over all tensors */
    uint64_t scratch_bytes, heap_bytes; /* kiln_plan_memory, one thread, batch 1 */
    uint64_t memory_total_bytes;        /* arena, scratch and heap */
    size_t bands, banded_steps;         /* runs of steps that are worked some rows at a time */
    const char *placement;              /* heuristic that won */
    size_t copies;                      /* steps that only move data inside the network */
    size_t boundary_copies;             /* steps that bring inputs in and outputs out */
    bool batchable;
    bool batch_lost; /* the model leaves the batch open, the plan does not: `note` says why */
    char note[1536]; /* warnings for the user with "; " between, or empty */
} kiln_compile_report;

/* Compiles onnx_path to plan_path. The model and its external data are mapped and must stay as they
 * are meanwhile: one that is cut short where it lies ends the process with SIGBUS (kiln_plan_open
 * says more). plan_path must be none of them (KILN_ERROR_ARGUMENT), and no device, pipe or
 * directory (KILN_ERROR_IO). The plan is written beside its final name and renamed, so plan_path is
 * either untouched or complete. options may be NULL for the defaults, and out_report, which is
 * written only on success, NULL. KILN_ERROR_MEMORY also: it needs more than memory_limit. */
KILN_API kiln_status kiln_compile(const char *onnx_path, const char *plan_path,
                                  const kiln_compile_options *options,
                                  kiln_compile_report *out_report, kiln_error *error);

/* ---- Verification -------------------------------------------------------------------------- */

typedef struct kiln_layer_difference {
    const char *name;    /* tensor; valid during the callback */
    const char *kernel;  /* kernel of the step that wrote it; "output": what a caller gets */
    uint32_t batch;      /* samples in the run */
    double max_absolute; /* largest |plan - reference| */
    /* The largest part of it that the layer is to blame for / max |reference|. Where it exceeds the
     * tolerance, it is without what f32 arithmetic may cost: how far the reference moves when its
     * inputs do by some units in the last place, and the values inside a fused layer by the
     * tolerance of their largest. */
    double max_relative;
    bool within; /* max_relative is within the tolerance */
} kiln_layer_difference;

typedef struct kiln_verify_options {
    size_t size;                         /* sizeof(kiln_verify_options) */
    const kiln_compile_options *compile; /* NULL: defaults. Data of its inputs feed the run */
    const char *plan_path; /* an existing plan to check, or NULL: compile in a temporary file */
    bool read_into_memory; /* that plan, instead of mapping it (see kiln_plan_options) */
    const char
        *data_folder; /* test_data_set layout (input_K.pb, output_K.pb), or NULL: seeded noise */
    uint32_t threads; /* 0 = 1 */
    /* A plan of open batch is checked at the batch of the data, or 1, and at this one; 0: 2, or 1
     * where the data hold several samples. */
    uint32_t batch;
    uint64_t seed;          /* of the noise */
    double layer_tolerance; /* bound on max_relative for each layer; 0 = 1e-4 */
    double relative;        /* bound on outputs: |ours - expected| <= relative * |expected| */
    double absolute;        /*   + absolute */
    double scaled;          /*   + scaled * max |expected|.   All 0: 1e-3, 2.5e-7, 1e-4 */
    bool outputs_only;      /* compare with the expected outputs only, no layer-by-layer check */
    /* Called for each compared layer and output in the order of the model; may be NULL. */
    void (*on_layer)(void *context, const kiln_layer_difference *difference);
    /* Called after each of the model's nodes, at each batch; may be NULL. */
    void (*on_progress)(void *context, uint32_t batch, size_t done, size_t total);
    void *context;
} kiln_verify_options;
KILN_OPTIONS_INIT(kiln_verify_options)

typedef struct kiln_verify_report {
    size_t layers_compared;
    size_t outputs_compared; /* against expected outputs */
    double worst_layer_relative;
    double worst_output_excess; /* largest |ours - expected| / allowed; <= 1 is within */
    char first_difference[128]; /* first layer out of tolerance, or empty */
    uint32_t first_difference_batch;
    size_t batches_compared;
} kiln_verify_report;

/* Runs the compiled plan beside the naive reference evaluator, which computes each layer from the
 * plan's own values of those before it: a layer is judged by what it adds to their errors. The
 * reference uses all processors. Returns KILN_OK when everything is within tolerance,
 * KILN_ERROR_MISMATCH with the first layer named when not, another status when it could not be run.
 * options may be NULL, and so may out_report, which holds what was compared in any case. */
KILN_API kiln_status kiln_verify(const char *onnx_path, const kiln_verify_options *options,
                                 kiln_verify_report *out_report, kiln_error *error);

#ifdef __cplusplus
}
#endif
#endif
