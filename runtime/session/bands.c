/* Running bands: steps that compute some rows of their images at a time, one after the other,
 * stripe after stripe (band_next_stripe). */
#include "runtime/session/session.h"

#include <string.h>

/* Rolling rows are the same memory for each sample; all else lies sample after sample. */
static void point_at_sample(kiln_session *s, kernel_call *call, uint32_t sample) {
    for (uint32_t k = 0; k < call->input_count + call->output_count; k++) {
        operand *o = &call->inputs[k];
        if (!operand_present(o) || o->constant) {
            continue;
        }
        o->first_row = 0;
        bool whole = o->batched && o->record->rolling_rows == 0;
        size_t bytes = o->outer * o->row_stride * kiln_dtype_size(o->dtype);
        if (o->place == KILN_PLACE_ARENA) {
            point_into_arena(s, o);
            o->data = (uint8_t *)o->data + (whole ? sample * bytes : 0);
        } else if (whole && sample > 0) {
            o->data = (uint8_t *)o->data + bytes;
        }
    }
}

/* Makes room for rows below `end` among the rolling rows of a step's output: those that are still
 * needed move to the storage's start. */
static void slide(kernel_call *call, const kernel_call *end_of_band, const stripe_rows *rows) {
    operand *y = &call->outputs[0];
    uint32_t rolling = y->record->rolling_rows;
    if (rolling == 0 || rows->end - y->first_row <= rolling) {
        return;
    }
    size_t bytes = y->dims[2] * y->row_stride * kiln_dtype_size(y->dtype);
    uint8_t *start = y->data;
    memmove(start, start + (rows->keep - y->first_row) * bytes, (rows->begin - rows->keep) * bytes);
    y->first_row = rows->keep;
    for (kernel_call *reader = call + 1; reader < end_of_band; reader++) {
        for (uint32_t k = 0; k < reader->input_count; k++) {
            if (reader->inputs[k].record == y->record) {
                reader->inputs[k].first_row = y->first_row;
            }
        }
    }
}

static kiln_status run_stripe(kiln_session *s, const kiln_plan_band *band, uint32_t sample,
                              const stripe_rows *rows, kiln_error *error) {
    const kernel_call *end = &s->calls[band->last_step + 1];
    for (size_t step = band->first_step; step <= band->last_step; step++, rows++) {
        if (rows->begin == rows->end) {
            continue;
        }
        kernel_call *call = &s->calls[step];
        slide(call, end, rows);
        call->run.begin_row = rows->begin;
        call->run.end_row = rows->end;
        kiln_status status = run_step(s, step, error);
        if (status != KILN_OK) {
            return status;
        }
        if (s->capture_count > 0) {
            s->watch->capture_rows(s, step, sample);
        }
    }
    return KILN_OK;
}

static void point_band(kiln_session *s, const kiln_plan_band *band, uint32_t sample) {
    for (size_t step = band->first_step; step <= band->last_step; step++) {
        point_at_sample(s, &s->calls[step], sample);
    }
}

kiln_status run_band(kiln_session *s, const kiln_plan_band *band, kiln_error *error) {
    const kiln_plan_view *v = &s->plan->view;
    const band_steps *steps = &s->bands[band - v->bands];
    for (uint32_t sample = 0; sample < s->batch; sample++) {
        stripe_rows rows[KILN_BAND_STEPS] = {{0}};
        point_band(s, band, sample);
        while (band_next_stripe(steps->each, steps->count, band->rows, rows)) {
            kiln_status status = run_stripe(s, band, sample, rows, error);
            if (status != KILN_OK) {
                return status;
            }
        }
    }
    point_band(s, band, 0); /* for observers */
    return KILN_OK;
}
