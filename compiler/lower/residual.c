/* A convolution takes over the addition that follows it: its results are added to the other
 * operand, and clamped, before they are stored. It then runs where the addition stood. */
#include "compiler/lower/lowering.h"

#include <math.h>

/* An addition, and the convolution that takes it over. */
typedef struct residual {
    uint32_t convolution; /* NONE: there is none */
    uint32_t sum, addend; /* the addition's operands, the first the convolution's result */
} residual;

/* The step that makes a tensor, or what it is a view of, where it is a convolution of ours and the
 * addition to y alone reads it; else NONE. */
static uint32_t find_convolution(const lowering *l, const use_table *table, uint32_t id,
                                 uint32_t y) {
    const program *p = l->p;
    uint32_t s = use_table_maker_for_one(l, table, id);
    s = s == KILN_PLAN_NONE ? use_table_maker_of_viewed(l, table, id, y) : s;
    if (s == KILN_PLAN_NONE) {
        return KILN_PLAN_NONE;
    }
    const program_step *step = &p->steps[s];
    const kiln_conv_params *c = step->params;
    bool fits = step->kernel == KILN_KERNEL_CONV_2D && step->input_count <= 3 &&
                conv_adds(c->algorithm) && c->min == -INFINITY && c->max == INFINITY;
    return fits ? s : KILN_PLAN_NONE;
}

/* A dense tensor, with the dims and the layout of another. */
static uint32_t view_like(lowering *l, uint32_t id, uint32_t like) {
    const program_tensor to = l->p->tensors[like];
    int64_t dims[KILN_MAX_RANK];
    for (uint32_t k = 0; k < to.rank; k++) {
        dims[k] = k == 0 && to.batched ? to.dims[0] * GRAPH_BATCH : to.dims[k];
    }
    uint32_t view =
        lowering_add_tensor(l, NULL, to.dtype, to.rank, dims, to.layout, KILN_PLACE_ARENA);
    if (view != KILN_PLAN_NONE) {
        l->memories[view].root = l->memories[id].root;
        l->memories[view].same_outer = false;
    }
    return view;
}

static kiln_status take_over(lowering *l, use_table *table, const residual *r, uint32_t addition) {
    program_step *c = &l->p->steps[r->convolution], *a = &l->p->steps[addition];
    const kiln_binary_params *clamp = a->params;
    kiln_conv_params *params = c->params;
    uint32_t *operands = graph_allocate(l->g, 5 * sizeof *operands);
    const char *origin = graph_printf(l->g, "%s + %s", c->origin, a->origin);
    if (operands == NULL || origin == NULL) {
        return KILN_ERROR_MEMORY;
    }
    uint32_t made = c->operands[c->input_count], y = a->operands[a->input_count];
    operands[0] = c->operands[0];
    operands[1] = c->operands[1];
    operands[2] = c->input_count > 2 ? c->operands[2] : KILN_PLAN_NONE;
    operands[3] = made == r->sum ? r->addend : view_like(l, r->addend, made);
    operands[4] = made == r->sum ? y : made;
    if (operands[3] == KILN_PLAN_NONE) {
        return l->status;
    }
    if (made != r->sum) {
        use_table_share_viewed(l, table, r->sum, y);
    }
    params->min = clamp->min;
    params->max = clamp->max;
    *a = *c;
    a->origin = origin;
    a->operands = operands;
    a->input_count = 4;
    c->input_count = c->output_count = 0; /* removed by lowering_remove_steps */
    return KILN_OK;
}

static residual find_residual(const lowering *l, const use_table *table, const program_step *step) {
    const program *p = l->p;
    const program_tensor *y = &p->tensors[step->operands[2]];
    residual r = {.convolution = KILN_PLAN_NONE};
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t id = step->operands[k], other = step->operands[1 - k];
        bool alike = id != KILN_PLAN_NONE && other != KILN_PLAN_NONE && id != other &&
                     program_same_physical(&p->tensors[id], y) &&
                     program_same_physical(&p->tensors[other], y) &&
                     p->tensors[other].place == KILN_PLACE_ARENA;
        uint32_t found = alike ? find_convolution(l, table, id, step->operands[2]) : KILN_PLAN_NONE;
        const program_step *c = found != KILN_PLAN_NONE ? &p->steps[found] : NULL;
        bool viewed = c != NULL && c->operands[c->input_count] != id;
        /* The later of two convolutions takes it, so that both need not wait. */
        if (c != NULL && (!viewed || lowering_is_dense(l, other)) &&
            (r.convolution == KILN_PLAN_NONE || found > r.convolution)) {
            r = (residual){found, id, other};
        }
    }
    return r;
}

static kiln_status try_addition(lowering *l, use_table *table, uint32_t s) {
    const program_step *step = &l->p->steps[s];
    const kiln_binary_params *params = step->params;
    if (step->kernel != KILN_KERNEL_BINARY || params->op != KILN_BINARY_ADD) {
        return KILN_OK;
    }
    residual r = find_residual(l, table, step);
    return r.convolution == KILN_PLAN_NONE ? KILN_OK : take_over(l, table, &r, s);
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
