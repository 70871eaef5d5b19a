/* What the files of kiln_tune share. A choice is an array with an algorithm for each step of the
 * plan, NO_ALGORITHM for steps that are no convolutions. */
#ifndef KILN_RUNTIME_TUNING_H
#define KILN_RUNTIME_TUNING_H

#include "runtime/plan/plan.h"
#include <kiln/tune.h>

#define NO_ALGORITHM UINT8_MAX

typedef struct tuning {
    kiln_plan *plan; /* the file */
    kiln_tune_options options;
    size_t steps;
    uint8_t *candidates;                          /* by step: bit a: algorithm a may be tried */
    double (*seconds)[KILN_CONV_ALGORITHM_COUNT]; /* by step: the fastest run so far */
    kiln_buffer *buffers;                         /* inputs, then outputs, of all runs */
    size_t done, total;                           /* runs */
    bool stopped;
} tuning;

/* ---- Plans with other algorithms (variant.c) ----------------------------------------------- */

/* The algorithms that the plan has. */
void variant_read(const kiln_plan *plan, uint8_t *out_choice);
/* The plan with the choice in it, on the plan's weights; close it first. Fails where the choice
 * makes no valid plan. */
kiln_status variant_open(const kiln_plan *plan, const uint8_t *choice, kiln_plan **out_variant,
                         kiln_error *error);
/* Takes over of `wanted` what the plan is valid with: all, or what is possible band by band, then
 * step by step. */
void variant_adopt(const kiln_plan *plan, const uint8_t *wanted, uint8_t *inout_choice);
/* The whole plan with the choice in it, as a file beside `path` that takes its place. */
kiln_status variant_write(const kiln_plan *plan, const uint8_t *choice, const char *path,
                          kiln_error *error);

/* ---- Measuring (measure.c) ----------------------------------------------------------------- */

kiln_status measure_begin(tuning *t, kiln_error *error);
void measure_end(tuning *t);
/* Runs of a tuning with so many variants. */
void measure_expect(tuning *t, size_t variants);
/* Times each step with each of the choices, in turns; the plan's own must be the first. Sets
 * t->stopped when the caller wants no more. */
kiln_status measure_steps(tuning *t, size_t count, uint8_t *const *choices, kiln_error *error);
/* Times whole runs of two plans in turns: medians. */
kiln_status measure_whole(tuning *t, kiln_plan *const plans[2], double out_seconds[2],
                          kiln_error *error);

#endif
