/* Bands of an untrusted plan: that each of their steps can be run in stripes, and that rolling
 * rows are as many as the schedule holds. Steps and tensors have been checked before. */
#include "runtime/plan/bands.h"
#include "runtime/plan/plan.h"

#include <string.h>

static kiln_status fail(const kiln_plan *plan, uint32_t step, const char *what, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    return kiln_fail(error, KILN_ERROR_FORMAT, "damaged plan: band of layer '%.80s': %s",
                     v->strings + v->steps[step].name, what);
}

/* A band takes at most one stripe more than its output has rows; their sum bounds the time that it
 * takes to play all bands of a plan through. */
static kiln_status check_band(const kiln_plan *plan, const kiln_plan_band *b,
                              uint32_t *inout_stripes, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    band_steps steps;
    uint32_t most[KILN_BAND_STEPS], held[KILN_BAND_STEPS];
    if (!band_describe(v, b, &steps)) {
        return fail(plan, b->first_step + steps.count, "a step that cannot be run in stripes",
                    error);
    }
    uint32_t stripes = steps.each[steps.count - 1].height / b->rows + 1;
    if (stripes > KILN_BAND_STRIPES - *inout_stripes) {
        return fail(plan, b->first_step, "too many stripes", error);
    }
    *inout_stripes += stripes;
    band_measure(steps.each, steps.count, b->rows, most, held);
    for (uint32_t k = 0; k < steps.count; k++) {
        const kiln_plan_step *s = &v->steps[b->first_step + k];
        uint32_t rolling = v->tensors[v->operands[s->first_operand + s->input_count]].rolling_rows;
        if (rolling != 0 && rolling < held[k]) {
            return fail(plan, b->first_step + k, "its rolling rows are too few", error);
        }
    }
    return KILN_OK;
}

static bool is_written_before(const kiln_plan_view *v, const kiln_plan_band *b, uint32_t step,
                              uint32_t tensor) {
    for (uint32_t k = b->first_step; k < step; k++) {
        if (v->operands[v->steps[k].first_operand + v->steps[k].input_count] == tensor) {
            return true;
        }
    }
    return false;
}

/* Rolling rows are written by a step of a band and read by later ones of it; every storage that a
 * band touches is in use during all of it. */
static kiln_status check_uses(const kiln_plan *plan, uint32_t step, const kiln_plan_band *b,
                              kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    const kiln_plan_step *s = &v->steps[step];
    for (uint32_t k = 0; k < (uint32_t)s->input_count + s->output_count; k++) {
        uint32_t id = v->operands[s->first_operand + k];
        const kiln_plan_tensor_record *t = id == KILN_PLAN_NONE ? NULL : &v->tensors[id];
        if (t == NULL || t->place != KILN_PLACE_ARENA) {
            continue;
        }
        bool written_here = k == s->input_count;
        if (t->rolling_rows != 0 &&
            (b == NULL || (!written_here && !is_written_before(v, b, step, id)))) {
            return fail(plan, step, "rolling rows are used outside their band", error);
        }
        const kiln_plan_storage *storage = &v->storages[t->storage];
        if (b != NULL &&
            (storage->first_step > b->first_step || storage->last_step < b->last_step)) {
            return fail(plan, step, "a storage is in use for a part of it", error);
        }
    }
    return KILN_OK;
}

kiln_status plan_validate_bands(const kiln_plan *plan, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    uint32_t next = 0, stripes = 0; /* next: first step that no band has yet */
    kiln_status status = KILN_OK;
    for (size_t k = 0; k <= v->band_count && status == KILN_OK; k++) {
        const kiln_plan_band *b = k < v->band_count ? &v->bands[k] : NULL;
        bool sound = b == NULL || (b->first_step >= next && b->first_step < b->last_step &&
                                   b->last_step < v->step_count && b->rows > 0 &&
                                   b->last_step - b->first_step < KILN_BAND_STEPS);
        if (!sound) {
            return kiln_fail(error, KILN_ERROR_FORMAT, "damaged plan: band %zu", k);
        }
        uint32_t until = b != NULL ? b->first_step : (uint32_t)v->step_count;
        for (; next < until && status == KILN_OK; next++) {
            status = check_uses(plan, next, NULL, error);
        }
        if (b != NULL && status == KILN_OK) {
            status = check_band(plan, b, &stripes, error);
        }
        for (; b != NULL && next <= b->last_step && status == KILN_OK; next++) {
            status = check_uses(plan, next, b, error);
        }
    }
    return status;
}
