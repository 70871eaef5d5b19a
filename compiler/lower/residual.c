/* A convolution takes over the addition that follows it: its results are added to the other
 * operand, and clamped, before they are stored. It then runs where the addition stood. */
#include "compiler/lower/lowering.h"

#include <math.h>

/* The step that makes a tensor, where it is a convolution of ours and one addition alone reads it;
 * else NONE. */
static uint32_t find_convolution(const lowering *l, const use_table *table, uint32_t id) {
    const program *p = l->p;
    uint32_t s = use_table_maker_for_one(l, table, id);
    if (s == KILN_PLAN_NONE) {
        return KILN_PLAN_NONE;
    }
    const program_step *step = &p->steps[s];
    const kiln_conv_params *c = step->params;
    bool fits = step->kernel == KILN_KERNEL_CONV_2D && step->input_count <= 3 &&
                conv_adds(c->algorithm) && c->min == -INFINITY && c->max == INFINITY;
    return fits ? s : KILN_PLAN_NONE;
}

static kiln_status take_over(lowering *l, uint32_t convolution, uint32_t addition,
                             uint32_t addend) {
    program_step *c = &l->p->steps[convolution], *a = &l->p->steps[addition];
    const kiln_binary_params *clamp = a->params;
    kiln_conv_params *params = c->params;
    uint32_t *operands = graph_allocate(l->g, 5 * sizeof *operands);
    const char *origin = graph_printf(l->g, "%s + %s", c->origin, a->origin);
    if (operands == NULL || origin == NULL) {
        return KILN_ERROR_MEMORY;
    }
    operands[0] = c->operands[0];
    operands[1] = c->operands[1];
    operands[2] = c->input_count > 2 ? c->operands[2] : KILN_PLAN_NONE;
    operands[3] = addend;
    operands[4] = a->operands[a->input_count];
    params->min = clamp->min;
    params->max = clamp->max;
    *a = *c;
    a->origin = origin;
    a->operands = operands;
    a->input_count = 4;
    c->input_count = c->output_count = 0; /* removed by lowering_remove_steps */
    return KILN_OK;
}

static kiln_status try_addition(lowering *l, const use_table *table, uint32_t s) {
    const program *p = l->p;
    const program_step *step = &p->steps[s];
    const kiln_binary_params *params = step->params;
    if (step->kernel != KILN_KERNEL_BINARY || params->op != KILN_BINARY_ADD) {
        return KILN_OK;
    }
    uint32_t found = KILN_PLAN_NONE, addend = KILN_PLAN_NONE;
    const program_tensor *y = &p->tensors[step->operands[2]];
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t id = step->operands[k], other = step->operands[1 - k];
        bool alike = id != KILN_PLAN_NONE && other != KILN_PLAN_NONE && id != other &&
                     program_same_physical(&p->tensors[id], y) &&
                     program_same_physical(&p->tensors[other], y) &&
                     p->tensors[other].place == KILN_PLACE_ARENA;
        uint32_t convolution = alike ? find_convolution(l, table, id) : KILN_PLAN_NONE;
        /* The later of two convolutions takes it, so that both need not wait. */
        if (convolution != KILN_PLAN_NONE && (found == KILN_PLAN_NONE || convolution > found)) {
            found = convolution;
            addend = other;
        }
    }
    return found == KILN_PLAN_NONE ? KILN_OK : take_over(l, found, s, addend);
}

void lowering_remove_steps(lowering *l) {
    program *p = l->p;
    size_t kept = 0;
    for (size_t s = 0; s < p->step_count; s++) {
        if (p->steps[s].output_count > 0) {
            p->steps[kept++] = p->steps[s];
        }
    }
    p->step_count = kept;
}

kiln_status lowering_fuse_residuals(lowering *l) {
    program *p = l->p;
    use_table table;
    kiln_status status = use_table_build(l, &table);
    for (uint32_t s = 0; s < p->step_count && status == KILN_OK; s++) {
        status = try_addition(l, &table, s);
    }
    lowering_remove_steps(l);
    return status;
}
