/* A depthwise convolution takes over the 2x2 max pool that alone reads it: it computes two rows at
 * a time anyway, and stores a quarter of them. */
#include "compiler/lower/lowering.h"

#include <math.h>

static bool halves(const program *p, const program_step *step) {
    const kiln_pool_params *pool = step->params;
    const program_tensor *x = &p->tensors[step->operands[0]];
    uint32_t padding =
        pool->padding_top + pool->padding_right + pool->padding_bottom + pool->padding_left;
    return pool->kernel_height == 2 && pool->kernel_width == 2 && pool->stride_height == 2 &&
           pool->stride_width == 2 && pool->dilation_height == 1 && pool->dilation_width == 1 &&
           padding == 0 && x->rank == 4 && x->dims[2] % 2 == 0 && x->dims[3] % 2 == 0 &&
           x->dims[3] >= KILN_STEP_POOLED_WIDTH;
}

static bool pools(const program *p, const program_step *step) {
    const kiln_conv_params *c = step->params;
    if (step->kernel != KILN_KERNEL_CONV_2D || c->algorithm != KILN_CONV_DEPTHWISE ||
        KILN_STEP_FUNCTION(step->flags) != KILN_UNARY_CLAMP) {
        return false;
    }
    const program_tensor *w = &p->tensors[step->operands[1]];
    return w->dims[0] == c->groups && w->dims[1] == 3 && w->dims[2] == 3 && c->stride_height == 1 &&
           c->stride_width == 1 && c->dilation_height == 1 && c->dilation_width == 1 &&
           c->padding_top == 1 && c->padding_right == 1 && c->padding_bottom == 1 &&
           c->padding_left == 1;
}

/* Bounds of one of the two: a maximum is of bounded values as it is bounded itself. */
static bool join_bounds(kiln_conv_params *c, const kiln_pool_params *pool) {
    bool free = c->min == -INFINITY && c->max == INFINITY;
    if (free) {
        c->min = pool->min;
        c->max = pool->max;
    }
    return free || (pool->min == -INFINITY && pool->max == INFINITY);
}

kiln_status lowering_fuse_pools(lowering *l) {
    program *p = l->p;
    use_table table;
    kiln_status status = use_table_build(l, &table);
    for (uint32_t s = 0; s < p->step_count && status == KILN_OK; s++) {
        program_step *pool = &p->steps[s];
        if (pool->kernel != KILN_KERNEL_MAX_POOL_2D || !halves(p, pool)) {
            continue;
        }
        uint32_t maker = use_table_maker_for_one(l, &table, pool->operands[0]);
        program_step *c = maker != KILN_PLAN_NONE ? &p->steps[maker] : NULL;
        if (c == NULL || !pools(p, c) || !join_bounds(c->params, pool->params)) {
            continue;
        }
        c->origin = graph_printf(l->g, "%s + %s", c->origin, pool->origin);
        status = c->origin != NULL ? KILN_OK : KILN_ERROR_MEMORY;
        c->flags |= KILN_STEP_POOLED;
        c->operands[c->input_count] = pool->operands[1];
        pool->input_count = pool->output_count = 0; /* removed by lowering_remove_steps */
    }
    lowering_remove_steps(l);
    return status;
}
