/* Kiln runtime: open a plan, create sessions, run them.
 *
 *   kiln_plan *plan = NULL;
 *   kiln_session *session = NULL;
 *   kiln_error error;
 *   if (kiln_plan_open("net.plan", NULL, &plan, &error) != KILN_OK) { puts(error.message); ... }
 *   if (kiln_session_create(plan, NULL, &session, &error) != KILN_OK) ...
 *   kiln_session_run(session, 1, &input, 1, &output, 1, &error);
 *
 * Threads: a plan is immutable after opening and may be shared by any number of threads, which may
 * create sessions of it at the same time; a session belongs to one thread at a time. Nothing here
 * prints, exits or aborts on bad input. Errors: every fallible function returns a kiln_status; when
 * `error` is not NULL it receives the same status and one line of detail. On failure out_
 * parameters are set to NULL (or left as they were where the function says so), and nothing is
 * leaked.
 *
 * Callbacks, of this header and the others, get the context that was given beside them, are called
 * on the thread that called Kiln unless they say otherwise, and must return: they must not leave by
 * a C++ exception or longjmp, which would end the program or leak, as a release of this library has
 * no tables for unwinding. What they are given by pointer is valid during the call alone.
 */
#ifndef KILN_KILN_H
#define KILN_KILN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Functions that apps may call. Define KILN_STATIC where Kiln is linked statically into a library
 * that is not to export them again. */
#if defined(KILN_STATIC)
#define KILN_API
#elif defined(_WIN32)
#define KILN_API __declspec(dllexport)
#else
#define KILN_API __attribute__((visibility("default")))
#endif
#if defined(__GNUC__)
#define KILN_PRINTF(format_index, first_index)                                                     \
    __attribute__((format(printf, format_index, first_index)))
#else
#define KILN_PRINTF(format_index, first_index)
#endif
#if defined(__cplusplus)
#define KILN_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define KILN_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define KILN_VERSION_MAJOR 0
#define KILN_VERSION_MINOR 1
#define KILN_VERSION_PATCH 0
#define KILN_VERSION "0.1.0"
#define KILN_MAX_RANK 8

/* ---- Status and errors --------------------------------------------------------------------- */

typedef enum kiln_status {
    KILN_OK = 0,
    KILN_ERROR_ARGUMENT = 1, /* a parameter of the call is wrong (NULL, out of range, bad shape) */
    KILN_ERROR_IO = 2,       /* a file could not be opened, read, mapped or written */
    KILN_ERROR_FORMAT = 3,   /* a file is damaged or is not what it should be */
    KILN_ERROR_UNSUPPORTED = 4, /* valid, but outside what Kiln supports */
    KILN_ERROR_MEMORY = 5,      /* out of memory, or over the caller's memory limit */
    KILN_ERROR_MISMATCH = 6,    /* results differ from what was expected (kiln_verify) */
    KILN_ERROR_INTERNAL = 7,    /* XNNPACK or the system refused something that should work */
    KILN_ERROR_CANCELLED = 8    /* the caller has asked for it (kiln_session_cancel) */
} kiln_status;

/* Detail of a failure. Owned by the caller; its content is written only on failure. */
typedef struct kiln_error {
    kiln_status status;
    /* One line, always terminated. Names in it may come from files: control characters and bytes
     * that are no UTF-8 are shown as \n, \x1b, \xff, and what is too long ends in "...". */
    char message[1024];
} kiln_error;

/* The version of the library at hand, "0.1.0", which may be another than the header's. */
KILN_API const char *kiln_version(void);

/* A short constant English name: "ok", "bad argument", ... Never NULL. */
KILN_API const char *kiln_status_name(kiln_status status);

/* Writes status and a printf-formatted message into error (may be NULL); returns status. */
KILN_API kiln_status kiln_fail(kiln_error *error, kiln_status status, const char *format, ...)
    KILN_PRINTF(3, 4);

/* ---- Types --------------------------------------------------------------------------------- */

/* Element types of tensors. Computation is in f32, i64 and bool; the others occur as the type of
 * inputs and outputs, f16 also as the storage type of weights. Values are part of the plan format.
 */
