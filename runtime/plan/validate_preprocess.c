/* How images become inputs, in an untrusted plan. */
#include "runtime/plan/plan.h"

kiln_status plan_validate_preprocess(const kiln_plan *plan, kiln_error *error) {
    return plan->view.preprocess_count <= 1
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_FORMAT, "damaged plan: several preprocess records");
}
