/* An ONNX model of onnx_model.h, compiled and run, on numbers that are easy to follow or on given
 * ones, and verified. */
#ifndef KILN_TESTS_COMPILED_MODEL_H
#define KILN_TESTS_COMPILED_MODEL_H

#include "tests/unit/onnx_model.h"

#include <kiln/compile.h>

enum { MAX_ENDS = 4, MAX_VALUES = 4096 };

typedef struct model_run {
    size_t count[MAX_ENDS]; /* f32 elements of each output */
    float out[MAX_ENDS][MAX_VALUES];
} model_run;

/* Writes and compiles; options may be NULL. */
static inline kiln_status model_compile(const kiln_compile_options *options,
                                        kiln_compile_report *out_report) {
    kiln_compile_report report;
    model_pack();
    write_bytes(m.path, m.bytes, m.size);
    return kiln_compile(m.path, in_folder("plan"), options, out_report ? out_report : &report,
                        &m.error);
}

/* The numbers that every input is made of. */
static inline float model_input_value(size_t k) {
    return (float)(k % 97) * 0.25f - 3.0f;
}

/* Runs the compiled plan; every tensor at its boundary is f32. */
static inline void model_run_at(uint32_t batch, model_run *run) {
    static float in[MAX_ENDS][MAX_VALUES];
    kiln_plan *plan = NULL;
    kiln_session *session = NULL;
    kiln_session_options options;
    kiln_buffer inputs[MAX_ENDS], outputs[MAX_ENDS];
    kiln_tensor_info info;
    *run = (model_run){0};
    ck_assert_msg(kiln_plan_open(in_folder("plan"), NULL, &plan, &m.error) == KILN_OK, "%s",
                  m.error.message);
    kiln_session_options_init(&options);
    options.max_batch = batch;
    ck_assert_msg(kiln_session_create(plan, &options, &session, &m.error) == KILN_OK, "%s",
                  m.error.message);
    for (size_t k = 0; k < kiln_plan_input_count(plan); k++) {
        (void)kiln_plan_input(plan, k, &info);
        size_t bytes = info.bytes * (info.batched ? batch : 1);
        ck_assert_uint_le(bytes, sizeof in[k]);
        for (size_t i = 0; i < bytes / sizeof(float); i++) {
            in[k][i] = model_input_value(i);
        }
        inputs[k] = (kiln_buffer){in[k], bytes};
    }
    for (size_t k = 0; k < kiln_plan_output_count(plan); k++) {
        (void)kiln_plan_output(plan, k, &info);
        size_t bytes = info.bytes * (info.batched ? batch : 1);
        ck_assert_uint_le(bytes, sizeof run->out[k]);
        run->count[k] = bytes / sizeof(float);
        outputs[k] = (kiln_buffer){run->out[k], bytes};
    }
    ck_assert_msg(kiln_session_run(session, batch, inputs, kiln_plan_input_count(plan), outputs,
                                   kiln_plan_output_count(plan), &m.error) == KILN_OK,
                  "%s", m.error.message);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
}

#define COMPILED(options, out_report)                                                              \
    ck_assert_msg(model_compile(options, out_report) == KILN_OK, "%s", m.error.message)

/* Compiles and runs a model of one input and one output, which is of type dtype. */
static inline void run_model(uint32_t batch, const void *input, size_t input_bytes, void *output,
                             size_t output_bytes, kiln_dtype dtype) {
    kiln_plan *plan = NULL;
    kiln_session *session = NULL;
    kiln_session_options options;
    kiln_tensor_info info;
    kiln_buffer in = {(void *)(uintptr_t)input, input_bytes}, out = {output, output_bytes};
    COMPILED(NULL, NULL);
    ck_assert_int_eq(kiln_plan_open(in_folder("plan"), NULL, &plan, &m.error), KILN_OK);
    (void)kiln_plan_output(plan, 0, &info);
    ck_assert_int_eq(info.dtype, dtype);
    kiln_session_options_init(&options);
    options.max_batch = batch;
    ck_assert_int_eq(kiln_session_create(plan, &options, &session, &m.error), KILN_OK);
    kiln_status status = kiln_session_run(session, batch, &in, 1, &out, 1, &m.error);
    ck_assert_msg(status == KILN_OK, "%s", m.error.message);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
}

/* The naive evaluator agrees with the plan about every layer of the model that was run last. */
static inline void verify_model(void) {
    const kiln_verify_options options = {
        .size = sizeof options, .layer_tolerance = 1e-6, .seed = 1};
    kiln_verify_report report;
    kiln_status status = kiln_verify(m.path, &options, &report, &m.error);
    ck_assert_msg(status == KILN_OK, "%s", m.error.message);
    ck_assert_uint_gt(report.layers_compared, 0);
}

#endif
