/* Sessions: an arena, packed weights, and the steps bound to them. */
#include "runtime/session/session.h"
#include "runtime/base/options.h"
#include "runtime/plan/packed.h"
#include "runtime/session/threads.h"

/* ---- Creating ------------------------------------------------------------------------------ */

static kiln_status make_calls(kiln_session *s, kiln_error *error) {
    const kiln_plan_view *v = &s->plan->view;
    s->calls = memory_zeros(&s->allocator, v->step_count, sizeof *s->calls);
    s->operands = memory_zeros(&s->allocator, v->operand_count, sizeof *s->operands);
    s->bands = memory_zeros(&s->allocator, v->band_count, sizeof *s->bands);
    s->widened = memory_zeros(&s->allocator, v->tensor_count, sizeof *s->widened);
    s->nanoseconds = memory_zeros(&s->allocator, v->step_count, sizeof *s->nanoseconds);
    if (s->calls == NULL || s->operands == NULL || s->bands == NULL || s->widened == NULL ||
        s->nanoseconds == NULL) {
        return memory_fail(error);
    }
    describe_calls(v, &s->host, s->max_batch, s->operands, s->calls, s->bands);
    s->bound_batch = s->max_batch;
    return KILN_OK;
}

/* ---- Threads ------------------------------------------------------------------------------- */

/* Which is known before the first step is prepared. */
static bool has_xnnpack(const kiln_session *s) {
    for (size_t step = 0; step < s->plan->view.step_count; step++) {
        const kernel_call *call = &s->calls[step];
        if (call->kernel->library != NULL && call->kernel->library(call) != NULL) {
            return true;
        }
    }
    return false;
}

/* Threads start while the rest is made: work begins without those that have not come. */
static kiln_status start_threads(kiln_session *s, const kiln_session_options *options,
                                 kiln_error *error) {
    uint32_t threads = (uint32_t)s->host.threads;
    kiln_status status = KILN_OK;
    s->host.pthreadpool = options->threadpool;
    if (options->threadpool == NULL && threads > 1 && has_xnnpack(s)) {
        status = threads_create_pthreadpool(&s->allocator, threads, &s->host.pthreadpool, error);
        s->owns_pthreadpool = status == KILN_OK;
    }
    if (status == KILN_OK) {
        status = s->host.pthreadpool != NULL
                     ? threads_lend(&s->allocator, s->host.pthreadpool, &s->host.pool, error)
                     : thread_pool_create(&s->allocator, threads, &s->host.pool, error);
    }
    if (status == KILN_OK && options->threadpool == NULL && options->thread_started != NULL) {
        thread_pool_greet(s->host.pool, options->thread_started, options->thread_context);
    }
    return status;
}

static kiln_status prepare_steps(kiln_session *s, kiln_error *error) {
    size_t steps = s->plan->view.step_count;
    kiln_status status = KILN_OK;
    for (size_t step = 0; step < steps && status == KILN_OK; step++) {
        status = prepare_step(s, step, error);
    }
    for (size_t step = 0; step < steps && status == KILN_OK; step++) {
        status = bind_step(s, step, error);
    }
    return status;
}