typedef enum kiln_dtype {
    KILN_F32 = 1,
    KILN_I64 = 2,
    KILN_BOOL = 3, /* one byte, 0 or 1 */
    KILN_F16 = 4,  /* IEEE 754 binary16 */
    KILN_I32 = 5,
    KILN_U8 = 6,
    KILN_I8 = 7,
    KILN_F64 = 8,  /* computed in f32 */
    KILN_BF16 = 9, /* the upper half of an f32 */
    KILN_U16 = 10,
    KILN_I16 = 11,
    KILN_U32 = 12,
    KILN_U64 = 13 /* computed in i64 */
} kiln_dtype;

/* Bytes of one element; 0 for a value that is not a kiln_dtype. */
KILN_API size_t kiln_dtype_size(kiln_dtype dtype);
/* "f32", "i64", ...; "?" for a value that is not a kiln_dtype. */
KILN_API const char *kiln_dtype_name(kiln_dtype dtype);

/* A borrowed run of bytes. */
typedef struct kiln_span {
    const void *data;
    size_t size;
} kiln_span;

/* Memory for everything that a plan or session owns, and what is made of them: detectors, galleries
 * of people, trainers, plans that are cut. Excepted is what others allocate: XNNPACK's operators
 * (it takes one allocator for the whole process, at its first initialisation), the threads of
 * pools, and the C library (streams of files that are written, sorting). allocate: at least `size`
 * bytes aligned to `alignment` (a power of two), or NULL. release: takes what allocate returned
 * (never NULL) and the same size. Both must be thread-safe if plans or sessions are created from
 * several threads. */
typedef struct kiln_allocator {
    void *context;
    void *(*allocate)(void *context, size_t size, size_t alignment);
    void (*release)(void *context, void *pointer, size_t size);
} kiln_allocator;

/* Releases bytes that a function of Kiln says are released so, to the allocator that they came
 * from. NULL is allowed. */
KILN_API void kiln_free(void *bytes);

/* Shape of one tensor as its user sees it: dimensions in ONNX order (images N,C,H,W), row-major,
 * dense. */
typedef struct kiln_tensor_info {
    const char *name; /* owned by the plan */
    kiln_dtype dtype;
    uint32_t rank;
    uint32_t dims[KILN_MAX_RANK];
    bool batched; /* dims[0] is for a batch of one: a run with batch B has dims[0] * B */
    size_t bytes; /* dense size for a batch of one */
} kiln_tensor_info;

/* ---- Options -------------------------------------------------------------------------------- */

/* Every struct of options begins with its size as the app was compiled:
 *
 *   kiln_session_options options = {.size = sizeof options, .threads = 2};   C, C++20
 *   kiln_session_options_init(&options);                                     C, C++
 *
 * and zeros are the defaults (but of kiln_train_options, which kiln_train_options_init sets). So an
 * app runs with any libkiln of its MAJOR version: members that a later one has are zeros, and those
 * that an earlier one does not know are KILN_ERROR_UNSUPPORTED where they are not zeros. Where the
 * size was forgotten it is KILN_ERROR_ARGUMENT. Functions copy what they are given.
 *
 * Structs without a size do not change within a MAJOR version. */
#define KILN_OPTIONS_INIT(type)                                                                    \
    static inline void type##_init(type *out_options) {                                            \
        memset(out_options, 0, sizeof *out_options);                                               \
        out_options->size = sizeof *out_options;                                                   \
    }

/* ---- Plans --------------------------------------------------------------------------------- */

typedef struct kiln_plan kiln_plan;

