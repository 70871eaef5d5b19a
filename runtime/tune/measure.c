/* How long steps and whole runs take. What is compared is run in turns, so that a machine that
 * grows warm, or is busy for a while, is so for all. */
#include "runtime/base/memory.h"
#include "runtime/tune/tuning.h"
#include <kiln/element.h>

#include <stdlib.h>
#include <time.h>

#define ROUNDS 3u

/* ---- Runs ---------------------------------------------------------------------------------- */

/* Noise in -1 .. 1; integers stay 0: they may be indices. */
static void fill(const kiln_tensor_info *info, kiln_buffer *buffer, uint32_t *inout_state) {
    size_t count = buffer->size / kiln_dtype_size(info->dtype);
    for (size_t k = 0; k < count && kiln_dtype_is_float(info->dtype); k++) {
        *inout_state = *inout_state * 1664525u + 1013904223u;
        double value = (double)(*inout_state >> 8) / (double)(1 << 23) - 1;
        kiln_element_put_number(info->dtype, buffer->data, k, value);
    }
}

kiln_status measure_begin(tuning *t, kiln_error *error) {
    const kiln_plan_view *v = &t->plan->view;
    uint32_t state = 1;
    size_t count = v->input_count + v->output_count;
    t->buffers = memory_zeros(&t->plan->allocator, count + 1, sizeof *t->buffers);
    for (size_t k = 0; t->buffers != NULL && k < count; k++) {
        kiln_tensor_info info;
        bool input = k < v->input_count;
        tensor_info(v, input ? v->inputs[k] : v->outputs[k - v->input_count], &info);
        size_t samples = info.batched ? t->options.batch : 1;
        size_t bytes = info.bytes <= SIZE_MAX / samples ? info.bytes * samples : SIZE_MAX;
        t->buffers[k] = (kiln_buffer){memory_zeros(&t->plan->allocator, bytes, 1), bytes};
        if (t->buffers[k].data == NULL) {
            return memory_fail(error);
        }
        if (input) {
            fill(&info, &t->buffers[k], &state);
        }
    }
    return t->buffers != NULL ? KILN_OK : memory_fail(error);
}

void measure_end(tuning *t) {
    size_t count = t->plan->view.input_count + t->plan->view.output_count;
    for (size_t k = 0; t->buffers != NULL && k < count; k++) {
        memory_free(t->buffers[k].data);
    }
    memory_free(t->buffers);
}

static size_t rounds(const tuning *t) {
    return t->options.runs < ROUNDS ? t->options.runs : ROUNDS;
}

/* Timed runs of a round; one more goes before them. */
static size_t runs_of_round(const tuning *t) {
    return (t->options.runs + rounds(t) - 1) / rounds(t);
}

void measure_expect(tuning *t, size_t variants) {
    t->total = (variants + 2) * rounds(t) * (1 + runs_of_round(t));
}

static double now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static kiln_status run(tuning *t, kiln_session *session, double *out_seconds, kiln_error *error) {
    const kiln_plan_view *v = &t->plan->view;
    const kiln_tune_options *o = &t->options;
    if (o->on_progress != NULL && !o->on_progress(o->context, t->done, t->total)) {
        t->stopped = true;
        return KILN_OK;
    }
    t->done++;
    double begin = now();
    kiln_status status = kiln_session_run(session, o->batch, t->buffers, v->input_count,
                                          t->buffers + v->input_count, v->output_count, error);
    *out_seconds = now() - begin;
    return status;
}

static kiln_status create_session(const tuning *t, const kiln_plan *plan, bool profile,
                                  kiln_session **out_session, kiln_error *error) {
    kiln_session_options options;
    kiln_session_options_init(&options);
    options.threads = t->options.threads;
    options.max_batch = t->options.batch;
    options.profile = profile;
    return kiln_session_create(plan, &options, out_session, error);
}

/* ---- Steps --------------------------------------------------------------------------------- */

/* Reads how many nanoseconds the session has spent in each convolution up to now. */
static void read_clocks(const tuning *t, const kiln_session *session, uint64_t *out_clocks) {
    for (size_t step = 0; step < t->steps; step++) {
        kiln_step_profile profile;
        if (t->candidates[step] != 0 && kiln_session_profile(session, step, &profile) == KILN_OK) {
            out_clocks[step] = profile.nanoseconds;
        }
    }
}

