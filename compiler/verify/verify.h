/* What the files of compiler/verify/ share. */
#ifndef KILN_COMPILER_VERIFY_H
#define KILN_COMPILER_VERIFY_H

#include "compiler/graph/graph.h"
#include "compiler/ops/ops.h"
#include <kiln/compile.h>
#include <kiln/plan_format.h>

/* A value that the plan computed, under the name of a tensor of the model. */
typedef struct recorded {
    tensor *t;
    const char *kernel;
    kiln_dtype dtype;
    size_t count; /* elements */
    void *data;
    size_t next; /* place of the tensor's next record + 1; 0: none */
} recorded;

typedef struct verification {
    const char *onnx_path;
    const kiln_verify_options *options;
    kiln_verify_report *report;
    kiln_error *error;
    kiln_plan *plan;
    kiln_value **loaded; /* from the data folder */
    kiln_value *given;   /* for the compiler: the folder's values or the options' */
    size_t given_count;
    double layer_tolerance, relative, absolute, scaled;
    double first_relative;
    char worst_output[128];
} verification;

/* The plan and the reference at one batch. */
typedef struct comparison {
    verification *v;
    uint32_t batch;
    graph *reference;   /* the model as imported for this very batch */
    kiln_value *shapes; /* of the model's inputs at this batch */
    size_t shape_count;
    kiln_value *inputs; /* one an input of the reference, with its name and data */
    size_t input_count;
    void **made; /* noise and reordered samples, to be freed */
    size_t made_count, made_capacity;
    kiln_buffer *in, *out;
    size_t plan_inputs, plan_outputs;
    recorded *records;
    size_t record_count, record_capacity;
    kiln_status observed;
    double **output_spread; /* an output's elements; NULL until it is measured */
} comparison;

/* Where a reference's tensor stands (tensor.mark): */
#define MARK_VARIES 1u       /* depends on elements of inputs, not on their shapes alone */
#define MARK_SAVED 2u        /* condition.c keeps its value aside */
#define MARK_FIRST_RECORD 4u /* times the place of the tensor's first record + 1 */

static inline size_t first_record(const tensor *t) {
    return t->mark / MARK_FIRST_RECORD;
}

/* What follows stands in the order of the files' dependence: each calls those above it only. */

/* evaluate.c: computes a node's outputs naively, the casts at the model's boundary too. */
kiln_status evaluate_reference_node(graph *g, node *n);

/* data.c: loads the folder's inputs, if there is one. */
kiln_status verification_load_data(verification *v);
/* The batch of the data, or 1. */
kiln_status verification_data_batch(verification *v, uint32_t *out_batch);
/* What the plan and the reference are made with: data are what the run is fed with. */
kiln_compile_options verification_options(const verification *v, const kiln_value *inputs,
                                          size_t count);
/* Imports the reference for c->batch; pairs its inputs with data, or with noise. */
kiln_status comparison_import(comparison *c);
void comparison_free(comparison *c);
void verification_free(verification *v);
const kiln_value *find_value(const kiln_value *values, size_t count, const char *name);
size_t value_bytes(const kiln_value *value);
/* Uniform in [-1, 1). */
double next_noise(uint64_t *inout_state);
/* What rounding may cost is measured by computing again, so often, from values that are a little
 * off. */
enum { NOISE_SAMPLES = 6 };
/* to[count] = from, each moved by up to 8 units in the last place: a kernel's formula may cost so.
 */
void move_floats(float *to, const float *from, size_t count, uint64_t *inout_state);

/* plan.c: opens the plan that is verified, or compiles it. */
kiln_status verification_open_plan(verification *v);
/* Runs the plan on the comparison's inputs; records what its steps and outputs hold. */
kiln_status comparison_run(comparison *c);

/* stability.c: makes c->output_spread, how far each element of an output may be off in any correct
 * implementation. Costs a few runs. */
kiln_status measure_output_spread(comparison *c);

/* condition.c: how far each element of t moves when what it is computed from is off by the errors
 * that f32 arithmetic may make. KILN_ERROR_UNSUPPORTED: cannot be told. */
kiln_status spread_of(const comparison *c, tensor *t, double *out_spread);

/* compare.c */
void set_tolerances(verification *v);
/* Compares a recorded value with the reference's in t->data. */
kiln_status compare_layer(comparison *c, const recorded *r);
kiln_status compare_outputs(comparison *c);

/* reference.c: computes the reference's layers and compares each with the plan's. */
kiln_status judge_layers(comparison *c);

#endif
