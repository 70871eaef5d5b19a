/* Bands: runs of steps that are worked in stripes, some rows of their images at a time. Which rows
 * a step needs for which, the schedule of a band's stripes, and the steps of a band of a plan. */
#ifndef KILN_RUNTIME_PLAN_BANDS_H
#define KILN_RUNTIME_PLAN_BANDS_H

#include <kiln/plan_format.h>

/* Row r of an output image is computed from the rows [r*stride - padding, r*stride - padding +
 * extent) of an input image, as far as they exist. */
typedef struct row_rule {
    uint32_t stride, padding;
    uint32_t extent; /* 0: the kernel needs the whole input */
} row_rule;

/* Can a kernel compute some rows of its output image alone? 0: it cannot. Else the rows must be
 * asked for in multiples of what is returned (but for the last ones), and out_rule is how they
 * follow from those of input `input`. operands are the step's inputs, then outputs; NULL: absent.
 */
uint32_t step_rows(uint32_t kernel, const void *params, uint32_t input_count, uint32_t output_count,
                   const kiln_plan_tensor_record *const *operands, uint32_t input,
                   row_rule *out_rule);

/* A step of a band, as the schedule sees it. */
typedef struct band_step {
    uint32_t height;   /* of its output image */
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

/* A step of a plan's band as the schedule sees it; false: it cannot be run in stripes. */
bool band_describe(const kiln_plan_view *view, const kiln_plan_band *band, uint32_t step,
                   band_step *out_step);
/* The step of the band before `step` that writes a tensor; `step` itself where none does. */
uint32_t band_source(const kiln_plan_view *view, const kiln_plan_band *band, uint32_t step,
                     uint32_t tensor);
/* The band that a step of a plan belongs to, or NULL. */
const kiln_plan_band *band_of_step(const kiln_plan_view *view, size_t step);

#endif
