/* What the files of compiler/verify/ share. */
#ifndef KILN_COMPILER_VERIFY_H
#define KILN_COMPILER_VERIFY_H

#include "compiler/graph/graph.h"
#include "compiler/ops/ops.h"
#include <kiln/compile.h>
#include <kiln/plan_format.h>

typedef struct verification {
    const kiln_verify_options *options;
    kiln_verify_report *report;
    kiln_error *error;
    graph *reference; /* the model as imported; NULL: outputs only */
    kiln_plan *plan;
    kiln_value **loaded; /* from the data folder */
    kiln_value *given;   /* for the compiler: the folder's values or the options' */
    size_t given_count;
    kiln_value *inputs; /* one a graph input, with its name and data */
    size_t input_count;
    void **made; /* noise and converted data, to be freed */
    size_t made_count;
    kiln_buffer *in, *out;
    size_t plan_inputs, plan_outputs;
    uint32_t batch;
    double layer_tolerance, relative, absolute, scaled;
    double first_relative;
    char worst_output[128];
    kiln_status observed;
} verification;

/* data.c */
kiln_status verification_load_data(verification *v);
/* Imports the reference; pairs its inputs with data, or with noise. */
kiln_status verification_name_inputs(verification *v, const char *onnx_path);
void verification_free(verification *v);
const kiln_value *find_value(const kiln_value *values, size_t count, const char *name);
size_t value_bytes(const kiln_value *value);
/* Is a tensor of this name written by a step of the plan? */
bool verification_wants(const verification *v, const char *name);

/* compare.c */
void set_tolerances(verification *v);
void compare_layer(verification *v, const char *name, const char *kernel, kiln_dtype dtype,
                   const void *ours, const void *reference, size_t count);
kiln_status compare_outputs(verification *v);

#endif
