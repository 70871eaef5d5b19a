/* Whether a network's outputs are classes. */
#include "compiler/cli/train/scorer.h"

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