static kiln_status create(const kiln_plan *plan, const kiln_session_options *options,
                          kiln_session **out_session, kiln_error *error) {
    uint32_t max_batch = options->max_batch == 0 ? 1 : options->max_batch;
    if (max_batch > 1 && !kiln_plan_is_batchable(plan)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "the plan's batch is fixed; a maximum batch of %u is not possible",
                         max_batch);
    }
    if (options->threads > 256 || max_batch > 65536) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%u threads, batch %u: at most 256 and 65536",
                         options->threads, max_batch);
    }
    kiln_allocator allocator = options->allocator != NULL ? *options->allocator : plan->allocator;
    kiln_session *s = memory_take(&allocator, sizeof *s);
    if (s == NULL) {
        return memory_fail(error);
    }
    *s = (kiln_session){.plan = plan,
                        .allocator = allocator,
                        .max_batch = max_batch,
                        .profile = options->profile,
                        .memory_limit = options->memory_limit,
                        .observed_step = SIZE_MAX};
    packed_enter(plan);
    s->host.allocator = &s->allocator;
    s->host.plan = &plan->view;
    s->host.threads = options->threadpool != NULL
                          ? pthreadpool_get_threads_count(options->threadpool)
                          : (options->threads > 1 ? options->threads : 1);
    kiln_status status = make_calls(s, error);
    if (status == KILN_OK) {
        status = start_threads(s, options, error);
    }
    if (status == KILN_OK) {
        status = allocate_arena(s, error);
    }
    if (status == KILN_OK) {
        status = prepare_steps(s, error);
    }
    if (status != KILN_OK) {
        kiln_session_destroy(s);
        return status;
    }
    packed_save(plan, s->host.pool);
    *out_session = s;
    return KILN_OK;
}

kiln_status kiln_session_create(const kiln_plan *plan, const kiln_session_options *options,
                                kiln_session **out_session, kiln_error *error) {
    if (plan == NULL || out_session == NULL) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "kiln_session_create: no plan");
    }
    *out_session = NULL;
    kiln_session_options used;
    kiln_status status = OPTIONS_TAKE(kiln_session_options, options, &used, error);
    return status == KILN_OK ? create(plan, &used, out_session, error) : status;
}

void kiln_session_destroy(kiln_session *s) {
    if (s == NULL) {
        return;
    }
    const kiln_plan_view *v = &s->plan->view;
    for (size_t step = 0; s->calls != NULL && step < v->step_count; step++) {
        release_step(s, step);
    }
    for (size_t t = 0; s->widened != NULL && t < v->tensor_count; t++) {
        memory_free(s->widened[t].data);
    }
    memory_free(s->answer);
    memory_free(s->bands);
    memory_free(s->calls);
    memory_free(s->operands);
    memory_free(s->widened);
    memory_free(s->nanoseconds);
    memory_free(s->arena);
    thread_pool_destroy(s->host.pool);
    if (s->owns_pthreadpool) {
        pthreadpool_destroy(s->host.pthreadpool);
    }
    packed_leave(s->plan);
    memory_free(s);
}

/* ---- Running ------------------------------------------------------------------------------- */

static kiln_status check_buffers(const kiln_session *s, const char *kind, uint32_t batch,
                                 const uint32_t *tensors, size_t expected,
                                 const kiln_buffer *buffers, size_t count, kiln_error *error) {
    if (count != expected || (count > 0 && buffers == NULL)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%zu %ss given; the plan has %zu", count, kind,
                         expected);
    }
    for (size_t k = 0; k < count; k++) {
        kiln_tensor_info info;
        tensor_info(&s->plan->view, tensors[k], &info);
        size_t bytes = info.bytes * (info.batched ? batch : 1);
        if (buffers[k].data == NULL || buffers[k].size != bytes) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT,
                             "%s '%.80s' has %zu bytes; %zu expected for a batch of %u", kind,
                             info.name, buffers[k].data == NULL ? 0 : buffers[k].size, bytes,
                             batch);
        }
    }
    return KILN_OK;
}

static void *find_buffer(const kiln_session *s, const operand *o, const kiln_buffer *inputs,
                         const kiln_buffer *outputs) {
    const kiln_plan_view *v = &s->plan->view;
    bool is_input = o->place == KILN_PLACE_INPUT;
    const uint32_t *tensors = is_input ? v->inputs : v->outputs;
    size_t count = is_input ? v->input_count : v->output_count;
    for (size_t k = 0; k < count; k++) {
        if (&v->tensors[tensors[k]] == o->record) {
            return is_input ? inputs[k].data : outputs[k].data;
        }
    }
    return NULL;
}

