/* The steps of a band as the runtime will see them. */
#include "compiler/lower/lowering.h"

const kiln_plan_band *program_band_of(const program *p, uint32_t step) {
    return band_of_step(p->bands, p->band_count, step);
}

enum { BAND_OPERANDS = 8 }; /* no step with more is run in stripes */

/* A step with the records that its tensors will have. */
typedef struct described_step {
    step_operands operands;
    kiln_plan_tensor_record records[BAND_OPERANDS];
    const kiln_plan_tensor_record *pointers[BAND_OPERANDS];
} described_step;

static bool describe_step(const program *p, uint32_t step, described_step *out) {
    const program_step *s = &p->steps[step];
    if (s->output_count != 1 || s->input_count >= BAND_OPERANDS) {
        return false;
    }
    for (uint32_t k = 0; k <= s->input_count; k++) {
        out->pointers[k] = s->operands[k] == KILN_PLAN_NONE ? NULL : &out->records[k];
        if (out->pointers[k] != NULL) {
            out->records[k] = program_record(&p->tensors[s->operands[k]]);
        }
    }
    out->operands = (step_operands){(uint16_t)s->kernel, s->flags,    s->params,    s->input_count,
                                    s->output_count,     s->operands, out->pointers};
    return true;
}

bool program_step_rows(const program *p, uint32_t step, uint32_t input, row_rule *out_rule) {
    described_step s;
    return describe_step(p, step, &s) && step_rows(&s.operands, input, out_rule) != 0;
}

bool program_band_steps(const program *p, const kiln_plan_band *b, band_steps *out_steps) {
    out_steps->count = 0;
    for (uint32_t step = b->first_step; step <= b->last_step; step++) {
        described_step s;
        if (!describe_step(p, step, &s) || !band_add_step(out_steps, &s.operands)) {
            return false;
        }
    }
    return true;
}
