/* The plan file's records, as they lie in the file: little-endian, naturally aligned, no implicit
 * padding. schemas/plan.md is the specification; this header is its transcription in C, shared by
 * the compiler (which writes) and the runtime (which reads), and open to tools. The kernels that
 * steps call, with their parameters, are in plan_kernels.h.
 *
 * Physical order. A tensor's `dims` are in ONNX order. Its elements lie in physical order:
 *   KILN_ROW_MAJOR      as dims say
 *   KILN_CHANNELS_LAST  dims[1] (channels) moved to the end: N,C,H,W is stored N,H,W,C (rank >= 3)
 * The last physical dim is the inner one; all others together are the outer ones. For each outer
 * index there is a run of inner elements, and these runs lie `row_stride` elements apart; a tensor
 * is dense when that is the inner dim's length. A slice of channels of a wider tensor is thus a
 * tensor with a row_stride: concatenation and split along channels need no copy.
 *
 * Batch. A tensor with batched = 1 has dims[0] for a batch of one. In a session with maximum batch
 * B a storage is B times as large and lies at B times its offset; slice_offset does not scale.
 */
#ifndef KILN_PLAN_FORMAT_H
#define KILN_PLAN_FORMAT_H

#include <kiln/plan_kernels.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KILN_PLAN_MAGIC "KILNPLAN"  /* 8 bytes, no terminator */
#define KILN_PLAN_VERSION 2u        /* what is written; read is the one before, too */
#define KILN_PLAN_VERSION_BEFORE 1u /* had no BANDS */
#define KILN_PLAN_TAG 8u            /* bytes of an optional section's name */
#define KILN_PLAN_NONE UINT32_MAX   /* an absent operand */
#define KILN_PLAN_ALIGNMENT 4u      /* of a plan inside a file or in memory */
#define KILN_PLAN_WEIGHT_ALIGNMENT 64u
#define KILN_PLAN_SECTION_ALIGNMENT 64u
#define KILN_PLAN_PAGE_ALIGNMENT 16384u /* of the weights section: the largest page size in use */
#define KILN_ARENA_ALIGNMENT 64u
/* Bytes past the end of the arena that kernels may read (XNN_EXTRA_BYTES is 16, 128 on Hexagon). */
#define KILN_ARENA_MARGIN 128u

/* The sections in the order of their numbers, which is that of the file. Of each: its name; the
 * type of its records; what kiln_plan_view calls them and how many there are; the first version of
 * the format that has it; and whether a function of its own checks it when a plan is opened
 * (CHECKED), or those of the sections that refer to it (WITH_OTHERS). A new one stands before
 * WEIGHTS. */
#define KILN_EACH_SECTION(SECTION)                                                                 \
    /* zero-terminated UTF-8, addressed by byte offset; begins with "" */                          \
    SECTION(STRINGS, char, strings, string_bytes, 1, CHECKED)                                      \
    SECTION(STORAGES, kiln_plan_storage, storages, storage_count, 1, CHECKED)                      \
    SECTION(TENSORS, kiln_plan_tensor_record, tensors, tensor_count, 1, CHECKED)                   \
    /* tensors, addressed by steps */                                                              \
    SECTION(OPERANDS, uint32_t, operands, operand_count, 1, WITH_OTHERS)                           \
    /* parameter blocks of steps, aligned to 8 */                                                  \
    SECTION(PARAMS, uint8_t, params, param_bytes, 1, WITH_OTHERS)                                  \
    /* in order of execution */                                                                    \
    SECTION(STEPS, kiln_plan_step, steps, step_count, 1, CHECKED)                                  \
    /* tensors with place INPUT, and OUTPUT */                                                     \
    SECTION(INPUTS, uint32_t, inputs, input_count, 1, WITH_OTHERS)                                 \
    SECTION(OUTPUTS, uint32_t, outputs, output_count, 1, WITH_OTHERS)                              \
    SECTION(METADATA, kiln_plan_pair, metadata, metadata_count, 1, WITH_OTHERS)                    \
    /* strings */                                                                                  \
    SECTION(LABELS, uint32_t, labels, label_count, 1, WITH_OTHERS)                                 \
    /* one, or none */                                                                             \
    SECTION(PREPROCESS, kiln_plan_preprocess_record, preprocess, preprocess_count, 1, CHECKED)     \
    /* in order of their steps */                                                                  \
    SECTION(BANDS, kiln_plan_band, bands, band_count, 2, CHECKED)                                  \
    /* constants. Those of 8-byte numbers are aligned to 4 where the plan is: copy them first */   \
    SECTION(WEIGHTS, uint8_t, weights, weight_bytes, 1, WITH_OTHERS)

