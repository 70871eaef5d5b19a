/* Kiln tuning: with what each convolution of a plan runs fastest, Kiln's algorithms and XNNPACK's
 * convolution, measured on the machine at hand. The compiler chose by a model of the costs; a
 * phone's caches and vectors may see it otherwise. Part of the runtime: an app can tune its plan
 * where it runs, once, after installing.
 *
 *   kiln_tune_report report;
 *   kiln_tune("net.plan", NULL, NULL, &report, &error);
 *
 * The choices are kept in the plan, by processor (kiln_machine_processor): sessions take those for
 * the processor that they run on, and where there are none choose as without tuning. So a tuned
 * plan travels, and may be tuned on one processor after the other; tuning again replaces what was
 * kept for that processor. What is compiled into a plan does not change.
 *
 * Takes some dozens of runs of the network, and a few times a session's memory of packed weights.
 * Errors as in kiln.h. A runtime built with KILN_BUILD_TUNING=OFF has none of this; what others
 * have tuned it takes. */
#ifndef KILN_TUNE_H
#define KILN_TUNE_H

#include <kiln/plan_format.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which algorithms may be chosen. Winograd's round more (see kiln_convolution in compile.h). */
typedef enum kiln_tune_precision {
    /* Those that the plan was compiled for: not Winograd's where no convolution runs with them and
     * the plan was compiled as exact or does not say (metadata key "convolution"). */
    KILN_TUNE_AS_COMPILED = 0,
    /* Exact ones. Convolutions that run with Winograd's algorithm get an exact one, on this
     * processor, even where that is slower; KILN_ERROR_UNSUPPORTED where a band does not let them.
     */
    KILN_TUNE_EXACT = 1,
    KILN_TUNE_ANY = 2
} kiln_tune_precision;

/* One convolution, when all is decided. */
typedef struct kiln_tune_layer {
    const char *name; /* layer name; valid during the callback */
    size_t step;      /* of the plan */
    /* A kiln_conv_algorithm of Kiln's, or KILN_CONV_BY_XNNPACK: of sessions up to now, and from now
     * on; the same where nothing is to be gained. kiln_conv_algorithm_name has names for them. */
    uint32_t before, after;
    double seconds[KILN_CONV_CHOICES]; /* fastest run; INFINITY: could not be tried */
} kiln_tune_layer;

typedef struct kiln_tune_options {
    size_t size;      /* sizeof(kiln_tune_options) */
    uint32_t threads; /* as the plan will be run; 0 = 1 */
    uint32_t batch;   /* samples a run, for a batchable plan; 0 = 1 */
    uint32_t runs;    /* timed runs with each algorithm, and of the plan before and after; 0 = 15 */
    kiln_tune_precision precision;
    bool read_into_memory; /* the plan, instead of mapping it (see kiln_plan_options) */
    /* Before each run of the network, on the calling thread; false ends the tuning with the plan
     * left as it was (KILN_TUNE_STOPPED). May be NULL. */
    bool (*on_progress)(void *context, size_t done, size_t total);
    /* For each convolution that has more than one algorithm, in order of execution; may be NULL. */
    void (*on_layer)(void *context, const kiln_tune_layer *layer);
    void *context;
    const kiln_allocator *allocator; /* of all that is taken meanwhile; NULL: malloc */
} kiln_tune_options;
KILN_OPTIONS_INIT(kiln_tune_options)

typedef enum kiln_tune_outcome {
    KILN_TUNE_CHANGED = 0,   /* the plan has other choices for this processor now */
    KILN_TUNE_UNCHANGED = 1, /* every convolution runs with its fastest algorithm already */
    KILN_TUNE_SLOWER = 2,    /* layers gained, but the network as a whole did not: left as it was */
    KILN_TUNE_NO_CHOICE = 3, /* no convolution with more than one algorithm */
    KILN_TUNE_STOPPED = 4    /* by on_progress */
} kiln_tune_outcome;

typedef struct kiln_tune_report {
    kiln_tune_outcome outcome;
    size_t convolutions; /* that have more than one algorithm */
    size_t changed;
    bool exact; /* only exact algorithms were tried */
    /* A run of the whole network, medians; 0 where nothing was measured. */
    double seconds_before, seconds_after;
    kiln_memory_use memory_before, memory_after; /* of a session with the options' threads, batch */
    const char *processor;                       /* that the choices are for; a constant text */
} kiln_tune_report;

/* Measures on random input and stores the choices. An algorithm gives way to one that is at least
 * 3 % faster; the plan gives way only if all choices together are not slower. Where only some rows
 * of a layer's output are in memory at a time, algorithms that need more of them are not tried.
 *
 * out_path NULL: the plan's own place. A plan is written beside its final name and renamed, so that
 * the file there is either untouched or complete. Without a change plan_path is not touched, and
 * out_path, where it is given, becomes a copy; when stopped, neither. Sessions that have the old
 * file open go on with it. options NULL: the defaults; out_report may be NULL. */
KILN_API kiln_status kiln_tune(const char *plan_path, const char *out_path,
                               const kiln_tune_options *options, kiln_tune_report *out_report,
                               kiln_error *error);

#ifdef __cplusplus
}
#endif
#endif
