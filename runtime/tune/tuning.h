/* What the files of kiln_tune share. Choices are those of runtime/plan/choices.h. */
#ifndef KILN_RUNTIME_TUNING_H
#define KILN_RUNTIME_TUNING_H

#include "runtime/plan/choices.h"
#include <kiln/tune.h>

typedef struct tuning {
    kiln_plan *plan; /* the file */
    kiln_tune_options options;
    size_t steps;
    uint8_t *candidates;                  /* by step: bit a: choice a may be tried */
    double (*seconds)[KILN_CONV_CHOICES]; /* by step: the fastest run so far */
    kiln_buffer *buffers;                 /* inputs, then outputs, of all runs */
    size_t done, total;                   /* runs */
    bool stopped;
} tuning;

/* ---- Plans with other choices (variant.c) -------------------------------------------------- */

/* Takes over of `wanted` what the plan is valid with: all, or what is possible band by band, then
 * step by step. KILN_ERROR_MEMORY alone is an error. */
kiln_status variant_adopt(const kiln_plan *plan, const uint8_t *wanted, uint8_t *inout_choice,
                          kiln_error *error);
/* The whole plan, with the choice (NULL: as it was) for the processor at hand in its section, as a
 * file beside `path` that takes its place. */
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
