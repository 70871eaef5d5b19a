/* kiln_plan_cut: the first part of a plan as a plan of its own, on the other's weights. */
#include "runtime/train/bytes.h"
#include "runtime/train/parts.h"

#include <stdlib.h>

kiln_status plan_cut_at(const kiln_plan *plan, uint32_t tensor, kiln_plan **out_plan,
                        kiln_error *error) {
    uint32_t features = 0, count = 0;
    plan_parts parts = {0};
    byte_sink bytes = {0};
    kiln_preprocess preprocess;
    const kiln_plan *owner = plan->weights_of != NULL ? plan->weights_of : plan;
    uint32_t grafted = graft_steps(&parts, plan, tensor);
    kiln_status status = parts.failed ? kiln_fail(error, KILN_ERROR_MEMORY, "out of memory")
                                      : graft_features(&parts, grafted, &features, &count, error);
    if (status == KILN_OK) {
        uint32_t output = parts_output_tensor(&parts, "features", count);
        parts_copy_rows(&parts, "features", features, output, count);
        kiln_plan_preprocess(plan, &preprocess);
        parts_preprocess(&parts, &preprocess);
        status = parts_finish(&parts, owner, byte_sink_write, &bytes, error);
    }
    parts_free(&parts);
    if (status != KILN_OK) {
        free(bytes.data);
        return status;
    }
    return plan_open_owned(bytes.data, bytes.size, owner, out_plan, error);
}

kiln_status kiln_plan_cut(const kiln_plan *plan, const char *cut, kiln_plan **out_plan,
                          kiln_error *error) {
    uint32_t tensor;
    if (plan == NULL || out_plan == NULL) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "kiln_plan_cut: no plan");
    }
    *out_plan = NULL;
    kiln_status status = graft_find_cut(plan, cut, &tensor, error);
    return status == KILN_OK ? plan_cut_at(plan, tensor, out_plan, error) : status;
}
