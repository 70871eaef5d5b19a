/* What tests of quantised models are made with. */
#ifndef KILN_TESTS_QUANTIZED_MODEL_H
#define KILN_TESTS_QUANTIZED_MODEL_H

#include "tests/unit/compiled_model.h"

#include <math.h>

static inline float saturate(float value, kiln_dtype dtype) {
    float low = dtype == KILN_I8 ? -128 : 0;
    return fminf(fmaxf(value, low), low + 255);
}

static inline Onnx__NodeProto *microsoft_node(char *op, const char *inputs, const char *outputs) {
    Onnx__NodeProto *n = model_node(op, inputs, outputs);
    n->domain = "com.microsoft";
    return n;
}

/* Initializers keep what they point to. */
static inline void scalar_f32(char *name, float value) {
    static float values[MAX_PARTS];
    float *at = &values[m.graph.n_initializer];
    *at = value;
    set_raw(model_initializer(name, FLOAT, 0, NULL), at, sizeof *at);
}

static inline void scalar_8(char *name, int32_t type, int value) {
    static uint8_t values[MAX_PARTS];
    uint8_t *at = &values[m.graph.n_initializer];
    *at = (uint8_t)value;
    set_raw(model_initializer(name, type, 0, NULL), at, 1);
}

static inline void begin(int32_t input, const char *dims, int32_t output) {
    model_begin(13);
    model_input("x", input, dims);
    model_output("y", output);
}

#endif
