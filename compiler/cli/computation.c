/* Who computes a step, as the forms of inspect and bench tell it. */
#include "compiler/cli/cli.h"

const char *computation_text(const kiln_plan *plan, size_t step, char *text, size_t size) {
    kiln_step_computation c = kiln_plan_step_computation(plan, step);
    bool named = c.algorithm != NULL;
    snprintf(text, size, "%s%s%s", c.library, named ? " " : "", named ? c.algorithm : "");
    return text;
}

void json_computation(FILE *out, const kiln_plan *plan, size_t step) {
    kiln_step_computation c = kiln_plan_step_computation(plan, step);
    fputs("\"algorithm\": ", out);
    if (c.algorithm != NULL) {
        json_string(out, c.algorithm);
    } else {
        fputs("null", out);
    }
    fputs(", \"library\": ", out);
    json_string(out, c.library);
}
