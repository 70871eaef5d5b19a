/* Bands: runs of steps that are worked in stripes, some rows of their images at a time. Which rows
 * a step needs for which, the schedule of a band's stripes, and the steps of a band of a plan. */
#ifndef KILN_RUNTIME_PLAN_BANDS_H
#define KILN_RUNTIME_PLAN_BANDS_H

#include <kiln/plan_format.h>

/* Row r of an output image is computed from the rows [r*stride - padding, r*stride - padding +
 * extent) of an input image, as far as they exist. */
typedef struct row_rule {
    uint32_t stride, padding;
    uint32_t extent; /* 0 where the kernel needs the whole input */
} row_rule;

/* A step's kernel and operands: of a plan, or of a program that is to become one. */
typedef struct step_operands {
    uint16_t kernel;
    uint32_t flags; /* KILN_STEP_* */
    const void *params;
    uint32_t input_count, output_count;
    const uint32_t *ids; /* the tensors' numbers, inputs first; KILN_PLAN_NONE: absent */
    const kiln_plan_tensor_record *const *records; /* NULL for one that is absent */
} step_operands;

/* Can a step's kernel compute some rows of its output image alone? 0: it cannot. Else the rows must
 * be asked for in multiples of what is returned (but for the last ones), and out_rule is how they
 * follow from those of input `input`. */
uint32_t step_rows(const step_operands *step, uint32_t input, row_rule *out_rule);

/* A step of a band, as the schedule sees it. */
typedef struct band_step {
    uint32_t height;   /* the rows of its output image */
    uint32_t multiple; /* step_rows */
    uint32_t source_count;
    struct {
        uint32_t step; /* an earlier one of the band, which writes the input; counted from 0 */
        row_rule rule;
    } sources[2];
} band_step;

/* Rows of a step's output in one stripe: [begin, end) are computed; of the earlier ones, those from
 * `keep` on are still needed, in this stripe or later ones. */
typedef struct stripe_rows {
    uint32_t keep, begin, end;
} stripe_rows;

/* The next stripe of a band: `rows` more rows of the last step's output, or what is left, and of
 * each other step's output what they need. inout_rows is all zeros before the first stripe; false
 * is returned after the last one. In a stripe the steps run one after the other. */
bool band_next_stripe(const band_step *steps, size_t count, uint32_t rows, stripe_rows *inout_rows);
/* Plays a band through: by step, the most rows computed in a stripe (out_most) and held at a time
 * (out_held). Returns the number of stripes. */
uint32_t band_measure(const band_step *steps, size_t count, uint32_t rows, uint32_t *out_most,
                      uint32_t *out_held);

/* ---- Deriving a band's steps --------------------------------------------------------------- */

/* The steps of a band, added one by one from the first on. */
typedef struct band_steps {
    uint32_t count;
    band_step each[KILN_BAND_STEPS];
    uint32_t written[KILN_BAND_STEPS]; /* by step: the number of its output */
} band_steps;

/* Adds the step that comes next. Returns false, and adds nothing, when it cannot be run in stripes
 * or there are KILN_BAND_STEPS already. */
bool band_add_step(band_steps *inout_band, const step_operands *step);
/* Adds all steps of a plan's band. Returns false when one of them, number out_steps->count of the
 * band, cannot be run in stripes. */
bool band_describe(const kiln_plan_view *view, const kiln_plan_band *band, band_steps *out_steps);
/* Finds the band that a step belongs to among several, which are in order of their steps; NULL
 * where it belongs to none. */
const kiln_plan_band *band_of_step(const kiln_plan_band *bands, size_t count, size_t step);

#endif
