/* Whether a network's outputs are classes. */
#include "compiler/cli/train/scorer.h"
#include "runtime/plan/sub_plan.h"
#include <kiln/train.h>

/* More than one number a channel. */
static bool is_map(const kiln_tensor_info *output) {
    bool map = false;
    for (uint32_t k = 2; k < output->rank; k++) {
        map = map || output->dims[k] != 1;
    }
    return map;
}

kiln_status scorer_check_classifier(const scorer *s, const char *path, kiln_error *error) {
    bool labels = kiln_plan_label_count(s->plan) > 0;
    if (labels || !(is_map(&s->output) || kiln_plan_is_embedding(s->plan))) {
        return KILN_OK;
    }
    return kiln_fail(error, KILN_ERROR_ARGUMENT,
                     "%s: a network without labels: kiln run shows its outputs; kiln train makes a "
                     "classifier. Where its %zu outputs are classes, compile it with --labels",
                     path, s->count);
}

bool scorer_gives_probabilities(const scorer *s) {
    kiln_plan_view v;
    kiln_plan_inspect(s->plan, &v);
    uint32_t tensor = v.outputs[v.output_count - 1];
    size_t at = v.step_count;
    while (plan_producer(&v, tensor, at, &at)) {
        const kiln_plan_step *step = &v.steps[at];
        const void *params = v.params + step->params_offset;
        switch (step->kernel) {
        case KILN_KERNEL_SOFTMAX:
            return ((const kiln_softmax_params *)params)->log == 0;
        case KILN_KERNEL_UNARY:
            return ((const kiln_unary_params *)params)->op == KILN_UNARY_SIGMOID;
        case KILN_KERNEL_COPY:
        case KILN_KERNEL_CAST:
        case KILN_KERNEL_REMAP:
        case KILN_KERNEL_QUANTIZE:
            tensor = v.operands[step->first_operand];
            break;
        default:
            return false;
        }
    }
    return false;
}