/* One round. The fastest run of all rounds counts: other load only ever adds to a time. */
static kiln_status time_steps(tuning *t, kiln_session *session, const uint8_t *choice,
                              uint64_t *clocks, kiln_error *error) {
    kiln_status status = KILN_OK;
    uint64_t *before = clocks, *after = clocks + t->steps;
    double unused;
    for (size_t k = 0; k <= runs_of_round(t) && status == KILN_OK && !t->stopped; k++) {
        read_clocks(t, session, before);
        status = run(t, session, &unused, error);
        read_clocks(t, session, after);
        for (size_t step = 0; step < t->steps && k > 0 && !t->stopped; step++) {
            if (t->candidates[step] != 0) {
                double *best = &t->seconds[step][choice[step]];
                double seconds = 1e-9 * (double)(after[step] - before[step]);
                *best = seconds < *best ? seconds : *best;
            }
        }
    }
    return status;
}

/* Each variant's session lives for one round only, so that no more than one has its weights packed.
 */
static kiln_status measure_variant(tuning *t, const uint8_t *choice, uint64_t *clocks,
                                   kiln_error *error) {
    kiln_plan *variant = NULL;
    kiln_session *session = NULL;
    kiln_status status = plan_open_chosen(t->plan, choice, &variant, error);
    if (status == KILN_OK) {
        variant->skip_weight_checksums = t->done > 0; /* the first session has verified them */
        status = create_session(t, variant, true, &session, error);
    }
    if (status == KILN_OK) {
        status = time_steps(t, session, choice, clocks, error);
    }
    kiln_session_destroy(session);
    kiln_plan_close(variant);
    return status;
}

kiln_status measure_steps(tuning *t, size_t count, uint8_t *const *choices, kiln_error *error) {
    uint64_t *clocks = memory_zeros(&t->plan->allocator, t->steps + 1, 2 * sizeof *clocks);
    if (clocks == NULL) {
        return memory_fail(error);
    }
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < rounds(t) * count && status == KILN_OK && !t->stopped; k++) {
        status = measure_variant(t, choices[k % count], clocks, error);
    }
    memory_free(clocks);
    return status;
}

/* ---- The whole network --------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The plan that begins changes from round to round. The first run of each turn is not counted: it
 * finds the caches full of the other's weights, and the other's threads not yet asleep. */
static kiln_status time_whole(tuning *t, kiln_session *const sessions[2], double *times,
                              kiln_error *error) {
    size_t runs = runs_of_round(t), total = rounds(t) * runs;
    kiln_status status = KILN_OK;
    for (size_t turn = 0; turn < 2 * rounds(t); turn++) {
        size_t round = turn / 2, which = (turn + round) % 2;
        double unused;
        for (size_t k = 0; k <= runs && status == KILN_OK && !t->stopped; k++) {
            double *out = k == 0 ? &unused : &times[which * total + round * runs + k - 1];
            status = run(t, sessions[which], out, error);
        }
    }
    return status;
}

kiln_status measure_whole(tuning *t, kiln_plan *const plans[2], double out_seconds[2],
                          kiln_error *error) {
    size_t total = rounds(t) * runs_of_round(t);
    kiln_session *sessions[2] = {NULL, NULL};
    double *times = memory_zeros(&t->plan->allocator, 2 * total, sizeof *times);
    kiln_status status = times != NULL ? KILN_OK : memory_fail(error);
    for (size_t k = 0; k < 2 && status == KILN_OK; k++) {
        status = create_session(t, plans[k], false, &sessions[k], error);
    }
    if (status == KILN_OK) {
        status = time_whole(t, sessions, times, error);
    }
    for (size_t k = 0; k < 2 && status == KILN_OK && !t->stopped; k++) {
        qsort(times + k * total, total, sizeof *times, compare);
        out_seconds[k] = times[k * total + total / 2];
    }
    kiln_session_destroy(sessions[0]);
    kiln_session_destroy(sessions[1]);
    memory_free(times);
    return status;
}
