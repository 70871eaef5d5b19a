/* What a session consists of, for the files that make it up; each may call those below it:
 *   session.c    creates, runs, destroys
 *   bands.c      steps that are run in bands
 *   step.c       one step: preparing and running it
 *   constants.c  the constants that steps read
 *   observe.c    captures and observers
 *   allocate.c   the arena
 *
 * A session's life. It can be destroyed in any of these states; where kiln_session_create fails, it
 * has destroyed it:
 *
 *   kiln_session_create
 *     described  describe_calls: calls, operands and bands are known; operands have no data.
 *     starting   start_threads: a pool's threads have been started, unless the caller gave one.
 *     placed     allocate_arena: the arena is there, scratch lies in its gaps and behind it.
 *     prepared   prepare_step, step by step: constants are loaded, kernels have their state,
 *                weights are packed. release_step frees what a kernel that failed has left.
 *     bound      bind_step, step by step, for max_batch.
 *     ready      packed_save has kept what was packed; bound_batch is max_batch.
 *   kiln_session_run
 *     bound      bind_batch, where the batch is another than bound_batch: that is 0 until all
 *                steps agree, so that after a failure the next run binds them again.
 *     pointed    point_at_buffers: steps at the boundary have the buffers of this run.
 *     running    run_steps: observed_step is the step whose observer is called, else SIZE_MAX.
 *     ready      Again, whether the run failed or not.
 *   kiln_session_destroy */
#ifndef KILN_RUNTIME_SESSION_H
#define KILN_RUNTIME_SESSION_H

#include "runtime/base/memory.h"
#include "runtime/plan/calls.h"

#include <stdatomic.h>

#define MAX_CAPTURES 16

typedef struct capture {
    uint32_t tensor;
    kiln_buffer buffer;
} capture;

typedef struct widened {
    float *data;
    bool kept; /* some step reads it when it runs */
} widened;

/* What observe.c does in a run. A program that neither observes nor captures is linked without. */
typedef struct session_watch {
    /* Captures of a tensor with rolling rows: those that a band's step has just computed. */
    void (*capture_rows)(kiln_session *s, size_t step, uint32_t sample);
    /* Captures and the observer. False ends the run. */
    bool (*after_step)(kiln_session *s, size_t step);
} session_watch;

struct kiln_session {
    const kiln_plan *plan;
    kiln_allocator allocator;
    kernel_host host;      /* of all calls */
    bool owns_pthreadpool; /* host.pthreadpool is to be destroyed with the session */
    kernel_call *calls;
    operand *operands; /* of all calls, one after the other */
    band_steps *bands; /* by band of the plan */
    widened *widened;  /* by tensor: f32 copies of f16 constants read at run time */
    uint64_t *nanoseconds;
    uint64_t runs;
    uint8_t *arena; /* activations, and scratch in the gaps between them and behind */
    size_t arena_bytes;
    uint64_t memory_limit;
    uint32_t max_batch, bound_batch, batch;
    bool profile;
    atomic_bool cancelled;      /* by another thread, until a run has seen it */
    const session_watch *watch; /* NULL until there is an observer or a capture */
    kiln_observer observer;
    void *observer_context;
    size_t observed_step; /* step whose outputs may be read; SIZE_MAX: none */
    capture captures[MAX_CAPTURES];
    size_t capture_count;
    kiln_buffer *answer; /* buffers of kiln_classify and kiln_embed, in one block; NULL at first */
};

/* ---- The arena (allocate.c) ---------------------------------------------------------------- */

/* The arena, and the calls' scratch in it. */
kiln_status allocate_arena(kiln_session *s, kiln_error *error);
/* Where the operand begins, for the first sample. */
void point_into_arena(const kiln_session *s, operand *inout_operand);

/* ---- Steps (step.c) ------------------------------------------------------------------------ */

/* The step's operands, constants, packed weights, and its kernel's own state. */
kiln_status prepare_step(kiln_session *s, size_t step, kiln_error *error);
/* Pointers and sizes for max_batch, after all steps are prepared and the threads are there. */
kiln_status bind_step(kiln_session *s, size_t step, kiln_error *error);
void release_step(kiln_session *s, size_t step); /* prepared, or not */
/* KILN_ERROR_CANCELLED where that was asked for since the last call. */
kiln_status heed_cancel(kiln_session *s, kiln_error *error);
/* Heeds that first. */
kiln_status run_step(kiln_session *s, size_t step, kiln_error *error);

/* ---- Bands (bands.c) ----------------------------------------------------------------------- */

/* All samples of the run. */
kiln_status run_band(kiln_session *s, const kiln_plan_band *band, kiln_error *error);

/* ---- Constants (constants.c) --------------------------------------------------------------- */

/* Verifies a constant, widens it where it is stored in f16, and points at it. */
kiln_status load_constant(kiln_session *s, operand *o, bool as_stored, kiln_error *error);
/* The same for all constants of a step, but the weights where only a packed form of them is read.
 */
kiln_status load_constants(kiln_session *s, kernel_call *call, bool packs, kiln_error *error);
/* After packing: what the step has loaded is not needed again. */
void drop_constants(kiln_session *s, kernel_call *call);

#endif