typedef struct kiln_plan_options {
    size_t size;                     /* sizeof(kiln_plan_options) */
    const kiln_allocator *allocator; /* NULL: malloc. Must outlive the plan. */
    /* Checksums of the weights are verified when a session is created. Set this to skip that
     * (structural sections are always verified). */
    bool skip_weight_checksums;
    /* A file that keeps packed weights for the next start, or NULL: none. (The text is copied.)
     * Sessions map what it holds instead of packing, and the constants that were packed are then
     * not read at all. When a session had to pack, it writes the file (beside it, then renames)
     * before its creation returns; where that fails, nothing else does. The file serves one plan,
     * one version of Kiln and one kind of processor: another's, and a damaged one, is not used and
     * is replaced. skip_weight_checksums goes for what it holds as well. */
    const char *prepacked_path;
    /* Reads the file into the allocator's memory instead of mapping it. Then it may change while
     * the plan is open; but weights are in memory a second time once they are packed, and processes
     * do not share them. The file of prepacked_path is mapped all the same. */
    bool read_into_memory;
    /* Told, in one line, what went otherwise than asked without being an error: the file of
     * prepacked_path was not used, or could not be written. Called on the thread that opens the
     * plan, creates or destroys a session. NULL: nobody is told. */
    void (*log)(void *context, const char *message);
    void *log_context;
} kiln_plan_options;
KILN_OPTIONS_INIT(kiln_plan_options)

/* Opens a plan file: maps it and validates it wholly. `options` may be NULL for the defaults.
 *
 * A mapped file must stay as it is while the plan is open. Whoever replaces it by renaming another
 * (as all of Kiln's writers do) leaves it so; one that is cut short where it lies ends the process
 * with SIGBUS at the next access, and one that is written to gives wrong values. Where files may
 * change so (network file systems, other users), set read_into_memory. */
KILN_API kiln_status kiln_plan_open(const char *path, const kiln_plan_options *options,
                                    kiln_plan **out_plan, kiln_error *error);

/* The same from `length` bytes at `offset` of an open file (an Android asset). The descriptor is
 * mapped (or read), not kept: the caller may close it after the call. `offset` need not be
 * page-aligned but must be a multiple of 4, as in Android's packages. Between multiples of 8 the
 * records and constants of 8-byte numbers are copied; weights are not. */
KILN_API kiln_status kiln_plan_open_fd(int descriptor, uint64_t offset, uint64_t length,
                                       const kiln_plan_options *options, kiln_plan **out_plan,
                                       kiln_error *error);

/* The same from memory, without a copy (but as in kiln_plan_open_fd): `bytes` must stay unchanged
 * until kiln_plan_close, and be aligned to 4. */
KILN_API kiln_status kiln_plan_open_memory(kiln_span bytes, const kiln_plan_options *options,
                                           kiln_plan **out_plan, kiln_error *error);

/* Releases the plan. NULL is allowed. Every session of the plan must have been destroyed. */
KILN_API void kiln_plan_close(kiln_plan *plan);

KILN_API size_t kiln_plan_input_count(const kiln_plan *plan);
KILN_API size_t kiln_plan_output_count(const kiln_plan *plan);
/* KILN_ERROR_ARGUMENT, and *out_info stays as it was: `index` is not below the count. */
KILN_API kiln_status kiln_plan_input(const kiln_plan *plan, size_t index,
                                     kiln_tensor_info *out_info);
KILN_API kiln_status kiln_plan_output(const kiln_plan *plan, size_t index,
                                      kiln_tensor_info *out_info);
/* Whether a session may run more than one sample at a time. */
KILN_API bool kiln_plan_is_batchable(const kiln_plan *plan);

/* Bytes of packed weights: those that kernels have turned into another order. They come from the
 * plan's allocator, are made by the first session that needs them (one created at the same time
 * waits), used by all sessions of the plan, and freed with the last of them. What XNNPACK packs for
 * its own operators is not among them: that is each session's. */
KILN_API size_t kiln_plan_packed_bytes(const kiln_plan *plan);
/* Those of them that lie in the file of prepacked_path, mapped. */
KILN_API size_t kiln_plan_prepacked_bytes(const kiln_plan *plan);

/* Class labels, in the order of the (last) output's classes; 0 when the plan has none. */
KILN_API size_t kiln_plan_label_count(const kiln_plan *plan);
/* NULL when index is out of range. Owned by the plan. */
KILN_API const char *kiln_plan_label(const kiln_plan *plan, size_t index);

/* Value of a metadata key ("producer", "source", ...), or NULL. Owned by the plan. */
KILN_API const char *kiln_plan_metadata(const kiln_plan *plan, const char *key);

