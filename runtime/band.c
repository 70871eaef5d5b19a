/* The schedule of a band: which rows of each step's output are computed in which turn. */
#include "runtime/runtime.h"

#include <string.h>

static uint32_t least(uint64_t a, uint32_t b) {
    return a < b ? (uint32_t)a : b;
}

/* The first row of the input that output row `row` is computed from. */
static uint32_t first_needed(const kiln_row_rule *rule, uint32_t row, uint32_t height) {
    uint64_t at = (uint64_t)row * rule->stride;
    return at < rule->padding ? 0 : least(at - rule->padding, height);
}

/* One past the last row of the input that output rows below `end` are computed from. */
static uint32_t end_needed(const kiln_row_rule *rule, uint32_t end, uint32_t height) {
    uint64_t at = (uint64_t)(end - 1) * rule->stride + rule->extent;
    return end == 0 || at < rule->padding ? 0 : least(at - rule->padding, height);
}

static uint32_t round_up(uint32_t rows, const kiln_band_step *step) {
    uint64_t up = ((uint64_t)rows + step->multiple - 1) / step->multiple * step->multiple;
    return least(up, step->height);
}

bool kiln_band_turn(const kiln_band_step *steps, size_t count, uint32_t rows,
                    kiln_band_rows *inout_rows) {
    const kiln_band_step *last = &steps[count - 1];
    bool done = true;
    for (size_t k = 0; k < count; k++) {
        kiln_band_rows *r = &inout_rows[k];
        done = done && r->end == steps[k].height;
        *r = (kiln_band_rows){r->end, r->end, r->end};
    }
    if (done) {
        return false;
    }
    uint32_t needed[KILN_BAND_STEPS] = {0};
    needed[count - 1] = least((uint64_t)inout_rows[count - 1].begin + rows, last->height);
    bool final = needed[count - 1] == last->height;
    for (size_t k = count; k-- > 0;) { /* those that read before those that write */
        const kiln_band_step *step = &steps[k];
        kiln_band_rows *r = &inout_rows[k];
        uint32_t end = final ? step->height : round_up(needed[k], step);
        r->end = end > r->begin ? end : r->begin;
        for (uint32_t s = 0; s < step->source_count; s++) {
            uint32_t from = step->sources[s].step, height = steps[from].height;
            const kiln_row_rule *rule = &step->sources[s].rule;
            uint32_t want = end_needed(rule, r->end, height);
            uint32_t keep = first_needed(rule, r->begin, height);
            needed[from] = want > needed[from] ? want : needed[from];
            inout_rows[from].keep = keep < inout_rows[from].keep ? keep : inout_rows[from].keep;
        }
    }
    return true;
}

uint32_t kiln_band_measure(const kiln_band_step *steps, size_t count, uint32_t rows,
                           uint32_t *out_most, uint32_t *out_held) {
    kiln_band_rows turn[KILN_BAND_STEPS] = {{0}};
    uint32_t turns = 0;
    memset(out_most, 0, count * sizeof *out_most);
    memset(out_held, 0, count * sizeof *out_held);
    for (; kiln_band_turn(steps, count, rows, turn); turns++) {
        for (size_t k = 0; k < count; k++) {
            uint32_t most = turn[k].end - turn[k].begin, held = turn[k].end - turn[k].keep;
            out_most[k] = most > out_most[k] ? most : out_most[k];
            out_held[k] = held > out_held[k] ? held : out_held[k];
        }
    }
    return turns;
}

uint32_t kiln_step_rows(uint32_t kernel_id, const void *params, uint32_t input_count,
                        uint32_t output_count, const kiln_plan_tensor_record *const *operands,
                        uint32_t input, kiln_row_rule *out_rule) {
    operand described[KERNEL_MAX_OPERANDS];
    const kernel *row = kernel_find(kernel_id);
    *out_rule = (kiln_row_rule){0};
    if (row == NULL || row->rows == NULL || output_count != 1 ||
        input_count + output_count > KERNEL_MAX_OPERANDS) {
        return 0;
    }
    for (uint32_t k = 0; k < input_count + output_count; k++) {
        operand_describe(operands[k], &described[k]);
    }
    kernel_call call = {.params = params,
                        .input_count = input_count,
                        .output_count = output_count,
                        .inputs = described,
                        .outputs = described + input_count};
    return row->rows(&call, input, out_rule);
}