typedef enum kiln_plan_section_kind {
#define KILN_SECTION_NUMBER(NAME, type, records, count, since, check) KILN_SECTION_##NAME,
    KILN_EACH_SECTION(KILN_SECTION_NUMBER)
#undef KILN_SECTION_NUMBER
        KILN_SECTION_COUNT
} kiln_plan_section_kind;

typedef struct kiln_plan_section {
    uint64_t offset; /* from the file's start, aligned to 64 (weights: 16384) */
    uint64_t bytes;
    uint64_t checksum; /* XXH3-64 of the bytes; for WEIGHTS 0: each constant has its own */
} kiln_plan_section;

typedef struct kiln_plan_header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes; /* sizeof(kiln_plan_header) */
    uint64_t file_bytes;
    uint64_t arena_bytes; /* batch 1, margin not included */
    uint64_t lower_bound_bytes;
    uint64_t no_reuse_bytes;
    uint32_t batchable; /* 1: the batch is the session's choice */
    uint32_t optional_count;
    kiln_plan_section sections[KILN_SECTION_COUNT];
    uint64_t checksum; /* XXH3-64 of all header bytes before this field */
} kiln_plan_header;

/* An optional section: this record, then its content. The first one lies at the first multiple of
 * 64 behind the section before WEIGHTS, each further one at the first behind the one before. A
 * reader passes over those that it does not know, and a writer that changes a plan takes them
 * along. */
typedef struct kiln_plan_optional {
    char tag[KILN_PLAN_TAG];  /* what it is, zero-padded; each at most once in a plan */
    uint64_t bytes;           /* of the content */
    uint64_t checksum;        /* XXH3-64 of the content */
    uint64_t record_checksum; /* XXH3-64 of the bytes of the record before this field */
} kiln_plan_optional;

/* A block of the arena and the steps (inclusive) during which it is in use. Two storages whose step
 * ranges intersect do not overlap. */
typedef struct kiln_plan_storage {
    uint64_t offset; /* multiple of 64 */
    uint64_t bytes;  /* multiple of 64 */
    uint32_t first_step;
    uint32_t last_step;
} kiln_plan_storage;

typedef enum kiln_plan_place {
    KILN_PLACE_ARENA = 0,
    KILN_PLACE_CONSTANT = 1,
    KILN_PLACE_INPUT =
        2, /* the caller's buffer: row-major, dense; read by COPY and CAST steps only */
    KILN_PLACE_OUTPUT = 3 /* the caller's buffer: row-major, dense; written by COPY and CAST only */
} kiln_plan_place;

typedef enum kiln_plan_layout { KILN_ROW_MAJOR = 0, KILN_CHANNELS_LAST = 1 } kiln_plan_layout;

typedef struct kiln_plan_tensor_record {
    uint32_t name;        /* string; the ONNX tensor's name where it is one */
    uint8_t dtype;        /* kiln_dtype that kernels see */
    uint8_t stored_dtype; /* constants: dtype in the file (f32 as F16, U8 or I8), else = dtype */
    uint8_t rank;         /* 0 .. 8; rank 0 is a scalar */
    uint8_t layout;       /* kiln_plan_layout */
    uint8_t place;        /* kiln_plan_place */
    uint8_t batched;
    /* Constants stored as U8 or I8, value = (integer - zero) * scale in f32: 0: one scale and zero;
     * else one for each index of dims[stored_axis - 1]. Stored are the scales, then the zeros, both
     * as f32, then the integers. 0 for all others. */
    uint16_t stored_axis;
    uint32_t storage;    /* ARENA: index of the storage, else KILN_PLAN_NONE */
    uint32_t row_stride; /* elements */
    /* Where an image is written and read in one band, so many of its rows are in the storage at a
     * time, and they move to its start when others are not needed any more. 0: all of it. */
    uint32_t rolling_rows;
    uint32_t dims[KILN_MAX_RANK]; /* ONNX order; 0 past rank; none is 0 */
    uint64_t offset;              /* ARENA: slice_offset in bytes within the storage, at any batch;
                                     CONSTANT: in the weights section, multiple of 64; else 0 */
    uint64_t checksum;            /* CONSTANT: XXH3-64 of the stored bytes; else 0 */
} kiln_plan_tensor_record;

typedef struct kiln_plan_pair {
    uint32_t key, value; /* strings */
} kiln_plan_pair;

