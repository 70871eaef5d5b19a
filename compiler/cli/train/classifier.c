/* Whether a network's outputs are classes. */
#include "compiler/cli/train/scorer.h"

#include <kiln/plan_format.h>

/* Features come in such numbers (64, 128, 512, 2048; 96, 1280), classes hardly ever do (10, 1000,
 * 1001, 2622, 21841). */
#define FEATURES_MULTIPLE 16

/* The last step that computes: it makes the one output. */
static bool ends_in_softmax(const kiln_plan *plan) {
    kiln_plan_view v;
    kiln_plan_inspect(plan, &v);
    for (size_t s = v.step_count; s-- > 0;) {
        if (v.steps[s].kernel != KILN_KERNEL_COPY && v.steps[s].kernel != KILN_KERNEL_CAST) {
            return v.steps[s].kernel == KILN_KERNEL_SOFTMAX;
        }
    }
    return false;
}

/* More than one number a channel: a map. */
static bool is_map(const kiln_tensor_info *output) {
    bool map = false;
    for (uint32_t k = 2; k < output->rank; k++) {
        map = map || output->dims[k] != 1;
    }
    return map;
}

kiln_status scorer_check_classifier(const scorer *s, const char *path, kiln_error *error) {
    bool features =
        is_map(&s->output) || (s->count % FEATURES_MULTIPLE == 0 && !ends_in_softmax(s->plan));
    if (kiln_plan_label_count(s->plan) > 0 || !features) {
        return KILN_OK;
    }
    return kiln_fail(error, KILN_ERROR_ARGUMENT,
                     "%s: a network without labels: kiln run shows its outputs; kiln train makes a "
                     "classifier. Where its %zu outputs are classes, compile it with --labels",
                     path, s->count);
}
