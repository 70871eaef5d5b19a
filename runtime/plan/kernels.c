/* What is known of the kernels and algorithms that a plan's steps name. */
#include "runtime/kernels/finish.h"
#include "runtime/plan/plan.h"

const kiln_kernel_traits *kiln_kernel_describe(uint32_t kernel_id) {
    const kernel *kernel = kernel_find(kernel_id);
    return kernel != NULL ? &kernel->traits : NULL;
}

bool kiln_step_takes_function(uint32_t kernel_id, uint32_t op) {
    const kernel *kernel = kernel_find(kernel_id);
    return kernel != NULL && kernel->finishes && finish_takes(op);
}

bool kiln_function_takes_beta(uint32_t op) {
    return finish_takes_beta(op);
}

kiln_step_computation kiln_plan_step_computation(const kiln_plan *plan, size_t step) {
    const kernel_host host = {.threads = 1};
    const kiln_plan_view *v = &plan->view;
    operand operands[KERNEL_MAX_OPERANDS];
    kernel_call call;
    if (step >= v->step_count) {
        return (kiln_step_computation){NULL, ""};
    }
    call_describe(v, step, &host, operands, &call);
    call.in_band = band_of_step(v->bands, v->band_count, step) != NULL;
    const char *other = call.kernel->library != NULL ? call.kernel->library(&call) : NULL;
    bool conv =
        call.step->kernel == KILN_KERNEL_CONV_2D || call.step->kernel == KILN_KERNEL_DECONV_2D;
    const kiln_conv_params *p = call.params;
    uint32_t algorithm = !conv || other != NULL ? KILN_CONV_DIRECT : p->algorithm;
    return (kiln_step_computation){conv ? kiln_conv_algorithm_name(algorithm) : NULL,
                                   other != NULL ? other : "Kiln"};
}

uint64_t kiln_plan_step_macs(const kiln_plan *plan, size_t step) {
    const kernel_host host = {.threads = 1};
    operand operands[KERNEL_MAX_OPERANDS];
    kernel_call call;
    if (step >= plan->view.step_count) {
        return 0;
    }
    call_describe(&plan->view, step, &host, operands, &call);
    return call.kernel->macs != NULL ? call.kernel->macs(&call) : 0;
}