typedef struct kiln_plan_preprocess_record {
    uint32_t bgr;
    uint32_t resize;
    float crop_fraction;
    uint32_t reserved;
    float scale[4];
    float bias[4];
} kiln_plan_preprocess_record;

/* One kernel call. operands[first_operand ...] are input_count inputs, then output_count outputs.
 */
typedef struct kiln_plan_step {
    uint16_t kernel; /* kiln_kernel */
    uint8_t input_count;
    uint8_t output_count;
    uint32_t flags;  /* KILN_STEP_* */
    uint32_t name;   /* string: layer name */
    uint32_t origin; /* string: ONNX operators it stands for, "Conv + BatchNormalization" */
    uint32_t first_operand;
    uint32_t params_offset; /* multiple of 8, in the params section */
    uint32_t params_bytes;  /* exactly the size of the kernel's parameter struct */
    uint32_t reserved;
} kiln_plan_step;

/* Steps that are run together in stripes, some rows of their images at a time, so that what lies
 * between them need never be in memory whole: see Bands in schemas/plan.md. */
typedef struct kiln_plan_band {
    uint32_t first_step, last_step; /* inclusive, at least two, at most KILN_BAND_STEPS */
    uint32_t rows;                  /* of the last step's output, in each stripe */
    uint32_t reserved;
} kiln_plan_band;

#define KILN_BAND_STEPS 32u
#define KILN_BAND_STRIPES (1u << 20) /* of all bands of a plan, at most */

#define KILN_STEP_FINAL_DENSE                                                                      \
    1u /* one of the network's own final dense layers, or a part of it                             \
        */
/* A quantised network's rounding is to be that of a plain sum, so never Winograd's algorithm. */
#define KILN_STEP_EXACT 2u
/* CONV_2D: y is the maximum of each 2x2 of the results, as MAX_POOL_2D of stride 2 has it. For
 * KILN_CONV_DEPTHWISE of one output a channel and kernels of 3x3, with stride and dilation 1 and
 * padding 1 on all sides, of an even height and an even width of KILN_STEP_POOLED_WIDTH at least;
 * without a function. */
#define KILN_STEP_POOLED 4u
#define KILN_STEP_POOLED_WIDTH 8u
/* Bits 8 to 15: a kiln_unary_op that the results of CONV_2D, DECONV_2D, FULLY_CONNECTED, and BINARY
 * on f32 go through last, KILN_UNARY_CLAMP for none. Its alpha then stands in the place of the
 * parameters' min, and its beta, which is 0 but for SELU, HARD_SIGMOID and STAR_RELU, in that of
 * max; for the others max is no number, so that no reader takes them for bounds. */
#define KILN_STEP_FUNCTION(flags) ((flags) >> 8 & 255u)
#define KILN_STEP_WITH_FUNCTION(op) ((uint32_t)(op) << 8)
#define KILN_STEP_FLAGS                                                                            \
    (KILN_STEP_FINAL_DENSE | KILN_STEP_EXACT | KILN_STEP_POOLED | KILN_STEP_WITH_FUNCTION(255))
/* Whether a step of that kernel may have that function, and whether that has a beta. */
KILN_API bool kiln_step_takes_function(uint32_t kernel, uint32_t op);
KILN_API bool kiln_function_takes_beta(uint32_t op);

/* Optional sections that trained plans may have: DETECTOR, one record, says which detector found
 * the faces that the network was trained on; DETPLAN is that detector's plan itself, a whole plan
 * file.
 */
#define KILN_PLAN_DETECTOR "DETECTOR"
#define KILN_PLAN_DETECTOR_PLAN "DETPLAN"
#define KILN_PLAN_DETECTOR_LEVELS 5u

#define KILN_DETECTOR_HAS_POINTS 1u
#define KILN_DETECTOR_SECOND_LOOK 2u /* images without a find were looked at again, enlarged */
/* What the network does itself, so that decoding does not: */
#define KILN_DETECTOR_SIGMOID 4u  /* of scores */
#define KILN_DETECTOR_SOFTMAX 8u  /* of scores */
#define KILN_DETECTOR_DECODED 16u /* boxes are no offsets to anchors any more */

