/* Steps: prepared once, run again and again. */
#include "runtime/plan/packed.h"
#include "runtime/session/session.h"

#include <time.h>

/* ---- Preparing ----------------------------------------------------------------------------- */

/* The weights in the kernel's form: as a session before this one has packed them, or as a file has
 * them, or made now. */
static kiln_status pack_weights(kiln_session *s, kernel_call *call, const packed_form *form,
                                kiln_error *error) {
    bool mine;
    packed *entry = packed_claim(s->plan, call, form, &mine);
    if (entry == NULL) {
        return memory_fail(error);
    }
    if (mine) {
        kiln_status status = load_constant(s, &call->inputs[1], form->reads_f16, error);
        status = packed_fill(s->plan, entry, call, form, status, error);
        if (status != KILN_OK) {
            return status;
        }
    }
    call->packed = entry->data;
    return KILN_OK;
}

kiln_status prepare_step(kiln_session *s, size_t step, kiln_error *error) {
    kernel_call *call = &s->calls[step];
    const kernel *kernel = call->kernel;
    packed_form form;
    for (uint32_t k = 0; k < call->input_count + call->output_count; k++) {
        point_into_arena(s, &call->inputs[k]);
    }
    bool packs = kernel->packs != NULL && kernel->packs(call, &form);
    kiln_status status = load_constants(s, call, packs, error);
    if (status == KILN_OK) {
        status = kernel->prepare != NULL ? kernel->prepare(call, error) : KILN_OK;
    }
    if (status == KILN_OK && packs) {
        status = pack_weights(s, call, &form, error);
    }
    if (status == KILN_OK && kernel->packs_constants) {
        drop_constants(s, call);
    }
    return status;
}

kiln_status bind_step(kiln_session *s, size_t step, kiln_error *error) {
    kernel_call *call = &s->calls[step];
    return call->kernel->bind != NULL ? call->kernel->bind(call, error) : KILN_OK;
}

void release_step(kiln_session *s, size_t step) {
    kernel_call *call = &s->calls[step];
    if (call->state != NULL && call->kernel->release != NULL) {
        call->kernel->release(call);
    }
    kernel_free_all(call);
}

/* ---- Running ------------------------------------------------------------------------------- */

static uint64_t now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

kiln_status heed_cancel(kiln_session *s, kiln_error *error) {
    if (!atomic_load_explicit(&s->cancelled, memory_order_relaxed)) {
        return KILN_OK;
    }
    atomic_store_explicit(&s->cancelled, false, memory_order_relaxed);
    return kiln_fail(error, KILN_ERROR_CANCELLED, "the run was cancelled");
}

kiln_status run_step(kiln_session *s, size_t step, kiln_error *error) {
    kernel_call *call = &s->calls[step];
    kiln_status status = heed_cancel(s, error);
    if (status != KILN_OK) {
        return status;
    }
    uint64_t begin = s->profile ? now() : 0;
    status = call->kernel->run(call, error);
    if (s->profile) {
        s->nanoseconds[step] += now() - begin;
    }
    return status;
}
