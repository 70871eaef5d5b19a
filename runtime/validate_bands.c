/* Bands of an untrusted plan: that each of their steps can be run by rows, and that windows hold
 * the rows that the schedule wants in them. Steps and tensors have been checked before. */
#include "runtime/runtime.h"

#include <string.h>

static kiln_status fail(const kiln_plan *plan, uint32_t step, const char *what, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    return kiln_fail(error, KILN_ERROR_FORMAT, "damaged plan: band of layer '%.80s': %s",
                     v->strings + v->steps[step].name, what);
}

/* The step of the band before `step` that writes the tensor; `step` itself where none does. */
static uint32_t find_source(const kiln_plan_view *v, const kiln_plan_band *b, uint32_t step,
                            uint32_t tensor) {
    for (uint32_t k = b->first_step; k < step; k++) {
        if (v->operands[v->steps[k].first_operand + v->steps[k].input_count] == tensor) {
            return k;
        }
    }
    return step;
}

bool band_describe(const kiln_plan_view *v, const kiln_plan_band *b, uint32_t step,
                   kiln_band_step *out_step) {
    const kiln_plan_step *s = &v->steps[step];
    const kiln_plan_tensor_record *operands[KERNEL_MAX_OPERANDS];
    for (uint32_t k = 0; k < (uint32_t)s->input_count + s->output_count; k++) {
        uint32_t id = v->operands[s->first_operand + k];
        operands[k] = id == KILN_PLAN_NONE ? NULL : &v->tensors[id];
    }
    const kiln_plan_tensor_record *y = operands[s->input_count];
    if (y->place != KILN_PLACE_ARENA || y->rank != 4 || y->layout != KILN_CHANNELS_LAST ||
        y->dims[0] != 1) {
        return false;
    }
    *out_step = (kiln_band_step){.height = y->dims[2], .multiple = 1};
    for (uint32_t k = 0; k < s->input_count; k++) {
        kiln_row_rule rule;
        uint32_t multiple = kiln_step_rows(s->kernel, v->params + s->params_offset, s->input_count,
                                           s->output_count, operands, k, &rule);
        uint32_t id = v->operands[s->first_operand + k];
        uint32_t source = operands[k] == NULL ? step : find_source(v, b, step, id);
        out_step->multiple = multiple;
        if (multiple == 0) {
            return false;
        }
        if (source == step) {
            continue;
        }
        if (rule.extent == 0 || out_step->source_count == 2) {
            return false;
        }
        uint32_t at = out_step->source_count++;
        out_step->sources[at].step = source - b->first_step;
        out_step->sources[at].rule = rule;
    }
    return true;
}

/* Turns that a band takes at most: there are that many rows. Added up, they bound the time it takes
 * to play all bands through. */
static kiln_status check_band(const kiln_plan *plan, const kiln_plan_band *b, uint32_t *inout_turns,
                              kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    kiln_band_step steps[KILN_BAND_STEPS];
    uint32_t most[KILN_BAND_STEPS], held[KILN_BAND_STEPS];
    uint32_t count = b->last_step - b->first_step + 1;
    for (uint32_t k = 0; k < count; k++) {
        if (!band_describe(v, b, b->first_step + k, &steps[k])) {
            return fail(plan, b->first_step + k, "a step that cannot be run by rows", error);
        }
    }
    uint32_t turns = steps[count - 1].height / b->rows + 1;
    if (turns > KILN_BAND_TURNS - *inout_turns) {
        return fail(plan, b->first_step, "too many turns", error);
    }
    *inout_turns += turns;
    kiln_band_measure(steps, count, b->rows, most, held);
    for (uint32_t k = 0; k < count; k++) {
        const kiln_plan_step *s = &v->steps[b->first_step + k];
        uint32_t window = v->tensors[v->operands[s->first_operand + s->input_count]].window_rows;
        if (window != 0 && window < held[k]) {
            return fail(plan, b->first_step + k, "its window is too small", error);
        }
    }
    return KILN_OK;
}

/* Windows are written by a step of a band and read by later ones of it; every storage that a band
 * touches is in use during all of it. */
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
        if (t->window_rows != 0 &&
            (b == NULL || (!written_here && find_source(v, b, step, id) == step))) {
            return fail(plan, step, "a window is used outside its band", error);
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
    uint32_t next = 0, turns = 0; /* next: first step that no band has yet */
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
            status = check_band(plan, b, &turns, error);
        }
        for (; b != NULL && next <= b->last_step && status == KILN_OK; next++) {
            status = check_uses(plan, next, b, error);
        }
    }
    return status;
}
