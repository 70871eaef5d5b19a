/* What is done with an untrusted plan: open it, make a session, run it once if that is little work.
 */
#ifndef KILN_TESTS_EXERCISE_H
#define KILN_TESTS_EXERCISE_H

#include <kiln/plan_format.h>

#include <stdbool.h>
#include <stdlib.h>

#define EXERCISE_MAX_MACS 20000000u
#define EXERCISE_MAX_ELEMENTS 4000000u

static inline bool exercise_is_small(const kiln_plan *plan) {
    kiln_plan_view v;
    uint64_t work = 0;
    kiln_plan_inspect(plan, &v);
    for (size_t k = 0; k < v.step_count; k++) {
        work += kiln_plan_step_macs(plan, k);
        if (work > EXERCISE_MAX_MACS) {
            return false;
        }
    }
    for (size_t k = 0; k < v.tensor_count; k++) {
        if (kiln_plan_tensor_bytes(&v.tensors[k]) > EXERCISE_MAX_ELEMENTS) {
            return false;
        }
    }
    return v.input_count <= 8 && v.output_count <= 8;
}

/* What it says of itself, and its first part as a plan of its own. */
static inline void exercise_records(const kiln_plan *plan) {
    kiln_plan *cut = NULL;
    kiln_span found = {0};
    kiln_error error;
    if (kiln_plan_find_section(plan, "fuzz", &found)) {
        volatile uint8_t sum = 0; /* reads all of it */
        for (size_t k = 0; k < found.size; k++) {
            sum = (uint8_t)(sum + ((const uint8_t *)found.data)[k]);
        }
    }
    if (kiln_plan_cut(plan, NULL, &cut, &error) == KILN_OK) {
        kiln_plan_close(cut);
    }
}

/* True when the plan was run to the end. */
static inline bool exercise_plan(const kiln_plan *plan) {
    kiln_session *session = NULL;
    kiln_session_options options;
    kiln_buffer in[8] = {{0}}, out[8] = {{0}};
    kiln_error error;
    bool ran = false;
    kiln_session_options_init(&options);
    options.memory_limit = (uint64_t)64 << 20;
    if (!exercise_is_small(plan)) {
        return false;
    }
    exercise_records(plan);
    if (kiln_session_create(plan, &options, &session, &error) != KILN_OK) {
        return false;
    }
    size_t inputs = kiln_plan_input_count(plan), outputs = kiln_plan_output_count(plan);
    for (size_t k = 0; k < inputs + outputs; k++) {
        kiln_tensor_info info;
        kiln_buffer *b = k < inputs ? &in[k] : &out[k - inputs];
        (void)(k < inputs ? kiln_plan_input(plan, k, &info)
                          : kiln_plan_output(plan, k - inputs, &info));
        b->size = info.bytes;
        b->data = calloc(1, info.bytes + 1);
    }
    ran = kiln_session_run(session, 1, in, inputs, out, outputs, &error) == KILN_OK;
    for (size_t k = 0; k < 8; k++) {
        free(in[k].data);
        free(out[k].data);
    }
    kiln_session_destroy(session);
    return ran;
}

#endif
