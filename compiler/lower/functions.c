/* A convolution, a dense layer or an addition takes over the function of one element that follows
 * it: its results go through the function while they are near, and are stored once. There may be
 * views in between. */
#include "compiler/lower/lowering.h"

#include <math.h>

/* Where the step's bounds lie; NULL: it has none. */
static float *bounds_of(const program_step *step) {
    switch (step->kernel) {
    case KILN_KERNEL_CONV_2D:
    case KILN_KERNEL_DECONV_2D:
        return &((kiln_conv_params *)step->params)->min;
    case KILN_KERNEL_FULLY_CONNECTED:
        return &((kiln_fully_connected_params *)step->params)->min;
    case KILN_KERNEL_BINARY:
        return &((kiln_binary_params *)step->params)->min;
    case KILN_KERNEL_SQUEEZE_EXCITE:
        return &((kiln_squeeze_excite_params *)step->params)->min;
    default:
        return NULL;
    }
}

/* The network's own last layers stay what training knows. */
static bool applies(const program_step *step) {
    const kiln_binary_params *binary = step->params;
    bool here = step->kernel != KILN_KERNEL_BINARY || binary->op <= KILN_BINARY_MUL;
    return here && (step->flags & KILN_STEP_FINAL_DENSE) == 0;
}

/* May the step that makes a tensor take over the function that reads it? */
static bool takes(const program *p, uint32_t s, uint32_t id, const kiln_unary_params *function) {
    const program_step *step = s != KILN_PLAN_NONE ? &p->steps[s] : NULL;
    const float *bounds = step != NULL && step->output_count == 1 ? bounds_of(step) : NULL;
    return bounds != NULL && p->tensors[id].dtype == KILN_F32 && bounds[0] == -INFINITY &&
           bounds[1] == INFINITY && kiln_step_takes_function(step->kernel, function->op) &&
           applies(step);
}

static kiln_status take_over(lowering *l, program_step *step, program_step *function) {
    const kiln_unary_params *params = function->params;
    float *bounds = bounds_of(step);
    const char *origin = graph_printf(l->g, "%s + %s", step->origin, function->origin);
    if (origin == NULL) {
        return KILN_ERROR_MEMORY;
    }
    bounds[0] = params->alpha;
    bounds[1] = kiln_function_takes_beta(params->op) ? params->beta : NAN;
    step->flags |= KILN_STEP_WITH_FUNCTION(params->op);
    step->origin = origin;
    function->input_count = function->output_count = 0; /* removed by lowering_remove_steps */
    return KILN_OK;
}

kiln_status lowering_fuse_functions(lowering *l) {
    program *p = l->p;
    use_table table;
    kiln_status status = use_table_build(l, &table);
    for (uint32_t s = 0; s < p->step_count && status == KILN_OK; s++) {
        program_step *step = &p->steps[s];
        if (step->kernel != KILN_KERNEL_UNARY ||
            !program_same_physical(&p->tensors[step->operands[0]],
                                   &p->tensors[step->operands[1]])) {
            continue;
        }
        uint32_t x = step->operands[0], y = step->operands[1];
        uint32_t maker = use_table_maker_for_one(l, &table, x);
        if (takes(p, maker, x, step->params)) {
            p->steps[maker].operands[p->steps[maker].input_count] = y;
            status = take_over(l, &p->steps[maker], step);
            continue;
        }
        maker = use_table_maker_of_viewed(l, &table, x, y);
        if (takes(p, maker, x, step->params)) {
            use_table_share_viewed(l, &table, x, y);
            status = take_over(l, &p->steps[maker], step);
        }
    }
    lowering_remove_steps(l);
    return status;
}
