/* The schedule of a band: which rows of each step's output are computed in which stripe; and the
 * steps of a plan's bands, as the schedule sees them. */
#include "runtime/plan/bands.h"
#include "runtime/kernels/kernel.h"

#include <string.h>

static uint32_t least(uint64_t a, uint32_t b) {
    return a < b ? (uint32_t)a : b;
}

/* The first row of the input that output row `row` is computed from. */
static uint32_t first_needed(const row_rule *rule, uint32_t row, uint32_t height) {
    uint64_t at = (uint64_t)row * rule->stride;
    return at < rule->padding ? 0 : least(at - rule->padding, height);
}

/* One past the last row of the input that output rows below `end` are computed from. */
static uint32_t end_needed(const row_rule *rule, uint32_t end, uint32_t height) {
    uint64_t at = (uint64_t)(end - 1) * rule->stride + rule->extent;
    return end == 0 || at < rule->padding ? 0 : least(at - rule->padding, height);
}

static uint32_t round_up(uint32_t rows, const band_step *step) {
    uint64_t up = ((uint64_t)rows + step->multiple - 1) / step->multiple * step->multiple;
    return least(up, step->height);
}

bool band_next_stripe(const band_step *steps, size_t count, uint32_t rows,
                      stripe_rows *inout_rows) {
    const band_step *last = &steps[count - 1];
    bool done = true;
    for (size_t k = 0; k < count; k++) {
        stripe_rows *r = &inout_rows[k];
        done = done && r->end == steps[k].height;
        *r = (stripe_rows){r->end, r->end, r->end};
    }
    if (done) {
        return false;
    }
    uint32_t needed[KILN_BAND_STEPS] = {0};
    needed[count - 1] = least((uint64_t)inout_rows[count - 1].begin + rows, last->height);
    bool final = needed[count - 1] == last->height;
    /* Steps come after those whose tensors they read, so what they need is known first. */
    for (size_t k = count; k-- > 0;) {
        const band_step *step = &steps[k];
        stripe_rows *r = &inout_rows[k];
        uint32_t end = final ? step->height : round_up(needed[k], step);
        r->end = end > r->begin ? end : r->begin;
        for (uint32_t s = 0; s < step->source_count; s++) {
            uint32_t from = step->sources[s].step, height = steps[from].height;
            const row_rule *rule = &step->sources[s].rule;
            uint32_t want = end_needed(rule, r->end, height);
            uint32_t keep = first_needed(rule, r->begin, height);
            needed[from] = want > needed[from] ? want : needed[from];
            inout_rows[from].keep = keep < inout_rows[from].keep ? keep : inout_rows[from].keep;
        }
    }
    return true;
}

uint32_t band_measure(const band_step *steps, size_t count, uint32_t rows, uint32_t *out_most,
                      uint32_t *out_held) {
    stripe_rows stripe[KILN_BAND_STEPS] = {{0}};
    uint32_t stripes = 0;
    memset(out_most, 0, count * sizeof *out_most);
    memset(out_held, 0, count * sizeof *out_held);
    for (; band_next_stripe(steps, count, rows, stripe); stripes++) {
        for (size_t k = 0; k < count; k++) {
            uint32_t most = stripe[k].end - stripe[k].begin, held = stripe[k].end - stripe[k].keep;
            out_most[k] = most > out_most[k] ? most : out_most[k];
            out_held[k] = held > out_held[k] ? held : out_held[k];
        }
    }
    return stripes;
}

uint32_t step_rows(const step_operands *s, uint32_t input, row_rule *out_rule) {
    operand described[KERNEL_MAX_OPERANDS];
    const kernel *kernel = kernel_find(s->kernel);
    uint32_t count = s->input_count + s->output_count;
    *out_rule = (row_rule){0};
    if (kernel == NULL || kernel->rows == NULL || s->output_count != 1 ||
        count > KERNEL_MAX_OPERANDS) {
        return 0;
    }
    for (uint32_t k = 0; k < count; k++) {
        operand_describe(s->records[k], &described[k]);
    }
    const kiln_plan_step step = {.kernel = s->kernel, .flags = s->flags};
    kernel_call call = {.step = &step,
                        .params = s->params,
                        .input_count = s->input_count,
                        .output_count = s->output_count,
                        .inputs = described,
                        .outputs = described + s->input_count};
    return kernel->rows(&call, input, out_rule);
}

/* ---- Deriving a band's steps --------------------------------------------------------------- */

static bool is_banded_image(const kiln_plan_tensor_record *y) {
    return y != NULL && y->place == KILN_PLACE_ARENA && y->rank == 4 &&
           y->layout == KILN_CHANNELS_LAST && y->dims[0] == 1;
}

/* The step of the band that writes a tensor; the band's count where none does yet. */
static uint32_t source_of(const band_steps *b, uint32_t id) {
    uint32_t source = 0;
    while (source < b->count && b->written[source] != id) {
        source++;
    }
    return source;
}

bool band_add_step(band_steps *b, const step_operands *s) {
    if (b->count == KILN_BAND_STEPS || s->output_count != 1 ||
        !is_banded_image(s->records[s->input_count])) {
        return false;
    }
    band_step step = {.height = s->records[s->input_count]->dims[2], .multiple = 1};
    for (uint32_t k = 0; k < s->input_count; k++) {
        row_rule rule;
        uint32_t source = s->records[k] == NULL ? b->count : source_of(b, s->ids[k]);
        step.multiple = step_rows(s, k, &rule);
        if (step.multiple == 0) {
            return false;
        }
        if (source == b->count) {
            continue;
        }
        if (rule.extent == 0 || step.source_count == 2) {
            return false;
        }
        step.sources[step.source_count].step = source;
        step.sources[step.source_count++].rule = rule;
    }
    b->written[b->count] = s->ids[s->input_count];
    b->each[b->count++] = step;
    return true;
}

bool band_describe(const kiln_plan_view *v, const kiln_plan_band *band, band_steps *out_steps) {
    out_steps->count = 0;
    for (uint32_t step = band->first_step; step <= band->last_step; step++) {
        const kiln_plan_step *s = &v->steps[step];
        const uint32_t *ids = v->operands + s->first_operand;
        const kiln_plan_tensor_record *records[KERNEL_MAX_OPERANDS];
        for (uint32_t k = 0; k < (uint32_t)s->input_count + s->output_count; k++) {
            records[k] = ids[k] == KILN_PLAN_NONE ? NULL : &v->tensors[ids[k]];
        }
        step_operands operands = {s->kernel,      s->flags,        step_params(v, step),
                                  s->input_count, s->output_count, ids,
                                  records};
        if (!band_add_step(out_steps, &operands)) {
            return false;
        }
    }
    return true;
}

const kiln_plan_band *band_of_step(const kiln_plan_band *bands, size_t count, size_t step) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bands[middle].last_step < step) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && bands[low].first_step <= step ? &bands[low] : NULL;
}