/* How a picture becomes the input tensor: x = (pixel * scale[c]) + bias[c] with pixel in 0..255. */
typedef enum kiln_resize_rule {
    KILN_RESIZE_STRETCH = 0,    /* to the input's height and width, aspect ratio ignored */
    KILN_RESIZE_CENTRE_CROP = 1 /* shorter side to input / crop_fraction, then the centre */
} kiln_resize_rule;

typedef struct kiln_preprocess {
    bool present;        /* false: the plan does not say; all else is then the "none" preset */
    bool bgr;            /* channel order of the tensor: false RGB, true BGR */
    uint32_t resize;     /* kiln_resize_rule */
    float crop_fraction; /* 0.875 = 224 of 256 */
    float scale[4];      /* per tensor channel */
    float bias[4];       /* per tensor channel */
} kiln_preprocess;

KILN_API void kiln_plan_preprocess(const kiln_plan *plan, kiln_preprocess *out_preprocess);

/* The plan's first steps, up to the tensor or layer `cut` (NULL: what feeds the final dense
 * layers), as a plan of its own whose output is the features, for embeddings. It reads the weights
 * of `plan`, which must outlive it. */
KILN_API kiln_status kiln_plan_cut(const kiln_plan *plan, const char *cut, kiln_plan **out_plan,
                                   kiln_error *error);

/* ---- Sessions ------------------------------------------------------------------------------ */

typedef struct kiln_session kiln_session;
struct pthreadpool; /* of pthreadpool.h, which is not needed here */

/* The caller's thread waits for no other that has not begun to work: it does its share meanwhile.
 * So threads that start, or that get no core, cost little. A thread without work looks for some for
 * about 0.3 ms, so that the layers of a run follow each other without delay, and then sleeps; where
 * there are more threads than cores it sleeps at once. For throughput, several sessions of one
 * thread each share a plan's weights and need no waiting.
 *
 * Where XNNPACK computes a layer, which is known for each by kiln_plan_step_computation, threads
 * are pthreadpool's: all of them are waited for in each layer, and they look for work for some
 * milliseconds. */
typedef struct kiln_session_options {
    size_t size;           /* sizeof(kiln_session_options) */
    uint32_t threads;      /* compute threads, the caller's included; 0 = 1 */
    uint32_t max_batch;    /* largest batch of a run; 0 = 1 */
    uint64_t memory_limit; /* refuse a session whose arena, scratch included, is larger; 0: none */
    bool profile;          /* measure each step (kiln_session_profile) */
    const kiln_allocator *allocator; /* NULL: the plan's */
    /* A pool of pthreadpool's to compute on, instead of `threads` of the session's own. It must
     * outlive the session; sessions that share one wait for each other, layer by layer. */
    struct pthreadpool *threadpool;
    /* Called once on each compute thread but the caller's before kiln_session_create returns, to
     * name it, say, or to bind it to cores; `thread` counts from 1. NULL: not called. Not for a
     * pool that was given. */
    void (*thread_started)(void *context, uint32_t thread);
    void *thread_context;
} kiln_session_options;
KILN_OPTIONS_INIT(kiln_session_options)

/* Memory of a session besides weights, in bytes. Scratch depends on the threads and on the vectors
 * of this processor. */
typedef struct kiln_memory_use {
    uint64_t arena_bytes;   /* activations */
    uint64_t scratch_bytes; /* what kernels write to while they run, as far as the arena has no
                             * room for it then */
    uint64_t heap_bytes;    /* about what XNNPACK allocates for itself: pointers to pixels */
    uint64_t total_bytes;
} kiln_memory_use;

/* What a session with these options (NULL: the defaults) will need; no session is made. */
KILN_API kiln_status kiln_plan_memory(const kiln_plan *plan, const kiln_session_options *options,
                                      kiln_memory_use *out_use, kiln_error *error);

/* Allocates the arena, packs the weights (or takes those that the plan's other sessions have
 * packed), sets up every kernel. All allocation happens here: a run
 * allocates nothing. `options` may be NULL. The plan must outlive the session. */
KILN_API kiln_status kiln_session_create(const kiln_plan *plan, const kiln_session_options *options,
                                         kiln_session **out_session, kiln_error *error);
/* NULL is allowed. */
KILN_API void kiln_session_destroy(kiln_session *session);

