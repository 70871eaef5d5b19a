/* How far a plan's outputs move when its inputs are a little off. What another library computed
 * differs by as much where a network as a whole is ill-conditioned, however right each layer is. */
#include "compiler/verify/verify.h"
#include <kiln/element.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The plan's buffers, and inputs and outputs of a run beside them. */
typedef struct trial {
    comparison *c;
    kiln_session *session;
    kiln_buffer *in, *out;
    uint64_t random;
} trial;

static bool copy_buffers(kiln_buffer *to, const kiln_buffer *from, size_t count) {
    for (size_t k = 0; k < count; k++) {
        to[k] = (kiln_buffer){malloc(from[k].size + 1), from[k].size};
        if (to[k].data == NULL) {
            return false;
        }
        memcpy(to[k].data, from[k].data, from[k].size);
    }
    return true;
}

static void free_buffers(kiln_buffer *buffers, size_t count) {
    for (size_t k = 0; buffers != NULL && k < count; k++) {
        free(buffers[k].data);
    }
    free(buffers);
}

static void move_inputs(trial *t) {
    for (size_t k = 0; k < t->c->plan_inputs; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_input(t->c->v->plan, k, &info);
        if (info.dtype == KILN_F32) {
            move_floats(t->in[k].data, t->c->in[k].data, t->in[k].size / sizeof(float), &t->random);
        }
    }
}

static void widen(const trial *t) {
    for (size_t k = 0; k < t->c->plan_outputs; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_output(t->c->v->plan, k, &info);
        for (size_t e = 0; e < t->out[k].size / kiln_dtype_size(info.dtype); e++) {
            double moved = fabs(kiln_element_number(info.dtype, t->out[k].data, e) -
                                kiln_element_number(info.dtype, t->c->out[k].data, e));
            double *spread = &t->c->output_spread[k][e];
            *spread = isfinite(moved) ? fmax(*spread, moved) : *spread;
        }
    }
}

static kiln_status run_samples(trial *t) {
    const comparison *c = t->c;
    kiln_status status = KILN_OK;
    for (int sample = 0; sample < NOISE_SAMPLES && status == KILN_OK; sample++) {
        move_inputs(t);
        status = kiln_session_run(t->session, c->batch, t->in, c->plan_inputs, t->out,
                                  c->plan_outputs, c->v->error);
        if (status == KILN_OK) {
            widen(t);
        }
    }
    return status;
}

/* Each of n layers rounds as inputs do, and independently: in all, about sqrt(n) times as much. */
static void allow_for_layers(const trial *t) {
    const comparison *c = t->c;
    double layers = sqrt((double)kiln_session_step_count(t->session));
    for (size_t k = 0; k < c->plan_outputs; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_output(c->v->plan, k, &info);
        for (size_t e = 0; e < c->out[k].size / kiln_dtype_size(info.dtype); e++) {
            c->output_spread[k][e] *= layers;
        }
    }
}

static bool allocate(comparison *c, trial *t) {
    t->in = calloc(c->plan_inputs + 1, sizeof *t->in);
    t->out = calloc(c->plan_outputs + 1, sizeof *t->out);
    c->output_spread = calloc(c->plan_outputs + 1, sizeof *c->output_spread);
    bool good = t->in != NULL && t->out != NULL && c->output_spread != NULL &&
                copy_buffers(t->in, c->in, c->plan_inputs) &&
                copy_buffers(t->out, c->out, c->plan_outputs);
    for (size_t k = 0; good && k < c->plan_outputs; k++) {
        c->output_spread[k] = calloc(c->out[k].size + 1, sizeof **c->output_spread);
        good = c->output_spread[k] != NULL;
    }
    return good;
}

kiln_status measure_output_spread(comparison *c) {
    trial t = {.c = c, .random = c->v->options->seed};
    kiln_session_options options;
    kiln_session_options_init(&options);
    options.threads = c->v->options->threads;
    options.max_batch = c->batch;
    kiln_status status = allocate(c, &t)
                             ? kiln_session_create(c->v->plan, &options, &t.session, c->v->error)
                             : kiln_fail(c->v->error, KILN_ERROR_MEMORY, "out of memory");
    if (status == KILN_OK) {
        status = run_samples(&t);
    }
    if (status == KILN_OK) {
        allow_for_layers(&t);
    }
    kiln_session_destroy(t.session);
    free_buffers(t.in, c->plan_inputs);
    free_buffers(t.out, c->plan_outputs);
    return status;
}