/* Steps at the boundary read and write the caller's buffers of this run. */
static kiln_status point_at_buffers(kiln_session *s, const kiln_buffer *inputs,
                                    const kiln_buffer *outputs, kiln_error *error) {
    for (size_t step = 0; step < s->plan->view.step_count; step++) {
        kernel_call *call = &s->calls[step];
        if (call->step->kernel != KILN_KERNEL_COPY && call->step->kernel != KILN_KERNEL_CAST) {
            continue;
        }
        for (uint32_t k = 0; k < call->input_count + call->output_count; k++) {
            operand *o = &call->inputs[k];
            if (operand_present(o) &&
                (o->place == KILN_PLACE_INPUT || o->place == KILN_PLACE_OUTPUT)) {
                o->data = find_buffer(s, o, inputs, outputs);
                if (o->data == NULL) {
                    return kiln_fail(error, KILN_ERROR_FORMAT,
                                     "layer '%.80s' uses an input or output that is not listed",
                                     call->name);
                }
            }
        }
    }
    return KILN_OK;
}

static kiln_status bind_batch(kiln_session *s, uint32_t batch, kiln_error *error) {
    if (batch == s->bound_batch) {
        return KILN_OK;
    }
    s->bound_batch = 0; /* until all steps agree */
    for (size_t step = 0; step < s->plan->view.step_count; step++) {
        kernel_call *call = &s->calls[step];
        const kernel *kernel = call->kernel;
        if (band_of_step(s->plan->view.bands, s->plan->view.band_count, step) != NULL) {
            continue; /* runs sample by sample */
        }
        call->run.batch = batch;
        kiln_status status = kernel->bind != NULL ? kernel->bind(call, error) : KILN_OK;
        if (status != KILN_OK) {
            return status;
        }
    }
    s->bound_batch = batch;
    return KILN_OK;
}

static kiln_status run_steps(kiln_session *s, kiln_error *error) {
    const kiln_plan_view *v = &s->plan->view;
    bool watched = s->observer != NULL || s->capture_count > 0;
    for (size_t step = 0, next; step < v->step_count; step = next) {
        const kiln_plan_band *band = band_of_step(v->bands, v->band_count, step);
        next = band != NULL ? band->last_step + (size_t)1 : step + 1;
        kiln_status status = band != NULL ? run_band(s, band, error) : run_step(s, step, error);
        if (status != KILN_OK) {
            return status;
        }
        for (size_t seen = step; seen < next && watched; seen++) {
            if (!s->watch->after_step(s, seen)) {
                return KILN_OK;
            }
        }
    }
    return KILN_OK;
}

kiln_status kiln_session_run(kiln_session *s, uint32_t batch, const kiln_buffer *inputs,
                             size_t input_count, const kiln_buffer *outputs, size_t output_count,
                             kiln_error *error) {
    if (s == NULL || batch == 0 || batch > s->max_batch) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "batch %u; the session takes 1 to %u", batch,
                         s == NULL ? 0 : s->max_batch);
    }
    const kiln_plan_view *v = &s->plan->view;
    kiln_status status =
        check_buffers(s, "input", batch, v->inputs, v->input_count, inputs, input_count, error);
    if (status == KILN_OK) {
        status = check_buffers(s, "output", batch, v->outputs, v->output_count, outputs,
                               output_count, error);
    }
    if (status == KILN_OK) {
        status = bind_batch(s, batch, error);
    }
    if (status == KILN_OK) {
        status = point_at_buffers(s, inputs, outputs, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    s->batch = batch;
    s->runs++;
    status = run_steps(s, error);
    /* During the last layer it is still this run that was meant, not the next. */
    return status == KILN_OK ? heed_cancel(s, error) : status;
}

void kiln_session_cancel(kiln_session *s) {
    atomic_store_explicit(&s->cancelled, true, memory_order_relaxed);
}

size_t kiln_session_arena_bytes(const kiln_session *s) {
    return s->arena_bytes;
}