/* A caller-owned buffer of dense row-major elements in ONNX order. size is in bytes and must be
 * exactly batch * kiln_tensor_info.bytes (bytes alone when the tensor is not batched). */
typedef struct kiln_buffer {
    void *data;
    size_t size;
} kiln_buffer;

/* Runs the network on `batch` samples (1 .. max_batch). Buffers are in the order of the plan's
 * inputs and outputs, and aligned as their elements are; inputs are only read, and outputs overlap
 * neither them nor each other. KILN_ERROR_ARGUMENT: another batch, or not the buffers that it takes
 * (the error names the first that is not); nothing is written then. After any other error outputs
 * are not complete, and the session can be run again.
 *
 * Numbers too small to be normal (below 1.2e-38) count as zeros during a run, on x86 and ARM; the
 * calling thread computes with them again afterwards, if it did before. */
KILN_API kiln_status kiln_session_run(kiln_session *session, uint32_t batch,
                                      const kiln_buffer *inputs, size_t input_count,
                                      const kiln_buffer *outputs, size_t output_count,
                                      kiln_error *error);

/* Ends the run in progress, or else the next one: it returns KILN_ERROR_CANCELLED when the layer
 * that it computes just then is done (of a banded one, some rows), with outputs that are not
 * complete. After that the session runs as ever. May be called from any thread, and from a signal
 * handler, while the session exists. */
KILN_API void kiln_session_cancel(kiln_session *session);

/* Bytes of the arena at max_batch. */
KILN_API size_t kiln_session_arena_bytes(const kiln_session *session);

/* ---- Looking inside ------------------------------------------------------------------------ */

typedef struct kiln_step_profile {
    const char *name;     /* layer name; owned by the plan */
    const char *kernel;   /* "conv_2d", ... */
    uint64_t nanoseconds; /* total over all runs since the session was created */
    uint64_t runs;
    uint64_t macs; /* multiply-accumulates for a batch of one */
} kiln_step_profile;

KILN_API size_t kiln_session_step_count(const kiln_session *session);
/* All zeros but the names unless the session was created with profile = true. */
KILN_API kiln_status kiln_session_profile(const kiln_session *session, size_t step,
                                          kiln_step_profile *out_profile);

/* Called after each step of a run, on the calling thread. Returning false ends the run early with
 * KILN_OK; outputs are then incomplete. */
typedef bool (*kiln_observer)(void *context, kiln_session *session, size_t step);
/* NULL removes the observer. */
KILN_API void kiln_session_observe(kiln_session *session, kiln_observer observer, void *context);

/* Tensors written by a step. For use in an observer. Of a tensor of which only some rows are in
 * memory at a time (kiln_plan_tensor_record.rolling_rows) there is nothing to see:
 * KILN_ERROR_ARGUMENT. */
KILN_API size_t kiln_session_step_output_count(const kiln_session *session, size_t step);
KILN_API kiln_status kiln_session_step_output(const kiln_session *session, size_t step,
                                              size_t output, kiln_tensor_info *out_info);
/* Copies that tensor, as it is now, to `buffer` as dense row-major elements in ONNX order
 * (size as in kiln_session_run). Valid only inside an observer of that very step: arena memory is
 * reused by later steps. */
KILN_API kiln_status kiln_session_step_read(const kiln_session *session, size_t step, size_t output,
                                            kiln_buffer buffer, kiln_error *error);

/* Asks that each following run copies the intermediate tensor `name` to `buffer` when it has been
 * computed. The buffer must hold max_batch samples and stay valid until the session is destroyed or
 * the capture is replaced (same name) or removed (buffer.data == NULL). At most 16 captures. No
 * step computes a mere view (a Flatten, say): KILN_ERROR_ARGUMENT. */
KILN_API kiln_status kiln_session_capture(kiln_session *session, const char *name,
                                          kiln_buffer buffer, kiln_error *error);
/* Shape of an intermediate tensor by name. */
KILN_API kiln_status kiln_plan_tensor(const kiln_plan *plan, const char *name,
                                      kiln_tensor_info *out_info, kiln_error *error);

#ifdef __cplusplus
}
#endif
#endif
