/* Running the model that a test built (onnx_model.h): compiled to a plan, and beside the naive
 * evaluator. */
#ifndef KILN_TESTS_PLAN_OF_MODEL_H
#define KILN_TESTS_PLAN_OF_MODEL_H

#include "tests/unit/onnx_model.h"
#include <kiln/compile.h>

/* With one input and one output, which is of type dtype. */
static inline void run_model(uint32_t batch, const void *input, size_t input_bytes, void *output,
                             size_t output_bytes, kiln_dtype dtype) {
    kiln_plan *plan = NULL;
    kiln_session *session = NULL;
    kiln_session_options options;
    kiln_tensor_info info;
    const char *path = in_folder("model.plan");
    kiln_buffer in = {(void *)(uintptr_t)input, input_bytes}, out = {output, output_bytes};
    model_pack();
    write_bytes(m.path, m.bytes, m.size);
    kiln_status status = kiln_compile(m.path, path, NULL, NULL, &m.error);
    ck_assert_msg(status == KILN_OK, "%s", m.error.message);
    ck_assert_int_eq(kiln_plan_open(path, NULL, &plan, &m.error), KILN_OK);
    (void)kiln_plan_output(plan, 0, &info);
    ck_assert_int_eq(info.dtype, dtype);
    kiln_session_options_init(&options);
    options.max_batch = batch;
    ck_assert_int_eq(kiln_session_create(plan, &options, &session, &m.error), KILN_OK);
    status = kiln_session_run(session, batch, &in, 1, &out, 1, &m.error);
    ck_assert_msg(status == KILN_OK, "%s", m.error.message);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
}

/* The naive evaluator agrees with the plan about every layer of the model that was run last. */
static inline void verify_model(void) {
    const kiln_verify_options options = {.layer_tolerance = 1e-6, .seed = 1};
    kiln_verify_report report;
    kiln_status status = kiln_verify(m.path, &options, &report, &m.error);
    ck_assert_msg(status == KILN_OK, "%s", m.error.message);
    ck_assert_uint_gt(report.layers_compared, 0);
}

#endif
