/* The steps of a plan as kernels see them, before anything is allocated: for a session, or to know
 * how much memory one would take. */
#include "runtime/plan/calls.h"

/* Bands run sample by sample and stripe by stripe: their steps are told the most rows of a stripe.
 */
static void describe_bands(const kiln_plan_view *v, kernel_call *calls, band_steps *out_bands) {
    for (size_t b = 0; b < v->band_count; b++) {
        const kiln_plan_band *band = &v->bands[b];
        band_steps steps;
        uint32_t most[KILN_BAND_STEPS], held[KILN_BAND_STEPS];
        (void)band_describe(v, band, &steps);
        band_measure(steps.each, steps.count, band->rows, most, held);
        for (uint32_t k = 0; k < steps.count; k++) {
            kernel_call *call = &calls[band->first_step + k];
            call->run.batch = call->max_batch = 1;
            call->run.end_row = most[k];
            call->in_band = true;
        }
        if (out_bands != NULL) {
            out_bands[b] = steps;
        }
    }
}

void describe_calls(const kiln_plan_view *v, const kernel_host *host, uint32_t batch,
                    operand *operands, kernel_call *out_calls, band_steps *out_bands) {
    for (size_t step = 0; step < v->step_count; step++) {
        kernel_call *call = &out_calls[step];
        call_describe(v, step, host, operands + v->steps[step].first_operand, call);
        call->run.batch = call->max_batch = batch;
    }
    describe_bands(v, out_calls, out_bands);
}