typedef struct kiln_plan_detector_record {
    char family[16];        /* "YuNet"; zero-terminated, zeros behind it, like name */
    char name[64];          /* of its file, for people */
    uint64_t plan_checksum; /* of the header of the detector's plan */
    uint32_t width, height; /* of its input */
    uint32_t flags;         /* KILN_DETECTOR_* */
    uint32_t level_count;   /* of the pyramid of its outputs */
    uint32_t strides[KILN_PLAN_DETECTOR_LEVELS]; /* pixels of the input a cell */
    uint32_t anchors[KILN_PLAN_DETECTOR_LEVELS]; /* a cell */
    float score, overlap; /* thresholds: least score, largest intersection over union */
    kiln_plan_preprocess_record preprocess;
} kiln_plan_detector_record;

/* Optional section of plans that kiln_tune has measured: for each processor one kiln_plan_tuned and
 * so many kiln_plan_tuned_layer, in ascending order of `tensor`. */
#define KILN_PLAN_TUNED "TUNED"

typedef struct kiln_plan_tuned {
    char processor[120]; /* kiln_machine_processor; zero-terminated, zeros behind it */
    uint32_t layers;
    uint32_t reserved;
} kiln_plan_tuned;

typedef struct kiln_plan_tuned_layer {
    uint64_t tensor; /* XXH3-64 of the name of a CONV_2D's output */
    uint32_t choice; /* a kiln_conv_algorithm, computed by Kiln, or KILN_CONV_BY_XNNPACK */
    uint32_t reserved;
} kiln_plan_tuned_layer;

/* The processors that an open plan was tuned for, in the order of the section: kiln_plan_tuned_for
 * returns NULL from the last on. The texts belong to the plan. */
KILN_API const char *kiln_plan_tuned_for(const kiln_plan *plan, size_t index);

/* ---- Reading an open plan's records -------------------------------------------------------- */

/* The validated records of an open plan, owned by it. strings is the whole string section: the name
 * of tensor t is strings + tensors[t].name. */
typedef struct kiln_plan_view {
    const kiln_plan_header *header;
#define KILN_SECTION_VIEW(NAME, type, records, count, since, check)                                \
    const type *records;                                                                           \
    size_t count;
    KILN_EACH_SECTION(KILN_SECTION_VIEW)
#undef KILN_SECTION_VIEW
    /* The runtime's own: what kiln_tune has measured on this processor, or NULL. */
    const struct kiln_plan_choices *choices;
} kiln_plan_view;

KILN_API void kiln_plan_inspect(const kiln_plan *plan, kiln_plan_view *out_view);
/* The content of an optional section, by its tag (a text of at most 8 characters); it belongs to
 * the plan and is aligned to 8. False: the plan has none. */
KILN_API bool kiln_plan_find_section(const kiln_plan *plan, const char *tag,
                                     kiln_span *out_content);
/* How a step is computed by sessions that this process creates: the choice is theirs, for the
 * processor at hand, with what the library was built with. */
typedef struct kiln_step_computation {
    const char *algorithm; /* of a convolution: "gemm", "winograd4", ...; NULL: there is but one */
    const char *library;   /* whose kernel: "Kiln", or "XNNPACK 2022-02", for example */
} kiln_step_computation;
/* Both members are constant texts. Of a step that the plan does not have: NULL, "". */
KILN_API kiln_step_computation kiln_plan_step_computation(const kiln_plan *plan, size_t step);
/* Multiply-accumulates of one step for a batch of one; 0 for kernels that do none. */
KILN_API uint64_t kiln_plan_step_macs(const kiln_plan *plan, size_t step);
/* Dense size in bytes of the elements of a tensor as stored (constants) or for a batch of one. */
KILN_API uint64_t kiln_plan_tensor_bytes(const kiln_plan_tensor_record *tensor);
KILN_API uint64_t kiln_plan_tensor_elements(const kiln_plan_tensor_record *tensor);
/* Elements [begin, begin + count) of a constant as f32, in the order in which they are stored, from
 * whatever they are stored as. */
KILN_API void kiln_plan_widen(const kiln_plan_view *view, const kiln_plan_tensor_record *tensor,
                              size_t begin, size_t count, float *out);

/* Sizes of the records are part of the format. */
KILN_STATIC_ASSERT(sizeof(kiln_plan_section) == 24, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_plan_header) == 56 + 24 * KILN_SECTION_COUNT + 8, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_plan_optional) == 32, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_plan_storage) == 24, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_plan_tensor_record) == 72, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_plan_step) == 32, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_plan_band) == 16, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_plan_preprocess_record) == 48, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_plan_detector_record) == 200, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_plan_tuned) == 128, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_plan_tuned_layer) == 16, "plan format");

#ifdef __cplusplus
}
#endif
#endif
